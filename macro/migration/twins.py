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
from migration.fixed_names import FixedName
from migration.intrinsics import function_of, is_mapping, is_no_value, map_branches, mentioned
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
    if stage >= Stage.CLEANUP and (before := _left_behind(table)):
        others[KEY] = {"Source": before}
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


def twin_policy(table: Table) -> Any:
    """The user's own policy for the twin."""
    return policy({**table.properties, **table.options.properties})


def fixed_name(table: Table) -> FixedName | None:
    """The names of source and twin, where the source has a fixed one (call it when table_problems found nothing)."""
    name = table.properties.get("TableName")
    if name is None or is_no_value(name):
        return None
    return FixedName(table.id, name, _twin_name(table), table.resource.get("Condition"))


def table_problems(table: Table, migrating: set[str]) -> list[Problem]:
    """What makes it impossible to migrate this table; `migrating` are the ids of all that do."""
    problems = [
        _stream_view(table.id, each["StreamViewType"])
        for each in _branches(table.properties.get("StreamSpecification"))
        if is_mapping(each) and each.get("StreamViewType") in _STREAM_VIEWS_WITHOUT_NEW_IMAGE
    ]
    if "VectorIndexes" in table.properties:
        problems.append(
            Problem(table.id, "vector indexes cannot be migrated", f"Exclude {table.id}, or take the indexes off it")
        )
    if not all(map(_is_plain, [*_branches(policy(table.properties)), *_branches(twin_policy(table))])):
        problems.append(_policy_problem(table.id))
    if not mentioned([table.properties.get("TableName"), table.options.twin_name]).keys().isdisjoint(migrating):
        problems.append(_name_of_another(table.id))
    try:
        if _twin_name(table) == table.properties.get("TableName") is not None:
            problems.append(Problem(table.id, "option TwinName is the source's own name", "Choose another name"))
    except CannotRename as reason:
        what = f"no name for the twin can be made of TableName: {reason}"
        problems.append(Problem(table.id, what, f"Set Metadata: {{{KEY}: {{TwinName: ...}}}} on {table.id}"))
    return problems


def _twin_properties(table: Table, stage: Stage) -> dict[str, Any]:
    properties = {**table.properties, **table.options.properties, "StreamSpecification": _stream(table)}
    for name in _NEVER_COPIED if stage >= Stage.CLEANUP else (*_NEVER_COPIED, *_ONLY_AT_CLEANUP):
        properties.pop(name, None)
    properties["SSESpecification"] = table.options.sse_specification
    name = _twin_name(table)
    if name is not None:
        properties["TableName"] = name
    return properties


def _left_behind(table: Table) -> dict[str, Any]:
    """What only the source had and a condition or a parameter decided: without a use of theirs cfn-lint objects."""
    left = {name: table.properties.get(name) for name in ("SSESpecification", "ImportSourceSpecification")}
    return {name: value for name, value in left.items() if "Fn::" in str(value) or mentioned(value)}


def _twin_name(table: Table) -> Any:
    """The TableName of the twin, None if it has none; raises CannotRename."""
    if table.options.twin_name is not None:
        return table.options.twin_name
    return renamed(table.properties["TableName"]) if "TableName" in table.properties else None


def _document(value: Any) -> Any:
    return value.get("PolicyDocument") if is_mapping(value) else value


def _is_plain(document: Any) -> bool:
    """Whether the statements of a policy can be seen: intrinsics stand at most for single values in it."""
    if document is None or is_no_value(document):
        return True
    if not is_mapping(document) or not isinstance(document.get("Statement"), (list, dict)):
        return False
    return function_of(document["Statement"]) is None and not _holds(document, "Fn::Transform")


def _holds(value: Any, function: str) -> bool:
    if is_mapping(value):
        return function in value or any(_holds(member, function) for member in value.values())
    return isinstance(value, list) and any(_holds(member, function) for member in value)


def _stream(table: Table) -> Any:
    given = table.properties.get("StreamSpecification")
    return map_branches(given, lambda branch: _STREAM if branch is None or is_no_value(branch) else branch)


def _branches(value: Any) -> list[Any]:
    found: list[Any] = []
    map_branches(value, found.append)
    return found


def _name_of_another(table_id: str) -> Problem:
    return Problem(
        table_id,
        "its name is made of the name of a table that migrates, and it would be replaced when that one moves",
        "Write the name out, in an update of its own that gives the same name, or exclude the other table",
    )


def _policy_problem(table_id: str) -> Problem:
    return Problem(
        table_id,
        "its ResourcePolicy is not plain JSON, so the gate cannot put its own statements beside it",
        "Write PolicyDocument as a mapping with its statements in the template",
    )


def _stream_view(table_id: str, view: str) -> Problem:
    return Problem(
        table_id,
        f"its stream is {view}, which does not carry the items that replication writes",
        "Change StreamViewType to NEW_AND_OLD_IMAGES in an update of its own first (the stream gets a new ARN)",
    )
