"""How far the copy and the comparison of a pair have come, for whoever watches a dashboard while a job runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replication.segments import Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from replication.segments import Plan, Position, Segments

_STILL_OF_INTEREST = 300.0  # seconds without a page after which a job is over, or stands still and says so elsewhere
_NEARLY = 99.0


@dataclass(frozen=True)
class Progress:
    """Percent done; None of what the job does not do."""

    copied: float | None
    compared: float | None


def progress(segments: Segments, pair_id: str, now: float) -> Progress | None:
    """How far the last job of a pair is, under way or just over; None when there is none."""
    job = segments.latest(pair_id)
    if job is None:
        return None
    plan = segments.plan(pair_id, job)
    found = {part: segments.positions(pair_id, job, part) for part in plan.mode.parts}
    moved = max((position.updated_at for positions in found.values() for position in positions), default=0.0)
    if now - max(moved, plan.planned_at) > _STILL_OF_INTEREST:
        return None
    return progress_of(plan, found)


def progress_of(plan: Plan, found: Mapping[Part, Sequence[Position]]) -> Progress:
    """How far a job is, by the positions of each of its parts."""
    shares = {part: _percent(plan, positions) for part, positions in found.items()}
    looks = [shares[part] for part in (Part.COMPARE_OWNER, Part.COMPARE_OTHER)]
    return Progress(shares.get(Part.COPY), sum(looks) / len(looks))


def _percent(plan: Plan, positions: Sequence[Position]) -> float:
    """By items; by segments where the table was thought to be empty. 100 when all is done, and not before.

    How many items are expected may be six hours old: a table that has grown since has more.
    """
    finished = sum(position.done for position in positions)
    if finished == plan.segments:
        return 100.0
    items = sum(position.items for position in positions)
    share = items / plan.expected if plan.expected else finished / plan.segments
    return min(100 * share, _NEARLY)
