"""What is kept of a run of the demo. All times are on the clock of the history."""

from collections.abc import Sequence
from dataclasses import dataclass

from local.demo.watch import Sealed, Seen
from local.traffic.check import Verdict
from local.traffic.history import Call


@dataclass(frozen=True, slots=True)
class StageTime:
    """One step of the journey; `short` is what to call it where room is short."""

    title: str
    began: float
    seconds: float
    short: str = ""

    @property
    def ended(self) -> float:
        return self.began + self.seconds


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the state table showed that the look before had not."""

    at: float
    seen: Seen


@dataclass(frozen=True, slots=True)
class Run:
    seed: int
    verdict: Verdict
    calls: Sequence[Call]
    source: str  # the old table's name; what is written elsewhere is written to its twin
    stages: Sequence[StageTime]
    turns: Sequence[Sealed]
    looks: Sequence[Look]
