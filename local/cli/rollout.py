"""What stands between an updated configuration and the running code: canaries, aliases, containers.

How long CodeDeploy's own configurations take stands in their names (Canary10Percent5Minutes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from migration.intrinsics import is_mapping, mentioned

_CANARY = re.compile(r"Canary(\d+)Percent(\d+)Minutes?")
_LINEAR = re.compile(r"Linear(\d+)PercentEvery(\d+)Minutes?")


@dataclass(frozen=True)
class Rollout:
    """Seconds it adds at most; None when nobody can tell from the template."""

    seconds: float | None
    why: str
    shorten: str


_WARMING = Rollout(
    180.0,
    "provisioned concurrency has to start for the new version",
    "less provisioned concurrency for this update",
)


def rollout(logical_id: str, template: Mapping[str, Any]) -> Rollout | None:
    """What slows the resource's new configuration down, or None."""
    resources = template.get("Resources", {})
    resource = resources.get(logical_id)
    if not is_mapping(resource):
        return None
    kind = resource.get("Type")
    if kind == "AWS::Serverless::Function":
        return _of_sam(resource, template.get("Globals"))
    if kind in ("AWS::Lambda::Function", "AWS::Lambda::Version"):
        return next(_of_aliases(logical_id, resources), None)
    if kind == "AWS::ECS::TaskDefinition":
        return _of_services(logical_id, resources)
    return None


def traffic_shift(name: str) -> float | None:
    """Seconds until all traffic has the new version, by a deployment configuration's name; None if it does not tell."""
    if "AllAtOnce" in name:
        return 0.0
    if found := _CANARY.search(name):
        return float(found.group(2)) * 60
    if found := _LINEAR.search(name):
        return float(found.group(2)) * 60 * 100 / float(found.group(1))
    return None


def _of_sam(resource: Mapping[str, Any], template_globals: Any) -> Rollout | None:
    shared = template_globals.get("Function", {}) if is_mapping(template_globals) else {}
    properties = {**shared, **resource.get("Properties", {})}
    preference = {**shared.get("DeploymentPreference", {}), **(properties.get("DeploymentPreference") or {})}
    if preference and preference.get("Enabled", True) is not False:
        return _shifting(preference.get("Type"), "its DeploymentPreference")
    return _WARMING if "ProvisionedConcurrencyConfig" in properties else None


def _of_aliases(function: str, resources: Mapping[str, Any]) -> Iterator[Rollout]:
    """What slows the aliases of a function down, or of a version."""
    for resource in resources.values():
        if not is_mapping(resource) or resource.get("Type") != "AWS::Lambda::Alias":
            continue
        properties = resource.get("Properties", {})
        if function not in mentioned(properties):
            continue
        update = resource.get("UpdatePolicy", {}).get("CodeDeployLambdaAliasUpdate")
        if is_mapping(update):
            found = _shifting(_configuration(update, resources), "CodeDeploy's shift of its alias")
            if found is not None:
                yield found
        elif "ProvisionedConcurrencyConfig" in properties:
            yield _WARMING


def _configuration(update: Mapping[str, Any], resources: Mapping[str, Any]) -> Any:
    """The DeploymentConfigName of the group that shifts an alias."""
    groups = [resources.get(name) for name in mentioned(update.get("DeploymentGroupName"))]
    return next((group["Properties"].get("DeploymentConfigName") for group in groups if is_mapping(group)), None)


def _shifting(name: Any, what: str) -> Rollout | None:
    seconds = traffic_shift(name) if isinstance(name, str) else None
    if seconds == 0:
        return None
    shown = name if isinstance(name, str) else "a configuration of its own"
    return Rollout(
        seconds,
        f"{what} ({shown}) sends callers to old code meanwhile, whose writes are refused",
        "AllAtOnce for this one update",
    )


def _of_services(task: str, resources: Mapping[str, Any]) -> Rollout | None:
    services = {
        logical_id: resource["Properties"]
        for logical_id, resource in resources.items()
        if is_mapping(resource)
        and resource.get("Type") == "AWS::ECS::Service"
        and task in mentioned(resource.get("Properties", {}).get("TaskDefinition"))
    }
    if not services:
        return None
    graces = [properties.get("HealthCheckGracePeriodSeconds") for properties in services.values()]
    grace = max((seconds for seconds in graces if isinstance(seconds, int)), default=0)
    why = f"run by {', '.join(services)}"
    return Rollout(float(grace), f"{why}, with {grace} s of grace for health checks" if grace else why, "")
