"""The copy of what was there before: when it is started, joined, stopped, and how CloudFormation hears of its end."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from replication.answer import Verdict
from replication.conclusion import Ending
from replication.errors import Refused, ReplicationError, RequestError, StaleOrder
from replication.evidence import Facts
from replication.machines import PopulationJob
from replication.pair import PopulationState, Side
from replication.population import Conclusion
from replication.request import Request, read
from replication.segments import Mode
from tests.replicator.control.iam import refusal
from tests.replicator.control.stack import Stack, at_stage, begin_turn
from tests.replicator.control.world import PAIR_ID, SOURCE, STACK_ID

DONE = Verdict(success=True)


@pytest.fixture
def stack() -> Stack:
    return at_stage(Stack(), 1)


def request(kind: str, name: str = "request", **properties: Any) -> Request:
    return read(
        {
            "RequestType": kind,
            "ResponseURL": "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/answer",
            "StackId": STACK_ID,
            "RequestId": name,
            "LogicalResourceId": "UsersPopulation",
            "ResourceType": "Custom::MigrationPopulation",
            "ResourceProperties": {"Version": "1", "Pair": PAIR_ID} | properties,
            **({} if kind == "Create" else {"PhysicalResourceId": f"{PAIR_ID}/population"}),
        }
    )


def conclusion(**changes: Any) -> Conclusion:
    return replace(Conclusion(Mode.POPULATE, 1.0, 2.0, 10, 10, 10, 0, ()), **changes)


class Backups:
    """boto3's client, as far as cleanup needs it."""

    def __init__(self) -> None:
        self.backups: dict[str, dict[str, Any]] = {}
        self.protected = True
        self.status = "AVAILABLE"

    def create_backup(self, *, TableName: str, BackupName: str) -> dict[str, Any]:  # noqa: N803
        arn = f"arn:{BackupName}"
        self.backups[arn] = {"BackupArn": arn, "BackupName": BackupName, "BackupStatus": self.status}
        return {"BackupDetails": {"BackupArn": arn}}

    def describe_backup(self, *, BackupArn: str) -> dict[str, Any]:  # noqa: N803
        return {"BackupDescription": {"BackupDetails": self.backups[BackupArn]}}

    def get_paginator(self, _operation: str) -> Any:
        return SimpleNamespace(paginate=lambda **_: [{"BackupSummaries": list(self.backups.values())}])

    def update_table(self, *, TableName: str, DeletionProtectionEnabled: bool) -> None:  # noqa: N803
        if not self.protected:
            raise refusal("ValidationException")
        self.protected = DeletionProtectionEnabled


def ending(stack: Stack, backups: Backups | None = None, facts: Facts | None = None) -> Ending:
    crew = stack.world.crew
    tables = cast("Any", backups or Backups())
    return Ending(crew.state, crew.answers, tables, lambda pair: facts or Facts(0.0), crew.clock, crew.sleep, 30)


class TestStart:
    def test_a_copy_is_noted_and_then_started_under_the_requests_name(self, stack: Stack) -> None:
        assert stack.populating.handle(request("Create", WriteRate="250")) is None
        found = stack.world.pair.population
        assert found is not None
        assert (found.execution, found.state, found.answered) == ("populate-request", PopulationState.RUNNING, False)
        (job,) = stack.machines.jobs
        assert (job.pair, job.job, job.mode) == (PAIR_ID, "populate-request", Mode.POPULATE)
        assert stack.world.pair.write_rate == 250

    def test_a_request_that_comes_twice_starts_one_copy(self, stack: Stack) -> None:
        stack.populating.handle(request("Create"))
        stack.populating.handle(request("Create"))
        assert len(stack.machines.jobs) == 1

    def test_a_later_request_joins_the_copy_that_is_running(self, stack: Stack) -> None:
        stack.populating.handle(request("Create", "first"))
        assert stack.populating.handle(request("Update", "second", WriteRate="10")) is None
        found = stack.world.pair.population
        assert found is not None
        assert found.answer is not None
        assert (found.execution, found.answer.request_id) == ("populate-first", "second")
        assert len(stack.machines.jobs) == 1

    def test_a_copy_that_was_made_is_not_made_again(self, stack: Stack) -> None:
        stack = at_stage(Stack(), 2)
        assert stack.populating.handle(request("Create")) == DONE
        assert stack.machines.jobs == []

    def test_a_copy_whose_comparison_found_differences_is_made_again(self) -> None:
        stack = at_stage(Stack(), 2)
        pair = stack.world.pair
        assert pair.comparison is not None
        stack.world.state.note_comparison(PAIR_ID, replace(pair.comparison, differences=2))
        assert stack.populating.handle(request("Create")) is None

    def test_while_a_turn_is_held_it_waits(self, stack: Stack) -> None:
        """A stack made directly at cutover: the gate has answered, its turn is still holding the old table."""
        begin_turn(stack, Side.TWIN)
        began = stack.world.account.now

        def meanwhile() -> None:
            if stack.world.account.now > began + 10 and stack.world.pair.turn is not None:
                stack.world.state.end_turn(PAIR_ID, stack.world.pair.token)

        stack.world.account.meanwhile = meanwhile
        assert stack.populating.handle(request("Create")) is None
        assert stack.world.account.now > began + 10

    def test_a_turn_that_does_not_end_is_a_refusal(self, stack: Stack) -> None:
        begin_turn(stack, Side.TWIN)
        with pytest.raises(Refused, match="still under way"):
            stack.populating.handle(request("Create"))

    def test_it_waits_for_a_turn_then_the_rollback_removes_it_then_it_starts_nothing(self, stack: Stack) -> None:
        begin_turn(stack, Side.TWIN)
        began = stack.world.account.now

        def meanwhile() -> None:
            if stack.world.account.now > began + 10:
                stack.world.account.meanwhile = lambda: None
                stack.cloudformation.status = "UPDATE_ROLLBACK_IN_PROGRESS"
                assert stack.populating.handle(request("Delete", "rollback")) == DONE
                stack.world.state.end_turn(PAIR_ID, stack.world.pair.token)

        stack.world.account.meanwhile = meanwhile
        with pytest.raises(StaleOrder):
            stack.populating.handle(request("Create"))
        found = stack.world.pair.population
        assert found is not None
        assert (found.state, stack.machines.jobs) == (PopulationState.STOPPED, [])

    def test_it_is_noted_then_the_rollback_removes_it_then_the_execution_that_is_started_stays_stopped(
        self, stack: Stack
    ) -> None:
        """What the workers do then is in test_worker.py: they look at the record before each page."""
        start = stack.machines.population

        def late(job: PopulationJob) -> None:
            stack.cloudformation.status = "UPDATE_ROLLBACK_IN_PROGRESS"
            assert stack.populating.handle(request("Delete", "rollback")) == DONE
            start(job)

        stack.machines.population = late  # type: ignore[method-assign]
        stack.populating.handle(request("Create"))
        found = stack.world.pair.population
        assert found is not None
        assert found.state is PopulationState.STOPPED

    def test_of_another_stacks_pair_is_refused(self, stack: Stack) -> None:
        stack.world.state.change(PAIR_ID, StackId="arn:aws:cloudformation:us-east-1:1:stack/other/guid")
        with pytest.raises(RequestError, match="migration of another stack"):
            stack.populating.handle(request("Create"))

    def test_without_a_pair_is_refused(self) -> None:
        with pytest.raises(ReplicationError, match="There is no migration guid/Users"):
            Stack().populating.handle(request("Create"))

    def test_in_a_rollback_nothing_waits_for_it_and_nothing_fails(self, stack: Stack) -> None:
        stack.cloudformation.status = "UPDATE_ROLLBACK_IN_PROGRESS"
        verdict = stack.populating.handle(request("Create"))
        assert verdict is not None
        assert verdict.success
        assert len(stack.machines.jobs) == 1
        wrong = stack.populating.handle(request("Update", Pair="other/Users"))
        assert wrong is not None
        assert wrong.success

    @pytest.mark.parametrize(
        ("name", "value"), [("WriteRate", "0"), ("WriteRate", "fast"), ("Version", "7"), ("Pair", "")]
    )
    def test_wrong_properties_are_explained(self, stack: Stack, name: str, value: str) -> None:
        with pytest.raises(RequestError, match=name):
            stack.populating.handle(request("Create", **{name: value}))


class TestStop:
    def test_a_running_copy_is_noted_as_stopped_and_then_stopped(self, stack: Stack) -> None:
        stack.populating.handle(request("Create"))
        assert stack.populating.handle(request("Delete")) == DONE
        found = stack.world.pair.population
        assert found is not None
        assert found.state is PopulationState.STOPPED
        assert stack.machines.stopped == ["populate-request"]

    def test_a_copy_that_is_complete_stays_so(self) -> None:
        stack = at_stage(Stack(), 2)
        assert stack.populating.handle(request("Delete")) == DONE
        assert stack.world.pair.populated

    def test_of_a_pair_that_is_gone_succeeds(self) -> None:
        assert Stack().populating.handle(request("Delete")) == DONE


class TestEnd:
    def job(self, stack: Stack) -> PopulationJob:
        stack.populating.handle(request("Create"))
        return stack.machines.jobs[0]

    def test_cloudformation_is_told_what_was_compared(self, stack: Stack) -> None:
        job = self.job(stack)
        ending(stack).concluded(job, conclusion())
        assert (stack.last_answer["Status"], stack.last_answer["Reason"]) == (
            "SUCCESS",
            "10 items compared, all equal.",
        )

    def test_differences_fail_the_update(self, stack: Stack) -> None:
        ending(stack).concluded(self.job(stack), conclusion(differences=2, digests=("d1", "d2")))
        assert stack.last_answer["Status"] == "FAILED"
        assert "different in 2 of 10 keys" in stack.last_answer["Reason"]
        assert "d1, d2" in stack.last_answer["Reason"]

    def test_who_joined_last_is_answered_and_only_once(self, stack: Stack) -> None:
        job = self.job(stack)
        stack.populating.handle(request("Update", "second"))
        ending(stack).concluded(job, conclusion())
        ending(stack).concluded(job, conclusion())
        assert [one["RequestId"] for one in stack.world.answers] == ["second"]

    def test_a_failure_is_noted_and_told(self, stack: Stack) -> None:
        ending(stack).failed(self.job(stack), "No capacity.")
        found = stack.world.pair.population
        assert found is not None
        assert (found.state, found.reason) == (PopulationState.FAILED, "No capacity.")
        assert (stack.last_answer["Status"], stack.last_answer["Reason"]) == ("FAILED", "No capacity.")

    def test_a_copy_that_was_replaced_tells_its_own_request(self, stack: Stack) -> None:
        job = self.job(stack)
        found = stack.world.pair.population
        assert found is not None
        stack.world.state.start_population(stack.world.pair, replace(found, execution="another"))
        ending(stack).failed(job, "Overtaken.")
        assert stack.last_answer["RequestId"] == "request"
        assert stack.world.pair.population == replace(found, execution="another")


class TestCleanup:
    def ready(self) -> tuple[Stack, PopulationJob]:
        stack = at_stage(Stack(), 3)
        pair = stack.world.pair
        assert pair.comparison is not None
        stack.world.state.note_comparison(PAIR_ID, replace(pair.comparison, epoch=pair.epoch))
        stack.ask("Update", 4, "cleanup")
        return stack, stack.machines.jobs[0]

    def test_makes_a_backup_takes_the_protection_off_and_lets_the_source_go(self) -> None:
        stack, job = self.ready()
        backups = Backups()
        ending(stack, backups).concluded(job, conclusion(mode=Mode.CLEANUP))
        assert [one["BackupName"] for one in backups.backups.values()] == ["Users-before-cleanup-1"]
        assert not backups.protected
        assert stack.world.pair.stage == 4
        assert (stack.last_answer["RequestId"], stack.last_answer["Status"]) == ("cleanup", "SUCCESS")
        stack.world.account.sleep(10)
        assert SOURCE not in stack.world.open_tables()

    def test_that_is_repeated_makes_no_second_backup(self) -> None:
        stack, job = self.ready()
        backups = Backups()
        for _ in range(2):
            ending(stack, backups).concluded(job, conclusion(mode=Mode.CLEANUP))
        assert len(backups.backups) == 1

    def test_waits_for_the_backup_and_gives_up_in_the_end(self) -> None:
        stack, job = self.ready()
        backups = Backups()
        backups.status = "CREATING"
        with pytest.raises(ReplicationError, match="is CREATING, not AVAILABLE"):
            ending(stack, backups).concluded(job, conclusion(mode=Mode.CLEANUP))
        assert stack.world.pair.stage == 3

    def test_is_refused_for_what_speaks_against_it_and_changes_nothing(self) -> None:
        stack, job = self.ready()
        backups = Backups()
        with pytest.raises(Refused, match="refused 3 calls"):
            ending(stack, backups, Facts(0.0, user_errors=3)).concluded(job, conclusion(mode=Mode.CLEANUP))
        assert (backups.backups, backups.protected, stack.world.pair.stage) == ({}, True, 3)
        ending(stack, backups).failed(job, "refused 3 calls")
        assert stack.last_answer["Status"] == "FAILED"

    def test_that_begins_after_the_update_was_rolled_back_takes_nothing_away(self) -> None:
        """The rollback found the pair at cutover and left it there: the source's protection must stay."""
        stack, job = self.ready()
        stack.cloudformation.status = "UPDATE_ROLLBACK_IN_PROGRESS"
        assert stack.ask("Update", 3, "rollback") == DONE
        backups = Backups()
        with pytest.raises(StaleOrder):
            ending(stack, backups).concluded(job, conclusion(mode=Mode.CLEANUP))
        assert (stack.world.pair.stage, backups.protected, backups.backups) == (3, True, {})

    def test_is_refused_when_a_turn_has_begun_meanwhile(self) -> None:
        stack, job = self.ready()
        begin_turn(stack, Side.SOURCE)
        with pytest.raises(Refused, match="A turn of this pair has begun"):
            ending(stack).concluded(job, conclusion(mode=Mode.CLEANUP))
