"""A turn under traffic, from beginning to end."""

from __future__ import annotations

import pytest

from replication.order import Ended
from replication.pair import Side
from tests.replicator.control.world import World


@pytest.mark.parametrize("seed", range(10))
def test_a_turn_there_and_back_under_traffic_loses_nothing(seed: int) -> None:
    world = World(seed)
    assert world.turn(world.order(Side.TWIN, "there")) is Ended.RELEASED
    assert world.pair.owner is Side.TWIN
    assert world.turn(world.order(Side.SOURCE, "back")) is Ended.RELEASED
    assert world.pair.owner is Side.SOURCE
    assert [one["Status"] for one in world.answers] == ["SUCCESS", "SUCCESS"]
    world.check()
    assert world.pair.damage == ()
    assert world.pair.failed_at is None
