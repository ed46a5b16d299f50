"""What the population machine asks of its worker around the segments of a job: plan it, and conclude it.

A step may be repeated: a job that is planned again goes on as it was planned first, and concluding twice says the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replication.errors import ReplicationError
from replication.pair import Comparison, PopulationState
from replication.register import Standing
from replication.segments import Mode, Part, Plan, Position, how_many
from replication.share import OF_OTHER, OF_OWNER, Kind, allowed
from replication.values import digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from replication.worker import Means


@dataclass(frozen=True)
class Conclusion:
    """What a job has come to. Times are seconds since the epoch."""

    mode: Mode
    planned_at: float
    compared_from: float  # when the first look of its comparison began
    items: int  # copied
    written: int  # by the copy: more than items, when some changed meanwhile
    checked: int
    differences: int
    digests: tuple[str, ...]  # of keys that differ
    mended: int = 0  # keys that a comparison has brought over


class Population:
    """The steps of a job around its segments."""

    def __init__(self, means: Means) -> None:
        self._means = means

    def plan(self, pair_id: str, job: str, mode: Mode, deadline: float) -> Plan:
        """Bind a job to the pair as it is now, and divide it.

        Raises StaleWorker when a turn is under way or the pair is not any more what the job was first planned for.
        """
        pair = self._means.state.pair(pair_id)
        found = self._means.tables.describe(pair.table(pair.owner).name, deadline)
        other = self._means.tables.describe(pair.table(pair.owner.other).name, deadline)
        plan = self._means.segments.keep_plan(
            pair_id,
            job,
            Plan(
                epoch=pair.epoch,
                owner=pair.owner,
                source_id=pair.source.table_id,
                twin_id=pair.twin.table_id,
                mode=mode,
                planned_at=self._means.patience.clock(),
                segments=how_many(found["ItemCount"], found["TableSizeBytes"], pair.write_rate or _share(found, other)),
                expected=found["ItemCount"],
            ),
        )
        plan.check(pair)
        return plan

    def conclude(self, pair_id: str, job: str) -> Conclusion:
        """Note in the pair's record what a job has come to, whose segments are all done.

        Raises StaleWorker when something has overtaken the job, ReplicationError when a segment is not done.
        """
        means = self._means
        plan = means.segments.plan(pair_id, job)
        plan.check(means.state.pair(pair_id))
        found = {part: means.segments.positions(pair_id, job, part) for part in plan.mode.parts}
        for part, positions in found.items():
            done = sum(position.done for position in positions)
            if done != plan.segments:
                raise ReplicationError(f"Job {job}: {done} of {plan.segments} segments of {part} are done.")
        result = _summed(plan, found)
        now = means.patience.clock()
        if plan.mode is Mode.POPULATE:
            means.state.note_population(
                pair_id,
                job,
                State=PopulationState.COMPLETE,
                FinishedAt=now,
                Items=result.items,
                Written=result.written,
            )
        means.state.note_comparison(
            pair_id,
            Comparison(
                epoch=plan.epoch,
                source_id=plan.source_id,
                twin_id=plan.twin_id,
                started_at=result.compared_from,
                state=PopulationState.COMPLETE,
                finished_at=now,
                checked=result.checked,
                differences=result.differences,
                job=job,
            ),
        )
        if not result.differences:
            self._settle_failures(pair_id, result.compared_from)
        return result

    def _settle_failures(self, pair_id: str, before: float) -> None:
        """Both tables are equal: what failed or died before the comparison began has been made good."""
        for one in self._means.register.work(pair_id):
            failed = one.standing is Standing.FAILED and one.began < before
            died = one.standing is Standing.RUNNING and one.deadline < before
            if failed or died:
                self._means.register.forget_attempt(one)


def _share(owner: Mapping[str, Any], other: Mapping[str, Any]) -> int | None:
    """The units per second that all workers together may take; None when neither table's capacity is bounded."""
    found = (
        *allowed(owner, Kind.READ, OF_OWNER).values(),
        *allowed(other, Kind.READ, OF_OTHER).values(),
        *allowed(other, Kind.WRITE, OF_OTHER).values(),
    )
    return max(1, int(min(found))) if found else None


def _summed(plan: Plan, found: Mapping[Part, Sequence[Position]]) -> Conclusion:
    compared = [position for part, positions in found.items() if part is not Part.COPY for position in positions]
    return Conclusion(
        mode=plan.mode,
        planned_at=plan.planned_at,
        compared_from=min(position.started_at for position in compared),
        items=sum(position.items for position in found.get(Part.COPY, ())),
        written=sum(position.written for position in found.get(Part.COPY, ())),
        mended=sum(position.written for position in compared),
        checked=sum(position.items for position in found[Part.COMPARE_OWNER]),
        differences=sum(position.differences for position in compared),
        digests=tuple(digest(key) for position in compared for key in position.different)[:10],
    )
