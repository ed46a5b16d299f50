"""Connectors embedded in a resource: one per table (for those that stand alone see followers.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migration.ids import twin_id
from migration.intrinsics import is_mapping
from migration.order import with_moved_order
from migration.rules import Rule
from migration.stages import Stage

if TYPE_CHECKING:
    from migration.references import Walk


def plain_id(walk: Walk, value: Any, rule: Rule) -> Any:
    """A logical id that stands there as plain text."""
    return walk.name(value, "", rule) if isinstance(value, str) else value


def embedded(walk: Walk, value: Any, _: Rule) -> Any:
    """`Connectors` of a resource: a twin for each that leads to a table, at cleanup the twin alone."""
    if not is_mapping(value):
        return value
    found: dict[str, Any] = {}
    for name, connector in value.items():
        twin = walk.rewrite(connector, Rule.TWIN, CONNECTOR)
        if twin is connector:
            found[name] = with_moved_order(connector, walk, Rule.LATE) if is_mapping(connector) else connector
            continue
        if twin_id(name) in value:
            walk.problems.append(f"the connector {twin_id(name)} that its connector {name} needs is there already")
        if walk.stage < Stage.CLEANUP:
            found[name] = connector
        found[twin_id(name)] = with_moved_order(twin, walk, Rule.TWIN)
    return found if found != value else value


CONNECTOR = {"Properties": {"Source": {"Id": plain_id}, "Destination": {"Id": plain_id}}}
"""Where a connector, of either kind, names resources."""
