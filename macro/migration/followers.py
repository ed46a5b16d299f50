"""Resources that exist once per table: what follows a table follows its twin too.

Scalable targets, scaling policies and connectors belong to one table and cannot be moved to another: a target's
ResourceId is fixed, and a connector's permission would be taken from running code. So each gets a twin at stage 1,
and goes with the source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migration.ids import twin_id
from migration.intrinsics import type_of
from migration.order import with_moved_order
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
        new = {}
        for logical_id, resource in candidates.items():
            walk = Walk(Stage.REPLICATE, found, names)
            if _properties_as_twin(walk, resource) is not resource:
                new[logical_id] = Move(logical_id, twin_id(logical_id), frozenset(walk.named))
        if not new:
            return found
        found |= new
        candidates = {logical_id: each for logical_id, each in candidates.items() if logical_id not in new}


def as_twin(walk: Walk, resource: dict[str, Any]) -> dict[str, Any]:
    """The follower of the twin."""
    return with_moved_order(_properties_as_twin(walk, resource), walk, Rule.TWIN)


def _properties_as_twin(walk: Walk, resource: dict[str, Any]) -> dict[str, Any]:
    """The resource for the twin; the very same object if it follows no table."""
    return walk.members(resource, Rule.TWIN, kind_of(type_of(resource)).places)
