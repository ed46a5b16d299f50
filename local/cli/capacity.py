"""How long a copy and its comparison take, what they cost, and what is in the way: a calculation, without AWS.

The model is the engine's: a phase goes as fast as the slowest of the workers, the units of either table that live
traffic leaves over, and the rate that the user allows. A fresh on-demand table gives little at first and doubles
every half hour.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from local.cli import limits
from local.cli.prices import Prices
from replication.segments import WORKERS_AT_ONCE, how_many
from replication.share import OF_OTHER, OF_OWNER
from replication.waits import Waits


@dataclass(frozen=True)
class Provisioned:
    """Units per second that a table has been given."""

    reads: int
    writes: int


@dataclass(frozen=True)
class Load:
    """A table as the planner sees it. Sizes are bytes of an average item, rates are per second."""

    items: int
    item_bytes: int
    live_writes: float = 0.0
    write_rate: int | None = None
    indexes: int = 0
    source: Provisioned | None = None
    """None is on-demand."""
    twin: Provisioned | None = None
    warm_writes: int | None = None
    """WarmThroughput of the twin, where it has been asked for."""

    @property
    def size(self) -> int:
        """Bytes of the table."""
        return self.items * self.item_bytes

    @property
    def write_units(self) -> int:
        """Of writing one item, without its indexes."""
        return max(1, math.ceil(self.item_bytes / limits.WRITE_UNIT_BYTES))

    @property
    def read_units(self) -> int:
        """Of reading one item consistently by its key."""
        return max(1, math.ceil(self.item_bytes / limits.READ_UNIT_BYTES))

    @property
    def scan_units(self) -> float:
        """Of scanning one item, eventually consistent: a page is summed up before it is rounded."""
        return self.item_bytes / limits.READ_UNIT_BYTES / 2

    @property
    def segments(self) -> int:
        """Into how many the population divides it."""
        shares = [given.reads * share for given, share in ((self.source, OF_OWNER), (self.twin, OF_OTHER)) if given]
        if self.twin:
            shares.append(self.twin.writes * OF_OTHER)
        return how_many(self.items, self.size, self.write_rate or (max(1, int(min(shares))) if shares else None))

    @property
    def partitions(self) -> int:
        """How many partitions so many bytes take at least; a fresh table has four."""
        return max(4, math.ceil(self.size / limits.PARTITION_BYTES))


@dataclass(frozen=True)
class Bound:
    """Something that lets so many items per second through at most."""

    name: str
    items_per_second: float


@dataclass(frozen=True)
class Phase:
    """One pass over a table."""

    name: str
    seconds: float
    held_by: str
    """The bound that it runs into at its end, when tables have warmed up."""
    items_per_second: float
    invocations: int
    read_units: float
    write_units: float


@dataclass(frozen=True)
class Mirroring:
    """What the replicator does while the phases run: live writes, and the echo of what is copied."""

    invocations: float
    seconds: float
    concurrency: float


@dataclass(frozen=True)
class Estimate:
    """The whole answer. Costs are US dollars by what they are for."""

    load: Load
    phases: tuple[Phase, ...]
    mirroring: Mirroring
    turn_seconds: float
    costs: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Copy and first comparison: what the cutover waits for."""
        return sum(phase.seconds for phase in self.phases)

    @property
    def invocations(self) -> float:
        """Of Lambda functions, all together."""
        return sum(phase.invocations for phase in self.phases) + self.mirroring.invocations

    @property
    def cost(self) -> float:
        """US dollars."""
        return sum(self.costs.values())


def estimate(load: Load, prices: Prices, waits: Waits) -> Estimate:
    """What populating a table of this load takes."""
    phases = (_copy(load), *_comparison(load))
    mirroring = _mirroring(load, phases)
    return Estimate(load, phases, mirroring, turn_seconds(load, waits), _costs(load, phases, mirroring, prices))


def turn_seconds(load: Load, waits: Waits) -> float:
    """How long the turn itself refuses writes, from seal to opening, when nothing is in its way."""
    seal = max(waits.spread, waits.quiet)
    opening = max(0.0, waits.policy_interval - waits.spread) + waits.poll
    keys = min(load.items, load.live_writes * (waits.settle + seal)) if load.live_writes else 0.0
    return seal + waits.spread + opening + keys / limits.COPY_ITEMS_PER_SECOND


def _copy(load: Load) -> Phase:
    reads = load.scan_units + load.read_units
    bounds = (
        _workers(load, limits.COPY_ITEMS_PER_SECOND),
        *([Bound("the option WriteRate", load.write_rate)] if load.write_rate else []),
        *_read_bounds("the source's read capacity", load.source, load, reads, 1.0 if load.write_rate else OF_OWNER),
    )
    seconds, held_by, rate = _time(load, bounds, twin_writes=True)
    return _phase("copy", load, (seconds, held_by, rate), reads, load.write_units * (1 + load.indexes))


def _comparison(load: Load) -> tuple[Phase, Phase]:
    """Every item of one table looked up in the other, and the other way round; few keys are looked at again."""
    scan, look_up = load.scan_units, load.read_units / 2
    phases = []
    for name, source, twin in (("compare the source", scan, look_up), ("compare the twin", look_up, scan)):
        bounds = (
            _workers(load, limits.COMPARE_ITEMS_PER_SECOND),
            *_read_bounds("the source's read capacity", load.source, load, source, OF_OWNER),
            *_read_bounds("the twin's read capacity", load.twin, load, twin, OF_OTHER),
        )
        phases.append(_phase(name, load, _time(load, bounds, twin_writes=False), scan + look_up, 0.0))
    return phases[0], phases[1]


def _phase(name: str, load: Load, time: tuple[float, str, float], reads: float, writes: float) -> Phase:
    seconds, held_by, rate = time
    segments = load.segments
    at_once = min(segments, WORKERS_AT_ONCE)
    invocations = max(segments, math.ceil(seconds * at_once / limits.INVOCATION_SECONDS))
    return Phase(name, seconds, held_by, rate, invocations, load.items * reads, load.items * writes)


def _workers(load: Load, items_per_second: float) -> Bound:
    segments = load.segments
    each = min(items_per_second, limits.WORKER_BYTES_PER_SECOND / max(1, load.item_bytes))
    return Bound("the workers", min(segments, WORKERS_AT_ONCE) * each)


def _read_bounds(name: str, given: Provisioned | None, load: Load, units: float, share: float) -> Iterator[Bound]:
    """Units for so many items: our share of what was provisioned, or what a table of this size gives on demand."""
    capacity = (
        given.reads * share
        if given is not None
        else min(limits.TABLE_QUOTA, max(limits.FRESH_READS, load.partitions * limits.PARTITION_READS))
    )
    yield Bound(name, max(1.0, capacity) / max(units, 0.001))


def _time(load: Load, bounds: tuple[Bound, ...], *, twin_writes: bool) -> tuple[float, str, float]:
    """(seconds, what holds it at the end, items per second at the end) of a pass over all items."""
    left, seconds = float(load.items), 0.0
    steady = min(bounds, key=lambda bound: bound.items_per_second)
    if not twin_writes:
        return left / steady.items_per_second, steady.name, steady.items_per_second
    for capacity, lasts in _write_capacity(load):
        writes = Bound("the twin's write capacity", _left_over(capacity, load))
        slowest = min((writes, steady), key=lambda bound: bound.items_per_second)
        if slowest.items_per_second * lasts >= left:
            return seconds + left / slowest.items_per_second, slowest.name, slowest.items_per_second
        left -= slowest.items_per_second * lasts
        seconds += lasts
    raise AssertionError("the last step of the capacity lasts for ever")


def _write_capacity(load: Load) -> Iterator[tuple[float, float]]:
    """(write units per second, for how many seconds) of the twin, the last for ever."""
    if load.twin is not None:
        yield load.twin.writes, math.inf
        return
    capacity: float = load.warm_writes or limits.FRESH_WRITES
    while capacity < limits.TABLE_QUOTA:
        yield capacity, limits.DOUBLING_SECONDS
        capacity *= 2
    yield max(limits.TABLE_QUOTA, load.warm_writes or 0), math.inf


def _left_over(capacity: float, load: Load) -> float:
    """Items per second that the copy may write beside the mirror; never quite nothing, so that a time comes out."""
    left = capacity - load.live_writes * load.write_units
    if load.twin is not None and load.write_rate is None:
        left = min(left, capacity * OF_OTHER)
    return max(1.0, left / load.write_units)


def _mirroring(load: Load, phases: tuple[Phase, ...]) -> Mirroring:
    """Both streams are read: one is mirrored, the other, which carries everything the twin takes, is skipped."""
    copy, total = phases[0], sum(phase.seconds for phase in phases)
    echo = load.live_writes + copy.items_per_second
    quiet_calls, copy_calls = _calls(load.live_writes, load.partitions), _calls(echo, load.partitions)
    invocations = quiet_calls * (2 * total - copy.seconds) + copy_calls * copy.seconds
    mirrored = load.live_writes * total
    records = mirrored + (mirrored + load.items) * limits.SKIPPED_SHARE
    return Mirroring(
        invocations,
        seconds=invocations * limits.CALL_SECONDS + records * limits.RECORD_SECONDS,
        concurrency=(quiet_calls + copy_calls) * limits.CALL_SECONDS
        + (load.live_writes + echo * limits.SKIPPED_SHARE) * limits.RECORD_SECONDS,
    )


def _calls(records_per_second: float, shards: int) -> float:
    """Invocations per second for a stream: each shard is polled four times a second and cut into up to four lanes."""
    per_poll = records_per_second / (shards * limits.POLLS_PER_SECOND)
    lanes = max(min(limits.LANES, per_poll), per_poll / limits.RECORDS_PER_BATCH)
    return shards * limits.POLLS_PER_SECOND * lanes


def _costs(load: Load, phases: tuple[Phase, ...], mirroring: Mirroring, prices: Prices) -> dict[str, float]:
    days = sum(phase.seconds for phase in phases) / 86400
    gigabytes = load.size / 1024**3
    segments = load.segments
    workers = sum(phase.seconds for phase in phases) * min(segments, WORKERS_AT_ONCE)
    calls = sum(phase.invocations for phase in phases)
    live = load.live_writes * load.write_units * (1 + load.indexes) * days * 86400
    writes = sum(phase.write_units for phase in phases) + live
    reads = sum(phase.read_units for phase in phases)
    hours = days * 24
    return {
        "writing the twin": (
            writes / 1e6 * prices.million_writes
            if load.twin is None
            else hours * (load.twin.writes * prices.write_capacity_hour + load.twin.reads * prices.read_capacity_hour)
        ),
        "reading both tables": reads / 1e6 * prices.million_reads if load.source is None else 0.0,
        "workers": workers * limits.WORKER_GIGABYTES * prices.gigabyte_second
        + calls / 1e6 * prices.million_invocations
        + calls * 3 / 1e3 * prices.thousand_transitions,
        "replicator": mirroring.seconds * limits.REPLICATOR_GIGABYTES * prices.gigabyte_second
        + mirroring.invocations / 1e6 * prices.million_invocations,
        "a second table's storage, per month": gigabytes * prices.storage_month,
        "the backup at cleanup, per month": gigabytes * prices.backup_month,
    }
