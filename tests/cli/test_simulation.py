"""The planner against the real worker: the worker's own code copies and compares on an engine that meters units.

The clock moves only by what the engine makes a call wait and by what the worker sleeps, so the time that comes out is
the model's to predict: units per second, and the rate that a user sets.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from local.cli.capacity import Load, Phase, Provisioned, estimate
from local.cli.prices import Prices
from replication.segments import Part
from replication.share import OF_OTHER, OF_OWNER
from replication.values import identity
from replication.waits import Waits
from tests.replicator.data.engine import refusal
from tests.replicator.data.world import SOURCE, TWIN, World, world

ITEMS, ITEM_BYTES = 3000, 1000


class Meter:
    """The engine with capacity: a bucket of units for each table and kind, which fills with time.

    An empty one throttles, as DynamoDB's does. `used` are the units that were taken.
    """

    def __init__(self, at: World, reads: float, writes: float) -> None:
        self._at = at
        self.capacity = {name: {"Read": reads, "Write": writes} for name in (SOURCE, TWIN)}
        self.used = {(name, kind): 0.0 for name in (SOURCE, TWIN) for kind in ("Read", "Write")}
        self.throttled = 0
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._at.engine, name)

    @property
    def read(self) -> float:
        return self.used[SOURCE, "Read"] + self.used[TWIN, "Read"]

    def describe_table(self, **request: Any) -> dict[str, Any]:
        answer = self._at.engine.describe_table(**request)
        given = self.capacity[request["TableName"]]
        units = {f"{kind}CapacityUnits": units for kind, units in given.items()}
        answer["Table"] |= {"ProvisionedThroughput": units, "TableSizeBytes": ITEMS * ITEM_BYTES}
        return answer

    def batch_write_item(self, **request: Any) -> dict[str, Any]:
        [(table, requests)] = request["RequestItems"].items()
        told = self._take(table, "Write", float(len(requests) * math.ceil(ITEM_BYTES / 1024)))
        return {**self._at.engine.batch_write_item(**request), "ConsumedCapacity": [told]}

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        [(table, wanted)] = request["RequestItems"].items()
        there = sum(identity(key) in self._at.engine.tables[table] for key in wanted["Keys"])
        each = math.ceil(ITEM_BYTES / 4096) * (1.0 if wanted.get("ConsistentRead") else 0.5)
        told = self._take(table, "Read", there * each)
        return {**self._at.engine.batch_get_item(**request), "ConsumedCapacity": [told]}

    def scan(self, **request: Any) -> dict[str, Any]:
        answer = self._at.engine.scan(**request)
        told = self._take(request["TableName"], "Read", len(answer["Items"]) * ITEM_BYTES / 4096 / 2)
        return {**answer, "ConsumedCapacity": told}

    def _take(self, table: str, kind: str, units: float) -> dict[str, Any]:
        per_second = self.capacity[table][kind]
        left, seen = self._buckets.get((table, kind), (per_second, self._at.time.now))
        left = min(per_second, left + (self._at.time.now - seen) * per_second)
        if left <= 0:
            self._buckets[table, kind] = (left, self._at.time.now)
            self.throttled += 1
            raise refusal("ProvisionedThroughputExceededException")
        # A call may overdraw: what it was short of is owed by those after it.
        self._buckets[table, kind] = (left - units, self._at.time.now)
        self.used[table, kind] += units
        return {"TableName": table, "CapacityUnits": units, "Table": {"CapacityUnits": units}}


@contextmanager
def metered(reads: float, writes: float, **changes: Any) -> Iterator[tuple[World, Meter]]:
    with world(**changes) as at:
        for number in range(ITEMS):
            at.engine.put(SOURCE, {"id": {"S": f"{number:06}"}, "value": {"S": "v" * (ITEM_BYTES - 20)}})
        at.engine.settle()
        meter = Meter(at, reads, writes)
        at.tables._client = meter  # type: ignore[assignment]
        at.plan()
        yield at, meter


def phases(reads: int, writes: int, write_rate: int | None = None) -> tuple[Phase, ...]:
    capacity = Provisioned(reads, writes)
    load = Load(ITEMS, ITEM_BYTES, source=capacity, twin=capacity, write_rate=write_rate)
    return estimate(load, Prices(), Waits()).phases


def seconds(at: World, part: Part) -> float:
    began = at.time.now
    at.work_all(part)
    return at.time.now - began


class TestCopy:
    @pytest.mark.parametrize(("reads", "writes"), [(5000, 60), (5000, 300), (120, 5000)])
    def test_it_takes_as_long_as_the_planner_says(self, reads: int, writes: int) -> None:
        copy, *_ = phases(reads, writes)
        with metered(reads, writes) as (at, _):
            assert seconds(at, Part.COPY) == pytest.approx(copy.seconds, rel=0.15)
            assert len(at.engine.items(TWIN)) == ITEMS

    def test_it_uses_the_units_that_the_planner_says(self) -> None:
        copy, *_ = phases(5000, 5000)
        with metered(5000, 5000) as (at, meter):
            at.work_all(Part.COPY)
            assert meter.used[TWIN, "Write"] == copy.write_units
            assert meter.read == pytest.approx(copy.read_units, rel=0.1)

    def test_the_rate_that_the_user_sets_is_held(self) -> None:
        copy, *_ = phases(10_000, 10_000, write_rate=150)
        with metered(10_000, 10_000, write_rate=150) as (at, _):
            assert seconds(at, Part.COPY) == pytest.approx(copy.seconds, rel=0.15)


class TestFairness:
    """What a live service needs of provisioned capacity is left to it."""

    @pytest.mark.parametrize(("reads", "writes"), [(400, 5000), (5000, 100)])
    def test_a_copy_takes_its_share_of_the_capacity_and_throttles_nobody(self, reads: int, writes: int) -> None:
        with metered(reads, writes) as (at, meter):
            took = seconds(at, Part.COPY)
            assert meter.used[SOURCE, "Read"] <= took * reads * OF_OWNER * 1.1
            assert meter.used[TWIN, "Write"] <= took * writes * OF_OTHER * 1.1
            assert meter.throttled == 0

    def test_a_comparison_takes_its_share_of_both_tables(self) -> None:
        with metered(10_000, 10_000) as (at, meter):
            at.work_all(Part.COPY)
            meter.capacity = {name: {"Read": 100, "Write": 100} for name in (SOURCE, TWIN)}
            before = dict(meter.used)
            took = seconds(at, Part.COMPARE_OWNER)
            assert meter.used[SOURCE, "Read"] - before[SOURCE, "Read"] <= took * 100 * OF_OWNER * 1.1
            assert meter.used[TWIN, "Read"] - before[TWIN, "Read"] <= took * 100 * OF_OTHER * 1.1

    def test_a_rate_that_the_user_sets_goes_before_the_share(self) -> None:
        with metered(5000, 100, write_rate=90) as (at, _):
            assert seconds(at, Part.COPY) == pytest.approx(ITEMS / 90, rel=0.15)


class TestComparison:
    @pytest.mark.parametrize("reads", [60, 90])
    def test_it_takes_as_long_and_uses_as_much_as_the_planner_says(self, reads: int) -> None:
        _, owner, other = phases(reads, 10_000)
        with metered(10_000, 10_000) as (at, meter):
            at.work_all(Part.COPY)
            meter.capacity = {name: {"Read": reads, "Write": 10_000} for name in (SOURCE, TWIN)}
            before = meter.read
            assert seconds(at, Part.COMPARE_OWNER) == pytest.approx(owner.seconds, rel=0.15)
            assert meter.read - before == pytest.approx(owner.read_units, rel=0.1)
            assert seconds(at, Part.COMPARE_OTHER) == pytest.approx(other.seconds, rel=0.15)
