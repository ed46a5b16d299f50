"""What the watchdog finds each minute, and what it leaves alone."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, cast

import pytest

from replication.codec import pack_item
from replication.order import Ended
from replication.pair import Comparison, Damage, OrderState, Phase, Population, PopulationState, Side, Turn
from replication.progress import Progress
from replication.register import Standing
from replication.release import release
from replication.rest import close, restore
from replication.segments import Mode, Part, Plan, Position
from replication.turn import run
from replication.watchdog import Health, Watchdog
from tests.replicator.control.aws import Killed
from tests.replicator.control.iam import refusal
from tests.replicator.control.stack import QUIET, Started
from tests.replicator.control.world import PAIR_ID, SOURCE, TWIN, World, answer_to

WAIT = 3000.0
DESCRIBE = {"Effect": "Allow", "Principal": "*", "Action": "dynamodb:DescribeTable", "Resource": "*"}


@pytest.fixture
def world() -> World:
    world = World(traffic=False)
    world.account.sleep(120)
    return world


@pytest.fixture
def machines() -> Started:
    return Started()


def watchdog(world: World, machines: Started, swept: list[str] | None = None) -> Watchdog:
    crew = world.crew

    def sweep(pair_id: str) -> int:
        (swept if swept is not None else []).append(pair_id)
        return 0

    return Watchdog(
        crew.state, crew.register, world.segments, crew.access, crew.answers, crew.mappings, cast("Any", machines),
        sweep, crew.clock, crew.log, population_wait=WAIT, calm=60,
    )  # fmt: skip


def health(world: World, machines: Started) -> Health:
    (found,) = watchdog(world, machines).run()
    return found


def under_way(world: World, lease: float, **changes: Any) -> None:
    pair, now = world.pair, world.account.now
    turn = Turn("request", pair.token + 1, Side.TWIN, Phase.MARKED, now + lease, now - 10)
    world.state.begin_turn(pair, replace(turn, **changes))


def populating(world: World, started: float, **changes: Any) -> None:
    pair = world.pair
    found = Population(
        "job", pair.epoch, pair.source.table_id, pair.twin.table_id, PopulationState.RUNNING,
        world.account.now - started, items=7, answer=answer_to("populate"),
    )  # fmt: skip
    world.state.start_population(pair, replace(found, **changes))


def test_a_pair_at_rest_is_left_alone(world: World, machines: Started) -> None:
    before = world.pair
    swept: list[str] = []
    (found,) = watchdog(world, machines, swept).run()
    assert found == QUIET
    assert (world.pair, machines, swept) == (before, Started(), [PAIR_ID])


class TestTurns:
    def test_one_whose_lease_has_run_out_is_recovered(self, world: World, machines: Started) -> None:
        under_way(world, lease=-1)
        watchdog(world, machines).run()
        assert machines.recovered == [(PAIR_ID, world.pair.token)]

    def test_one_that_lives_is_not(self, world: World, machines: Started) -> None:
        under_way(world, lease=1)
        watchdog(world, machines).run()
        assert machines.recovered == []

    def test_how_long_it_turns_and_refuses_writes_is_published(self, world: World, machines: Started) -> None:
        under_way(world, lease=1, sealed_at=world.account.now - 4)
        found = health(world, machines)
        assert (found.turning_for, found.refusing_for) == (10, 4)


class TestOrders:
    """A turn that was ordered, and whose execution has not begun it."""

    def order(self, world: World, to: Side = Side.TWIN, **options: bool) -> None:
        world.ordered(world.order(to, "ordered", **options))

    @pytest.mark.parametrize("status", ["FAILED", "ABORTED", "TIMED_OUT", "GONE"])
    def test_one_whose_execution_ended_without_a_word_is_answered_once(
        self, world: World, machines: Started, status: str
    ) -> None:
        self.order(world)
        world.account.sleep(60)
        machines.status["ordered"] = status
        for _ in range(3):
            watchdog(world, machines).run()
        ((answer),) = world.answers
        assert (answer["RequestId"], answer["Status"], status in answer["Reason"]) == ("ordered", "FAILED", True)

    @pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED"])
    def test_one_whose_execution_lives_or_has_answered_is_left_to_it(
        self, world: World, machines: Started, status: str
    ) -> None:
        self.order(world)
        world.account.sleep(600)
        machines.status["ordered"] = status
        before = world.pair
        watchdog(world, machines).run()
        assert (world.answers, world.pair) == ([], before)

    def test_one_is_only_just_being_started_then_it_is_given_time(self, world: World, machines: Started) -> None:
        self.order(world)
        world.account.sleep(59)
        machines.status["ordered"] = "GONE"
        watchdog(world, machines).run()
        assert world.answers == []

    def test_one_of_a_rollback_is_softened_and_the_pair_is_paused(self, world: World, machines: Started) -> None:
        self.order(world, must_not_fail=True)
        world.account.sleep(60)
        machines.status["ordered"] = "ABORTED"
        watchdog(world, machines).run()
        assert [one["Status"] for one in world.answers] == ["SUCCESS"]
        assert "ended as ABORTED" in (world.pair.paused or "")

    def test_one_whose_turn_is_under_way_or_over_is_not_its_business(self, world: World, machines: Started) -> None:
        self.order(world)
        order = world.order(Side.TWIN, "ordered")
        run(world.crew, order, world.account.now + 800)
        machines.status["ordered"] = "ABORTED"
        world.account.sleep(60)
        watchdog(world, machines).run()
        release(world.crew, PAIR_ID)
        watchdog(world, machines).run()
        assert [one["Status"] for one in world.answers] == ["SUCCESS"]

    def test_its_turn_begins_after_the_record_was_read_then_nothing_is_said(self, world: World) -> None:
        class Beginning(Started):
            def turn_status(self, request: str) -> str:
                run(world.crew, world.order(Side.TWIN, request), world.account.now + 800)
                return "ABORTED"

        self.order(world)
        world.account.sleep(60)
        watchdog(world, Beginning()).run()
        assert [one["Status"] for one in world.answers] == ["SUCCESS"]

    def test_it_is_given_up_then_its_function_is_called_then_it_begins_nothing(
        self, world: World, machines: Started
    ) -> None:
        self.order(world)
        world.account.sleep(60)
        machines.status["ordered"] = "ABORTED"
        watchdog(world, machines).run()
        assert run(world.crew, world.order(Side.TWIN, "ordered"), world.account.now + 800) is Ended.DONE
        assert (world.pair.owner, world.pair.turn) == (Side.SOURCE, None)
        assert [one["Status"] for one in world.answers] == ["FAILED", "FAILED"]

    @pytest.mark.parametrize("number", range(1, 4))
    def test_the_watchdog_dies_at_any_call_then_the_next_minute_ends_it(
        self, world: World, machines: Started, number: int
    ) -> None:
        """A write of the record, the answer, another write."""
        self.order(world)
        world.account.sleep(60)
        machines.status["ordered"] = "ABORTED"
        calls = 0

        def die(_caller: str, operation: str) -> None:
            nonlocal calls
            calls += operation in ("state.update_item", "answer")
            if calls == number:
                raise Killed

        world.account.before = die
        with pytest.raises(Killed):
            watchdog(world, machines).run()
        world.account.before = lambda caller, operation: None
        watchdog(world, machines).run()
        assert {(one["RequestId"], one["Status"]) for one in world.answers} == {("ordered", "FAILED")}
        noted = world.pair.ordered
        assert noted is not None
        assert noted.state is OrderState.ENDED

    def test_cloudformation_does_not_listen_any_more_then_it_is_closed_all_the_same(
        self, world: World, machines: Started
    ) -> None:
        self.order(world)
        world.account.sleep(60)
        machines.status["ordered"] = "GONE"

        def refuse(_caller: str, operation: str) -> None:
            if operation == "answer":
                raise OSError("unreachable")

        world.account.before = refuse
        watchdog(world, machines).run()
        noted = world.pair.ordered
        assert noted is not None
        assert noted.state is OrderState.ENDED


class TestPopulations:
    def test_an_update_is_answered_in_time_and_the_copy_goes_on(self, world: World, machines: Started) -> None:
        populating(world, started=WAIT)
        watchdog(world, machines).run()
        assert [(one["RequestId"], one["Status"]) for one in world.answers] == [("populate", "SUCCESS")]
        assert "7 items so far" in world.answers[0]["Reason"]
        found = world.pair.population
        assert found is not None
        assert (found.state, found.answered) == (PopulationState.RUNNING, True)

    def test_an_answer_is_given_once_and_not_too_early(self, world: World, machines: Started) -> None:
        populating(world, started=WAIT - 1)
        watchdog(world, machines).run()
        assert world.answers == []
        world.account.sleep(2)
        watchdog(world, machines).run()
        watchdog(world, machines).run()
        assert len(world.answers) == 1

    @pytest.mark.parametrize("status", ["FAILED", "ABORTED", "TIMED_OUT", "GONE"])
    def test_an_execution_that_ended_without_a_word_has_failed(
        self, world: World, machines: Started, status: str
    ) -> None:
        populating(world, started=100)
        machines.status["job"] = status
        watchdog(world, machines).run()
        found = world.pair.population
        assert found is not None
        assert found.state is PopulationState.FAILED
        assert (world.answers[0]["Status"], status in world.answers[0]["Reason"]) == ("FAILED", True)

    def test_one_is_stopped_after_the_record_was_read_then_it_stays_stopped(self, world: World) -> None:
        class Stopping(Started):
            def population_status(self, job: str) -> str:
                world.state.note_population(PAIR_ID, job, State=PopulationState.STOPPED)
                return "ABORTED"

        populating(world, started=100)
        watchdog(world, Stopping()).run()
        found = world.pair.population
        assert found is not None
        assert (found.state, world.answers) == (PopulationState.STOPPED, [])

    def test_an_execution_that_is_only_just_being_started_is_given_time(self, world: World, machines: Started) -> None:
        populating(world, started=10)
        machines.status["job"] = "GONE"
        watchdog(world, machines).run()
        assert world.answers == []


class TestPolicies:
    def alter(self, world: World, name: str) -> None:
        table = world.account.tables[name]
        changed = replace(table.policies[-1], number=1, at=world.account.now, policy={"Statement": []}, revision="x")
        table.policies.append(changed)
        world.account.sleep(10)

    def test_one_that_somebody_changed_is_damage_and_voids_the_comparison(
        self, world: World, machines: Started
    ) -> None:
        before = world.pair.compared
        self.alter(world, TWIN)
        assert health(world, machines).damaged is False  # as the record was before this run
        assert "Somebody changed the policy of UsersEncrypted" in world.pair.damage[0].what
        assert (before, world.pair.compared) == (True, False)
        assert health(world, machines).damaged

    def test_of_the_table_that_must_be_closed_is_put_back(self, world: World, machines: Started) -> None:
        self.alter(world, TWIN)
        watchdog(world, machines).run()
        assert machines.closed == [PAIR_ID]
        close(world.crew, PAIR_ID)
        world.account.sleep(120)
        machines.closed.clear()
        watchdog(world, machines).run()
        assert (machines.closed, world.pair.altered, world.open_tables()) == ([], {}, [SOURCE])

    def test_of_the_owner_is_left_to_a_person_and_told_as_long_as_it_stays(
        self, world: World, machines: Started
    ) -> None:
        """It may be how somebody stops an application; and a comparison that finds no harm does not end it."""
        self.alter(world, SOURCE)
        watchdog(world, machines).run()
        assert machines.closed == []
        pair, now = world.pair, world.account.now
        ids = (pair.source.table_id, pair.twin.table_id)
        world.state.note_comparison(PAIR_ID, Comparison(pair.epoch, *ids, now + 1, PopulationState.COMPLETE))
        assert health(world, machines).damaged
        assert list(world.pair.altered) == [Side.SOURCE]

    def test_is_reported_once(self, world: World, machines: Started) -> None:
        self.alter(world, SOURCE)
        self.alter(world, TWIN)
        for _ in range(3):
            watchdog(world, machines).run()
        assert len(world.pair.damage) == 2

    def test_of_a_pair_under_a_turn_is_the_turns_business(self, world: World, machines: Started) -> None:
        self.alter(world, TWIN)
        under_way(world, lease=10)
        watchdog(world, machines).run()
        assert (world.pair.damage, machines.closed) == ((), [])

    def test_a_turn_puts_one_after_the_record_was_read_then_nobody_else_has_changed_it(
        self, world: World, machines: Started
    ) -> None:
        def turn(_caller: str, operation: str) -> None:
            if operation == "get_resource_policy":
                world.account.before = lambda caller, operation: None
                world.turn(world.order(Side.TWIN))

        world.account.before = turn
        watchdog(world, machines).run()
        assert (world.pair.owner, world.pair.damage, machines.closed) == (Side.TWIN, (), [])

    @pytest.mark.parametrize("dies", [False, True], ids=["goes on", "dies"])
    def test_the_gate_has_put_one_and_has_yet_to_note_it_then_nobody_else_has_changed_it(
        self, world: World, machines: Started, *, dies: bool
    ) -> None:
        """The template's own policy of the table has changed."""
        world.state.change(PAIR_ID, SourcePolicy=json.dumps({"Statement": [DESCRIBE]}))
        put = False

        def gate(_caller: str, operation: str) -> None:
            nonlocal put
            if put and operation == "state.update_item":
                world.account.before = lambda caller, operation: None
                world.account.sleep(20)  # the change can be read
                watchdog(world, machines).run()
                if dies:
                    raise Killed
            put = put or operation == "put_resource_policy"

        world.account.before = gate
        with pytest.raises(Killed) if dies else nullcontext():
            restore(world.crew, world.pair)
        watchdog(world, machines).run()
        assert (world.pair.damage, world.pair.altered, machines.closed) == ((), {}, [])


class TestStreams:
    """Time passes, and the mapping of a side is as it is."""

    def pass_by(self, world: World, machines: Started, hours: int, mapping: str = "mapping", **state: str) -> None:
        world.account.mappings[mapping] = {"State": "Enabled"} | state
        watchdog(world, machines).run()
        world.account.now += hours * 3600
        watchdog(world, machines).run()

    @pytest.mark.parametrize(
        "state", [{"State": "Disabled"}, {"LastProcessingResult": "PROBLEM: Function call failed"}]
    )
    def test_one_that_nobody_reads_for_a_day_has_forgotten_writes_and_the_comparison_is_void(
        self, world: World, machines: Started, state: dict[str, str]
    ) -> None:
        self.pass_by(world, machines, 22, **state)
        assert (world.pair.damage, world.pair.compared) == ((), True)
        self.pass_by(world, machines, 8, **state)
        assert ["stream of Users may not have been read" in one.what for one in world.pair.damage] == [True]
        assert not world.pair.compared

    def test_one_that_is_read_again_in_time_has_not(self, world: World, machines: Started) -> None:
        for _ in range(3):
            self.pass_by(world, machines, 20, State="Disabled")
            self.pass_by(world, machines, 1)
        assert (world.pair.damage, world.pair.compared, world.pair.unread_since) == ((), True, {})

    def test_of_the_other_table_holds_nothing_but_echoes(self, world: World, machines: Started) -> None:
        self.pass_by(world, machines, 30, "reverse-mapping", State="Disabled")
        assert world.pair.damage == ()

    def test_is_compared_only_when_it_is_read_again(self, world: World, machines: Started) -> None:
        self.pass_by(world, machines, 30, State="Disabled")
        self.pass_by(world, machines, 1, State="Disabled")
        assert machines.jobs == []
        self.pass_by(world, machines, 0)
        assert [job.mode for job in machines.jobs] == [Mode.COMPARE]


class TestComparison:
    def test_that_a_failure_has_made_void_is_made_again_when_nothing_fails(
        self, world: World, machines: Started
    ) -> None:
        world.state.note_failure(PAIR_ID, world.account.now)
        watchdog(world, machines).run()
        assert machines.jobs == []  # it may go on failing
        world.account.sleep(61)
        watchdog(world, machines).run()
        assert [job.mode for job in machines.jobs] == [Mode.COMPARE]
        watchdog(world, machines).run()
        assert len(machines.jobs) == 1

    def test_that_did_not_come_to_an_end_is_begun_again(self, world: World, machines: Started) -> None:
        world.state.note_failure(PAIR_ID, world.account.now - 100)
        watchdog(world, machines).run()
        machines.status[machines.jobs[0].job] = "FAILED"
        world.account.sleep(60)
        watchdog(world, machines).run()
        assert len(machines.jobs) == 2

    def test_is_not_made_while_a_batch_fails(self, world: World, machines: Started) -> None:
        held, _ = world.register.begin(PAIR_ID, Side.SOURCE, "1", "i", world.account.now + 60)
        world.register.failed(held, "1", cast("Any", ValueError("no")), [], keys_missing=False)
        world.state.note_failure(PAIR_ID, world.account.now - 100)
        found = health(world, machines)
        assert (found.failing, machines.jobs) == (1, [])
        assert world.register.work(PAIR_ID)[0].standing is Standing.FAILED
        world.register.begin(PAIR_ID, Side.SOURCE, "1", "again", world.account.now + 60)
        found = health(world, machines)  # and not while it is being tried again
        assert (found.failing, machines.jobs) == (1, [])

    def test_that_found_differences_is_left_to_a_person(self, world: World, machines: Started) -> None:
        found = world.pair.comparison
        assert found is not None
        world.state.note_comparison(PAIR_ID, replace(found, differences=1))
        watchdog(world, machines).run()
        assert machines.jobs == []

    def test_is_not_made_before_the_copy(self, world: World, machines: Started) -> None:
        populating(world, started=10)
        world.state.note_failure(PAIR_ID, world.account.now - 100)
        watchdog(world, machines).run()
        assert machines.jobs == []

    def test_heals_damage(self, world: World, machines: Started) -> None:
        world.state.note_damage(PAIR_ID, Damage(world.account.now, "what"))
        assert health(world, machines).damaged
        pair = world.pair
        world.state.note_comparison(
            PAIR_ID,
            Comparison(
                pair.epoch, pair.source.table_id, pair.twin.table_id, world.account.now + 1, PopulationState.COMPLETE
            ),
        )
        assert not health(world, machines).damaged


class TestProgress:
    """Of the job that was planned last, from the positions of its segments."""

    def planned(self, world: World, mode: Mode = Mode.POPULATE, *, segments_: int = 2, expected: int = 100) -> None:
        pair, now = world.pair, world.account.now
        plan = Plan(
            pair.epoch, pair.owner, pair.source.table_id, pair.twin.table_id, mode, now, segments_, expected
        )  # fmt: skip
        world.segments.keep_plan(PAIR_ID, "job", plan)

    def at(self, world: World, part: Part, number: int, items: int, *, done: bool = False) -> None:
        now = world.account.now
        position = Position(number, 2, started_at=now, updated_at=now, done=done, items=items)
        world.segments.keep(PAIR_ID, "job", part, position, None)

    def test_a_copy_is_as_far_as_its_items_and_its_comparison_has_not_begun(
        self, world: World, machines: Started
    ) -> None:
        self.planned(world)
        self.at(world, Part.COPY, 0, 30)
        self.at(world, Part.COPY, 1, 12)
        assert health(world, machines).progress == Progress(42.0, 0.0)

    def test_a_comparison_is_as_far_as_both_of_its_looks(self, world: World, machines: Started) -> None:
        self.planned(world, Mode.CLEANUP)
        self.at(world, Part.COMPARE_OWNER, 0, 50, done=True)
        self.at(world, Part.COMPARE_OWNER, 1, 50, done=True)
        self.at(world, Part.COMPARE_OTHER, 0, 10)
        assert health(world, machines).progress == Progress(None, 55.0)

    def test_a_table_that_has_grown_is_not_done_before_its_last_segment_is(
        self, world: World, machines: Started
    ) -> None:
        self.planned(world)
        self.at(world, Part.COPY, 0, 300, done=True)
        self.at(world, Part.COPY, 1, 10)
        assert health(world, machines).progress == Progress(99.0, 0.0)
        self.at(world, Part.COPY, 1, 20, done=True)
        assert health(world, machines).progress == Progress(100.0, 0.0)

    def test_a_table_of_which_nobody_knows_the_size_is_as_far_as_its_segments(
        self, world: World, machines: Started
    ) -> None:
        self.planned(world, expected=0)
        self.at(world, Part.COPY, 0, 30, done=True)
        assert health(world, machines).progress == Progress(50.0, 0.0)

    def test_a_job_that_is_over_is_told_of_a_while_and_then_no_more(self, world: World, machines: Started) -> None:
        self.planned(world)
        assert health(world, machines).progress == Progress(0.0, 0.0)
        world.account.sleep(301)
        assert health(world, machines).progress is None

    def test_of_a_plan_that_has_expired_hides_no_pair(self, world: World, machines: Started) -> None:
        self.planned(world)
        world.account.state.delete_item(Key=pack_item({"Pair": PAIR_ID, "Item": "segment#job#plan"}))
        assert health(world, machines).progress is None


@pytest.mark.parametrize("broken", ["register", "policy"])
def test_what_goes_wrong_with_one_pair_hinders_no_other(world: World, machines: Started, broken: str) -> None:
    """Half an item in its register; a call that AWS refuses."""
    tables = {side: replace(world.pair.table(side), stream_arn=f"another/{side}/stream") for side in Side}
    world.state.create(
        replace(world.pair, pair_id="another", source=tables[Side.SOURCE], twin=tables[Side.TWIN], turn=None)
    )
    if broken == "register":
        world.state._client.put_item(
            TableName="State", Item=pack_item({"Pair": PAIR_ID, "Item": "batch#source#1", "Standing": "running"})
        )
    else:
        calls: list[str] = []

        def refuse(_caller: str, operation: str) -> None:
            calls.append(operation)
            if calls.count("get_resource_policy") == 1 and operation == "get_resource_policy":
                raise refusal("AccessDeniedException")

        world.account.before = refuse
    assert [found.pair_id for found in watchdog(world, machines).run()] == ["another"]
    _, fields = next(one for one in world.logged if "could not be looked after" in one[0])
    assert fields["pair"] == PAIR_ID


def test_a_record_that_cannot_be_used_is_logged_and_hides_no_other(world: World, machines: Started) -> None:
    broken = pack_item(replace(world.pair, pair_id="guid/Broken").to_item()) | {"Owner": {"S": "nobody"}}
    world.account.state.put_item(Item=broken)
    assert [one.pair_id for one in watchdog(world, machines).run()] == [PAIR_ID]
    assert any("cannot be used" in message for message, _ in world.logged)
