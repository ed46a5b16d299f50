"""Batches are full, what is left over is sent again, and what cannot be done in time is an error."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ParamValidationError

from replication.errors import AccessRefused, ItemRejected, TableError, TableGone, Throttled, Unanswered
from replication.tables import Tables
from replication.values import Write, identity
from tests.replicator.data.engine import Engine, Time, no_answer, refusal

SOON = 1_000_060.0


def key(number: int) -> dict[str, Any]:
    return {"id": {"S": f"{number:04}"}}


def put(number: int, value: str = "v") -> Write:
    return Write(key(number), {**key(number), "value": {"S": value}})


def puts(count: int) -> list[Write]:
    return [put(number) for number in range(count)]


def expected(writes: list[Write]) -> dict[Any, Any]:
    return {identity(write.key): write.item for write in writes}


class TestWrite:
    def test_fills_batches_of_25(self) -> None:
        engine = Engine("t")
        assert engine.tables_client(Time()).write("t", puts(60), SOON) == []
        assert [len(call["RequestItems"]["t"]) for call in engine.calls_of("batch_write_item")] == [25, 25, 10]
        assert engine.items("t") == expected(puts(60))

    def test_a_batch_stays_under_16_mb_of_json(self) -> None:
        engine = Engine("t")
        # 0x01 is 1 byte in the table and 6 in JSON: 25 items of 380 KB would be 57 MB
        writes = [put(number, "\x01" * 380_000) for number in range(13)]
        engine.tables_client(Time()).write("t", writes, SOON)
        assert [len(call["RequestItems"]["t"]) for call in engine.calls_of("batch_write_item")] == [6, 6, 1]

    def test_deletes_and_puts_go_in_one_batch(self) -> None:
        engine = Engine("t")
        engine.put("t", {**key(1), "value": {"S": "old"}})
        engine.tables_client(Time()).write("t", [Write(key(1), None), put(2)], SOON)
        assert engine.items("t") == expected([put(2)])
        assert len(engine.calls) == 1

    def test_unprocessed_items_are_sent_again_until_there_are_none(self) -> None:
        engine, time = Engine("t"), Time()

        def take_three(operation: str, request: dict[str, Any]) -> Any:
            requests = request["RequestItems"]["t"]
            for one in requests[:3]:
                engine.put("t", one["PutRequest"]["Item"])
            return {"UnprocessedItems": {"t": requests[3:]} if requests[3:] else {}}

        engine.before = take_three
        assert engine.tables_client(time).write("t", puts(10), SOON) == []
        assert engine.items("t") == expected(puts(10))
        assert len(engine.calls) == 4
        assert len(time.slept) == 3

    @pytest.mark.parametrize(
        "error",
        [
            refusal("ProvisionedThroughputExceededException"),
            refusal("ThrottlingException"),
            refusal("RequestLimitExceeded"),
            refusal("InternalServerError", status=500),
            refusal("AnythingNew", status=503),
            refusal("ReplicatedWriteConflictException"),
            refusal("TransactionConflictException"),
            no_answer(),
            EndpointConnectionError(endpoint_url="https://dynamodb.example"),
        ],
        ids=lambda error: str(error)[:60],
    )
    def test_what_may_succeed_later_is_tried_again(self, error: Exception) -> None:
        engine, time = Engine("t"), Time()
        times = iter([error, error])

        def fail_twice(operation: str, request: dict[str, Any]) -> None:
            if found := next(times, None):
                raise found

        engine.before = fail_twice
        assert engine.tables_client(time).write("t", puts(3), SOON) == []
        assert engine.items("t") == expected(puts(3))
        assert len(engine.calls) == 3

    def test_waits_grow_are_jittered_and_bounded(self) -> None:
        engine, time = Engine("t"), Time()

        def throttle(operation: str, request: dict[str, Any]) -> None:
            raise refusal("ThrottlingException")

        engine.before = throttle
        tables = Tables(engine, time.patience(), threads=1)  # type: ignore[arg-type]
        [*_, failure] = tables.write("t", puts(3), SOON)
        assert isinstance(failure.error, Throttled)
        assert time.slept[:4] == pytest.approx([0.075, 0.15, 0.3, 0.6])
        assert max(time.slept) == pytest.approx(3.75)
        assert time.now < SOON

    def test_what_is_not_done_by_the_deadline_is_returned_with_the_reason(self) -> None:
        engine, time = Engine("t"), Time()

        def nothing_more(operation: str, request: dict[str, Any]) -> Any:
            return {"UnprocessedItems": {"t": request["RequestItems"]["t"]}}

        engine.before = nothing_more
        failures = engine.tables_client(time).write("t", puts(30), SOON)
        assert [failure.write for failure in failures] == puts(30)
        assert {type(failure.error) for failure in failures} == {Throttled}
        assert "capacity" in str(failures[0].error)

    def test_after_the_deadline_nothing_is_sent(self) -> None:
        engine = Engine("t")
        assert len(engine.tables_client(Time(SOON)).write("t", puts(3), SOON)) == 3
        assert engine.calls == []

    def test_a_rejected_batch_is_sent_one_by_one_to_find_whose_fault_it_is(self) -> None:
        engine = Engine("t")
        engine.rejects = lambda table, item: item["id"]["S"] == "0007"
        [failure] = engine.tables_client(Time()).write("t", puts(25), SOON)
        assert failure.write == put(7)
        assert isinstance(failure.error, ItemRejected)
        assert engine.items("t") == expected([write for write in puts(25) if write != put(7)])

    def test_what_the_client_refuses_to_send_is_the_items_fault(self) -> None:
        engine = Engine("t")

        def refuse(operation: str, request: dict[str, Any]) -> None:
            raise ParamValidationError(report="secret value")

        engine.before = refuse
        [failure] = engine.tables_client(Time()).write("t", [put(1)], SOON)
        assert isinstance(failure.error, ItemRejected)
        assert "secret" not in str(failure.error)

    def test_a_refusal_by_policy_is_not_asked_again_for_every_batch(self) -> None:
        engine = Engine("t")

        def deny(operation: str, request: dict[str, Any]) -> None:
            raise refusal("AccessDeniedException")

        engine.before = deny
        failures = engine.tables_client(Time()).write("t", puts(100), SOON)
        assert len(failures) == 100
        assert all(isinstance(failure.error, AccessRefused) for failure in failures)
        assert len(engine.calls) == 1

    @pytest.mark.parametrize(
        ("code", "kind"),
        [("ResourceNotFoundException", TableGone), ("ExpiredTokenException", TableError)],
    )
    def test_other_errors_name_table_and_operation(self, code: str, kind: type[TableError]) -> None:
        engine = Engine("t")

        def fail(operation: str, request: dict[str, Any]) -> None:
            raise refusal(code)

        engine.before = fail
        [failure] = engine.tables_client(Time()).write("t", [put(1)], SOON)
        assert type(failure.error) is kind
        assert f"batch_write_item on table t: {code}" in str(failure.error)

    def test_an_unanswered_write_is_counted_because_it_may_still_land(self) -> None:
        engine, time = Engine("t"), Time()
        answers = iter([no_answer(), None])

        def hang_once(operation: str, request: dict[str, Any]) -> None:
            if found := next(answers):
                raise found

        engine.before = hang_once
        tables = engine.tables_client(time)
        assert tables.write("t", [put(1)], SOON) == []
        assert tables.counts.unanswered == 1

    def test_an_unanswered_write_is_not_repeated_for_whoever_cannot_bear_it(self) -> None:
        engine = Engine("t")

        def hang(operation: str, request: dict[str, Any]) -> None:
            raise no_answer()

        engine.before = hang
        with pytest.raises(Unanswered):
            engine.tables_client(Time(), repeat_unanswered=False).write("t", [put(1)], SOON)
        assert len(engine.calls) == 1

    def test_threads_write_the_same(self) -> None:
        engine = Engine("t")
        lock = threading.Lock()
        ends = threading.Barrier(4, timeout=5)  # only passes when four are under way at once
        first = {"left": 4}

        def together(operation: str, request: dict[str, Any]) -> None:
            with lock:
                first["left"] -= 1
                wait = first["left"] >= 0
            if wait:
                ends.wait()

        engine.before = together
        assert engine.tables_client(Time(), threads=4).write("t", puts(200), SOON) == []
        assert engine.items("t") == expected(puts(200))


class TestGet:
    def test_reads_100_at_a_time_and_leaves_out_what_is_not_there(self) -> None:
        engine = Engine("t")
        for write in puts(150):
            assert write.item is not None
            engine.put("t", write.item)
        found = engine.tables_client(Time()).get("t", [key(number) for number in range(160)], SOON, consistent=True)
        assert found == expected(puts(150))
        calls = engine.calls_of("batch_get_item")
        assert [len(call["RequestItems"]["t"]["Keys"]) for call in calls] == [100, 60]
        assert all(call["RequestItems"]["t"]["ConsistentRead"] for call in calls)

    def test_unprocessed_keys_are_asked_again(self) -> None:
        engine, time = Engine("t"), Time()
        for write in puts(10):
            assert write.item is not None
            engine.put("t", write.item)

        def give_four(operation: str, request: dict[str, Any]) -> Any:
            keys = request["RequestItems"]["t"]["Keys"]
            found = [engine.tables["t"][identity(one)] for one in keys[:4]]
            return {
                "Responses": {"t": found},
                "UnprocessedKeys": {"t": {"Keys": keys[4:], "ConsistentRead": True}} if keys[4:] else {},
            }

        engine.before = give_four
        found = engine.tables_client(time).get("t", [key(number) for number in range(10)], SOON, consistent=True)
        assert found == expected(puts(10))

    def test_of_no_keys_is_nothing(self) -> None:
        engine = Engine("t")
        assert engine.tables_client(Time()).get("t", [], SOON, consistent=True) == {}
        assert engine.calls == []

    def test_throttled_until_the_deadline_is_an_error(self) -> None:
        engine = Engine("t")

        def throttle(operation: str, request: dict[str, Any]) -> None:
            raise refusal("ProvisionedThroughputExceededException")

        engine.before = throttle
        with pytest.raises(Throttled, match="ProvisionedThroughputExceededException"):
            engine.tables_client(Time()).get("t", [key(1)], SOON, consistent=False)


class TestScan:
    def test_segments_together_are_the_table(self) -> None:
        engine = Engine("t", page=7)
        for write in puts(100):
            assert write.item is not None
            engine.put("t", write.item)
        tables = engine.tables_client(Time())
        seen: list[Any] = []
        for segment in range(3):
            after = None
            while True:
                page = tables.scan("t", SOON, segment=(segment, 3), after=after, limit=50)
                seen += page.items
                after = page.after
                if after is None:
                    break
        assert sorted(item["id"]["S"] for item in seen) == [f"{number:04}" for number in range(100)]

    def test_a_throttled_page_is_asked_again(self) -> None:
        engine, time = Engine("t"), Time()
        engine.put("t", {**key(1)})
        errors = iter([refusal("ThrottlingException", "Scan"), None])

        def once(operation: str, request: dict[str, Any]) -> None:
            if found := next(errors):
                raise found

        engine.before = once
        assert engine.tables_client(time).scan("t", SOON, segment=(0, 1), after=None, limit=5).items == [key(1)]


class TestParallel:
    def test_inside_itself_it_goes_one_by_one_instead_of_waiting_for_ever(self) -> None:
        tables = Engine("t").tables_client(Time(), threads=2)

        def inner(number: int) -> int:
            return sum(tables.parallel(lambda one: one, [number] * 3))

        assert tables.parallel(inner, range(8)) == [3 * number for number in range(8)]

    def test_an_error_waits_until_all_that_was_begun_has_ended(self) -> None:
        tables = Engine("t").tables_client(Time(), threads=2)
        ended: list[int] = []
        go = threading.Event()

        def work(number: int) -> None:
            if number == 0:
                go.set()
                raise Throttled("first")
            go.wait(5)
            ended.append(number)

        with pytest.raises(Throttled):
            tables.parallel(work, range(4))
        assert sorted(ended) == [1, 2, 3]
