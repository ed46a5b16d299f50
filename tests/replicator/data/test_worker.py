"""A worker's invocation: killed anywhere and begun again, overtaken, handing over, throttled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from replication.errors import AccessRefused, StaleWorker, Throttled
from replication.pair import Phase, PopulationState, Side
from replication.register import WORKER, Standing
from replication.segments import Mode, Part, Position
from tests.replicator.data.engine import Killed, no_answer, refusal
from tests.replicator.data.filled import filled, item, nothing_is_taken, same
from tests.replicator.data.world import PAIR_ID, SOURCE, TWIN, World, pair, turn, world


class TestCopy:
    def test_copies_every_segment(self) -> None:
        with world(page=7) as at:
            filled(at, 100)
            at.engine.before = lambda operation, request: None
            at.plan()
            at.work_all(Part.COPY)
            assert same(at)
            [position] = at.segments.positions(PAIR_ID, "job", Part.COPY)
            assert (position.items, position.written, position.done) == (100, 100, True)
            assert position.size > 100 * 40

    def test_turned_around_the_twin_is_copied_into_the_source(self) -> None:
        with world(owner=Side.TWIN, epoch=1) as at:
            filled(at, 10, TWIN)
            at.plan()
            at.work_all(Part.COPY)
            assert same(at)

    def test_killed_at_any_call_and_begun_again_gives_the_same_table(self) -> None:
        """Every call of both clients in turn is the one at which the process dies, then the step is repeated."""
        calls = at_call = 0
        while at_call <= calls:
            with world(page=7) as at:
                filled(at, 20)
                at.plan()
                seen = [0]

                def count(operation: str, request: dict[str, Any], seen: list[int] = seen, die: int = at_call) -> None:
                    seen[0] += 1
                    if seen[0] == die:
                        raise Killed

                at.client.before = at.engine.before = count
                killed = False
                try:
                    at.work_all(Part.COPY)
                except Killed:
                    killed = True
                    at.work_all(Part.COPY)
                at.client.before = lambda operation, request: None
                assert same(at), f"killed at call {at_call}"
                assert killed == (at_call > 0)
                [position] = at.segments.positions(PAIR_ID, "job", Part.COPY)
                assert (position.items, position.done) == (20, True)
                calls = max(calls, seen[0]) if not at_call else calls
            at_call += 1
        assert calls > 20

    def test_killed_at_any_call_after_the_copy_has_revived_a_deleted_item(self) -> None:
        """Scan, then delete, then mirror, then the copy writes the old item and dies before it could look."""
        calls = at_call = 0
        while at_call <= calls:
            with world(page=4) as at:
                filled(at, 8)
                at.plan()
                seen, raced = [0], [0]

                def die(operation: str, request: dict[str, Any], seen: list[int] = seen, die: int = at_call) -> None:
                    seen[0] += 1
                    if seen[0] == die:
                        raise Killed

                def race(operation: str, request: dict[str, Any], at: World = at, raced: list[int] = raced) -> None:
                    requests = request["RequestItems"].get(TWIN, []) if operation == "batch_write_item" else []
                    if len(requests) == 4 and raced[0] < 2:  # a page just scanned
                        raced[0] += 1
                        deleted, changed, *_ = requests
                        for table in (SOURCE, TWIN):
                            at.engine.delete(table, at.engine.key(deleted["PutRequest"]["Item"]))
                            at.engine.put(table, {**changed["PutRequest"]["Item"], "value": {"S": "new"}})
                    die(operation, request)

                for part in Mode.POPULATE.parts:
                    mortal = part is not Part.COMPARE_OWNER  # which writes nothing
                    at.client.before = die if mortal else lambda operation, request: None
                    at.engine.before = race if mortal else lambda operation, request: None
                    try:
                        at.work_all(part)
                    except Killed:
                        at.work_all(part)
                at.client.before = lambda operation, request: None
                assert raced == [2]
                assert same(at), f"killed at call {at_call}"
                assert at.jobs.conclude(PAIR_ID, "job").differences == 0
                calls = max(calls, seen[0]) if not at_call else calls
            at_call += 1
        assert calls > 30

    def test_a_client_writes_while_the_worker_is_dead(self) -> None:
        with world(page=5) as at:
            filled(at, 10)
            at.plan()

            def die_at_second_look(operation: str, request: dict[str, Any]) -> None:
                if operation == "batch_get_item":
                    raise Killed

            at.engine.before = die_at_second_look
            with pytest.raises(Killed):
                at.work(Part.COPY)
            at.engine.before = lambda operation, request: None
            written = [one["id"]["S"] for one in at.engine.items(TWIN).values()]
            for table in (SOURCE, TWIN):  # the mirror carries it
                at.engine.delete(table, {"id": {"S": written[0]}})
                at.engine.put(table, item(int(written[1]), "new"))
            at.work_all(Part.COPY)
            assert same(at)

    def test_hands_over_before_its_time_is_up_and_the_next_goes_on(self) -> None:
        with world(page=5) as at:
            filled(at, 30)
            at.plan()

            def slow(operation: str, request: dict[str, Any]) -> None:
                at.time.now += 10

            at.engine.before = slow
            done = [at.work(Part.COPY, seconds=120)]
            while not done[-1]:
                done.append(at.work(Part.COPY, seconds=120))
            assert len(done) > 2
            assert same(at)
            scans = [call.get("ExclusiveStartKey") for call in at.engine.calls_of("scan")]
            assert len(scans) == len({str(scan) for scan in scans})  # no page twice

    def test_a_segment_that_is_done_is_not_done_again(self) -> None:
        with world() as at:
            filled(at)
            at.plan()
            at.work_all(Part.COPY)
            before = len(at.engine.calls_of("scan"))
            assert at.work(Part.COPY)
            assert len(at.engine.calls_of("scan")) == before

    def test_pages_that_take_long_get_smaller_and_short_ones_larger(self) -> None:
        with world() as at:
            filled(at, 400)
            at.plan()
            at.segments.keep(PAIR_ID, "job", Part.COPY, Position(0, 1, 0.0, 0.0, limit=20), None)
            at.work_all(Part.COPY)
            assert [call["Limit"] for call in at.engine.calls_of("scan")][:4] == [20, 20, 40, 80]
            at.plan(job="slow")

            def slow(operation: str, request: dict[str, Any]) -> None:
                at.time.now += 5

            at.engine.before = slow
            while not at.work(Part.COPY, job="slow", seconds=900):
                pass
            assert at.segments.positions(PAIR_ID, "slow", Part.COPY)[0].limit < 400

    def test_the_write_rate_of_the_pair_holds_and_can_be_changed_under_way(self) -> None:
        with world(write_rate=20) as at:
            filled(at, 400)
            at.plan()
            began = at.time.now

            def faster(operation: str, request: dict[str, Any]) -> None:
                if operation == "scan":
                    at.is_now(replace(at.state.pair(PAIR_ID), write_rate=100_000))

            at.work_all(Part.COPY)
            assert at.time.now - began == pytest.approx(400 / 20, abs=2)
            at.plan(job="again")
            at.engine.before = faster
            began = at.time.now
            at.work_all(Part.COPY, job="again")
            assert at.time.now - began < 12


class TestOvertaken:
    @pytest.mark.parametrize(
        ("changes", "complaint"),
        [
            ({"epoch": 2}, "owner"),
            ({"epoch": 1, "owner": Side.TWIN}, "owner"),
            ({"turn": turn(Phase.MARKED)}, "turn"),
            ({"twin": replace(pair().twin, table_id="another")}, "not the one"),
            ({"population": None}, "stopped or replaced"),
        ],
    )
    def test_by_a_change_of_the_pair_it_stops_before_the_next_page(
        self, changes: dict[str, Any], complaint: str
    ) -> None:
        with world(page=10) as at:
            filled(at, 30)
            at.plan()
            looks = [0]

            def change(operation: str, request: dict[str, Any]) -> None:
                if operation == "batch_get_item":
                    looks[0] += 1
                    at.is_now(replace(at.state.pair(PAIR_ID), **changes))

            at.engine.before = change
            with pytest.raises(StaleWorker, match=complaint):
                at.work(Part.COPY)
            assert looks == [1]
            assert at.register.work(PAIR_ID) == []

    def test_by_a_population_that_was_stopped(self) -> None:
        with world() as at:
            filled(at)
            at.plan()
            at.state.note_population(PAIR_ID, "job", State=PopulationState.STOPPED)
            with pytest.raises(StaleWorker):
                at.work(Part.COPY)
            assert at.engine.items(TWIN) == {}

    def test_by_a_table_that_was_made_anew_under_its_name(self) -> None:
        with world() as at:
            filled(at)
            at.plan()
            found = at.state.pair(PAIR_ID)
            at.engine.ids[TWIN] = "another"
            with pytest.raises(StaleWorker, match="UsersEncrypted"):
                at.work(Part.COPY)
            assert at.state.pair(PAIR_ID) == found
            assert at.engine.items(TWIN) == {}

    def test_without_a_plan_there_is_no_job(self) -> None:
        with world() as at, pytest.raises(StaleWorker, match="planned"):
            at.jobs.conclude(PAIR_ID, "job")

    def test_it_registers_before_it_asks_whether_it_may_write(self) -> None:
        """Race: a worker that has asked hangs, and a turn that cannot see it begins."""
        with world() as at:
            filled(at)
            at.plan()
            order: list[str] = []
            at.client.before = lambda operation, request: order.append(
                f"{operation} {request.get('Key', {}).get('Item')}"
            )
            at.work(Part.COPY)
            registered = next(place for place, call in enumerate(order) if "batch#worker" in call)
            asked = next(place for place, call in enumerate(order) if call == "get_item {'S': 'pair'}")
            assert registered < asked


class TestRegister:
    def test_a_worker_is_registered_while_it_copies_and_signed_off_after(self) -> None:
        with world() as at:
            filled(at)
            at.plan()
            seen: list[Any] = []
            at.engine.before = lambda operation, request: seen.append(at.register.work(PAIR_ID, WORKER))
            at.work(Part.COPY, seconds=500)
            assert all(len(found) == 1 for found in seen)
            assert seen[0][0].deadline == 1_000_500.0
            assert at.register.work(PAIR_ID) == []

    def test_a_comparison_writes_nothing_and_registers_nothing(self) -> None:
        with world() as at:
            filled(at, 30, SOURCE, TWIN)
            at.plan(Mode.COMPARE)
            seen: list[Any] = []
            at.engine.before = lambda operation, request: seen.extend(at.register.work(PAIR_ID, WORKER))
            at.work_all(Part.COMPARE_OWNER)
            at.work_all(Part.COMPARE_OTHER)
            assert seen == []
            assert at.engine.calls_of("batch_write_item") == []

    def test_a_page_left_unfinished_stays_registered_with_its_keys_until_a_comparison_finds_all_well(self) -> None:
        with world(page=5) as at:
            filled(at, 10)
            at.plan()

            def refuse_look(operation: str, request: dict[str, Any]) -> None:
                if operation == "batch_get_item":
                    raise refusal("AccessDeniedException")

            at.engine.before = refuse_look
            with pytest.raises(AccessRefused):
                at.work(Part.COPY)
            [left] = at.register.work(PAIR_ID, WORKER)
            assert left.standing is Standing.FAILED
            assert len(left.keys) == 5
            at.engine.before = lambda operation, request: None
            at.time.now += 1
            for part in Mode.POPULATE.parts:
                at.work_all(part)
            assert at.register.work(PAIR_ID) == [left]
            at.jobs.conclude(PAIR_ID, "job")
            assert at.register.work(PAIR_ID) == []

    def test_an_unanswered_write_voids_comparisons_because_it_may_land_late(self) -> None:
        with world() as at:
            filled(at)
            at.plan()
            answers = iter([no_answer()])

            def hang_once(operation: str, request: dict[str, Any]) -> None:
                if operation == "batch_write_item" and (found := next(answers, None)):
                    raise found

            at.engine.before = hang_once
            at.work_all(Part.COPY)
            assert same(at)
            assert at.state.pair(PAIR_ID).failed_at is not None

    def test_no_capacity_at_all_is_an_error_once_the_page_is_as_small_as_it_can_be(self) -> None:
        with world() as at:
            filled(at)
            at.plan()
            at.engine.before = nothing_is_taken
            with pytest.raises(Throttled):
                at.work(Part.COPY, seconds=900)
            assert at.time.now < 1_000_900
            sizes = [len(call["RequestItems"][TWIN]) for call in at.engine.calls_of("batch_write_item")]
            assert sorted(set(sizes), reverse=True) == [25, 7, 1]
            at.engine.before = lambda operation, request: None
            at.work_all(Part.COPY)
            assert same(at)

    def test_the_time_is_up_before_a_page_is_done_then_it_stays_registered_and_the_next_worker_goes_on(self) -> None:
        with world() as at:
            filled(at)
            at.plan()
            at.engine.before = nothing_is_taken
            assert not at.work(Part.COPY, seconds=150)
            [left] = at.register.work(PAIR_ID, WORKER)
            assert left.standing is Standing.FAILED
            assert len(left.keys) == 30
            at.engine.before = lambda operation, request: None
            at.work_all(Part.COPY)
            assert same(at)

    def test_overtaken_half_way_through_a_page_that_is_done_in_pieces_it_tells_which_keys_it_owes(self) -> None:
        with world() as at:
            filled(at, 40)
            at.plan()

            def nothing_then_a_turn(operation: str, request: dict[str, Any]) -> Any:
                if operation == "batch_write_item" and len(request["RequestItems"][TWIN]) > 10:
                    return nothing_is_taken(operation, request)
                if operation == "batch_get_item":
                    at.is_now(replace(at.state.pair(PAIR_ID), turn=turn(Phase.MARKED)))
                return None

            at.engine.before = nothing_then_a_turn
            with pytest.raises(StaleWorker):
                at.work(Part.COPY)
            [left] = at.register.work(PAIR_ID, WORKER)
            looked_at = at.engine.calls_of("batch_get_item")[-1]["RequestItems"][SOURCE]["Keys"]
            assert len(looked_at) == 10
            assert len(left.keys) == 30
            assert not {str(key) for key in looked_at} & {str(key) for key in left.keys}


class TestLittleCapacity:
    @pytest.mark.parametrize("per_second", [1, 5])
    def test_a_table_that_takes_an_item_a_second_is_copied_all_the_same(self, per_second: int) -> None:
        with world(page=10_000) as at:
            filled(at, 1200)
            at.plan()
            budget = [at.time.now]

            def little(operation: str, request: dict[str, Any]) -> Any:
                if operation != "batch_write_item":
                    return None
                free = int((at.time.now - budget[0]) * per_second)
                requests = request["RequestItems"][TWIN]
                taken = requests[:free]
                budget[0] += len(taken) / per_second
                at.engine.write(TWIN, taken)
                return {"UnprocessedItems": {TWIN: requests[free:]} if requests[free:] else {}}

            at.engine.before = little
            began = at.time.now
            at.work_all(Part.COPY)
            assert same(at)
            assert at.time.now - began < 1.5 * 1200 / per_second + 500
