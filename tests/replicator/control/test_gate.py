"""What the gate does with CloudFormation's requests, in whatever order they come."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from replication.errors import Contradiction, Refused, RequestError, StaleTurn
from replication.order import Ended
from replication.pair import Pair, Side
from replication.segments import Mode as JobMode
from tests.replicator.control.aws import table_arn
from tests.replicator.control.iam import Caller
from tests.replicator.control.stack import DONE, MINE, OWN, Stack, at_stage, begin_turn
from tests.replicator.control.world import CLIENTS, PAIR_ID, SOURCE, TWIN


@pytest.fixture
def stack() -> Stack:
    return Stack()


def unasked(pair: Pair) -> Pair:
    """The record without what was noted of requests."""
    return replace(pair, ordered=None, answered=())


class TestCreate:
    def test_the_source_owns_and_both_tables_have_their_policies(self, stack: Stack) -> None:
        assert stack.ask("Create", 1) == DONE
        pair = stack.world.pair
        assert (pair.owner, pair.stage, pair.epoch) == (Side.SOURCE, 1, 0)
        stack.world.account.sleep(10)
        assert stack.world.open_tables() == [SOURCE]

    def test_comes_twice_and_changes_nothing_the_second_time(self, stack: Stack) -> None:
        stack.ask("Create", 1, "create")
        before = (stack.world.pair, stack.policies())
        assert stack.ask("Create", 1, "create") is None
        assert (stack.world.pair, stack.policies()) == before

    def test_of_tables_that_are_not_the_stacks_is_refused(self, stack: Stack) -> None:
        stack.cloudformation.tables = {"Users": "SomebodyElses", "UsersEncrypted": TWIN}
        with pytest.raises(RequestError, match="Users is not the table Users of this stack"):
            stack.ask("Create", 1)
        assert stack.world.state.find(PAIR_ID) is None
        assert stack.policies() == {SOURCE: [], TWIN: []}

    def test_tells_everything_that_is_not_ready_at_once(self, stack: Stack) -> None:
        stack.world.account.mappings["mapping"] = {"State": "Disabled"}
        stack.world.account.mappings["reverse-mapping"] = {"State": "Creating"}
        with pytest.raises(RequestError) as told:
            stack.ask("Create", 1)
        assert told.value.reasons == (
            "The event source mapping mapping is Disabled, not Enabled.",
            "The event source mapping reverse-mapping is Creating, not Enabled.",
        )

    def test_does_not_wait_for_a_mapping_that_has_been_switched_off(self, stack: Stack) -> None:
        began = stack.world.account.now
        for state in ("Disabling", "Disabled", "Deleting"):
            stack.world.account.mappings["reverse-mapping"] = {"State": state}
            with pytest.raises(RequestError, match=f"reverse-mapping is {state}"):
                stack.ask("Create", 1)
        assert stack.world.account.now - began < 10

    @pytest.mark.parametrize("state", ["Creating", "Enabling", "Updating"])
    def test_waits_for_mappings_that_are_still_being_made(self, stack: Stack, state: str) -> None:
        mapping: dict[str, Any] = {"State": state}
        stack.world.account.mappings["mapping"] = mapping
        began = stack.world.account.now

        def meanwhile() -> None:
            if stack.world.account.now - began > 30:
                mapping["State"] = "Enabled"

        stack.world.account.meanwhile = meanwhile
        assert stack.ask("Create", 1) == DONE

    def test_keeps_the_users_own_policies_beside_ours_with_the_right_arns(self, stack: Stack) -> None:
        mine = MINE | {"Resource": f"{table_arn(SOURCE)}/index/*"}
        own = {"Version": "2012-10-17", "Statement": mine}
        assert stack.ask("Create", 1, SourcePolicy=own, TwinPolicy=own) == DONE
        policy = stack.world.account.tables[TWIN].policies[-1].policy
        assert policy is not None
        assert policy["Statement"][0]["Resource"] == f"{table_arn(TWIN)}/index/*"

    def test_directly_at_cutover_passes_when_both_tables_are_empty(self, stack: Stack) -> None:
        assert stack.ask("Create", 3) is None
        assert stack.follow() is Ended.RELEASED
        assert (stack.last_answer["Status"], stack.world.pair.owner) == ("SUCCESS", Side.TWIN)
        assert stack.world.pair.stage == 3

    def test_directly_at_cutover_is_refused_for_a_table_with_items_and_nobody_notices(self, stack: Stack) -> None:
        stack.put("a")
        assert stack.ask("Create", 3) is None
        assert stack.follow() is Ended.UNDONE
        assert stack.last_answer["Status"] == "FAILED"
        assert "Users already holds items" in stack.last_answer["Reason"]
        assert [change.policy["Statement"][-1]["Sid"] for change in stack.world.account.tables[SOURCE].policies
                if change.policy] == ["EncryptMigrateOpen1Probe"]  # fmt: skip

    def test_that_failed_is_followed_by_a_delete_that_leaves_nothing(self, stack: Stack) -> None:
        stack.put("a")
        stack.ask("Create", 3)
        stack.follow()
        verdict = stack.ask("Delete", 3)
        assert verdict is not None
        assert verdict.success
        assert stack.world.state.find(PAIR_ID) is None
        assert stack.policies()[SOURCE] == []


class TestForward:
    def test_is_refused_with_every_reason_and_changes_nothing(self, stack: Stack) -> None:
        at_stage(stack, 1)
        before = (stack.world.pair, stack.policies())
        stack.world.evidence[:] = ["One.", "Two."]
        with pytest.raises(Refused) as told:
            stack.ask("Update", 3)
        assert told.value.reasons == ("One.", "Two.")
        assert (unasked(stack.world.pair), stack.policies()) == (unasked(before[0]), before[1])
        assert stack.machines.turns == []

    def test_starts_a_turn_named_by_the_request_that_answers(self, stack: Stack) -> None:
        at_stage(stack, 2)
        assert stack.ask("Update", 3, "the-request") is None
        order = stack.machines.turns[0]
        assert (order.request, order.to, order.stage, order.must_not_fail) == ("the-request", Side.TWIN, 3, False)
        assert stack.follow() is Ended.RELEASED
        assert (stack.last_answer["RequestId"], stack.last_answer["Status"]) == ("the-request", "SUCCESS")
        assert stack.world.pair.stage == 3

    def test_evidence_that_goes_away_before_the_turn_refuses_it_there(self, stack: Stack) -> None:
        at_stage(stack, 2)
        stack.ask("Update", 3)
        stack.world.evidence[:] = ["Gone."]
        assert stack.follow() is Ended.DONE
        assert (stack.last_answer["Status"], stack.last_answer["Reason"]) == ("FAILED", "Gone.")

    def test_is_refused_while_another_stack_imports_an_export_that_changes(self, stack: Stack) -> None:
        at_stage(stack, 2)
        stack.cloudformation.importers = {"UsersTable": ["billing", "audit"]}
        with pytest.raises(Refused, match="The export UsersTable changes its value at this stage, and billing, audit"):
            stack.ask("Update", 3, ChangingExports=["UsersTable", "Unused"])

    def test_a_refused_request_that_comes_again_later_turns_nothing(self, stack: Stack) -> None:
        at_stage(stack, 1)
        stack.world.evidence[:] = ["Not yet."]
        with pytest.raises(Refused):
            stack.ask("Update", 3, "refused")
        stack.world.evidence.clear()
        assert stack.ask("Update", 3, "refused") is None
        assert stack.machines.turns == []

    def test_importers_do_not_matter_any_more_once_the_stage_has_been_reached(self, stack: Stack) -> None:
        at_stage(stack, 3)
        stack.cloudformation.importers = {"UsersTable": ["billing"]}
        assert stack.ask("Update", 3, ChangingExports=["UsersTable"]) == DONE


class TestSameStage:
    def test_is_harmless(self, stack: Stack) -> None:
        for stage in (1, 2, 3):
            stack = at_stage(Stack(), stage)
            before = (stack.world.pair, stack.policies())
            assert stack.ask("Update", stage, "again") == DONE
            assert (unasked(stack.world.pair), stack.policies()) == (unasked(before[0]), before[1])

    def test_restores_a_policy_that_somebody_changed_and_reports_it(self, stack: Stack) -> None:
        at_stage(stack, 3)
        stack.world.account.sleep(60)
        stack.change_outside(SOURCE)
        stack.world.account.sleep(10)
        assert stack.world.client_writes(CLIENTS[0], "a", 1, SOURCE)  # what the policy was there to prevent
        assert stack.ask("Update", 3, "again") == DONE
        stack.world.account.sleep(10)
        assert stack.world.open_tables() == [TWIN]
        assert ["changed the policy of Users" in one.what for one in stack.world.pair.damage] == [True]
        assert not stack.world.pair.compared

    def test_takes_on_a_policy_that_the_template_has_changed_and_reports_nothing(self, stack: Stack) -> None:
        at_stage(stack, 1)
        assert stack.ask("Update", 1, "again", SourcePolicy=OWN) == DONE
        assert "Mine" in stack.policies()[SOURCE]
        assert stack.world.pair.damage == ()


class TestWayBack:
    def test_of_a_user_is_a_turn_that_may_fail(self, stack: Stack) -> None:
        at_stage(stack, 3)
        assert stack.ask("Update", 2, "back") is None
        assert (stack.machines.turns[0].to, stack.machines.turns[0].must_not_fail) == (Side.SOURCE, False)
        assert stack.follow() is Ended.RELEASED
        assert stack.world.pair.owner is Side.SOURCE

    def test_of_a_rollback_is_the_same_turn_and_never_fails(self, stack: Stack) -> None:
        at_stage(stack, 3)
        stack.cloudformation.status = "UPDATE_ROLLBACK_IN_PROGRESS"
        assert stack.ask("Update", 2, "back") is None
        assert stack.machines.turns[0].must_not_fail
        assert stack.follow() is Ended.RELEASED

    def test_an_old_request_that_comes_again_after_the_cutover_does_not_turn_back(self, stack: Stack) -> None:
        at_stage(stack, 1)
        assert stack.ask("Update", 2, "populate") == DONE
        at_stage(stack, 3)
        assert stack.ask("Update", 2, "populate") is None
        assert stack.machines.turns == []
        assert stack.world.pair.owner is Side.TWIN

    def test_needs_no_evidence(self, stack: Stack) -> None:
        at_stage(stack, 3)
        stack.world.evidence[:] = ["Whatever."]
        assert stack.ask("Update", 2, "back") is None
        assert stack.follow() is Ended.RELEASED

    def test_is_open_when_a_mapping_has_been_switched_off(self, stack: Stack) -> None:
        at_stage(stack, 3)
        assert stack.world.client_writes(CLIENTS[0], "a", 3, TWIN)
        stack.world.account.mappings["reverse-mapping"] = {"State": "Disabled"}
        assert stack.ask("Update", 2, "back") is None
        assert stack.follow() is Ended.RELEASED
        assert stack.world.pair.owner is Side.SOURCE
        assert stack.world.account.tables[SOURCE].items == stack.world.account.tables[TWIN].items

    def test_a_rollback_that_needs_no_turn_does_not_mind_a_mapping_that_is_off(self, stack: Stack) -> None:
        at_stage(stack, 2)
        stack.world.account.mappings["mapping"] = {"State": "Disabled"}
        stack.cloudformation.status = "UPDATE_ROLLBACK_IN_PROGRESS"
        assert stack.ask("Update", 2, "back") == DONE
        assert stack.world.pair.paused is None

    @staticmethod
    def rolled_back_to_cutover_with_a_late_mirror(stack: Stack) -> None:
        """The user went back, another resource failed, and CloudFormation wants to be at cutover again."""
        at_stage(stack, 3)
        stack.ask("Update", 2, "back")
        stack.follow()
        stack.world.evidence[:] = ["The mirror is behind."]
        stack.cloudformation.status = "UPDATE_ROLLBACK_IN_PROGRESS"
        assert stack.ask("Update", 3, "forward-again") is None

    def test_of_a_rollback_to_cutover_waits_for_evidence_that_comes(self, stack: Stack) -> None:
        """What a turn back has held comes to the mirror late, and the rollback may follow right behind it."""
        self.rolled_back_to_cutover_with_a_late_mirror(stack)
        account, evidence = stack.world.account, stack.world.evidence
        caught_up, others = account.now + 30, account.meanwhile

        def meanwhile() -> None:
            others()
            if account.now >= caught_up:
                evidence.clear()

        account.meanwhile = meanwhile
        assert stack.follow() is Ended.RELEASED
        assert (stack.world.pair.owner, stack.world.pair.paused) == (Side.TWIN, None)

    def test_of_a_rollback_to_cutover_without_evidence_leaves_a_named_pause(self, stack: Stack) -> None:
        self.rolled_back_to_cutover_with_a_late_mirror(stack)
        assert stack.follow() is Ended.DONE
        assert stack.last_answer["Status"] == "SUCCESS"
        assert stack.last_answer["Reason"] == "The mirror is behind."
        assert stack.world.pair.paused == "The mirror is behind."
        assert stack.world.pair.owner is Side.SOURCE

    def test_a_pause_is_over_with_the_next_update(self, stack: Stack) -> None:
        self.test_of_a_rollback_to_cutover_without_evidence_leaves_a_named_pause(stack)
        stack.world.evidence.clear()
        stack.cloudformation.status = "UPDATE_IN_PROGRESS"
        assert stack.ask("Update", 3, "once-more") is None
        assert stack.follow() is Ended.RELEASED
        assert stack.world.pair.paused is None

    def test_a_turn_that_cannot_be_made_in_a_rollback_is_reported_and_not_failed(self, stack: Stack) -> None:
        at_stage(stack, 3)
        stack.cloudformation.status = "UPDATE_ROLLBACK_IN_PROGRESS"
        stack.ask("Update", 2, "back")
        stack.world.account.reaches_no_more("probe")
        assert stack.follow() is Ended.UNDONE
        assert stack.last_answer["Status"] == "SUCCESS"
        assert "could not be closed to its clients" in (stack.world.pair.paused or "")

    def test_there_and_back_and_there_again(self, stack: Stack) -> None:
        at_stage(stack, 3)
        for stage, owner in ((2, Side.SOURCE), (3, Side.TWIN), (1, Side.SOURCE), (3, Side.TWIN)):
            stack.ask("Update", stage, f"to-{stage}-{stack.world.pair.epoch}")
            assert stack.follow() is Ended.RELEASED
            assert (stack.world.pair.owner, stack.world.pair.stage) == (owner, stage)


class TestCleanup:
    def test_of_a_stack_that_never_had_a_source_passes(self, stack: Stack) -> None:
        stack.cloudformation.tables = {"UsersEncrypted": TWIN}
        assert stack.ask("Create", 4) == DONE

    def test_of_a_source_that_was_never_migrated_is_refused(self, stack: Stack) -> None:
        with pytest.raises(Refused, match=r"has not been migrated .* this stage removes it"):
            stack.ask("Create", 4)

    def test_before_the_cutover_is_refused(self, stack: Stack) -> None:
        at_stage(stack, 2)
        with pytest.raises(Refused, match="still takes the writes: set the stage to cutover first"):
            stack.ask("Update", 4)

    def test_is_refused_while_a_turn_is_under_way(self, stack: Stack) -> None:
        at_stage(stack, 3)
        begin_turn(stack, Side.SOURCE)
        with pytest.raises(Refused, match="still under way"):
            stack.ask("Update", 4)

    def test_starts_the_last_check_which_answers(self, stack: Stack) -> None:
        at_stage(stack, 3)
        assert stack.ask("Update", 4, "cleanup", WritersMoved="true") is None
        job = stack.machines.jobs[0]
        assert (job.mode, job.job, job.writers_moved) == (JobMode.CLEANUP, "cleanup-cleanup", True)
        assert job.answer is not None

    def test_that_was_granted_passes_again(self, stack: Stack) -> None:
        at_stage(stack, 3)
        stack.world.state.change(PAIR_ID, Stage=4)
        assert stack.ask("Update", 4, "again") == DONE

    def test_that_is_rolled_back_is_cutover_again(self, stack: Stack) -> None:
        at_stage(stack, 3)
        stack.world.state.change(PAIR_ID, Stage=4)
        stack.cloudformation.status = "UPDATE_ROLLBACK_IN_PROGRESS"
        assert stack.ask("Update", 3, "back") == DONE
        assert (stack.world.pair.stage, stack.world.pair.owner) == (3, Side.TWIN)


class TestLostRecord:
    def test_stops_and_asks_when_the_policies_say_that_the_twin_owns(self, stack: Stack) -> None:
        at_stage(stack, 3)
        stack.world.account.state.items.clear()
        before = stack.policies()
        with pytest.raises(Contradiction, match="Restore EncryptMigrate's state table"):
            stack.ask("Update", 3, "again")
        assert stack.policies() == before

    def test_in_a_rollback_holds_nothing_up(self, stack: Stack) -> None:
        at_stage(stack, 3)
        stack.world.account.state.items.clear()
        stack.cloudformation.status = "UPDATE_ROLLBACK_IN_PROGRESS"
        verdict = stack.ask("Update", 2, "back")
        assert verdict is not None
        assert verdict.success
        assert "Restore EncryptMigrate's state table" in verdict.reason

    def test_is_made_anew_while_the_source_owns(self, stack: Stack) -> None:
        at_stage(stack, 1)
        stack.world.account.sleep(10)
        stack.world.account.state.items.clear()
        assert stack.ask("Update", 1, "again") == DONE
        assert stack.world.pair.token > 1  # beyond whatever a writer of before may still hold

    def test_of_a_pair_is_not_taken_for_another_pairs_table(self, stack: Stack) -> None:
        at_stage(stack, 1)
        stack.cloudformation.tables["Other"] = SOURCE
        with pytest.raises(RequestError, match="already belongs to the migration guid/Users"):
            stack.ask("Create", 1, SourceLogicalId="Other")


class TestReplacedTable:
    def test_before_cutover_begins_anew(self, stack: Stack) -> None:
        at_stage(stack, 2)
        stack.world.account.tables[TWIN].table_id = "another"
        assert stack.ask("Update", 2, "again") == DONE
        assert stack.world.pair.twin.table_id == "another"
        assert not stack.world.pair.populated

    def test_what_is_being_written_of_the_pair_before_voids_comparisons_until_it_is_over(self, stack: Stack) -> None:
        """Race: the other table is the same, and an invocation that hangs lands an old value behind the new copy."""
        at_stage(stack, 2)
        over = stack.world.account.now + 60
        stack.world.register.begin(stack.world.pair.pair_id, "source", "1", "hangs", over)
        stack.world.account.tables[TWIN].table_id = "another"
        assert stack.ask("Update", 2, "again") == DONE
        assert stack.world.pair.failed_at == over

    def test_after_cutover_is_refused(self, stack: Stack) -> None:
        at_stage(stack, 3)
        stack.world.account.tables[SOURCE].table_id = "another"
        with pytest.raises(RequestError, match="was replaced during the migration"):
            stack.ask("Update", 3, "again")


class TestProperties:
    def test_everything_that_is_wrong_is_told_at_once(self, stack: Stack) -> None:
        with pytest.raises(RequestError) as told:
            stack.ask("Create", 1, Version="2", Stage="9", Twin=None, StreamConsumers="perhaps", ChangingExports="x")
        assert [reason.split(" ")[0] for reason in told.value.reasons] == [
            "Version", "Stage", "Twin", "StreamConsumers", "ChangingExports",
        ]  # fmt: skip

    def test_a_policy_that_uses_our_ids_is_refused(self, stack: Stack) -> None:
        own = {"Statement": [{"Sid": "EncryptMigrateMine"}]}
        with pytest.raises(RequestError, match="uses the Sid EncryptMigrateMine"):
            stack.ask("Create", 1, SourcePolicy=own)

    def test_wrong_ones_in_a_rollback_hold_nothing_up(self, stack: Stack) -> None:
        stack.cloudformation.status = "UPDATE_ROLLBACK_IN_PROGRESS"
        verdict = stack.ask("Update", 1, Stage="9")
        assert verdict is not None
        assert verdict.success


class TestRaces:
    def test_a_gate_that_hangs_before_it_puts_a_policy_does_not_open_what_a_turn_has_sealed(self) -> None:
        """The revision that it would replace is the one that it saw when it claimed the pair."""
        stack = at_stage(Stack(traffic=True), 2)
        order = replace(stack.world.order(Side.TWIN), answer=None)

        def hang(_caller: str, operation: str) -> None:
            if operation == "put_resource_policy":
                stack.world.account.before = lambda caller, operation: None
                stack.world.turn(stack.world.ordered(order))

        stack.world.account.before = hang
        with pytest.raises(StaleTurn):
            stack.ask("Update", 2, "again", SourcePolicy=OWN)
        assert stack.world.pair.owner is Side.TWIN
        stack.world.check()

    def test_two_gates_that_restore_the_same_policy_do_it_once(self, stack: Stack) -> None:
        at_stage(stack, 1)
        stack.world.account.sleep(60)
        stack.change_outside(SOURCE)
        stack.world.account.sleep(10)

        writes: list[str] = []

        def another(_caller: str, operation: str) -> None:
            writes.append(operation)
            if writes.count("state.update_item") == 3:  # when the first is about to claim the pair
                stack.world.account.before = lambda caller, operation: None
                assert stack.ask("Update", 1, "other") == DONE

        stack.world.account.before = another
        with pytest.raises(StaleTurn):
            stack.ask("Update", 1, "again")
        stack.world.account.sleep(10)
        assert stack.world.open_tables() == [SOURCE]
        assert len(stack.world.pair.damage) == 1


def test_a_client_is_never_the_gates_business(stack: Stack) -> None:
    """What a table's own policy allows stays allowed in every mode but for writes."""
    at_stage(stack, 3)
    stack.world.account.sleep(10)
    assert stack.world.account.allows(CLIENTS[0], "dynamodb:Query", SOURCE)
    assert not stack.world.account.allows(Caller("stranger"), "dynamodb:Query", SOURCE)
