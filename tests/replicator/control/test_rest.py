"""Closing a table again that somebody has opened, and what may happen meanwhile. Named by the order of events."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replication.errors import StaleTurn
from replication.order import Ended
from replication.pair import Side
from replication.rest import close
from tests.replicator.control.iam import Caller
from tests.replicator.control.stack import Stack, at_stage
from tests.replicator.control.world import CLIENTS, PAIR_ID, SOURCE, TWIN, World


@pytest.fixture
def stack() -> Stack:
    """At populate, and somebody has taken out of the twin's policy what it denies, so that clients may write both."""
    stack = at_stage(Stack(), 2)
    stack.world.account.sleep(60)
    policy = stack.world.account.tables[TWIN].policies[-1].policy
    assert policy
    stack.change_outside(TWIN, *(one for one in policy["Statement"] if one["Effect"] != "Deny"))
    stack.world.account.sleep(10)
    assert sorted(stack.world.open_tables()) == [SOURCE, TWIN]
    return stack


def test_the_other_table_is_closed_and_the_owners_policy_is_left_alone(stack: Stack) -> None:
    theirs = {"Sid": "Theirs", "Effect": "Allow", "Principal": {"AWS": "somebody"}, "Action": "dynamodb:GetItem"}
    stack.change_outside(SOURCE, theirs)
    assert close(stack.world.crew, PAIR_ID) is Ended.DONE
    stack.world.account.sleep(10)
    assert stack.world.open_tables() == [SOURCE]
    assert stack.policies()[SOURCE] == ["Theirs"]


def test_a_policy_that_is_in_place_is_not_put_again(stack: Stack) -> None:
    close(stack.world.crew, PAIR_ID)
    stack.world.account.sleep(60)
    before = stack.world.pair
    close(stack.world.crew, PAIR_ID)
    assert stack.world.pair == before


def test_damage_is_told_once_by_watchdog_and_closing(stack: Stack) -> None:
    stack.world.crew.access.note_altered(stack.world.pair, Side.TWIN)
    close(stack.world.crew, PAIR_ID)
    assert len(stack.world.pair.damage) == 1


def compared_and_turned(world: World) -> None:
    """The tables are found equal after what was noted so far, and the twin becomes the owner."""
    found = world.pair.comparison
    assert found is not None
    world.account.sleep(1)
    world.state.note_comparison(PAIR_ID, replace(found, started_at=world.account.now))
    world.turn(world.ordered(replace(world.order(Side.TWIN), answer=None)))


class TestRaces:
    def test_a_turn_is_under_way_then_nothing_is_put(self, stack: Stack) -> None:
        world = stack.world

        def closing(_caller: str, operation: str) -> None:
            if operation == "put_resource_policy":
                world.account.before = lambda caller, operation: None
                before = [table.policies[-1] for table in world.account.tables.values()]
                close(world.crew, PAIR_ID)
                assert [table.policies[-1] for table in world.account.tables.values()] == before

        world.account.before = closing
        compared_and_turned(world)
        assert world.pair.owner is Side.TWIN

    @pytest.mark.parametrize("hangs_before", ["state.update_item", "put_resource_policy", "get_resource_policy"])
    @pytest.mark.parametrize("occurrence", [1, 2])
    def test_a_closing_hangs_then_a_turn_opens_that_table_then_the_closing_goes_on(
        self, stack: Stack, hangs_before: str, occurrence: int
    ) -> None:
        """Closed by it, the table would refuse the clients that it now belongs to, and let the mirror in."""
        world, seen = stack.world, [0]

        def hang(_caller: str, operation: str) -> None:
            seen[0] += operation == hangs_before
            if operation == hangs_before and seen[0] == occurrence:
                world.account.before = lambda caller, operation: None
                compared_and_turned(world)

        world.account.before = hang
        try:
            close(world.crew, PAIR_ID)
        except StaleTurn:
            pass
        else:
            assert world.pair.turn is None
        world.account.before = lambda caller, operation: None
        world.account.sleep(10)
        assert world.pair.owner is Side.TWIN
        assert world.open_tables() == [TWIN]
        assert world.account.allows(CLIENTS[0], "dynamodb:PutItem", TWIN)
        assert not world.account.allows(Caller("replicator"), "dynamodb:BatchWriteItem", TWIN)

    def test_a_closing_puts_its_policy_then_a_turn_begins_then_the_turn_goes_through(self, stack: Stack) -> None:
        close(stack.world.crew, PAIR_ID)
        compared_and_turned(stack.world)
        assert stack.world.pair.owner is Side.TWIN
        assert stack.world.open_tables() == [TWIN]

    def test_two_closings_at_once_put_one_policy(self, stack: Stack) -> None:
        world = stack.world
        before = len(world.account.tables[TWIN].policies)

        def another(_caller: str, operation: str) -> None:
            if operation == "state.update_item":
                world.account.before = lambda caller, operation: None
                close(world.crew, PAIR_ID)

        world.account.before = another
        with pytest.raises(StaleTurn):
            close(world.crew, PAIR_ID)
        assert len(world.account.tables[TWIN].policies) == before + 1

    def test_the_pair_is_gone_then_there_is_nothing_to_close(self, stack: Stack) -> None:
        stack.world.state.remove(stack.world.pair)
        assert close(stack.world.crew, PAIR_ID) is Ended.DONE
