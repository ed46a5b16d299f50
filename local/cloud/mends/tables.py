"""AWS::DynamoDB::Table: properties that ministack drops, and protections that it does not honour.

Creating a table goes through CreateTable, so that it is validated and that a name that exists is refused (ministack
wiped that table). SSE, point-in-time recovery, time to live, the resource policy, the Kinesis destination and
contributor insights take effect; a table under deletion protection is not deleted.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
"""

import copy
import json
from typing import TYPE_CHECKING, Any

from local.cloud import emulator
from local.cloud.emulator import ask
from local.cloud.mends import policies

if TYPE_CHECKING:
    from local.cloud.settings import Settings

TYPE = "AWS::DynamoDB::Table"
# What CreateTable takes as it stands in the template.
SAME = (
    "KeySchema",
    "AttributeDefinitions",
    "LocalSecondaryIndexes",
    "GlobalSecondaryIndexes",
    "BillingMode",
    "ProvisionedThroughput",
    "TableClass",
    "OnDemandThroughput",
    "DeletionProtectionEnabled",
)
# What ministack's own update gets: the rest is done here.
OURS = (
    "SSESpecification",
    "PointInTimeRecoverySpecification",
    "TimeToLiveSpecification",
    "ResourcePolicy",
    "KinesisStreamSpecification",
    "ContributorInsightsSpecification",
)
NUMBERS = ("ReadCapacityUnits", "WriteCapacityUnits", "MaxReadRequestUnits", "MaxWriteRequestUnits")
FLAGS = ("DeletionProtectionEnabled", "SSEEnabled", "Enabled", "PointInTimeRecoveryEnabled")


def mend(_settings: "Settings") -> None:
    handlers = emulator.module("services.cloudformation.provisioners")._RESOURCE_HANDLERS[TYPE]
    tables = emulator.module("services.dynamodb")
    update_rest, delete_table = handlers["update"], handlers["delete"]

    def create(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
        wanted = typed(properties)
        provisioners = emulator.module("services.cloudformation.provisioners")
        name = wanted.get("TableName") or provisioners._physical_name(stack, logical_id, max_len=255)
        if name in tables._tables:
            raise ValueError(f"Resource of type '{TYPE}' with identifier '{name}' already exists.")
        ask(tables._create_table, _create_request(name, wanted, provisioners._tag_map(wanted.get("Tags"))))
        try:
            _settle(name, {}, wanted, new_table=True)
        except ValueError:
            delete_table(name, wanted)
            raise
        return name, provisioners._ddb_attrs(tables._tables[name])

    def update(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str | None = None
    ) -> tuple[str, dict[str, Any]]:
        before, after = typed(old), typed(new)
        name, attributes = update_rest(physical_id, _rest(before), _rest(after), stack, logical_id)
        _settle(name, before if name == physical_id else {}, after, new_table=name != physical_id)
        return name, attributes

    def delete(physical_id: str, properties: dict[str, Any]) -> None:
        table = tables._tables.get(physical_id)
        if table is None:
            return
        if table.get("DeletionProtectionEnabled"):
            raise ValueError(
                "Resource cannot be deleted as it is currently protected against deletion. "
                "Disable deletion protection first."
            )
        delete_table(physical_id, properties)
        tables._tags.pop(table["TableArn"], None)
        tables._ttl_settings.pop(physical_id, None)
        tables._pitr_settings.pop(physical_id, None)
        policies.forget(table["TableArn"])

    handlers.update(create=create, update=update, delete=delete)


def typed(properties: Any) -> Any:
    """The properties with numbers and flags as such: templates may carry them as text."""
    if isinstance(properties, list):
        return [typed(item) for item in properties]
    if not isinstance(properties, dict):
        return properties
    return {key: _typed_value(key, value) for key, value in properties.items()}


def _typed_value(key: str, value: Any) -> Any:
    if key == "PolicyDocument":
        return value
    if key in NUMBERS:
        return int(value)
    if key in FLAGS:
        return str(value).lower() == "true"
    return typed(value)


def _rest(properties: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in properties.items() if key not in OURS}
    if "StreamSpecification" in rest:
        rest["StreamSpecification"] = _stream(rest["StreamSpecification"])
    return rest


def _stream(specification: dict[str, Any]) -> dict[str, Any]:
    return {"StreamEnabled": True, "StreamViewType": specification["StreamViewType"]}


def _create_request(name: str, wanted: dict[str, Any], tags: dict[str, str]) -> dict[str, Any]:
    request = {key: copy.deepcopy(wanted[key]) for key in SAME if wanted.get(key) is not None}
    request["TableName"] = name
    request["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    if wanted.get("StreamSpecification"):
        request["StreamSpecification"] = _stream(wanted["StreamSpecification"])
    return request


def _settle(name: str, old: dict[str, Any], new: dict[str, Any], *, new_table: bool) -> None:
    """Brings about what neither CreateTable nor ministack's update takes."""
    tables = emulator.module("services.dynamodb")
    changed = {key: (old.get(key), new.get(key)) for key in OURS if old.get(key) != new.get(key)}
    if "SSESpecification" in changed:
        _encrypt(tables, name, *changed["SSESpecification"])
    if "PointInTimeRecoverySpecification" in changed:
        wanted = changed["PointInTimeRecoverySpecification"][1] or {"PointInTimeRecoveryEnabled": False}
        ask(tables._update_continuous_backups, {"TableName": name, "PointInTimeRecoverySpecification": wanted})
    if "TimeToLiveSpecification" in changed:
        before, wanted = changed["TimeToLiveSpecification"]
        wanted = wanted or {**(before or {}), "Enabled": False}
        ask(tables._update_ttl, {"TableName": name, "TimeToLiveSpecification": wanted})
    if "ResourcePolicy" in changed:
        document = (new.get("ResourcePolicy") or {}).get("PolicyDocument")
        policies.settle(tables._tables[name]["TableArn"], json.dumps(document) if document else None, at_once=new_table)
    if "KinesisStreamSpecification" in changed:
        _redirect(tables, name, *changed["KinesisStreamSpecification"])
    if "ContributorInsightsSpecification" in changed:
        wanted = changed["ContributorInsightsSpecification"][1] or {}
        action = "ENABLE" if wanted.get("Enabled") else "DISABLE"
        ask(tables._update_contributor_insights, {"TableName": name, "ContributorInsightsAction": action})


def _encrypt(tables: Any, name: str, before: dict[str, Any] | None, wanted: dict[str, Any] | None) -> None:
    enabled = bool((wanted or {}).get("SSEEnabled"))
    if not enabled and not (before or {}).get("SSEEnabled"):
        return
    given = {key: value for key, value in (wanted or {}).items() if key in ("SSEType", "KMSMasterKeyId")}
    ask(tables._update_table, {"TableName": name, "SSESpecification": {"Enabled": enabled, **given}})


def _redirect(tables: Any, name: str, before: dict[str, Any] | None, wanted: dict[str, Any] | None) -> None:
    if before:
        request = {"TableName": name, "StreamArn": before["StreamArn"]}
        ask(tables._disable_kinesis_streaming_destination, request)
    if wanted:
        ask(tables._enable_kinesis_streaming_destination, {"TableName": name, "StreamArn": wanted["StreamArn"]})
