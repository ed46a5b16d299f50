"""The SAM transform, as CloudFormation runs it before or after the macro."""

from __future__ import annotations

import json
from typing import Any

from samtranslator.translator.transform import transform

from tests.macro.templates import Template, transforms

SAM = "AWS::Serverless-2016-10-31"

_FILES = ("CodeUri", "DefinitionUri", "ContentUri", "SchemaUri")


class _ManagedPolicies:
    """SAM asks IAM for the ARNs of AWS's own policies; here they are made up."""

    def load(self) -> dict[str, str]:
        return {"AWSXRayDaemonWriteAccess": "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"}


def is_sam(template: Template) -> bool:
    return SAM in transforms(template)


def packaged(template: Template) -> Template:
    """The template as `sam package` leaves it: files are in a bucket."""
    found: Template = json.loads(json.dumps(template, default=str))
    for resource in found["Resources"].values():
        properties: dict[str, Any] = resource.get("Properties") or {}
        for name in _FILES:
            if isinstance(properties.get(name), str) and not properties[name].startswith("s3://"):
                properties[name] = "s3://bucket/key"
    return found


def after_sam(template: Template) -> Template:
    """What the SAM transform makes of a template."""
    found = json.loads(json.dumps(transform(packaged(template), {}, _ManagedPolicies())))
    rest = [each for each in transforms(template) if each != SAM]
    return {
        **{key: value for key, value in found.items() if key != "Transform"},
        **({"Transform": rest} if rest else {}),
    }
