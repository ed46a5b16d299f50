"""The planner against the real worker: the worker's own code copies and compares on an engine that meters units.

The clock moves only by what the engine makes a call wait and by what the worker sleeps, so the time that comes out is
the model's to predict: units per second, and the rate that a user sets.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from local.cli.capacity import Load, Phase, Provisioned, estimate
from local.cli.prices import Prices
from replication.segments import Part
from replication.values import identity
from replication.waits import Waits
from tests.replicator.data.engine import refusal
from tests.replicator.data.world import SOURCE, TWIN, World, world

ITEMS, ITEM_BYTES = 3000, 1000


@dataclass
class Meter:
    """Takes units of each call from a bucket that fills with time; an empty one throttles, as DynamoDB's does."""

    at: World
    reads: dict[str, float]
    writes: dict[str, float]
    used: dict[str, float] = field(default_factory=lambda: {"read": 0.0, "write": 0.0})
    _buckets: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def before(self, operation: str, request: dict[str, Any]) -> None:
        if operation == "batch_write_item":
            [(table, requests)] = request["RequestItems"].items()
            self._take(table, "write", float(len(requests) * math.ceil(ITEM_BYTES / 1024)), self.writes[table])
        elif operation == "batch_get_item":
            [(table, wanted)] = request["RequestItems"].items()
            there = sum(identity(key) in self.at.engine.tables[table] for key in wanted["Keys"])
            units = there * math.ceil(ITEM_BYTES / 4096) * (1.0 if wanted.get("ConsistentRead") else 0.5)
            self._take(table, "read", units, self.reads[table])
        elif operation == "scan":
            units = self._scanned(request) * ITEM_BYTES / 4096 / 2
            self._take(request["TableName"], "read", units, self.reads[request["TableName"]])

    def _scanned(self, request: dict[str, Any]) -> int:
        """How many items a scan will look at."""
        self.at.engine.before = lambda operation, request: None
        found = len(self.at.engine.scan(**request)["Items"])
        self.at.engine.before = self.before
        return found

    def _take(self, table: str, kind: str, units: float, per_second: float) -> None:
        left, seen = self._buckets.get((table, kind), (per_second, self.at.time.now))
        left = min(per_second, left + (self.at.time.now - seen) * per_second)
        if left <= 0:
            self._buckets[table, kind] = (left, self.at.time.now)
            raise refusal("ProvisionedThroughputExceededException")
        # A call may overdraw: what it was short of is owed by those after it.
        self._buckets[table, kind] = (left - units, self.at.time.now)
        self.used[kind] += units


@contextmanager
def metered(reads: float, writes: float, **changes: Any) -> Iterator[tuple[World, Meter]]:
    with world(**changes) as at:
        for number in range(ITEMS):
            at.engine.put(SOURCE, {"id": {"S": f"{number:06}"}, "value": {"S": "v" * (ITEM_BYTES - 20)}})
        at.engine.settle()
        meter = Meter(at, {SOURCE: reads, TWIN: reads}, {SOURCE: writes, TWIN: writes})
        at.plan()
        at.engine.before = meter.before
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
            assert meter.used["write"] == copy.write_units
            assert meter.used["read"] == pytest.approx(copy.read_units, rel=0.1)

    def test_the_rate_that_the_user_sets_is_held(self) -> None:
        copy, *_ = phases(10_000, 10_000, write_rate=150)
        with metered(10_000, 10_000, write_rate=150) as (at, _):
            assert seconds(at, Part.COPY) == pytest.approx(copy.seconds, rel=0.15)


class TestComparison:
    @pytest.mark.parametrize("reads", [60, 90])
    def test_it_takes_as_long_and_uses_as_much_as_the_planner_says(self, reads: int) -> None:
        _, owner, other = phases(reads, 10_000)
        with metered(10_000, 10_000) as (at, meter):
            at.work_all(Part.COPY)
            meter.reads = {SOURCE: reads, TWIN: reads}
            meter.used["read"] = 0.0
            assert seconds(at, Part.COMPARE_OWNER) == pytest.approx(owner.seconds, rel=0.15)
            assert meter.used["read"] == pytest.approx(owner.read_units, rel=0.1)
            assert seconds(at, Part.COMPARE_OTHER) == pytest.approx(other.seconds, rel=0.15)
