"""Who comes after whom: gates before what they guard, twins with indexes one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migration.graph import depends_on

if TYPE_CHECKING:
    from collections.abc import Iterable

    from migration.references import Walk
    from migration.rules import Rule
    from migration.tables import Table


def with_order(resource: dict[str, Any], walk: Walk, rule: Rule, gates: Iterable[str]) -> dict[str, Any]:
    """The resource with its DependsOn by `rule`, and after `gates`."""
    given = depends_on(resource)
    moved = [walk.name(each, "", rule) for each in given]
    wanted = list(dict.fromkeys([*moved, *gates]))
    if wanted == given:
        return resource
    return {**resource, "DependsOn": wanted}


def chained(tables: list[Table]) -> dict[str, list[str]]:
    """For each twin with indexes the twin that it is created after: DynamoDB makes such tables one at a time."""
    found: dict[str, list[str]] = {}
    previous: list[str] = []
    for table in tables:
        found[table.id] = []
        if _has_indexes(table):
            found[table.id] = previous
            previous = [table.twin]
    return found


def _has_indexes(table: Table) -> bool:
    properties = {**table.properties, **table.options.properties}
    return any(properties.get(name) for name in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"))
