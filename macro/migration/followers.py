"""Resources that exist once per table: what follows a table follows its twin too.

Scalable targets, scaling policies and connectors belong to one table and cannot be moved to another: a target's
ResourceId is fixed, and a connector's permission would be taken from running code. So each gets a twin at stage 1,
and goes with the source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migration.ids import twin_id
from migration.intrinsics import type_of
from migration.places import kind_of
from migration.references import Walk
from migration.rules import Move, Rule
from migration.stages import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migration.fixed_names import FixedNames

FOLLOWERS = (
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::Serverless::Connector",
)


def followers(resources: Mapping[str, Any], moves: Mapping[str, Move], names: FixedNames) -> dict[str, Move]:
    """`moves`, and one for each resource that follows a table, directly or by following another follower."""
    found = dict(moves)
    candidates = {logical_id: resource for logical_id, resource in resources.items() if type_of(resource) in FOLLOWERS}
    while True:
        walk = Walk(Stage.REPLICATE, found, names)
        new = [logical_id for logical_id, resource in candidates.items() if as_twin(walk, resource) is not resource]
        if not new:
            return found
        for logical_id in new:
            found[logical_id] = Move(logical_id, twin_id(logical_id))
            del candidates[logical_id]


def as_twin(walk: Walk, resource: dict[str, Any]) -> dict[str, Any]:
    """The follower of the twin; the very same object if it follows no table."""
    new = walk.members(resource, Rule.TWIN, kind_of(type_of(resource)).places)
    depends_on = resource.get("DependsOn")
    names = [depends_on] if isinstance(depends_on, str) else depends_on
    if new is resource or not isinstance(names, list):
        return new
    return {**new, "DependsOn": [walk.name(each, "", Rule.TWIN) if isinstance(each, str) else each for each in names]}
