"""How a migration leaves its stack, and what comes back behind it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replication.errors import Refused, StaleTurn
from replication.order import Ended
from replication.pair import Phase, Side
from tests.replicator.control.aws import Killed
from tests.replicator.control.stack import DONE, OWN, Stack, at_stage, begin_turn
from tests.replicator.control.test_ordered import when
from tests.replicator.control.world import CLIENTS, PAIR_ID, SOURCE, TWIN


@pytest.fixture
def stack() -> Stack:
    return Stack()


class TestDelete:
    def test_an_update_that_comes_again_after_it_does_not_take_the_tables_in_anew(self, stack: Stack) -> None:
        at_stage(stack, 2)
        stack.cloudformation.leaving.add("UsersMigrationGate")
        assert stack.ask("Delete", 1) is not None
        assert stack.ask("Update", 2, "late") is None
        assert stack.world.state.find(PAIR_ID) is None

    def test_of_what_never_was_succeeds(self, stack: Stack) -> None:
        assert stack.ask("Delete", 1) == DONE

    def test_gives_the_source_back_and_closes_the_twin_for_good(self, stack: Stack) -> None:
        stack.ask("Create", 1, SourcePolicy=OWN)
        verdict = stack.ask("Delete", 1)
        assert verdict is not None
        assert verdict.success
        assert "can be deleted" in verdict.reason
        stack.world.account.sleep(10)
        assert stack.policies()[SOURCE] == ["Mine"]
        assert stack.world.open_tables() == [SOURCE]
        assert stack.world.account.state.items == {}

    def test_comes_twice(self, stack: Stack) -> None:
        at_stage(stack, 1)
        stack.ask("Delete", 1)
        assert stack.ask("Delete", 1) == DONE

    def test_after_cutover_turns_back_first(self, stack: Stack) -> None:
        """The transform was removed in the middle: nothing is lost, the source takes the writes again."""
        at_stage(stack, 3)
        assert stack.world.client_writes(CLIENTS[0], "a", 3, TWIN)
        stack.world.account.sleep(5)
        assert stack.ask("Delete", 3, "delete") is None
        assert stack.machines.turns[0].deleting
        assert stack.follow() is Ended.RELEASED
        assert stack.last_answer["Status"] == "SUCCESS"
        stack.world.account.sleep(10)
        assert stack.world.account.tables[SOURCE].items == stack.world.account.tables[TWIN].items
        assert stack.world.open_tables() == [SOURCE]
        assert stack.world.state.find(PAIR_ID) is None

    def test_after_cleanup_gives_the_twin_its_own_policy(self, stack: Stack) -> None:
        at_stage(stack, 3)
        stack.ask("Update", 3, "again", TwinPolicy=OWN)
        stack.world.state.change(PAIR_ID, Stage=4)
        stack.world.mirroring = False
        del stack.world.account.tables[SOURCE]
        verdict = stack.ask("Delete", 4)
        assert verdict is not None
        assert verdict.success
        assert stack.policies() == {TWIN: ["Mine"]}

    def test_after_cutover_of_a_source_that_is_gone_leaves_the_twin(self, stack: Stack) -> None:
        at_stage(stack, 3)
        stack.world.mirroring = False
        del stack.world.account.tables[SOURCE]
        verdict = stack.ask("Delete", 3)
        assert verdict is not None
        assert verdict.success
        assert stack.policies() == {TWIN: []}

    def test_while_a_create_turns_waits_for_it_in_an_execution(self, stack: Stack) -> None:
        """CloudFormation gave up waiting for the Create and deletes what it may have made."""
        stack.ask("Create", 3, "create")
        create = stack.machines.turns.pop()
        begin_turn(stack, Side.TWIN, "create")
        assert stack.ask("Delete", 3, "delete") is None
        delete = stack.machines.turns.pop()
        pair = stack.world.pair
        stack.world.recover(replace(create, answer=None))
        assert pair.turn is not None
        assert stack.world.turn(delete) is Ended.DONE
        assert stack.last_answer["Status"] == "SUCCESS"
        assert stack.world.state.find(PAIR_ID) is None

    def test_of_a_whole_stack_is_not_held_up_by_a_turn_that_fails(self, stack: Stack) -> None:
        at_stage(stack, 3)
        stack.cloudformation.status = "DELETE_IN_PROGRESS"
        stack.ask("Delete", 3, "delete")
        stack.world.account.reaches_no_more("probe")
        assert stack.follow() is Ended.UNDONE
        assert stack.last_answer["Status"] == "SUCCESS"

    def test_while_somebody_claims_the_pair_is_told_so(self, stack: Stack) -> None:
        at_stage(stack, 1)
        found = stack.world.pair
        stack.world.state.claim(found)
        with pytest.raises(StaleTurn):
            stack.world.state.claim(replace(found, token=found.token - 1))


class TestBegunAnew:
    """CloudFormation has been told of the removal, and the next update adds the migration again."""

    @staticmethod
    def killed_after_its_answer(stack: Stack) -> None:
        """A removal whose last invocation dies with the record still there."""

        def die() -> None:
            raise Killed

        assert stack.ask("Delete", 3, "delete") is None
        when(stack, "state.transact_write_items", die)
        with pytest.raises(Killed):
            stack.follow()
        assert stack.last_answer["Status"] == "SUCCESS"
        assert stack.world.pair.turn is not None

    def test_while_the_removal_has_not_ended_waits_for_it(self, stack: Stack) -> None:
        at_stage(stack, 3)
        self.killed_after_its_answer(stack)
        before, since = stack.world.pair, stack.world.account.now

        def recover() -> None:
            if stack.world.account.now > since + 30:
                stack.world.account.meanwhile = lambda: None
                stack.world.recover(replace(stack.world.order(Side.SOURCE, "delete"), deleting=True))

        stack.world.account.meanwhile = recover
        assert stack.ask("Create", 1, "anew") == DONE
        pair = stack.world.pair
        assert (pair.turn, pair.owner, pair.stage, pair.epoch) == (None, Side.SOURCE, 1, 0)
        assert pair.born != before.born

    def test_while_the_removal_never_ends_is_told_so_and_leaves_it_as_it_is(self, stack: Stack) -> None:
        at_stage(stack, 3)
        self.killed_after_its_answer(stack)
        with pytest.raises(Refused, match="still under way"):
            stack.ask("Create", 1, "anew")
        turn = stack.world.pair.turn
        assert turn is not None
        assert (turn.phase, turn.deleting) == (Phase.RELEASED, True)

    @pytest.mark.parametrize("hangs_at", ["query", "get_item", "delete_item", "transact_write_items"])
    def test_before_the_removal_has_ended_keeps_what_is_its_own(self, stack: Stack, hangs_at: str) -> None:
        """Race: the removal's invocation hangs, another ends it, the next migration begins, and then it wakes up."""
        at_stage(stack, 1)
        before = stack.world.pair
        stack.world.state.keep_stray(PAIR_ID, Side.SOURCE, "1", {"id": {"S": "a"}}, 1.0)

        def anew() -> None:
            stack.world.state.remove(before)
            stack.world.account.sleep(60)
            assert stack.ask("Create", 1, "anew") == DONE
            stack.world.register.begin(PAIR_ID, "source", "1", "invocation", stack.world.account.now + 60)

        when(stack, f"state.{hangs_at}", anew)
        stack.world.state.remove(before)
        now = stack.world.pair
        assert now.born != before.born
        for side in Side:
            assert stack.world.state.pair_of_stream(now.table(side).stream_arn) == (now, side)
        assert len(stack.world.register.work(PAIR_ID)) == 1
