"""AWS::Serverless::SimpleTable as the AWS::DynamoDB::Table that SAM makes of it, under the same logical id.

A migrating table needs a stream, which SimpleTable cannot have. Every property must come out exactly as the SAM
transform would have written it, or CloudFormation would replace the table; a test compares both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migration.intrinsics import is_mapping

if TYPE_CHECKING:
    from collections.abc import Mapping

SIMPLE_TABLE = "AWS::Serverless::SimpleTable"

_KEY_TYPES = {"String": "S", "Number": "N", "Binary": "B"}


def as_table(resource: Mapping[str, Any], template_globals: Any) -> dict[str, Any]:
    """The resource as AWS::DynamoDB::Table, with what `Globals: SimpleTable:` sets."""
    given = resource.get("Properties")
    properties = _with_globals(given if is_mapping(given) else {}, template_globals, resource.get("IgnoreGlobals"))
    primary_key = properties.get("PrimaryKey")
    if not is_mapping(primary_key):
        primary_key = {"Name": "id", "Type": "String"}
    name, key_type = primary_key.get("Name"), primary_key.get("Type")
    table: dict[str, Any] = {
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": _KEY_TYPES.get(str(key_type), key_type)}],
        "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
    }
    if properties.get("ProvisionedThroughput"):
        table["ProvisionedThroughput"] = properties["ProvisionedThroughput"]
    else:
        table["BillingMode"] = "PAY_PER_REQUEST"
    for same in ("PointInTimeRecoverySpecification", "SSESpecification", "TableName"):
        if properties.get(same):
            table[same] = properties[same]
    if properties.get("Tags"):
        table["Tags"] = _tags(properties["Tags"])
    attributes = {name: value for name, value in resource.items() if name != "IgnoreGlobals"}
    return {**attributes, "Type": "AWS::DynamoDB::Table", "Properties": table}


def _with_globals(properties: Mapping[str, Any], template_globals: Any, ignored: Any) -> Mapping[str, Any]:
    section = template_globals.get("SimpleTable") if is_mapping(template_globals) else None
    if not is_mapping(section) or ignored == "*":
        return properties
    names = ignored if isinstance(ignored, list) else []
    merged: Mapping[str, Any] = _merged(
        {name: value for name, value in section.items() if name not in names}, properties
    )
    return merged


def _merged(below: Any, above: Any) -> Any:
    """`above` laid over `below` as SAM lays a resource over Globals: mappings are merged, lists are joined."""
    if is_mapping(below) and is_mapping(above):
        return {**below, **{key: _merged(below[key], above[key]) if key in below else above[key] for key in above}}
    if isinstance(below, list) and isinstance(above, list):
        return [*below, *above]
    return above


def _tags(tags: Any) -> Any:
    if not is_mapping(tags):
        return tags
    return [{"Key": key, "Value": value} for key, value in tags.items()]
