"""What breaks first as a table grows, and from which size on another tool is the right one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from local.cli import limits
from local.cli.capacity import Estimate, estimate
from local.cli.prices import Prices
from replication.segments import WORKERS_AT_ONCE
from replication.waits import Waits

DAY = 86400.0
PATIENCE_SECONDS = 3 * DAY
"""A copy that takes longer than this is the wrong tool unless nothing else will do."""


@dataclass(frozen=True)
class Limit:
    """How near something is to what it may be at most; above 1 it breaks."""

    name: str
    need: float
    most: float
    what_happens: str
    remedy: str

    @property
    def share(self) -> float:
        """Of the limit that is needed."""
        return self.need / self.most


@dataclass(frozen=True)
class Advice:
    """Which tool, and why."""

    tool: str
    why: str


def limits_of(found: Estimate) -> list[Limit]:
    """Every limit that a growing table runs into, the nearest first."""
    return sorted([*_of_the_mirror(found), *_of_the_copy(found)], key=lambda limit: -limit.share)


def _of_the_mirror(found: Estimate) -> list[Limit]:
    load = found.load
    capacity = load.twin.writes if load.twin else max(limits.FRESH_WRITES, load.warm_writes or 0)
    keys = load.live_writes * 70
    return [
        Limit(
            "live writes against the twin's write capacity",
            load.live_writes * load.write_units,
            capacity,
            "The mirror falls behind; what it has not read after 24 hours is lost, and no turn starts meanwhile.",
            "Give the twin more: option Properties with WarmThroughput or ProvisionedThroughput.",
        ),
        Limit(
            "replicator invocations at once",
            found.mirroring.concurrency,
            limits.REPLICATOR_CONCURRENCY,
            "Shards wait for their turn: the mirror lags while the copy runs.",
            f"Install with ReplicatorConcurrency={_rounded_up(found.mirroring.concurrency * 2)}; "
            "the account's own quota is 1,000 unless raised.",
        ),
        Limit(
            "keys that a turn looks at again",
            keys,
            limits.TURN_KEYS,
            "The turn does not fit into one invocation: it undoes what it did, and the cutover is refused.",
            "Turn when there is less traffic, or with a smaller SettleSeconds.",
        ),
    ]


def _of_the_copy(found: Estimate) -> list[Limit]:
    load = found.load
    segments = load.segments
    calls = max(phase.invocations for phase in found.phases) / segments
    return [
        Limit(
            "the comparison at cleanup, in seconds",
            sum(phase.seconds for phase in found.phases[1:]),
            limits.CUSTOM_RESOURCE_SECONDS,
            "CloudFormation waits for an hour and rolls the cleanup back; the comparison goes on.",
            "Set stage cleanup again once `encrypt-migrate status` says that the tables are equal.",
        ),
        Limit(
            "history of a segment's execution",
            calls * limits.EVENTS_PER_INVOCATION,
            limits.HISTORY_EVENTS,
            "Step Functions ends the segment's execution; started again it goes on where it was.",
            "Raise the capacity or the WriteRate that holds the copy.",
        ),
        Limit(
            "Lambda invocations at once, workers and replicator",
            min(segments, WORKERS_AT_ONCE) + found.mirroring.concurrency,
            limits.ACCOUNT_CONCURRENCY,
            "The account's functions throttle each other.",
            "Have the account's quota raised, or set WriteRate.",
        ),
    ]


def right_tool(found: Estimate, prices: Prices) -> Advice:
    """Whether to copy by scan at this size, and what else."""
    days = found.seconds / DAY
    if found.seconds <= DAY:
        return Advice("this copy", "It is done within a day, beside live writes.")
    if found.seconds <= PATIENCE_SECONDS:
        return Advice(
            "this copy, prepared",
            f"It runs for {days:.1f} days beside live writes, held by {found.phases[0].held_by}. Warm the twin up "
            "beforehand (option Properties: WarmThroughput), have the table quotas raised, and watch the lag.",
        )
    if freed := _with_more_capacity(found, prices):
        return freed
    gigabytes = found.load.size / 1024**3
    export = gigabytes * (prices.export + prices.import_)
    return Advice(
        "export to S3 and import into a new table",
        f"A scan of {gigabytes:,.0f} GB takes {days:.1f} days and costs about ${_once(found):,.0f}. DynamoDB's export "
        f"(needs point-in-time recovery) and import cost about ${export:,.0f}, take hours and no capacity of the "
        "tables; but what is written after the export has to be brought along from incremental exports, which "
        "EncryptMigrate does not do. If only the encryption has to change, change it in place. If it must be this "
        "copy, plan for the days.",
    )


def _with_more_capacity(found: Estimate, prices: Prices) -> Advice | None:
    """What is to be done when it is not the size of the table that makes it slow, but what it has been given."""
    load = found.load
    freed = estimate(replace(load, source=None, twin=None, write_rate=None), prices, Waits())
    if freed.seconds > PATIENCE_SECONDS or freed.load == load:
        return None
    held_by = max(found.phases, key=lambda phase: phase.seconds).held_by
    what = "WriteRate" if load.write_rate else "the provisioned capacity of both tables"
    return Advice(
        "this copy, with more capacity",
        f"It runs for {found.seconds / DAY:.1f} days, because {held_by} holds it. With both tables on demand and "
        f"without WriteRate it takes {_hours(freed.seconds)}, for about ${_once(freed):,.2f}; with {what} "
        f"{math.ceil(found.seconds / DAY)} times as large, a day. Switch back when the tables are equal.",
    )


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{math.ceil(seconds / 60)} minutes"


def _once(found: Estimate) -> float:
    """US dollars that are not paid month by month."""
    return sum(cost for name, cost in found.costs.items() if "per month" not in name)


def _rounded_up(number: float) -> int:
    return max(100, math.ceil(number / 50) * 50)
