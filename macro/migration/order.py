"""Who comes after whom: gates before what they guard, twins with indexes one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migration.graph import Graph, depends_on
from migration.intrinsics import mentioned
from migration.options import KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from migration.references import Walk
    from migration.rules import Rule
    from migration.tables import Table


def with_order(resource: dict[str, Any], walk: Walk, rule: Rule, after: Iterable[str] = ()) -> dict[str, Any]:
    """The resource with its DependsOn by `rule`, and after the ids of `after`."""
    given = depends_on(resource)
    moved = [walk.name(each, "", rule) for each in given]
    wanted = list(dict.fromkeys([*moved, *after]))
    if wanted == given:
        return resource
    return {**resource, "DependsOn": wanted}


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
    certain = [table.twin for table in before if _condition(table) in (None, twin.get("Condition"))]
    others = [table for table in before if table.twin not in certain]
    if certain:
        named = mentioned(twin)
        after = dict.fromkeys([*depends_on(twin), *(each for each in certain if each not in named)])
        twin = {**twin, "DependsOn": list(after)} if after else twin
    if others:
        # Depending on what exists under another condition is an error to cfn-lint; a reference in metadata makes the
        # same order.
        by_reference = [{"Fn::If": [_condition(table), {"Ref": table.twin}, ""]} for table in others]
        twin = {**twin, "Metadata": {**twin.get("Metadata", {}), KEY: {"After": by_reference}}}
    return twin


def _condition(table: Table) -> Any:
    return table.resource.get("Condition")


def _is_conditional(table: Table) -> bool:
    return _condition(table) is not None


def _has_indexes(table: Table) -> bool:
    properties = {**table.properties, **table.options.properties}
    return any(properties.get(name) for name in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"))
