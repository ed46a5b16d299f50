"""Application Auto Scaling for tables and their indexes, which ministack does not have at all.

Scalable targets and scaling policies are resources of stacks; RegisterScalableTarget, DescribeScalableTargets and
DescribeScalingPolicies are answered. A target needs its table or index; a policy needs its target, and goes with it. A
capacity that is out of the bounds of its target is brought inside when the target is registered.
https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-applicationautoscaling-scalabletarget.html

Not so here: nothing scales by load, for nothing is ever throttled; there are no targets of other services.
"""

import json
import time
from typing import TYPE_CHECKING, Any

from local.cloud import emulator
from local.cloud.emulator import ask

if TYPE_CHECKING:
    from local.cloud.settings import Settings

SERVICE = "application-autoscaling"
TARGET, POLICY = "AWS::ApplicationAutoScaling::ScalableTarget", "AWS::ApplicationAutoScaling::ScalingPolicy"
# What a target is known by; CloudFormation's Ref joins the values with "|".
PLACE = ("ResourceId", "ScalableDimension", "ServiceNamespace")
BOUNDS = ("MinCapacity", "MaxCapacity")


class ScalingRefused(ValueError):
    """What AWS refuses with the error `code`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def mend(_settings: "Settings") -> None:
    scaling = Scaling(emulator.module("services.dynamodb"), emulator.module("core.responses"))
    emulator.module("core.router").SERVICE_PATTERNS[SERVICE] = {"target_prefixes": ["AnyScaleFrontendService"]}
    emulator.module("core.iam_actions").SERVICE_TO_IAM_NAMESPACE[SERVICE] = SERVICE
    emulator.module("app").SERVICE_HANDLERS[SERVICE] = scaling.handle
    provisioners = emulator.module("services.cloudformation.provisioners")
    provisioners._REPLACING_PROPERTIES[TARGET] = PLACE
    provisioners._REPLACING_PROPERTIES[POLICY] = ("PolicyName", "ScalingTargetId", *PLACE)
    provisioners._RESOURCE_HANDLERS[TARGET] = {
        "create": lambda _id, properties, _stack: scaling.create_target(properties),
        "update": lambda _name, _old, properties, _stack: scaling.create_target(properties),
        "delete": lambda name, _properties: scaling.delete_target(name),
    }
    provisioners._RESOURCE_HANDLERS[POLICY] = {
        "create": lambda _id, properties, _stack: scaling.create_policy(properties),
        "update": lambda _name, _old, properties, _stack: scaling.create_policy(properties),
        "delete": lambda arn, _properties: scaling.delete_policy(arn),
    }


class Scaling:
    """The targets and policies of every account and region."""

    def __init__(self, tables: Any, responses: Any) -> None:
        self._tables = tables
        self._responses = responses
        self._targets = responses.AccountRegionScopedDict()  # by what Ref gives
        self._policies = responses.AccountRegionScopedDict()  # by ARN

    async def handle(self, _method: str, _path: str, headers: dict[str, str], body: bytes, _query: Any) -> Any:
        """The answer to a call of the service."""
        request = json.loads(body or b"{}")
        action = headers["x-amz-target"].rpartition(".")[2]
        answer: dict[str, Any]
        try:
            if action == "RegisterScalableTarget":
                answer = {"ScalableTargetARN": self._register(_name(request), request)["ScalableTargetARN"]}
            elif action == "DescribeScalableTargets":
                answer = {"ScalableTargets": _asked_for(request, self._targets)}
            elif action == "DescribeScalingPolicies":
                answer = {"ScalingPolicies": _asked_for(request, self._policies)}
            else:
                raise ScalingRefused("ValidationException", f"{action} is not emulated")
        except ScalingRefused as refused:
            return self._responses.error_response_json(refused.code, str(refused), 400)
        return self._responses.json_response(answer)

    def create_target(self, properties: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Register a stack's target: its physical id and attributes. Raises ScalingRefused."""
        name = _name(properties)
        self._register(name, properties)
        return name, {"Id": name}

    def delete_target(self, name: str) -> None:
        self._targets.pop(name, None)
        for arn in [arn for arn, policy in self._policies.items() if _name(policy) == name]:
            self._policies.pop(arn)

    def create_policy(self, properties: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Put a stack's policy: its physical id and attributes. Raises ScalingRefused."""
        target = properties.get("ScalingTargetId") or _name(properties)
        place = dict(zip(PLACE, target.split("|"), strict=True))
        if target not in self._targets:
            what = ", ".join(place.values())
            raise ScalingRefused("ObjectNotFoundException", f"No scalable target registered for {what}")
        arn = self._arn(f"scalingPolicy:local:resource/{place['ResourceId']}:policyName/{properties['PolicyName']}")
        kept = {key: value for key, value in properties.items() if key.startswith("Policy") or "Configuration" in key}
        self._policies[arn] = {"PolicyARN": arn, **place, **kept, "CreationTime": int(time.time())}
        return arn, {"Arn": arn}

    def delete_policy(self, arn: str) -> None:
        self._policies.pop(arn, None)

    def _register(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        place = dict(zip(PLACE, name.split("|"), strict=True))
        there = self._targets.get(name) or {"CreationTime": int(time.time()), "RoleARN": self._service_role()}
        bounds = {key: int(given.get(key, there.get(key, 0))) for key in BOUNDS}
        if not 1 <= bounds["MinCapacity"] <= bounds["MaxCapacity"]:
            raise ScalingRefused("ValidationException", f"{name}: these bounds cannot be: {bounds}")
        self._bring_inside(place, *bounds.values())
        arn = self._arn(f"scalable-target/{place['ResourceId']}/{place['ScalableDimension']}", SERVICE)
        self._targets[name] = {**there, **place, **bounds, "ScalableTargetARN": arn}
        registered: dict[str, Any] = self._targets[name]
        return registered

    def _bring_inside(self, place: dict[str, str], least: int, most: int) -> None:
        """Change the capacity of the table or index, if it is out of these bounds."""
        _, table, *index = place["ResourceId"].split("/")
        description = self._tables._tables.get(table)
        if description is None:
            raise ScalingRefused("ValidationException", f"DynamoDB table does not exist: {place['ResourceId']}")
        if index:
            found = [one for one in description.get("GlobalSecondaryIndexes") or [] if one["IndexName"] == index[-1]]
            if not found:
                raise ScalingRefused("ValidationException", f"DynamoDB index does not exist: {place['ResourceId']}")
            description = found[0]
        unit = place["ScalableDimension"].rpartition(":")[2]
        now = description["ProvisionedThroughput"]
        wanted = {key: int(now[key]) for key in ("ReadCapacityUnits", "WriteCapacityUnits")}
        wanted[unit] = min(max(wanted[unit], least), most)
        if wanted[unit] == now[unit]:
            return
        change: dict[str, Any] = {"ProvisionedThroughput": wanted}
        if index:
            change = {"GlobalSecondaryIndexUpdates": [{"Update": {"IndexName": index[-1], **change}}]}
        ask(self._tables._update_table, {"TableName": table, **change})

    def _arn(self, resource: str, service: str = "autoscaling") -> str:
        return f"arn:aws:{service}:{self._responses.get_region()}:{self._responses.get_account_id()}:{resource}"

    def _service_role(self) -> str:
        path = "aws-service-role/dynamodb.application-autoscaling.amazonaws.com"
        role = "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"
        return f"arn:aws:iam::{self._responses.get_account_id()}:role/{path}/{role}"


def _name(given: dict[str, Any]) -> str:
    return "|".join(str(given[part]) for part in PLACE)


def _asked_for(request: dict[str, Any], there: Any) -> list[dict[str, Any]]:
    """What fits a request to describe, oldest first."""
    wanted = {key: request[key] for key in PLACE if key in request}
    resources = request.get("ResourceIds")
    return [
        one
        for one in there.values()
        if all(one[key] == value for key, value in wanted.items())
        and (resources is None or one["ResourceId"] in resources)
    ]
