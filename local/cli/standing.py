"""Where a migration stands, and what to do next: pure, from what was read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from local.cli.words import duration, plural
from replication.pair import Pair, Phase, PopulationState, Side
from replication.register import Progress, Registered
from replication.segments import Mode, Part, Plan, Position

REFUSING = (Phase.SEALING, Phase.SEALED, Phase.FENCING, Phase.FENCED, Phase.LOOKED, Phase.OWNED)
IDLE_SECONDS = 60.0
"""A mirror that had nothing to do for so long is not behind, however late its last batch was."""

STAGES = ("off", "replicate", "populate", "cutover", "cleanup")


@dataclass(frozen=True)
class PartProgress:
    """One part of a job. Items per second are since it began, or since `before` was seen."""

    part: Part
    done: int
    expected: int
    rate: float
    segments_done: int
    segments: int

    @property
    def finished(self) -> bool:
        """Whether every segment is done."""
        return self.segments_done == self.segments

    @property
    def seconds_left(self) -> float | None:
        """At the present rate; None while there is none."""
        if self.finished:
            return 0.0
        return max(0, self.expected - self.done) / self.rate if self.rate > 0 else None


@dataclass(frozen=True)
class Job:
    """A copy, comparison, repair or last check under way."""

    mode: Mode
    name: str
    parts: tuple[PartProgress, ...]


@dataclass(frozen=True)
class Refusal:
    """What a gate said last when it said no."""

    at: float
    gate: str
    reason: str


@dataclass(frozen=True)
class Report:
    """One pair as it was at a moment. Times are seconds since the epoch."""

    at: float
    stack: str
    stack_status: str
    pair: Pair
    progress: Progress | None
    work: tuple[Registered, ...]
    jobs: tuple[Job, ...]
    strays: Mapping[str, int]
    """How many writes came to which table after it was closed."""
    refusal: Refusal | None
    deployment_seconds: float | None
    """How long the last update took from the gate's answer to its last resource: writes refused by the deployment."""

    @property
    def failing(self) -> list[Registered]:
        """Batches of the mirror that fail."""
        return [one for one in self.work if one.failing]

    @property
    def refusing_since(self) -> float | None:
        """Since when a turn refuses writes, while it does."""
        turn = self.pair.turn
        return turn.sealed_at if turn is not None and turn.phase in REFUSING else None

    @property
    def damage(self) -> list[str]:
        """What has been noted and not been made good by a comparison since."""
        since = self.pair.comparison.started_at if self.pair.compared and self.pair.comparison else 0.0
        return [one.what for one in self.pair.damage if one.at >= since]

    @property
    def well(self) -> bool:
        """Whether nothing needs a person."""
        pair = self.pair
        return not (self.failing or self.damage or pair.altered or pair.paused or self.differences or self.refusal)

    @property
    def differences(self) -> int:
        """Keys that the last comparison found different."""
        found = self.pair.comparison
        return found.differences if found is not None else 0


def part_of(part: Part, plan: Plan, positions: Sequence[Position], at: float) -> PartProgress:
    """How far a part of a job is."""
    done = sum(position.items for position in positions)
    began = min((position.started_at for position in positions), default=at)
    ended = max((position.updated_at for position in positions), default=at)
    finished = sum(position.done for position in positions)
    until = ended if finished == plan.segments else at
    # DescribeTable's count is up to six hours old: a table that has grown since has more.
    expected = done if finished == plan.segments else max(plan.expected, done)
    return PartProgress(part, done, expected, done / (until - began) if until > began else 0.0, finished, plan.segments)


def next_steps(report: Report) -> list[str]:
    """What to do, the most urgent first; never empty."""
    troubles = list(_troubles(report))
    return troubles or [_onward(report)]


def _troubles(report: Report) -> Iterator[str]:
    pair = report.pair
    if pair.paused:
        yield f"A rollback could not be followed: {pair.paused} Update the stack again, to the stage you want."
    if report.refusal is not None:
        yield "Do what the refusal says, then update the stack again; it changed nothing."
    if report.failing:
        yield (
            f"{plural(len(report.failing), 'batch', 'batches')} of the mirror failing: mend the cause. What fails is "
            "tried again for six hours; what is given up then comes back with `encrypt-migrate repair`."
        )
    if report.differences:
        keys = plural(report.differences, "key")
        yield f"The tables are different in {keys}: run `encrypt-migrate repair {report.stack}`."
    if report.strays:
        came = ", ".join(f"{plural(count, 'write')} to {table}" for table, count in sorted(report.strays.items()))
        yield (
            f"After a table was closed there came {came}. `encrypt-migrate repair {report.stack} --keys` shows under "
            f"which keys: look whether {pair.table(pair.owner).name} needs them."
        )
    if report.damage:
        yield f"Something was noted that a comparison has to clear: `encrypt-migrate repair {report.stack}` runs one."


def _onward(report: Report) -> str:
    pair = report.pair
    if pair.turn is not None:
        return "Wait: a turn is under way and ends by itself."
    if report.jobs:
        return "Wait: it goes on by itself."
    if pair.stage <= 1:
        return "Next: set the stage to populate."
    if pair.owner is Side.SOURCE:
        if pair.populated and pair.compared:
            return (
                "Next: set the stage to cutover. `encrypt-migrate plan` tells whose writes that refuses, and how long."
            )
        if pair.population is not None and pair.population.state is PopulationState.FAILED:
            return f"The copy failed: {pair.population.reason} Go to replicate, then to populate again."
        if pair.population is None:
            return "Wait: the copy is about to begin."
        return "Wait: a comparison starts by itself once nothing has failed for a while."
    if pair.stage >= 4:
        return "Next: `encrypt-migrate finish TEMPLATE`, then deploy the finished template."
    return "Next: when all services are well, set the stage to cleanup; or back to populate, which loses no write."


def lag_said(progress: Progress | None, at: float) -> str:
    """How the mirror is doing, in words."""
    if progress is None:
        return "nothing mirrored yet"
    idle = max(0.0, at - progress.ended_at)
    if idle > IDLE_SECONDS:
        return f"nothing to mirror for {duration(idle)}"
    return f"{progress.lag:.1f} s behind, {duration(idle)} ago"
