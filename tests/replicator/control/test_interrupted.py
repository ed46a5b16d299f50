"""A turn that dies, hangs or is overtaken at any of its calls: one table is open in the end, and nothing is lost.

Each test goes through the calls that an undisturbed turn makes, in both directions, and disturbs one at a time: each of
them where the turn dies, every third where it hangs and wakes up again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from replication.errors import Superseded
from replication.order import Ended, Order
from replication.pair import Phase, Side
from replication.turn import resume
from tests.replicator.control.aws import Killed
from tests.replicator.control.iam import Caller
from tests.replicator.control.world import PAIR_ID, TWIN, World

BOTH = [Side.TWIN, Side.SOURCE]
PARTS = 12


def undisturbed(_caller: str, _operation: str) -> None:
    """What comes before a call when nothing does."""


def prepared(to: Side, seed: int) -> tuple[World, Order]:
    """A world in which a turn to this side comes next."""
    world = World(seed)
    if to is Side.SOURCE:
        world.turn(world.order(Side.TWIN, "before"))
    world.answers.clear()
    return world, world.order(to)


def at_call(number: int, then: Callable[[], None]) -> Callable[[str, str], None]:
    """Does something ahead of the call of this number."""
    calls = 0

    def before(_caller: str, _operation: str) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            then()

    return before


@cache
def calls_of_a_turn(to: Side) -> int:
    world, order = prepared(to, seed=1)
    calls = 0

    def count(_caller: str, _operation: str) -> None:
        nonlocal calls
        calls += 1

    world.account.before = count
    world.turn(order)
    return calls


def calls(to: Side, part: int, every: int) -> Iterator[int]:
    """The numbers of the calls of a turn that one part of a test disturbs."""
    return iter(range(1 + part * every, calls_of_a_turn(to) + 1, PARTS * every))


def killed() -> None:
    raise Killed


def told_of(work: Callable[[], Ended]) -> Ended:
    """What the function's handler makes of it."""
    try:
        return work()
    except Superseded:
        return Ended.SUPERSEDED


def end_it(world: World, order: Order) -> None:
    """Somebody else, whom nothing disturbs, ends the turn."""
    world.account.before = undisturbed
    world.machine(lambda: resume(world.crew, PAIR_ID, world.account.now + 800), order)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("to", BOTH)
def test_a_turn_that_dies_at_any_call_is_ended_by_the_state_machine(to: Side, part: int) -> None:
    for number in calls(to, part, every=1):
        world, order = prepared(to, seed=1)
        world.account.before = at_call(number, killed)
        try:
            world.turn(order)
        except Killed:
            world.account.before = undisturbed
            world.recover(order)
        world.check()
        assert {one["Status"] for one in world.answers} == {"SUCCESS" if world.pair.owner is to else "FAILED"}, number
        assert world.pair.damage == ()


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("to", BOTH)
def test_a_turn_that_hangs_at_any_call_and_wakes_up_after_it_was_ended_changes_nothing_more(
    to: Side, part: int
) -> None:
    for number in calls(to, part, every=3):
        hang(to, number)


def hang(to: Side, number: int) -> None:
    world, order = prepared(to, seed=2)

    def given_up() -> None:
        world.account.before = undisturbed
        world.account.sleep(world.waits.lease)
        end_it(world, order)

    world.account.before = at_call(number, given_up)
    ended = told_of(lambda: world.turn(order))
    world.check()
    assert ended in (Ended.SUPERSEDED, Ended.DONE, Ended.RELEASED), number
    assert world.pair.damage == ()


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("to", BOTH)
def test_a_turn_that_wakes_up_during_or_after_the_next_one_changes_nothing_more(to: Side, part: int) -> None:
    for number in calls(to, part, every=3):
        hang_until_after_the_next(to, number)


def hang_until_after_the_next(to: Side, number: int) -> None:
    world, order = prepared(to, seed=3)

    def given_up_and_made_again() -> None:
        end_it(world, order)
        world.account.sleep(5)
        told_of(lambda: world.turn(world.order(to, "again")))

    world.account.before = at_call(number, given_up_and_made_again)
    told_of(lambda: world.turn(order))
    world.check()
    assert world.pair.damage == (), number


@pytest.mark.parametrize("seed", range(12))
def test_a_recovery_that_dies_too_is_made_again(seed: int) -> None:
    world, order = prepared(BOTH[seed % 2], seed)
    ended: Ended | None = None
    for _ in range(20):
        world.account.before = at_call(world.random.randrange(1, 130), killed)
        try:
            ended = world.turn(order) if ended is None else world.recover(order)
            break
        except Killed:
            ended = Ended.SUPERSEDED
    world.account.before = undisturbed
    world.recover(order)
    world.check()
    assert world.pair.damage == ()


@pytest.mark.parametrize("to", BOTH)
def test_a_turn_that_dies_once_the_owner_has_changed_is_finished_and_not_undone(to: Side) -> None:
    world, order = prepared(to, seed=5)

    def die(_caller: str, operation: str) -> None:
        turn = world.pair.turn
        if operation == "put_resource_policy" and turn is not None and turn.phase is Phase.OWNED:
            raise Killed

    world.account.before = die
    with pytest.raises(Killed):
        world.turn(order)
    world.account.before = undisturbed
    assert world.recover(order) is Ended.RELEASED
    assert world.pair.owner is to
    world.check()


def test_a_recovery_waits_until_the_very_session_that_the_fence_let_in_is_refused() -> None:
    """R5: the look of the dead turn hangs in that session, and may land until then; the recovery has a later token."""
    world, order = prepared(Side.TWIN, seed=4)
    waited: list[bool] = []

    def die(caller: str, operation: str) -> None:
        world.mirroring &= operation != "put_resource_policy"  # from the seal on, so that the look has to write
        if (caller, operation) == ("look", "batch_write_item"):
            world.mirroring = True
            raise Killed

    world.account.before = die
    with pytest.raises(Killed):
        world.turn(order)
    late, delay = len(world.account.tables[TWIN].policies), world.account.delay
    world.account.delay = lambda table, caller, number: (
        9.0 if (caller, number) == ("look", late) else delay(table, caller, number)
    )

    def opening(_caller: str, operation: str) -> None:
        turn = world.pair.turn
        if operation == "put_resource_policy" and turn is not None and world.account.tables[TWIN].policies[late:]:
            waited.append(world.account.allows(Caller("look", "turn-2"), "dynamodb:BatchWriteItem", TWIN))

    world.account.before = opening
    world.recover(order)
    assert waited[0] is False
    world.check()
