"""A run second by second: what the page draws. Pure, from what was kept of the run."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from local.demo.run import Look, Run, StageTime
from local.demo.watch import Sealed, Seen, monotonic_of
from local.traffic.history import Call, Outcome
from local.traffic.traffic import LOADER
from replication.register import Progress

# The first of these widths, in seconds, that leaves a run no more bars than that.
_WIDTHS = (1, 2, 5, 10, 30, 60)
_MOST_BARS = 200

SOURCE, TWIN = "source", "twin"
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Span:
    """Here and below, times are seconds since the clients began to write."""

    start: float
    end: float
    label: str = ""
    short: str = ""


@dataclass(frozen=True, slots=True)
class Writes:
    """Writes that ended within a span, item by item."""

    span: Span
    source: int
    twin: int
    refused_source: int
    refused_twin: int

    @property
    def acknowledged(self) -> int:
        return self.source + self.twin

    @property
    def refused(self) -> int:
        return self.refused_source + self.refused_twin


@dataclass(frozen=True, slots=True)
class Timeline:
    seconds: float
    width: int  # of a bar
    bars: tuple[Writes, ...]
    stages: tuple[Writes, ...]
    open: tuple[Span, ...]  # which table took writes: SOURCE, TWIN, or neither
    refusing: tuple[Span, ...]  # in which some client waited to be let in
    to_twin: tuple[Point, ...]  # seconds by which the mirror was late
    to_source: tuple[Point, ...]
    copied: tuple[Point, ...]  # items
    compared: tuple[Point, ...]


def timeline(run: Run) -> Timeline:
    writes = [call for call in run.calls if call.is_write and call.client != LOADER]
    zero = min(call.start for call in writes)
    seconds = max(call.end for call in run.calls) - zero
    width = next((each for each in _WIDTHS if seconds / each <= _MOST_BARS), _WIDTHS[-1])
    spans = [Span(float(start), float(start + width)) for start in range(0, int(seconds) + 1, width)]
    return Timeline(
        seconds=seconds,
        width=width,
        bars=tuple(_counted(writes, run.source, zero, spans)),
        stages=tuple(_counted(writes, run.source, zero, list(_stages(run.stages, zero, seconds)))),
        open=tuple(_open(run.turns, zero, seconds)),
        refusing=tuple(Span(start - zero, end - zero) for start, end in run.verdict.refusals.spans),
        to_twin=tuple(_late(run.looks, zero, lambda seen: seen.to_twin)),
        to_source=tuple(_late(run.looks, zero, lambda seen: seen.to_source)),
        copied=tuple((look.at - zero, look.seen.copied) for look in run.looks),
        compared=tuple((look.at - zero, look.seen.compared) for look in run.looks),
    )


def _counted(writes: Iterable[Call], source: str, zero: float, spans: Sequence[Span]) -> Iterator[Writes]:
    counts = [dict.fromkeys(((table, outcome) for table in (SOURCE, TWIN) for outcome in Outcome), 0) for _ in spans]
    for call in writes:
        place = next((n for n, span in enumerate(spans) if span.start <= call.end - zero < span.end), None)
        if place is not None:
            counts[place][SOURCE if call.table == source else TWIN, call.outcome] += 1
    for span, found in zip(spans, counts, strict=True):
        yield Writes(
            span,
            found[SOURCE, Outcome.ACKNOWLEDGED],
            found[TWIN, Outcome.ACKNOWLEDGED],
            found[SOURCE, Outcome.REFUSED],
            found[TWIN, Outcome.REFUSED],
        )


def _stages(stages: Iterable[StageTime], zero: float, seconds: float) -> Iterator[Span]:
    for stage in stages:
        start, end = max(0.0, stage.began - zero), min(seconds, stage.ended - zero)
        if end > start:
            yield Span(start, end, stage.title, stage.short)


def _open(turns: Iterable[Sealed], zero: float, seconds: float) -> Iterator[Span]:
    start, owner = 0.0, SOURCE
    for turn in turns:
        sealed, opened = monotonic_of(turn.sealed_at) - zero, monotonic_of(turn.opened_at) - zero
        yield Span(start, sealed, owner)
        yield Span(sealed, opened)
        start, owner = opened, turn.to
    yield Span(start, seconds, owner)


def _late(looks: Iterable[Look], zero: float, progress: Callable[[Seen], Progress | None]) -> Iterator[Point]:
    """Each batch that was noted, once, at the time when it was done."""
    noted = None
    for look in looks:
        if (found := progress(look.seen)) is not None and found != noted:
            noted = found
            yield monotonic_of(found.ended_at) - zero, found.lag
