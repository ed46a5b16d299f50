"""What must be true before a stage begins. Pure; every reason comes with the way on, all of them at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replication.pair import Pair, PopulationState, Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from replication.register import Progress, Registered

_RECENT = 60.0  # seconds: a mirror that had nothing to do for longer is not behind


@dataclass(frozen=True)
class Facts:
    """What was seen of the world around a pair. Times are seconds since the epoch."""

    at: float
    mapping_problems: Sequence[str] = ()  # mappings that read nothing
    last_results: Sequence[str] = ()  # mappings whose last batch was not done
    progress: Mapping[Side, Progress | None] = field(default_factory=dict)
    work: Sequence[Registered] = ()
    throttles: float = 0  # of the replicator, lately
    descriptions: Mapping[Side, Mapping[str, Any]] = field(default_factory=dict)  # what DescribeTable says
    user_errors: float = 0  # refused calls of DynamoDB in the whole account, within the quiet time
    quiet_minutes: float = 60
    lag_limit: float = 10


def for_cutover(pair: Pair, facts: Facts) -> list[str]:
    """What speaks against making the twin the owner; empty when nothing does.

    A last batch that was not done does not: one that the turn before put off counts as such until it comes again. The
    new turn settles first, and does not settle while there is one.
    """
    return [
        *_population(pair),
        *_comparison(pair),
        *_mirror(pair, facts, Side.SOURCE),
        *_capacity(pair, facts),
    ]


def for_cleanup(pair: Pair, facts: Facts, *, writers_moved: bool) -> list[str]:
    """What speaks against letting the source go; empty when nothing does."""
    if pair.owner is Side.SOURCE:
        return [f"{pair.source.name} still takes the writes: set the stage to cutover first."]
    reasons = [*_comparison(pair), *_mirror(pair, facts, Side.TWIN), *facts.last_results]
    if pair.comparison is not None and pair.compared and pair.comparison.epoch != pair.epoch:
        reasons.append("The tables were last compared before the cutover: wait for the next comparison.")
    if facts.user_errors and not writers_moved:
        reasons.append(
            f"DynamoDB refused {facts.user_errors:.0f} calls in this account within the last {facts.quiet_minutes:.0f} "
            f"minutes, perhaps of somebody who still writes {pair.source.name}. Look for who it was; once all writers "
            "use the new table, wait for as long, or set WritersMoved: true in the table's Metadata."
        )
    return reasons


def for_exports(importers: Mapping[str, Sequence[str]]) -> list[str]:
    """What speaks against changing the value of exports: CloudFormation would fail in the middle of the update."""
    return [
        f"The export {export} changes its value at this stage, and {', '.join(stacks)} import it: let them import the "
        "export for the new table first (it has existed since the stage replicate)."
        for export, stacks in sorted(importers.items())
        if stacks
    ]


def _population(pair: Pair) -> Iterable[str]:
    found = pair.population
    table = pair.twin.name
    if found is None:
        yield f"{table} has not been populated: set the stage to populate first, and to cutover when that has ended."
    elif not pair.is_about(found.source_id, found.twin_id):
        yield "A table was made anew since it was populated: set the stage to populate again."
    elif found.state is PopulationState.RUNNING:
        yield f"The copy into {table} is still running, {found.items} items so far: wait for its end."
    elif found.state is not PopulationState.COMPLETE:
        why = f" ({found.reason})" if found.reason else ""
        yield f"The copy into {table} is {found.state}{why}: go to replicate, then to populate again."


def _comparison(pair: Pair) -> Iterable[str]:
    found = pair.comparison
    if pair.compared:
        return
    if found is None or not pair.is_about(found.source_id, found.twin_id):
        if pair.populated:
            yield "The tables have not been compared yet: that follows the copy, wait for it."
    elif found.differences:
        yield (
            f"The last comparison found the tables different in {found.differences} of {found.checked} keys: run the "
            "repair, which copies them and compares again."
        )
    else:
        yield (
            "A write of the mirror failed after the tables were last compared: the next comparison starts by itself "
            "once nothing fails any more; wait for it."
        )


def _mirror(pair: Pair, facts: Facts, side: Side) -> Iterable[str]:
    """What is wrong with the mirror of the stream of a side."""
    yield from facts.mapping_problems
    failed = [one for one in facts.work if one.failing]
    if failed:
        yield (
            f"The mirror cannot write {len(failed)} of its batches, the first because of {failed[0].error}: mend the "
            "cause, or run the repair when the records were given up."
        )
    progress = facts.progress.get(side)
    # What was late once and has been caught up since is for the turn to watch, which settles first.
    if progress is not None and progress.lag > facts.lag_limit and facts.at - progress.ended_at < _RECENT:
        behind = f"is {progress.lag:.0f} s behind"
        yield f"The mirror of {pair.table(side).name} {behind}: wait until it has caught up."
    if facts.throttles:
        yield (
            f"The replicator was throttled {facts.throttles:.0f} times lately, so records may be waiting: raise "
            "ReplicatorConcurrency of the installation, or wait."
        )


def _capacity(pair: Pair, facts: Facts) -> Iterable[str]:
    """The twin must not have less capacity than the source: it would throttle what the source took."""
    source, twin = facts.descriptions.get(Side.SOURCE), facts.descriptions.get(Side.TWIN)
    if source is None or twin is None or _on_demand(twin):
        return
    if _on_demand(source):
        yield f"{pair.twin.name} has provisioned capacity and {pair.source.name} is on demand: make both alike."
        return
    have = _capacities(twin)
    for name, (reads, writes) in _capacities(source).items():
        got_reads, got_writes = have.get(name, (reads, writes))  # an index that only the source has loses nothing here
        if got_reads < reads or got_writes < writes:
            yield (
                f"{name or 'the table'} of {pair.twin.name} has {got_reads} read and {got_writes} write units, "
                f"{pair.source.name} has {reads} and {writes}: raise them to that, by the minimum of its scalable "
                "target where it has one."
            )


def _on_demand(description: Mapping[str, Any]) -> bool:
    return bool(description.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST")


def _capacities(description: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Read and write units of the table ("") and of its indexes, by name."""
    parts = [("", description), *((one["IndexName"], one) for one in description.get("GlobalSecondaryIndexes", []))]
    throughput = {name: part.get("ProvisionedThroughput", {}) for name, part in parts}
    return {
        name: (int(one.get("ReadCapacityUnits", 0)), int(one.get("WriteCapacityUnits", 0)))
        for name, one in throughput.items()
    }
