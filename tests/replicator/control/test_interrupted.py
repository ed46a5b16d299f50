"""A turn that dies, hangs or is overtaken at any of its calls: one table is open in the end, and nothing is lost.

Every test runs once for each call that an undisturbed turn makes, in both directions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from replication.errors import Superseded
from replication.order import Ended
from replication.pair import Side
from replication.turn import resume
from tests.replicator.control.aws import Killed
from tests.replicator.control.world import PAIR_ID, World

BOTH = [Side.TWIN, Side.SOURCE]


def prepared(to: Side, seed: int) -> World:
    """A world in which a turn to this side comes next."""
    world = World(seed)
    if to is Side.SOURCE:
        world.turn(world.order(Side.TWIN, "before"))
    world.answers.clear()
    return world


def at_call(number: int, then: Callable[[], None]) -> Callable[[str, str], None]:
    """Does something ahead of the call of this number, once."""
    calls = 0

    def before(_caller: str, _operation: str) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            then()

    return before


@cache
def calls_of_a_turn(to: Side) -> int:
    world, calls = prepared(to, seed=1), 0

    def count(_caller: str, _operation: str) -> None:
        nonlocal calls
        calls += 1

    world.account.before = count
    world.turn(world.order(to))
    return calls


def each_call(step: int) -> list[tuple[Side, int]]:
    """The calls at which a turn is disturbed: every one, spread over as many tests as there are steps."""
    return [(to, first) for to in BOTH for first in range(1, step + 1)]


def killed() -> None:
    raise Killed


@pytest.mark.parametrize(("to", "first"), each_call(20))
def test_a_turn_that_dies_at_any_call_is_ended_by_the_state_machine(to: Side, first: int) -> None:
    for number in range(first, calls_of_a_turn(to) + 1, 20):
        world = prepared(to, seed=1)
        world.account.before = at_call(number, killed)
        order = world.order(to)
        try:
            world.turn(order)
        except Killed:
            world.account.before = lambda caller, operation: None
            world.recover(order)
        world.check()
        assert {one["Status"] for one in world.answers} == {"SUCCESS" if world.pair.owner is to else "FAILED"}, number
        assert world.pair.damage == ()


@pytest.mark.parametrize(("to", "first"), each_call(20))
def test_a_turn_that_hangs_at_any_call_and_wakes_up_after_it_was_ended_changes_nothing_more(to: Side, first: int) -> None:
    for number in range(first, calls_of_a_turn(to) + 1, 20):
        world = prepared(to, seed=2)
        order = world.order(to)

        def given_up(world: World = world) -> None:
            world.account.before = lambda caller, operation: None
            world.account.sleep(world.waits.lease)
            world.machine(lambda: resume(world.crew, PAIR_ID, world.account.now + 800), order)

        world.account.before = at_call(number, given_up)
        ended = told_of(lambda world=world, order=order: world.turn(order))  # type: ignore[misc]
        world.check()
        assert ended in (Ended.SUPERSEDED, Ended.DONE, Ended.RELEASED), number
        assert world.pair.damage == ()


@pytest.mark.parametrize(("to", "first"), each_call(20))
def test_a_turn_that_wakes_up_during_or_after_the_next_one_changes_nothing_more(to: Side, first: int) -> None:
    for number in range(first, calls_of_a_turn(to) + 1, 20):
        world = prepared(to, seed=3)
        order = world.order(to)

        def given_up_and_made_again(world: World = world) -> None:
            world.account.before = lambda caller, operation: None
            world.machine(lambda: resume(world.crew, PAIR_ID, world.account.now + 800), order)
            world.account.sleep(5)
            told_of(lambda: world.turn(world.order(to, "again")))

        world.account.before = at_call(number, given_up_and_made_again)
        told_of(lambda world=world, order=order: world.turn(order))  # type: ignore[misc]
        world.check()
        assert world.pair.damage == ()


@pytest.mark.parametrize("seed", range(12))
def test_a_recovery_that_dies_too_is_done_again(seed: int) -> None:
    world = prepared(BOTH[seed % 2], seed)
    order = world.order(BOTH[seed % 2])
    ended = None
    for _ in range(20):
        world.account.before = at_call(world.random.randrange(1, 130), killed)
        try:
            ended = world.turn(order) if ended is None else world.recover(order)
            break
        except Killed:
            ended = Ended.SUPERSEDED
    world.account.before = lambda caller, operation: None
    world.recover(order)
    world.check()
    assert world.pair.damage == ()


def told_of(work: Callable[[], Ended]) -> Ended:
    """What the function's handler makes of it."""
    try:
        return work()
    except Superseded:
        return Ended.SUPERSEDED
