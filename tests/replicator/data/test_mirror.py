"""One invocation of the mirror: what it writes, what it reports, and what it leaves in the register."""

from __future__ import annotations

from typing import Any

import pytest

from replication.errors import ItemRejected, PoisonRecord, Throttled, UnknownStream
from replication.mirror import Mirror
from replication.pair import Side
from replication.register import Standing
from replication.values import identity
from tests.replicator.data.batches import item, key, record, sequence, values
from tests.replicator.data.engine import stream_arn
from tests.replicator.data.world import PAIR_ID, SOURCE, TWIN, world


class TestWhatIsWritten:
    def test_whole_items_the_last_image_of_each_key_in_few_calls(self) -> None:
        with world() as at:
            at.engine.put(TWIN, {**item("b", "old"), "gone at the source": {"S": "x"}})
            at.engine.put(TWIN, item("c", "old"))
            outcome = at.mirror(record(0, "a", "1"), record(1, "b", "2"), record(2, "a", "3"), record(3, "c", None))
            assert values(at) == {"a": "3", "b": "2"}
            assert "gone at the source" not in at.engine.tables[TWIN][identity(key("b"))]
            assert len(at.engine.calls) == 1
            assert outcome.response() == {"batchItemFailures": []}

    def test_a_thousand_records_take_forty_calls(self) -> None:
        with world() as at:
            at.mirror(*(record(number, str(number), "v") for number in range(1000)))
            assert len(values(at)) == 1000
            assert len(at.engine.calls) == 40

    def test_while_the_source_owns_the_twins_stream_is_our_echo(self) -> None:
        with world() as at:
            outcome = at.mirror(record(0, "a", "1", TWIN))
            assert outcome.skipped
            assert at.engine.calls == []

    def test_once_the_twin_owns_its_stream_is_mirrored_back(self) -> None:
        with world(owner=Side.TWIN, epoch=1) as at:
            assert at.mirror(record(0, "a", "1", SOURCE)).skipped
            at.mirror(record(0, "a", "2", TWIN))
            assert values(at, SOURCE) == {"a": "2"}

    def test_an_echo_from_before_the_look_that_made_the_twin_the_owner_is_not_mirrored_back(self) -> None:
        """Times in a stream are rounded down: a client's write within the second of the look counts as newer."""
        with world(owner=Side.TWIN, epoch=1, looked_at=1_000_000.9) as at:
            outcome = at.mirror(record(0, "a", "old", TWIN, at=999_999.0), record(1, "b", "new", TWIN, at=1_000_000.0))
            assert outcome.failed is None
            assert values(at, SOURCE) == {"b": "new"}

    def test_readers_of_the_sources_stream_are_owed_every_change_and_no_expiry(self) -> None:
        with world(owner=Side.TWIN, epoch=1, stream_consumers=True) as at:
            expiry = {"userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}}
            at.mirror(
                record(0, "a", "1", TWIN),
                record(1, "a", "2", TWIN),
                record(2, "b", "1", TWIN),
                record(3, "a", "3", TWIN),
                {**record(4, "b", None, TWIN), **expiry},
            )
            assert values(at, SOURCE) == {"a": "3", "b": "1"}
            seen = [one["dynamodb"]["NewImage"]["value"]["S"] for one in at.engine.streams[SOURCE]]
            assert seen == ["1", "1", "2", "3"]

    def test_towards_the_twin_nobody_is_owed_anything_but_the_end(self) -> None:
        with world(stream_consumers=True) as at:
            at.mirror(record(0, "a", "1"), record(1, "a", "2"))
            assert len(at.engine.streams[TWIN]) == 1

    def test_an_expiry_is_mirrored_like_any_delete_where_nobody_else_reads_the_stream(self) -> None:
        with world() as at:
            at.engine.put(TWIN, item("a", "1"))
            expiry = {"userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}}
            at.mirror({**record(0, "a", None), **expiry})
            assert values(at) == {}


class TestFailures:
    def test_a_poisoned_record_in_the_middle_everything_before_it_is_written_and_nothing_behind_it(self) -> None:
        with world() as at:
            bad = record(2, "c", "3")
            del bad["eventName"]
            outcome = at.mirror(record(0, "a", "1"), record(1, "b", "2"), bad, record(3, "d", "4"))
            assert outcome.failed == sequence(2)
            assert values(at) == {"a": "1", "b": "2"}
            [failed] = at.register.work(PAIR_ID)
            assert (failed.standing, failed.name) == (Standing.FAILED, sequence(2))
            assert failed.keys == (key("c"), key("d"))
            assert not failed.keys_missing
            assert "PoisonRecord: eventName is None" in str(failed.error)
            assert at.state.pair(PAIR_ID).failed_at == at.time.now

    def test_a_poisoned_record_without_keys_says_that_not_all_keys_are_known(self) -> None:
        with world() as at:
            bad = record(0, "c", "3")
            del bad["dynamodb"]["Keys"]
            at.mirror(bad)
            [failed] = at.register.work(PAIR_ID)
            assert failed.keys_missing

    def test_a_record_without_a_number_cannot_be_reported_so_the_whole_batch_fails_loudly(self) -> None:
        with world() as at:
            bad = record(1, "b", "2")
            del bad["dynamodb"]["SequenceNumber"]
            with pytest.raises(PoisonRecord, match="SequenceNumber"):
                at.mirror(record(0, "a", "1"), bad)
            assert values(at) == {"a": "1"}
            assert at.register.work(PAIR_ID)[0].standing is Standing.FAILED

    def test_the_last_image_of_a_key_is_rejected_then_the_one_before_it_is_written_and_it_alone_reported(self) -> None:
        with world() as at:
            at.engine.rejects = lambda table, one: one["value"]["S"] == "bad"
            outcome = at.mirror(
                record(0, "a", "1"),
                record(1, "b", "1"),
                record(2, "a", "2"),
                record(3, "a", "bad"),
                record(4, "c", "1"),
            )
            assert outcome.failed == sequence(3)
            assert isinstance(outcome.error, ItemRejected)
            assert {"a": "2", "b": "1"}.items() <= values(at).items()

    def test_an_image_is_rejected_but_a_later_one_of_its_key_is_not_then_nothing_failed(self) -> None:
        with world() as at:
            at.engine.rejects = lambda table, one: one["value"]["S"] == "bad"
            assert at.mirror(record(0, "a", "bad"), record(1, "a", "good")).failed is None
            assert values(at) == {"a": "good"}

    def test_several_keys_are_rejected_then_the_first_record_is_reported(self) -> None:
        with world() as at:
            at.engine.rejects = lambda table, one: one["value"]["S"] == "bad"
            outcome = at.mirror(record(0, "a", "1"), record(1, "b", "bad"), record(2, "a", "bad"), record(3, "c", "1"))
            assert outcome.failed == sequence(1)
            assert values(at)["a"] == "1"

    def test_the_capacity_runs_out_then_the_first_record_that_is_not_written_is_reported(self) -> None:
        with world() as at:
            taken = [0]

            def full_after_two(operation: str, request: dict[str, Any]) -> Any:
                if operation == "batch_write_item":
                    taken[0] += 1
                    if taken[0] > 2:
                        return {"UnprocessedItems": {TWIN: request["RequestItems"][TWIN]}}
                return None

            at.engine.before = full_after_two
            outcome = at.mirror(*(record(number, f"{number:03}", "v") for number in range(60)), seconds=60)
            assert outcome.failed == sequence(50)
            assert isinstance(outcome.error, Throttled)
            assert len(values(at)) == 50
            assert outcome.written == 50

    def test_a_hot_key_when_capacity_runs_out_is_reported_from_its_first_record_on(self) -> None:
        with world() as at:
            at.engine.before = lambda operation, request: {"UnprocessedItems": {TWIN: request["RequestItems"][TWIN]}}
            records = [record(0, "a", "1"), record(1, "b", "1"), record(2, "a", "2")]
            assert at.mirror(*records, seconds=30).failed == sequence(0)

    def test_every_change_owed_and_one_rejected_then_no_later_change_of_its_key_is_written(self) -> None:
        with world(owner=Side.TWIN, epoch=1, stream_consumers=True) as at:
            at.engine.rejects = lambda table, one: one["value"]["S"] == "bad"
            outcome = at.mirror(
                record(0, "a", "1", TWIN),
                record(1, "a", "bad", TWIN),
                record(2, "a", "3", TWIN),
                record(3, "b", "1", TWIN),
            )
            assert outcome.failed == sequence(1)
            assert values(at, SOURCE) == {"a": "1", "b": "1"}

    def test_a_failed_record_succeeds_at_the_next_attempt_then_nothing_is_left_in_the_register(self) -> None:
        with world() as at:
            at.engine.rejects = lambda table, one: one["value"]["S"] == "bad"
            at.mirror(record(0, "a", "1"), record(1, "b", "bad"))
            since = at.time.now
            at.time.now += 100
            at.mirror(record(1, "b", "bad"))
            [failed] = at.register.work(PAIR_ID)
            assert (failed.failed_since, failed.failures) == (since, 2)
            at.engine.rejects = lambda table, one: False
            assert at.mirror(record(1, "b", "bad")).failed is None
            assert at.register.work(PAIR_ID) == []

    def test_a_first_record_without_a_number_fails_loudly_before_anything_is_written(self) -> None:
        with world() as at:
            bad = record(0, "a", "1")
            del bad["dynamodb"]["SequenceNumber"]
            with pytest.raises(PoisonRecord, match="cannot be reported"):
                at.mirror(bad, record(1, "b", "2"))
            assert at.engine.calls == []

    def test_an_unknown_stream_fails_loudly_and_writes_nothing(self) -> None:
        with world() as at:
            stranger = {**record(0, "a", "1"), "eventSourceARN": stream_arn("stranger")}
            with pytest.raises(UnknownStream, match="stranger"):
                at.mirror(stranger)
            assert at.engine.calls == []

    @pytest.mark.parametrize("event", [{}, {"Records": "x"}, [], None, {"Records": [{}]}, {"Records": ["x"]}])
    def test_an_event_that_is_none_of_a_stream_fails_loudly(self, event: Any) -> None:
        with world() as at, pytest.raises(PoisonRecord):
            Mirror(at.state, at.register, at.tables, at.time.clock).run(event, "invocation", at.time.now + 60)

    def test_an_empty_event_is_done(self) -> None:
        with world() as at:
            assert at.mirror().response() == {"batchItemFailures": []}
