"""`status` and `repair`: where a migration stands, what to do, and bringing over what differs."""

from __future__ import annotations

import io
import json
import time
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from local.cli.cloud import Event
from local.cli.commands.status import watching
from local.cli.output import Output
from local.cli.pairs import Pairs, deployment_seconds, refusal
from local.cli.standing import PartProgress, Report, next_steps, part_of
from local.cli.status_view import status_view
from replication.errors import ItemRejected
from replication.pair import (
    Comparison,
    Damage,
    Pair,
    Phase,
    Population,
    PopulationState,
    Side,
    Turn,
)
from replication.segments import Mode, Part, Plan, Position
from tests.cli.conftest import Account


def population(pair: Pair, state: PopulationState = PopulationState.COMPLETE) -> Population:
    return Population("populate-1", 0, pair.source.table_id, pair.twin.table_id, state, time.time() - 900, items=1000)


def comparison(pair: Pair, differences: int = 0, epoch: int = 0) -> Comparison:
    now = time.time()
    return Comparison(
        epoch,
        pair.source.table_id,
        pair.twin.table_id,
        now - 600,
        PopulationState.COMPLETE,
        now - 300,
        1000,
        differences,
    )


def ready(account: Account, **changes: object) -> Pair:
    """A pair that is populated and equal."""
    pair = account.pair()
    return account.changed(pair, **{"population": population(pair), "comparison": comparison(pair), **changes})


class TestStatus:
    def test_it_tells_stage_owner_and_what_comes_next(self, installed: Account) -> None:
        installed.pair(stage=1)
        ran = installed.run("status")
        assert ran.code == 0
        for word in (
            "shop-users → shop-users-encrypted",
            "stage 1 replicate",
            "owner source",
            "set the stage to populate",
        ):
            assert word in ran.said

    def test_a_copy_under_way_shows_progress_rate_and_time_left(self, installed: Account) -> None:
        pair = installed.pair()
        installed.changed(pair, population=population(pair, PopulationState.RUNNING))
        installed.running(pair, Mode.POPULATE, expected=40_000, done={Part.COPY: 10_000})
        ran = installed.run("status", "shop")
        for word in ("25%", "10.0k of 40.0k,", "10/s", "min left", "Wait: it goes on by itself"):
            assert word in ran.said
        [job] = installed.run("status", "shop", "--json").json["pairs"][0]["jobs"]
        assert (job["mode"], job["parts"][0]["items"]) == ("populate", 10_000)

    def test_before_the_copy_has_begun_it_says_that_it_will(self, installed: Account) -> None:
        installed.pair(stage=2)
        assert "Wait: the copy is about to begin." in installed.run("status", "shop").said

    def test_progress_stands_on_one_line_of_a_small_terminal(self, installed: Account) -> None:
        pair = installed.pair()
        installed.changed(pair, population=population(pair, PopulationState.RUNNING))
        installed.running(pair, Mode.POPULATE, expected=123_456_789, done={Part.COPY: 23_456_789})
        report = Pairs(installed.cloud, installed.cloud.installer(), time.time).report(pair)
        shown = io.StringIO()
        Console(file=shown, width=80).print(status_view([report], ()))
        [copy] = [line for line in shown.getvalue().splitlines() if "copy " in line]
        assert "left" in copy

    def test_when_the_tables_are_equal_the_way_is_free_for_the_cutover(self, installed: Account) -> None:
        ready(installed)
        said = installed.run("status").said
        assert "all equal" in said
        assert "set the stage to cutover" in said

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"owner": Side.TWIN, "epoch": 1, "stage": 3}, "set the stage to cleanup; or back to populate"),
            ({"owner": Side.TWIN, "epoch": 1, "stage": 4}, "encrypt-migrate finish"),
            ({"paused": "The twin could not be closed."}, "A rollback could not be followed"),
            ({"damage": (Damage(2e9, "Somebody changed the policy"),)}, "encrypt-migrate repair"),
        ],
    )
    def test_each_state_says_what_to_do(self, installed: Account, changes: dict[str, object], said: str) -> None:
        ready(installed, **changes)
        assert said in installed.run("status").said

    def test_differences_need_a_person_and_the_exit_code_says_so(self, installed: Account) -> None:
        pair = installed.pair()
        installed.changed(pair, population=population(pair), comparison=comparison(pair, differences=3))
        ran = installed.run("status")
        assert ran.code == 1
        assert "different in 3 of 1,000 keys" in ran.said
        assert "encrypt-migrate repair shop" in ran.said

    def test_a_failing_batch_is_told_with_its_error(self, installed: Account) -> None:
        pair = ready(installed)
        held, _ = installed.register.begin(pair.pair_id, "source", "1", "invocation", time.time() + 60, time.time())
        installed.register.failed(held, "1", ItemRejected("too large"), [], keys_missing=False)
        ran = installed.run("status")
        assert ran.code == 1
        assert "ItemRejected: too large" in ran.said
        assert "mend the cause" in ran.said

    def test_a_turn_that_refuses_writes_says_for_how_long(self, installed: Account) -> None:
        now = time.time()
        turn = Turn("r", 0, Side.TWIN, Phase.SEALED, now + 60, now - 400, sealed_at=now - 305)
        ready(installed, turn=turn)
        ran = installed.run("status")
        assert "WRITES ARE REFUSED, for 5 min now" in ran.said
        assert installed.run("status", "--json").json["pairs"][0]["refusingSince"] == pytest.approx(now - 305, abs=1)

    def test_a_turn_that_is_held_tells_how_long_it_refused_writes(self, installed: Account) -> None:
        now = time.time()
        turn = Turn("r", 0, Side.TWIN, Phase.OPENED, now + 60, now - 120, sealed_at=now - 60, opened_at=now - 32)
        ready(installed, turn=turn, owner=Side.TWIN, epoch=1)
        assert "the turn refused writes for 28 s" in installed.run("status").said

    def test_strays_are_counted_by_table(self, installed: Account) -> None:
        pair = ready(installed)
        for sequence in ("1", "2"):
            installed.state.keep_stray(pair.pair_id, Side.SOURCE, sequence, {"id": {"S": "a"}}, 1.0)
        ran = installed.run("status")
        assert "2 writes to shop-users. `encrypt-migrate repair shop --keys` shows under which keys" in ran.said
        assert installed.run("status", "--json").json["pairs"][0]["strays"] == {"shop-users": 2}

    def test_a_stray_that_an_earlier_version_has_kept_is_of_one_of_the_two(self, installed: Account) -> None:
        pair = ready(installed)
        stray: Any = {"Pair": {"S": pair.pair_id}, "Item": {"S": "stray#1"}, "Keys": {"M": {"id": {"S": "a"}}}}
        installed.dynamodb.put_item(TableName=installed.state_table, Item=stray)
        assert "1 write to shop-users or shop-users-encrypted" in installed.run("status").said

    def test_a_policy_that_is_somebody_elses_needs_a_person(self, installed: Account) -> None:
        ready(installed, altered={Side.SOURCE: time.time() - 120})
        ran = installed.run("status")
        assert (ran.code, "somebody else's policy on shop-users, seen 2 min ago" in ran.said) == (1, True)
        assert installed.run("status", "--json").json["pairs"][0]["alteredPolicies"] == ["shop-users"]

    def test_a_record_that_cannot_be_used_is_told_and_hides_no_other(self, installed: Account) -> None:
        installed.pair()
        installed.dynamodb.put_item(
            TableName=installed.state_table,
            Item={"Pair": {"S": "guid/Broken"}, "Item": {"S": "pair"}, "Version": {"N": "99"}},
        )
        ran = installed.run("status")
        assert ran.code == 1
        assert "version 99" in ran.said
        assert "shop-users" in ran.said

    def test_only_the_stack_that_is_named_is_shown(self, installed: Account) -> None:
        installed.pair("shop")
        installed.pair("bank")
        said = installed.run("status", "bank").said
        assert "bank-users" in said
        assert "shop-users" not in said

    def test_nothing_under_way_is_no_error(self, installed: Account) -> None:
        ran = installed.run("status")
        assert (ran.code, "No migration is under way" in ran.said) == (0, True)

    def test_a_stack_that_is_not_migrated_or_not_there_is_refused_in_words(self, installed: Account) -> None:
        installed.stacks.deploy("other")
        assert "Nothing of stack other is being migrated" in installed.run("status", "other").said
        ran = installed.run("status", "nowhere")
        assert (ran.code, "There is no stack nowhere" in ran.said) == (1, True)

    def test_without_the_installer_it_says_how_to_get_it(self, account: Account) -> None:
        ran = account.run("status")
        assert ran.code == 1
        assert "is not installed" in ran.said
        assert "sam deploy" in ran.said


class TestWatching:
    def test_it_shows_what_is_read_until_it_is_interrupted(self, capsys: pytest.CaptureFixture[str]) -> None:
        shown: list[tuple[list[Report], tuple[str, ...]]] = [([], ("first",)), ([], ("second",)), ([], ("never",))]
        reads = iter(shown)
        sleeps: list[float] = []

        def sleep(seconds: float) -> None:
            sleeps.append(seconds)
            if len(sleeps) == 2:
                raise KeyboardInterrupt

        found = watching(Output(as_json=True), lambda: next(reads), 5.0, sleep)
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["unusable"] for line in lines] == [["first"], ["second"]]
        assert (found, sleeps) == (([], ("second",)), [5.0, 5.0])

    def test_for_a_person_it_draws_the_same_place_anew(self) -> None:
        output = Output(as_json=False)
        output.console.file = io.StringIO()

        def interrupted(_: float) -> None:
            raise KeyboardInterrupt

        watching(output, lambda: ([], ()), 5.0, interrupted)
        assert "No migration is under way" in output.console.file.getvalue()


class TestProgress:
    PLAN = Plan(0, Side.SOURCE, "s", "t", Mode.POPULATE, 0, segments=4, expected=1000)

    def test_the_rate_is_what_was_done_since_it_began(self) -> None:
        found = part_of(
            Part.COPY, self.PLAN, [Position(0, 4, 100, 150, items=200), Position(1, 4, 120, 150, items=50)], 200
        )
        assert found == PartProgress(Part.COPY, 250, 1000, 2.5, 0, 4)
        assert found.seconds_left == 300

    def test_a_table_that_has_grown_since_it_was_counted_is_never_more_than_done(self) -> None:
        found = part_of(Part.COPY, self.PLAN, [Position(0, 4, 100, 150, items=1500)], 200)
        assert (found.expected, found.seconds_left) == (1500, 0)

    def test_a_finished_part_has_the_time_it_took(self) -> None:
        positions = [Position(number, 4, 100, 200, done=True, items=250) for number in range(4)]
        found = part_of(Part.COPY, self.PLAN, positions, 999)
        assert (found.finished, found.rate, found.seconds_left) == (True, 10, 0)

    def test_before_the_first_page_nobody_knows_how_long(self) -> None:
        assert part_of(Part.COPY, self.PLAN, [], 200).seconds_left is None


class TestHistory:
    """What CloudFormation's events of the last update say, the newest first."""

    def pair(self, installed: Account) -> Pair:
        return installed.pair()

    def test_the_gates_refusal_is_told_without_the_words_around_it(self, installed: Account) -> None:
        events = [
            Event(30, "shop", "AWS::CloudFormation::Stack", "UPDATE_ROLLBACK_COMPLETE", ""),
            Event(
                20,
                "UsersMigrationGate",
                "Custom::MigrationGate",
                "UPDATE_FAILED",
                "Received response status [FAILED] from custom resource. Message returned: Not yet. (RequestId: 1)",
            ),
        ]
        found = refusal(events, self.pair(installed))
        assert found is not None
        assert (found.at, found.reason) == (20, "Not yet.")

    def test_an_update_that_went_well_has_none(self, installed: Account) -> None:
        events = [Event(20, "UsersMigrationGate", "Custom::MigrationGate", "UPDATE_COMPLETE", "")]
        assert refusal(events, self.pair(installed)) is None

    def test_the_deployments_share_is_from_the_gates_answer_to_the_last_resource(self, installed: Account) -> None:
        events = [
            Event(70, "shop", "AWS::CloudFormation::Stack", "UPDATE_COMPLETE", ""),
            Event(55, "Api", "AWS::Lambda::Function", "UPDATE_COMPLETE", ""),
            Event(45, "Other", "AWS::Lambda::Function", "UPDATE_COMPLETE", ""),
            Event(40, "UsersMigrationGate", "Custom::MigrationGate", "UPDATE_COMPLETE", ""),
            Event(10, "Role", "AWS::IAM::Role", "UPDATE_COMPLETE", ""),
        ]
        assert deployment_seconds(events, self.pair(installed)) == 15

    def test_several_troubles_are_all_told(self, installed: Account) -> None:
        pair = replace(self.pair(installed), paused="It stands.", damage=(Damage(1, "A policy was changed."),))
        report = Report(2, "shop", "UPDATE_COMPLETE", pair, None, (), (), {"shop-users": 2}, None, None)
        steps = " ".join(next_steps(report))
        assert not report.well
        assert "It stands." in steps
        assert "After a table was closed there came 2 writes to shop-users" in steps
        assert "repair shop" in steps


class TestRepair:
    def test_it_shows_what_is_wrong_and_what_it_will_read_and_asks(self, installed: Account) -> None:
        pair = installed.pair()
        installed.changed(pair, population=population(pair), comparison=comparison(pair, differences=3))
        ran = installed.run("repair", "shop", answers="n\n")
        assert ran.code == 1
        assert "3 keys different at the last comparison" in ran.said
        assert "about 1,000 items each" in ran.said
        assert "Nothing was started" in ran.said
        assert installed.executions.list_executions(stateMachineArn=installed.machine)["executions"] == []

    def test_said_yes_it_starts_the_machine_in_mode_repair(self, installed: Account) -> None:
        pair = ready(installed)
        ran = installed.run("repair", "shop", "--yes")
        assert ran.code == 0
        [execution] = installed.executions.list_executions(stateMachineArn=installed.machine)["executions"]
        given = json.loads(installed.executions.describe_execution(executionArn=execution["executionArn"])["input"])
        assert (given["Job"]["Mode"], given["Job"]["Pair"]) == ("repair", pair.pair_id)
        assert "status shop --watch" in ran.said

    def test_one_at_a_time(self, installed: Account) -> None:
        ready(installed)
        installed.run("repair", "shop", "--yes")
        ran = installed.run("repair", "shop", "--yes")
        assert (ran.code, "A repair of shop-users is under way" in ran.said) == (1, True)

    def test_what_was_never_populated_cannot_be_repaired(self, installed: Account) -> None:
        installed.pair(stage=1)
        ran = installed.run("repair", "shop", "--yes")
        assert (ran.code, "has not been populated" in ran.said) == (1, True)

    def test_during_a_turn_it_refuses(self, installed: Account) -> None:
        now = time.time()
        ready(installed, turn=Turn("r", 0, Side.TWIN, Phase.MARKED, now + 60, now))
        assert "A turn of shop-users is under way" in installed.run("repair", "shop", "--yes").said

    def test_for_machines_it_never_asks(self, installed: Account) -> None:
        ready(installed)
        assert installed.run("repair", "shop", "--json").json == {"started": []}
        assert len(installed.run("repair", "shop", "--json", "--yes").json["started"]) == 1
