"""What goes wrong in a run, by the seed's dice: nothing here breaks what docs/protocol.md assumes, but for `beyond`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from botocore.exceptions import ClientError

from tests.history.timeline import Timeline
from tests.replicator.control.aws import Killed
from tests.replicator.control.iam import Caller, refusal


class Fate(Enum):
    """What becomes of a write that has left."""

    ANSWERED = 1
    DONE_UNANSWERED = 2
    LATE_UNANSWERED = 3


@dataclass
class Doom:
    """What an invocation will suffer: at which of its calls, and when Lambda ends it."""

    ends_at: float
    killed_at: int
    hangs_at: int
    hangs_for: float
    calls: int = 0


class Faults:
    """`lingers`: seconds within which a write without an answer lands. `rate`: 0 is a run without faults."""

    def __init__(self, timeline: Timeline, lingers: float, rate: float) -> None:
        self._timeline = timeline
        self._random = timeline.random
        self._lingers = lingers
        self._rate = rate
        self.counts: Counter[str] = Counter()

    def happens(self, what: str, probability: float) -> bool:
        """Whether a fault happens now; it is counted."""
        if self._random.random() >= probability * self._rate:
            return False
        self.counts[what] += 1
        self._timeline.tell(what)
        return True

    # ---- invocations ----
    def invoke(
        self, kind: str, work: Callable[[], object], *, seconds: float, kill: float, hang: float = 0.0
    ) -> object:
        """An invocation, which may be killed or hang at any of its calls. Raises Killed."""
        chance = self._random.random
        killed_at = self._random.randrange(1, 60) if chance() < kill * self._rate else 0
        hangs_at = self._random.randrange(1, 60) if chance() < hang * self._rate else 0
        doom = Doom(self._timeline.now + seconds, killed_at, hangs_at, self._random.uniform(5, 40))
        actor = self._timeline.current
        actor.fate.append(doom)
        try:
            return work()
        except Killed:
            self.counts[f"{kind} killed"] += 1
            self._timeline.tell(f"{kind} killed")
            raise
        finally:
            actor.fate.remove(doom)

    def strike(self) -> None:
        """Called at every call of whoever runs now. Raises Killed."""
        for doom in self._timeline.current.fate:
            assert isinstance(doom, Doom)
            doom.calls += 1
            if doom.calls == doom.hangs_at:
                self.counts["hung"] += 1
                self._timeline.tell("hangs")
                self._timeline.sleep(max(0.0, min(doom.hangs_for, doom.ends_at - self._timeline.now)))
            if doom.calls == doom.killed_at or self._timeline.now >= doom.ends_at:
                raise Killed

    # ---- calls ----
    def throttle(self, caller: Caller) -> None:
        if not caller.trusted and self.happens("throttled", 0.03):
            raise refusal("ProvisionedThroughputExceededException")

    def leaves_a_part(self, caller: Caller) -> bool:
        return self.happens("batch taken in part", 0.1)

    def of_write(self, caller: Caller) -> Fate:
        if self.happens("write without an answer", 0.01):
            return self._random.choice([Fate.DONE_UNANSWERED, Fate.LATE_UNANSWERED])
        return Fate.ANSWERED

    def linger(self, effect: Callable[[], None], *, at_once: bool = False) -> None:
        """A write whose sender is gone takes effect after a while, or never."""

        def landing() -> None:
            try:
                effect()
            except ClientError:
                self._timeline.tell("what lingered was refused")

        if at_once:
            landing()
        elif self._random.random() < 0.7:
            self._timeline.later(self._random.uniform(0, self._lingers), landing)
