"""A turn that was ordered begins only while its request is the newest of the stack. Named by the order of events.

The forward request asks for the cutover; then another resource fails, and CloudFormation sends the rollback's request.
It is that one which the services follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from replication.answer import Verdict
from replication.errors import Refused, StaleOrder, StaleTurn
from replication.order import Ended, Order
from replication.pair import Ordered, OrderState, Side
from replication.release import release
from replication.turn import recovered, run
from tests.replicator.control.stack import DONE, Stack, at_stage
from tests.replicator.control.test_state import turn
from tests.replicator.control.world import PAIR_ID, World

OVERTAKEN = "A later request of the stack has taken the place of this one"
GIVEN_WAY = f"{OVERTAKEN}, so that it changes nothing."


@pytest.fixture
def stack() -> Stack:
    return at_stage(Stack(), 2)


def roll_back(stack: Stack, stage: int = 2, kind: str = "Update") -> Verdict | None:
    """Another resource has failed."""
    stack.cloudformation.status = "UPDATE_ROLLBACK_IN_PROGRESS"
    return stack.ask(kind, stage, "rollback")


def execute(stack: Stack, order: Order) -> Ended:
    """The order's execution, as the function's handler ends it."""
    try:
        return stack.world.turn(order)
    except StaleOrder:
        return Ended.SUPERSEDED


def gave_way(stack: Stack, verdict: Verdict | None) -> None:
    """The forward request has been told so, has ordered nothing, and the pair is as the rollback wants it."""
    assert verdict is not None
    assert (verdict.success, OVERTAKEN in verdict.reason) == (False, True)
    assert stack.machines.turns == []
    is_source(stack)


def told(stack: Stack, request: str) -> list[tuple[str, str]]:
    return [(one["Status"], one["Reason"]) for one in stack.world.answers if one["RequestId"] == request]


def when(stack: Stack, operation: str, then: Callable[[], Any], *, occurrence: int = 1) -> None:
    """Does something right before a call of the gate's or a turn's."""
    seen = 0

    def before(_caller: str, called: str) -> None:
        nonlocal seen
        seen += called == operation
        if called == operation and seen == occurrence:
            stack.world.account.before = lambda caller, operation: None
            then()

    stack.world.account.before = before


def is_source(stack: Stack) -> None:
    """The services name the source, and it takes their writes."""
    stack.world.account.sleep(10)
    pair = stack.world.pair
    assert (pair.owner, pair.stage, pair.turn) == (Side.SOURCE, 2, None)
    assert stack.world.open_tables() == ["Users"]


class TestForwardThenRollback:
    def test_ordered_then_the_rollback_stays_then_the_execution_begins(self, stack: Stack) -> None:
        assert stack.ask("Update", 3, "forward") is None
        assert roll_back(stack) == DONE
        assert execute(stack, stack.machines.turns[0]) is Ended.SUPERSEDED
        assert [(status, reason.startswith(OVERTAKEN)) for status, reason in told(stack, "forward")] == [
            ("FAILED", True)
        ]
        is_source(stack)
        assert stack.world.pair.paused is None

    def test_ordered_then_the_rollback_cannot_be_followed_then_the_execution_begins(self, stack: Stack) -> None:
        stack.ask("Update", 3, "forward")
        stack.cloudformation.tables["Users"] = "SomebodyElses"
        verdict = roll_back(stack)
        assert verdict is not None
        assert verdict.success
        assert execute(stack, stack.machines.turns[0]) is Ended.SUPERSEDED
        is_source(stack)

    def test_evidence_is_gathered_then_the_rollback_stays_then_the_gate_goes_on(self, stack: Stack) -> None:
        def gathering(_pair: Any) -> list[str]:
            assert roll_back(stack) == DONE
            return []

        gate = replace(stack.gate, crew=replace(stack.world.crew, evidence=gathering))
        verdict = gate.handle(stack.request("Update", 3, "forward"))
        gave_way(stack, verdict)

    def test_evidence_is_missing_then_the_rollback_stays_then_the_refusal_is_not_noted_over_it(
        self, stack: Stack
    ) -> None:
        def gathering(_pair: Any) -> list[str]:
            assert roll_back(stack) == DONE
            return ["Missing."]

        gate = replace(stack.gate, crew=replace(stack.world.crew, evidence=gathering))
        with pytest.raises(Refused):
            gate.handle(stack.request("Update", 3, "forward"))
        noted = stack.world.pair.ordered
        assert noted is not None
        assert noted.request == "rollback"

    def test_the_forward_one_reads_the_record_then_the_rollback_stays_then_the_forward_one_gives_way(
        self, stack: Stack
    ) -> None:
        when(stack, "state.update_item", lambda: roll_back(stack))
        verdict = stack.ask("Update", 3, "forward")
        gave_way(stack, verdict)

    def test_the_forward_one_asks_for_the_status_then_the_rollback_stays_then_the_forward_one_gives_way(
        self, stack: Stack
    ) -> None:
        """The status that it is told is out of date when it comes."""
        found = stack.cloudformation.describe_stacks

        def asked(**request: Any) -> dict[str, Any]:
            told = found(**request)
            stack.cloudformation.describe_stacks = found  # type: ignore[method-assign]
            assert roll_back(stack) == DONE
            return told

        stack.cloudformation.describe_stacks = asked  # type: ignore[method-assign]
        verdict = stack.ask("Update", 3, "forward")
        gave_way(stack, verdict)

    def test_the_rollback_reads_the_record_then_the_forward_one_orders_then_the_rollback_is_the_newer(
        self, stack: Stack
    ) -> None:
        def forward() -> None:
            stack.cloudformation.status = "UPDATE_IN_PROGRESS"  # as the forward one has read it
            assert stack.ask("Update", 3, "forward") is None
            stack.cloudformation.status = "UPDATE_ROLLBACK_IN_PROGRESS"

        when(stack, "state.update_item", forward)
        assert roll_back(stack) == DONE
        assert execute(stack, stack.machines.turns[0]) is Ended.SUPERSEDED
        is_source(stack)

    def test_the_rollback_reads_the_record_then_the_turn_begins_then_it_is_turned_back(self, stack: Stack) -> None:
        assert stack.ask("Update", 3, "forward") is None
        forward = stack.machines.turns.pop()
        when(stack, "state.update_item", lambda: run(stack.world.crew, forward, stack.world.account.now + 800))
        assert roll_back(stack) is None
        stack.world.account.sleep(stack.world.waits.hold + 1)
        release(stack.world.crew, PAIR_ID)
        assert stack.follow() is Ended.RELEASED
        is_source(stack)

    def test_the_rollback_waits_for_the_turn_then_its_invocation_dies_then_it_is_tried_again(
        self, stack: Stack
    ) -> None:
        world = stack.world
        assert stack.ask("Update", 3, "forward") is None
        run(world.crew, stack.machines.turns.pop(), world.account.now + 800)
        assert roll_back(stack) is None
        back, others = stack.machines.turns.pop(), world.meanwhile
        held_until = world.account.now + world.waits.hold + 1

        def meanwhile() -> None:
            others()
            if world.account.now > held_until:
                world.account.meanwhile = others
                release(world.crew, PAIR_ID)

        world.account.meanwhile = meanwhile
        assert world.recover(back) is Ended.RELEASED
        is_source(stack)
        assert world.pair.paused is None

    def test_the_rollback_cannot_be_followed_then_the_forward_turn_ends_then_the_record_still_says_so(
        self, stack: Stack
    ) -> None:
        world = stack.world
        assert stack.ask("Update", 3, "forward") is None
        run(world.crew, stack.machines.turns.pop(), world.account.now + 800)
        assert roll_back(stack) is None
        world.account.now += 901  # for as long as it is tried again
        assert world.recover(stack.machines.turns.pop()) is Ended.DONE
        assert (told(stack, "rollback"), world.pair.paused) == ([("SUCCESS", "interrupted")], "interrupted")
        release(world.crew, PAIR_ID)
        assert (world.pair.turn, world.pair.owner, world.pair.paused) == (None, Side.TWIN, "interrupted")

    def test_it_waits_for_another_turn_then_a_later_request_comes_then_it_gives_way(self) -> None:
        """R7: the way back waits for the cutover to end, and CloudFormation rolls the way back back."""
        world = World(16, traffic=False)
        run(world.crew, world.ordered(world.order(Side.TWIN, "there")), world.account.now + 800)
        back = world.ordered(world.order(Side.SOURCE, "back"))
        began, others = world.account.now, world.meanwhile

        def meanwhile() -> None:
            others()
            noted = world.pair.ordered
            if world.account.now > began + 5 and noted is not None and noted.request == "back":
                world.state.come(world.pair, Ordered("forward again", world.account.now, OrderState.DECIDING))

        world.account.meanwhile = meanwhile
        with pytest.raises(StaleOrder):
            world.turn(back)
        assert world.account.now - began < 10
        assert (world.answers[-1]["RequestId"], world.answers[-1]["Status"]) == ("back", "FAILED")


class TestMirrored:
    """The way back fails: another resource of the update from cutover to populate does."""

    def test_ordered_back_then_the_rollback_stays_at_cutover_then_the_execution_begins(self) -> None:
        stack = at_stage(Stack(), 3)
        assert stack.ask("Update", 2, "back") is None
        assert roll_back(stack, 3) == DONE
        assert execute(stack, stack.machines.turns[0]) is Ended.SUPERSEDED
        assert (stack.world.pair.owner, stack.world.pair.stage) == (Side.TWIN, 3)

    def test_of_a_rollback_that_is_overtaken_is_softened(self) -> None:
        stack = at_stage(Stack(), 3)
        assert roll_back(stack, 2) is None
        stack.cloudformation.status = "UPDATE_IN_PROGRESS"
        assert stack.ask("Update", 3, "once more") == DONE
        assert execute(stack, stack.machines.turns[0]) is Ended.SUPERSEDED
        ((status, reason),) = told(stack, "rollback")
        assert (status, OVERTAKEN in reason) == ("SUCCESS", True)
        assert stack.world.pair.paused is None


class TestRollbackThenForward:
    """Lambda hands the forward request over when the rollback's has come: its invocation was late."""

    @pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"])
    def test_the_rollback_stays_then_the_forward_one_comes_then_it_gives_way(self, stack: Stack, status: str) -> None:
        assert roll_back(stack) == DONE
        stack.cloudformation.status = status
        assert stack.ask("Update", 3, "forward") == Verdict(success=True, reason=GIVEN_WAY)
        assert stack.machines.turns == []
        is_source(stack)

    def test_the_rollback_stays_at_cutover_then_the_way_back_comes_then_it_gives_way(self) -> None:
        stack = at_stage(Stack(), 3)
        assert roll_back(stack, 3) == DONE
        assert stack.ask("Update", 2, "back") == Verdict(success=True, reason=GIVEN_WAY)
        assert stack.machines.turns == []
        assert (stack.world.pair.owner, stack.world.pair.stage) == (Side.TWIN, 3)

    def test_the_stack_rolls_back_then_the_forward_one_comes_first_then_the_rollback_is_followed(self) -> None:
        """Both are late: the stack is on its way back when the forward one comes."""
        stack = at_stage(Stack(), 3)
        assert roll_back(stack) is None  # which it is taken for
        assert stack.ask("Update", 3, "the rollback's") == DONE
        assert execute(stack, stack.machines.turns[0]) is Ended.SUPERSEDED
        assert (stack.world.pair.owner, stack.world.pair.stage, stack.world.pair.paused) == (Side.TWIN, 3, None)

    def test_the_rollback_fails_elsewhere_then_it_is_continued_and_followed(self, stack: Stack) -> None:
        assert roll_back(stack) == DONE
        assert stack.ask("Update", 2, "continued") == DONE

    def test_the_rollback_stays_then_that_of_the_next_update_is_followed(self, stack: Stack) -> None:
        """Its own forward request has come before it, and has taken the place of the earlier rollback's."""
        assert roll_back(stack) == DONE
        stack.cloudformation.status = "UPDATE_IN_PROGRESS"
        assert stack.ask("Update", 3, "forward") is None
        assert stack.follow() is Ended.RELEASED
        assert stack.ask("Update", 2, "back") is None
        stack.cloudformation.status = "UPDATE_ROLLBACK_IN_PROGRESS"
        assert stack.ask("Update", 3, "rollback of that") == DONE
        assert execute(stack, stack.machines.turns[0]) is Ended.SUPERSEDED
        assert (stack.world.pair.owner, stack.world.pair.stage) == (Side.TWIN, 3)


class TestRemoval:
    def test_a_create_is_ordered_then_removed_then_the_execution_begins(self) -> None:
        stack = Stack()
        assert stack.ask("Create", 3, "create") is None
        verdict = roll_back(stack, 3, "Delete")
        assert verdict is not None
        assert verdict.success
        assert execute(stack, stack.machines.turns[0]) is Ended.DONE
        assert told(stack, "create")[0][0] == "FAILED"
        assert stack.world.state.find(PAIR_ID) is None

    def test_the_removal_puts_its_policies_then_the_execution_begins(self, stack: Stack) -> None:
        """The record is still there, and no turn is under way in it."""
        assert stack.ask("Update", 3, "forward") is None
        forward = stack.machines.turns[0]
        ended: list[Ended] = []
        when(stack, "put_resource_policy", lambda: ended.append(execute(stack, forward)))
        verdict = roll_back(stack, 2, "Delete")
        assert verdict is not None
        assert verdict.success
        assert ended == [Ended.SUPERSEDED]
        assert stack.world.state.find(PAIR_ID) is None

    def test_a_record_is_made_then_the_removal_has_found_none_then_the_record_goes(self) -> None:
        stack = Stack()

        def remove() -> None:
            assert roll_back(stack, 1, "Delete") == DONE

        when(stack, "state.transact_write_items", remove)
        verdict = stack.ask("Create", 1, "create")
        assert verdict is not None
        assert not verdict.success
        assert stack.world.state.find(PAIR_ID) is None
        assert stack.policies() == {"Users": [], "UsersEncrypted": []}

    def test_a_removal_is_ordered_then_the_gate_is_created_again_then_the_execution_begins(self) -> None:
        """CloudFormation gave up waiting for the removal, three times, and forgot the gate."""
        stack = at_stage(Stack(), 3)
        assert stack.ask("Delete", 3, "remove") is None
        assert stack.ask("Create", 3, "create") == DONE
        assert execute(stack, stack.machines.turns[0]) is Ended.SUPERSEDED
        assert (stack.world.pair.owner, stack.world.pair.stage) == (Side.TWIN, 3)

    def test_a_removal_that_is_overtaken_removes_nothing_when_its_invocation_fails(self) -> None:
        stack = at_stage(Stack(), 3)
        stack.ask("Delete", 3, "remove")
        order = replace(stack.machines.turns[0], to=Side.TWIN)
        stack.ask("Update", 3, "again")
        assert recovered(stack.world.crew, order, stack.world.account.now + 800, "It died.") is Ended.DONE
        assert stack.world.pair.owner is Side.TWIN


class TestTwice:
    def test_it_has_given_way_to_the_rollback_then_it_comes_again_in_the_next_update_then_nothing_is_started(
        self, stack: Stack
    ) -> None:
        assert roll_back(stack) == DONE
        assert stack.ask("Update", 3, "forward") == Verdict(success=True, reason=GIVEN_WAY)
        stack.cloudformation.status = "UPDATE_IN_PROGRESS"
        assert stack.ask("Update", 3, "forward") is None
        assert stack.machines.turns == []
        is_source(stack)

    def test_a_request_comes_again_before_its_turn_has_begun_then_the_same_execution_is_meant(
        self, stack: Stack
    ) -> None:
        assert stack.ask("Update", 3, "forward") is None
        assert stack.ask("Update", 3, "forward") is None
        assert stack.machines.turns[0] == stack.machines.turns[1]
        assert stack.follow() is Ended.RELEASED
        assert stack.world.pair.owner is Side.TWIN

    def test_its_invocation_died_before_the_execution_was_started_then_the_repetition_starts_it(
        self, stack: Stack
    ) -> None:
        stack.world.state.come(stack.world.pair, Ordered("forward", stack.world.account.now, OrderState.DECIDING))
        assert stack.ask("Update", 3, "forward") is None
        assert stack.follow() is Ended.RELEASED

    def test_it_comes_again_when_its_turn_is_under_way_or_over_then_nothing_is_started(self, stack: Stack) -> None:
        assert stack.ask("Update", 3, "forward") is None
        forward = stack.machines.turns.pop()
        run(stack.world.crew, forward, stack.world.account.now + 800)
        assert stack.ask("Update", 3, "forward") is None
        stack.world.account.sleep(stack.world.waits.hold + 1)
        release(stack.world.crew, PAIR_ID)
        assert stack.ask("Update", 3, "forward") is None
        assert stack.machines.turns == []

    def test_it_comes_again_after_the_rollback_then_it_does_not_take_the_rollbacks_place(self, stack: Stack) -> None:
        stack.ask("Update", 3, "forward")
        roll_back(stack)
        assert stack.ask("Update", 3, "forward") is None
        noted = stack.world.pair.ordered
        assert noted is not None
        assert (noted.request, len(stack.machines.turns)) == ("rollback", 1)

    def test_both_invocations_decide_then_one_order_is_noted_and_one_execution_meant(self, stack: Stack) -> None:
        when(stack, "state.update_item", lambda: stack.ask("Update", 3, "forward"), occurrence=2)
        assert stack.ask("Update", 3, "forward") is None
        assert stack.machines.turns[0] == stack.machines.turns[1]
        assert stack.follow() is Ended.RELEASED

    def test_one_stays_when_the_other_has_stayed_then_both_say_so(self, stack: Stack) -> None:
        when(stack, "state.update_item", lambda: stack.ask("Update", 2, "again"), occurrence=2)
        assert stack.ask("Update", 2, "again") == DONE

    def test_of_two_creates_one_makes_the_record_and_answers(self) -> None:
        stack = Stack()
        first: list[Any] = []
        when(stack, "state.transact_write_items", lambda: first.append(stack.ask("Create", 1, "create")))
        assert (stack.ask("Create", 1, "create"), first) == (None, [DONE])

    def test_an_execution_begins_again_after_its_turn_was_undone_then_it_does_not_turn_again(
        self, stack: Stack
    ) -> None:
        stack.ask("Update", 3, "forward")
        stack.world.account.reaches_no_more("probe")
        forward = stack.machines.turns[0]
        assert execute(stack, forward) is Ended.UNDONE
        assert execute(stack, forward) is Ended.DONE
        assert [status for status, _ in told(stack, "forward")] == ["FAILED", "FAILED"]


class TestEarlierVersion:
    """The installation is upgraded while an order of an earlier version, which noted none, is on its way."""

    def test_the_order_begins_its_turn(self) -> None:
        world = World(1, traffic=False)
        assert world.pair.ordered is None
        assert world.turn(world.order(Side.TWIN)) is Ended.RELEASED

    def test_the_gate_is_asked_then_the_order_is_refused(self) -> None:
        stack = Stack()
        at_stage(stack, 2)
        stack.world.state.change(PAIR_ID, Ordered=None, Answered=None)
        order = stack.world.order(Side.TWIN, "forward")
        assert roll_back(stack) == DONE
        assert execute(stack, order) is Ended.SUPERSEDED
        assert OVERTAKEN in told(stack, "forward")[0][1]
        is_source(stack)

    def test_the_order_has_read_the_record_then_the_gate_is_asked_then_it_begins_nothing(self, stack: Stack) -> None:
        stack.world.state.change(PAIR_ID, Ordered=None, Answered=None)
        found = stack.world.pair
        roll_back(stack)
        with pytest.raises(StaleTurn):
            stack.world.state.begin_turn(found, replace(turn(), token=found.token + 1))
