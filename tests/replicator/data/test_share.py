"""What a copy may take of a table whose capacity is bounded; tests/cli/test_simulation.py shows it at work."""

from __future__ import annotations

from typing import Any

import pytest

from replication.errors import Throttled
from replication.segments import Part
from replication.share import Kind, Share, allowed
from replication.values import Write
from tests.replicator.data.engine import Engine, Time
from tests.replicator.data.world import SOURCE, TWIN, World, world

BOUNDED = ({"IndexName": "ByMail", "ProvisionedThroughput": {"WriteCapacityUnits": 4}},)


class TestAllowed:
    def test_of_a_provisioned_table_a_share_for_itself_and_for_each_of_its_indexes(self) -> None:
        described = {"ProvisionedThroughput": {"WriteCapacityUnits": 40}, "GlobalSecondaryIndexes": BOUNDED}
        assert allowed(described, Kind.WRITE, 0.5) == {"": 20, "ByMail": 2}

    def test_a_maximum_of_a_table_on_demand_is_a_bound_as_well(self) -> None:
        described = {
            "ProvisionedThroughput": {"ReadCapacityUnits": 0},
            "OnDemandThroughput": {"MaxReadRequestUnits": 80},
        }
        assert allowed(described, Kind.READ, 0.25) == {"": 20}

    @pytest.mark.parametrize("described", [{}, {"OnDemandThroughput": {"MaxReadRequestUnits": -1}}])
    def test_any_other_table_on_demand_has_no_bound(self, described: dict[str, Any]) -> None:
        assert allowed(described, Kind.READ, 0.25) == {}


class TestShare:
    def test_the_next_call_waits_until_the_units_of_the_last_have_come_in_again(self) -> None:
        time, share = held(write={"": 10})
        share.spend(TWIN, Kind.WRITE, {"ConsumedCapacity": [{"CapacityUnits": 25, "Table": {"CapacityUnits": 25}}]})
        assert share.wait(TWIN, Kind.WRITE, time.now + 60)
        assert time.slept == [2.5]

    def test_an_index_with_little_capacity_holds_its_table(self) -> None:
        time, share = held(write={"": 10, "ByMail": 1})
        index = {"GlobalSecondaryIndexes": {"ByMail": {"CapacityUnits": 10}}}
        share.spend(TWIN, Kind.WRITE, {"ConsumedCapacity": [{"Table": {"CapacityUnits": 10}, **index}]})
        assert share.wait(TWIN, Kind.WRITE, time.now + 60)
        assert time.slept == [10]

    def test_a_wait_beyond_the_deadline_is_not_begun(self) -> None:
        time, share = held(write={"": 1})
        share.spend(TWIN, Kind.WRITE, {"ConsumedCapacity": [{"CapacityUnits": 25}]})
        assert not share.wait(TWIN, Kind.WRITE, time.now + 5)
        assert time.slept == []

    def test_what_has_no_bound_is_neither_asked_for_nor_waited_for(self) -> None:
        time, share = held(write={})
        assert share.asked(TWIN, Kind.WRITE) == {}
        share.spend(TWIN, Kind.WRITE, {"ConsumedCapacity": [{"CapacityUnits": 25}]})
        assert share.wait(TWIN, Kind.WRITE, time.now + 5)
        assert time.slept == []


class TestCalls:
    def test_a_batch_that_is_not_due_in_time_is_an_error_that_says_so(self) -> None:
        engine, time = Engine(SOURCE, TWIN), Time()
        tables = engine.tables_client(time)
        tables.share.allow({(TWIN, Kind.WRITE): {"": 1}})
        engine.before = lambda operation, request: consumed(25)
        assert tables.write(TWIN, writes(25), time.now + 5) == []
        [failure, *_] = tables.write(TWIN, writes(25), time.now + 5)
        assert isinstance(failure.error, Throttled)
        assert "our share" in str(failure.error)

    def test_the_shares_of_one_job_are_not_kept_for_the_next_pair(self) -> None:
        """A function's instance works for one pair after the other."""
        with world() as at:
            at.tables.share.allow({("another table", Kind.READ): {"": 1}})
            at.engine.put(SOURCE, {"id": {"S": "a"}})
            at.plan()
            at.work_all(Part.COPY)
            assert at.tables.share.slowest is None


class TestSegments:
    @pytest.mark.parametrize(("units", "workers"), [(1000, 5), (100, 1), (0, 5)])
    def test_little_capacity_is_not_divided_among_many_workers(self, units: int, workers: int) -> None:
        with world() as at:
            described(at, units)
            at.plan()
            assert at.segments.plan("guid/Users", "job").segments == workers


def held(write: dict[str, float]) -> tuple[Time, Share]:
    time = Time()
    share = Share(time.patience())
    share.allow({(TWIN, Kind.WRITE): write})
    return time, share


def writes(count: int) -> list[Write]:
    keys = [{"id": {"S": str(number)}} for number in range(count)]
    return [Write(key, key) for key in keys]


def consumed(units: float) -> dict[str, Any]:
    return {"UnprocessedItems": {}, "ConsumedCapacity": [{"CapacityUnits": units}]}


def described(at: World, units: int) -> None:
    """A table of a million items whose capacity is as told; 0 is on demand."""
    throughput = {"ReadCapacityUnits": units, "WriteCapacityUnits": units}

    def before(operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
        if operation != "describe_table":
            return None
        return {"Table": {"ItemCount": 10**6, "TableSizeBytes": 10**8, "ProvisionedThroughput": throughput}}

    at.engine.before = before
