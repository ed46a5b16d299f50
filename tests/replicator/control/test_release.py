"""The end of a turn: stray writes are found before the mirror may hide them, and a removal leaves nothing open."""

from __future__ import annotations

import pytest

from replication.order import Ended
from replication.pair import Phase, Side
from replication.probe import Outcome
from replication.release import release
from replication.turn import run
from tests.replicator.control.aws import Killed
from tests.replicator.control.world import CLIENTS, PAIR_ID, SOURCE, TWIN, World


def opened(world: World) -> None:
    """A turn to the twin has come to its hold."""
    order = world.order(Side.TWIN)
    assert run(world.crew, order, world.account.now + 800) is Ended.OPENED


def test_a_write_that_a_late_policy_lets_through_is_kept_and_reported() -> None:
    """Beyond what the waits allow for: found and named, not passed over."""
    world = World(1, traffic=False)
    world.account.delay = lambda table, caller, number: 60.0 if caller == CLIENTS[2].name else 0.0
    opened(world)
    assert world.client_writes(CLIENTS[2], "a", 3, SOURCE)
    world.account.sleep(world.waits.hold + 1)
    assert release(world.crew, PAIR_ID) is Ended.RELEASED
    assert [
        "Writes reached Users after it was closed and are not in UsersEncrypted, 1 in all:" in one.what
        for one in world.pair.damage
    ] == [True]
    strays = [item for (_, name), item in world.account.state.items.items() if name.startswith("stray#")]
    assert [stray["Keys"]["M"] for stray in strays] == [{"id": {"S": "a"}}]
    assert not world.pair.compared


def test_what_time_to_live_deletes_meanwhile_is_no_stray() -> None:
    world = World(2, traffic=False)
    world.client_writes(CLIENTS[0], "a", 1, SOURCE)
    world.account.sleep(5)
    opened(world)
    world.account.write(SOURCE, {"id": {"S": "a"}}, None, expired=True)
    world.account.sleep(world.waits.hold + 1)
    assert release(world.crew, PAIR_ID) is Ended.RELEASED
    assert world.pair.damage == ()


def test_a_place_that_has_expired_is_replaced_by_reading_the_whole_stream() -> None:
    """The watchdog may come hours later; what was written before the look is still no stray."""
    world = World(3, traffic=False)
    world.client_writes(CLIENTS[0], "before", 1, SOURCE)
    world.account.sleep(5)
    world.account.delay = lambda table, caller, number: 60.0 if caller == CLIENTS[2].name else 0.0
    opened(world)
    world.account.sleep(2)
    assert world.client_writes(CLIENTS[2], "late", 3, SOURCE)
    world.account.sleep(1000)
    assert release(world.crew, PAIR_ID) is Ended.RELEASED
    (damage,) = world.pair.damage
    assert "Writes reached Users" in damage.what


def test_nothing_is_released_before_the_hold_is_over() -> None:
    world = World(4)
    opened(world)
    assert release(world.crew, PAIR_ID) is Ended.OPENED
    turn = world.pair.turn
    assert turn is not None
    assert turn.phase is Phase.OPENED


def test_while_held_nobody_writes_the_old_owner() -> None:
    world = World(5)
    opened(world)
    world.account.sleep(5)
    assert world.open_tables() == [TWIN]
    assert not world.account.allows(CLIENTS[0], "dynamodb:PutItem", SOURCE)


def test_releasing_again_changes_nothing() -> None:
    world = World(6)
    opened(world)
    world.account.sleep(world.waits.hold + 1)
    assert release(world.crew, PAIR_ID) is Ended.RELEASED
    before = world.pair
    assert release(world.crew, PAIR_ID) is Ended.DONE
    assert world.pair == before


def test_the_mirror_is_let_in_before_the_turn_is_over() -> None:
    """Afterwards a refusal would count as a failure of the mirror, and void the comparison."""
    world = World(7)
    opened(world)
    world.account.sleep(world.waits.hold + 1)
    release(world.crew, PAIR_ID)
    assert world.crew.probes.replicator(SOURCE) is Outcome.ALLOWED


@pytest.mark.parametrize("number", range(1, 40, 3))
def test_a_removal_that_dies_anywhere_is_made_again(number: int) -> None:
    world = World(8)
    order = world.order(Side.TWIN, deleting=True)
    assert run(world.crew, order, world.account.now + 800) is Ended.OPENED
    world.account.sleep(world.waits.hold + 1)
    calls = 0

    def before(_caller: str, _operation: str) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            raise Killed

    world.account.before = before
    try:
        release(world.crew, PAIR_ID)
    except Killed:
        world.account.before = lambda caller, operation: None
        assert world.recover(order) in (Ended.RELEASED, Ended.DONE)
    world.account.before = lambda caller, operation: None
    assert world.account.state.items == {}
    assert {one["Status"] for one in world.answers} == {"SUCCESS"}
    world.mirroring = False
    world.account.sleep(10)
    assert world.open_tables() == [TWIN]
