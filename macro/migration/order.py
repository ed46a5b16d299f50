"""Who comes after whom: gates before what they guard, twins with indexes one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migration.graph import Graph, depends_on
from migration.intrinsics import is_mapping, mentioned
from migration.options import KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from migration.references import Walk
    from migration.rules import Rule
    from migration.tables import Table


def with_moved_order(resource: dict[str, Any], walk: Walk, rule: Rule) -> dict[str, Any]:
    """The resource with its DependsOn by `rule`."""
    given = depends_on(resource)
    moved = list(dict.fromkeys(walk.name(each, "", rule) for each in given))
    return resource if moved == given else {**resource, "DependsOn": moved}


def chain(tables: Iterable[Table], resources: Mapping[str, Any]) -> dict[str, list[Table]]:
    """For each table whose twin has indexes the tables whose twins are created before it.

    DynamoDB creates tables with indexes one at a time. A table that uses another one stands behind it, in whichever
    order the template has them; those under a condition stand last, so that they leave no gap where they are not
    created.
    """
    indexed = {table.id: table for table in sorted(tables, key=_is_conditional) if _has_indexes(table)}
    if len(indexed) < 2:
        return {}
    found: dict[str, list[Table]] = {}
    before: list[Table] = []
    for each in Graph(resources).in_order(indexed):
        found[each] = before
        certain = [table for table in before if not _is_conditional(table)] if _is_conditional(indexed[each]) else []
        before = [*certain, indexed[each]]
    return found


def chained(twin: dict[str, Any], before: Iterable[Table]) -> dict[str, Any]:
    """The twin behind the twins of the tables before it."""
    named = mentioned(twin)
    return behind(twin, [(table.twin, _condition(table)) for table in before if table.twin not in named])


def behind(resource: dict[str, Any], others: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The resource after others, each with the condition under which it exists (None if there is none)."""
    own = resource.get("Condition")
    always, by_reference = [], []
    for logical_id, condition in others:
        if condition in (None, own):
            always.append(logical_id)
        else:
            by_reference.append({"Fn::If": [condition, {"Ref": logical_id}, ""]})
    if always:
        resource = {**resource, "DependsOn": list(dict.fromkeys([*depends_on(resource), *always]))}
    if by_reference:
        # Depending on what exists under another condition is an error to cfn-lint. CloudFormation resolves metadata
        # before it makes a resource, so a reference there makes the same order, where it refers to something.
        given = resource.get("Metadata")
        metadata = given if is_mapping(given) else {}
        ours = metadata.get(KEY)
        ours = {**(ours if is_mapping(ours) else {}), "After": by_reference}
        resource = {**resource, "Metadata": {**metadata, KEY: ours}}
    return resource


def _condition(table: Table) -> Any:
    return table.resource.get("Condition")


def _is_conditional(table: Table) -> bool:
    return _condition(table) is not None


def _has_indexes(table: Table) -> bool:
    properties = {**table.properties, **table.options.properties}
    return any(properties.get(name) for name in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"))
