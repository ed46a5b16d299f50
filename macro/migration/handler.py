"""The macro's Lambda function: the only module with effects (logs, metrics, a trace)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from migration.errors import MigrationError
from migration.expand import expand
from migration.request import read_request

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = Logger(service="encrypt-migrate-macro", version=os.environ.get("ENCRYPT_MIGRATE_VERSION"))
metrics = Metrics(namespace="EncryptMigrate", service="macro")


@metrics.log_metrics
def handler(event: Any, _: object) -> dict[str, Any]:
    """Answers CloudFormation with the expanded template, or with what is wrong with it; never raises."""
    request_id = event.get("requestId") if isinstance(event, dict) else None
    try:
        fragment = _expanded(event if isinstance(event, dict) else {})
    except MigrationError as refused:
        logger.info("template refused", extra={"reason": str(refused)})
        metrics.add_metric(name="TemplatesRefused", unit=MetricUnit.Count, value=1)
        return {"requestId": request_id, "status": "failure", "errorMessage": str(refused)}
    except Exception as defect:  # CloudFormation shows nothing useful when a macro raises, so a defect is answered too
        logger.exception("the macro has a defect")
        metrics.add_metric(name="MacroDefects", unit=MetricUnit.Count, value=1)
        reason = (
            f"EncryptMigrate has a defect: {type(defect).__name__}. Please report it with the log of the macro function"
        )
        return {"requestId": request_id, "status": "failure", "errorMessage": reason}
    return {"requestId": request_id, "status": "success", "fragment": fragment}


def _expanded(event: Mapping[str, Any]) -> dict[str, Any]:
    request = read_request(event)
    fragment = expand(request.template, request.stage)
    added = len(fragment["Resources"]) - len(request.template["Resources"])
    logger.info("template expanded", extra={"stage": request.stage.name.lower(), "resources_added": added})
    metrics.add_metric(name="TemplatesExpanded", unit=MetricUnit.Count, value=1)
    return fragment
