"""The figures of a run, for the terminal and for the page: from the history of all calls, not from what the program
believes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from local.demo.watch import Sealed, monotonic_of
from local.traffic.check import Kind, Verdict


@dataclass(frozen=True, slots=True)
class Figure:
    title: str
    value: str
    good: bool | None = None  # None where a figure is neither


@dataclass(frozen=True, slots=True)
class TurnTime:
    """The price of a turn in seconds: its own share, from the seal to the opening, and the deployment's after it."""

    to: str
    sealed: float
    deployment: float
    refused: float


def calls_made(verdict: Verdict) -> list[Figure]:
    refusals = verdict.refusals
    return [
        Figure("writes acknowledged", f"{verdict.acknowledged:,}"),
        Figure("writes refused and tried again", f"{refusals.writes:,}"),
        Figure("  seconds in which writes were refused", f"{refusals.seconds:.1f}"),
        Figure("  longest wait of one client, seconds", f"{refusals.longest_wait:.1f}"),
        Figure("writes without an answer", f"{verdict.unknown:,}"),
        Figure("reads answered", f"{verdict.reads:,}"),
    ]


def faults(verdict: Verdict) -> list[Figure]:
    """What must be 0."""
    shown = {
        "writes lost": [Kind.LOST, Kind.TORN, Kind.GIVEN_UP],
        "counters wrong": [Kind.COUNTER],
        "reads that missed an own write": [Kind.MISSED_OWN_WRITE],
        "reads that failed": [Kind.FAILED_READ],
        "reads that cannot be explained": [Kind.WENT_BACK, Kind.UNEXPLAINED_READ, Kind.NEVER_WRITTEN],
        "writes to both tables at once": [Kind.BOTH_WRITTEN],
        "keys that differ between the tables at rest": [Kind.DIFFERENT],
        "keys not decided": [Kind.UNDECIDED],
    }
    counted = {title: sum(map(verdict.count, kinds)) for title, kinds in shown.items()}
    return [Figure(title, f"{count:,}", good=not count) for title, count in counted.items()]


def turn_times(verdict: Verdict, turns: Sequence[Sealed]) -> Iterator[TurnTime]:
    for turn in turns:
        opened = monotonic_of(turn.opened_at)
        spans = [(start, end) for start, end in verdict.refusals.spans if start < opened < end]
        after, whole = (spans[0][1] - opened, spans[0][1] - spans[0][0]) if spans else (0.0, 0.0)
        yield TurnTime(turn.to, turn.seconds, after, whole)
