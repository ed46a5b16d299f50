"""The source and its twin at each stage.

Neither table's properties change between stage 1 and 3: CloudFormation would change a table before the gate can refuse.
What leaves a table's properties here, and where it goes:

    StreamSpecification         added to both where there is none; the user's own stays
    ResourcePolicy              out of both, to the gate: CloudFormation would overwrite what the gate writes
    SSESpecification            the twin's is the option's
    TableName                   the twin's has a suffix, or is the option's
    DeletionProtectionEnabled   the twin has none before cleanup, or a rollback could not take it away
    KinesisStreamSpecification  the twin has none before cleanup, or every change would be published twice
    ImportSourceSpecification   never the twin's: it is filled from the source
"""

from __future__ import annotations

from typing import Any

from migration.errors import Problem
from migration.intrinsics import is_mapping, is_no_value, map_branches
from migration.names import CannotRename, renamed
from migration.options import KEY
from migration.stages import Stage
from migration.tables import TABLE, Table

_STREAM = {"StreamViewType": "NEW_AND_OLD_IMAGES"}
_STREAM_VIEWS_WITHOUT_NEW_IMAGE = ("KEYS_ONLY", "OLD_IMAGE")
_ONLY_AT_CLEANUP = ("DeletionProtectionEnabled", "KinesisStreamSpecification")
_NEVER_COPIED = ("ImportSourceSpecification", "ResourcePolicy")


def source(table: Table) -> dict[str, Any]:
    """The source from stage 1 to 3: with a stream, without a policy that CloudFormation manages."""
    properties = {**table.properties, "StreamSpecification": _stream(table)}
    properties.pop("ResourcePolicy", None)
    return {**table.resource, "Properties": properties}


def twin(table: Table, stage: Stage) -> dict[str, Any]:
    """The twin, from stage 1 on; DependsOn is left out, the order of tables is made in order.py."""
    kept = ("Type", "Properties", "Metadata", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy")
    attributes = {name: value for name, value in table.resource.items() if name not in kept}
    metadata = table.resource.get("Metadata")
    others = {name: value for name, value in metadata.items() if name != KEY} if is_mapping(metadata) else {}
    if others:
        attributes["Metadata"] = others
    # From cutover on the twin holds acknowledged writes: nothing may delete it with the stack. Before, nothing may
    # keep it: what a rollback leaves behind blocks the next try.
    policy = "Retain" if stage >= Stage.CUTOVER else "Delete"
    return {
        "Type": TABLE,
        "DeletionPolicy": policy,
        "UpdateReplacePolicy": policy,
        **attributes,
        "Properties": _twin_properties(table, stage),
    }


def policy(properties: Any) -> Any:
    """The PolicyDocument of a table's own ResourcePolicy, or None; conditions (Fn::If) around it stay around it."""
    given = properties.get("ResourcePolicy")
    if given is None or is_no_value(given):
        return None
    return map_branches(given, _document)


def _document(value: Any) -> Any:
    return value.get("PolicyDocument") if is_mapping(value) and "PolicyDocument" in value else value


def twin_policy(table: Table) -> Any:
    """The user's own policy for the twin."""
    return policy({**table.properties, **table.options.properties})


def table_problems(table: Table) -> list[Problem]:
    """What makes it impossible to migrate this table."""
    problems = [
        _stream_view(table.id, each["StreamViewType"])
        for each in _branches(table.properties.get("StreamSpecification"))
        if is_mapping(each) and each.get("StreamViewType") in _STREAM_VIEWS_WITHOUT_NEW_IMAGE
    ]
    if "VectorIndexes" in table.properties:
        problems.append(
            Problem(table.id, "vector indexes cannot be migrated", f"Exclude {table.id}, or take the indexes off it")
        )
    problems.extend(_name_problems(table))
    return problems


def _name_problems(table: Table) -> list[Problem]:
    remedy = f"Set Metadata: {{{KEY}: {{TwinName: ...}}}} on {table.id}"
    name = table.properties.get("TableName")
    if table.options.twin_name is not None:
        same = table.options.twin_name == name
        return [Problem(table.id, "option TwinName is the source's own name", "Choose another name")] if same else []
    try:
        if "TableName" in table.properties:
            renamed(name)
    except CannotRename as reason:
        return [Problem(table.id, f"no name for the twin can be made of TableName: {reason}", remedy)]
    return []


def _twin_properties(table: Table, stage: Stage) -> dict[str, Any]:
    properties = {**table.properties, **table.options.properties, "StreamSpecification": _stream(table)}
    for name in _NEVER_COPIED if stage >= Stage.CLEANUP else (*_NEVER_COPIED, *_ONLY_AT_CLEANUP):
        properties.pop(name, None)
    properties["SSESpecification"] = table.options.sse_specification
    if table.options.twin_name is not None:
        properties["TableName"] = table.options.twin_name
    elif "TableName" in properties:
        properties["TableName"] = renamed(properties["TableName"])
    return properties


def _stream(table: Table) -> Any:
    given = table.properties.get("StreamSpecification")
    return map_branches(given, lambda branch: _STREAM if branch is None or is_no_value(branch) else branch)


def _branches(value: Any) -> list[Any]:
    found: list[Any] = []
    map_branches(value, found.append)
    return found


def _stream_view(table_id: str, view: str) -> Problem:
    return Problem(
        table_id,
        f"its stream is {view}, which does not carry the items that replication writes",
        "Change StreamViewType to NEW_AND_OLD_IMAGES in an update of its own first (the stream gets a new ARN)",
    )
