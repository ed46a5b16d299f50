"""Actors in made-up time: whoever has the earliest moment goes on, and a seed decides how long everything takes.

Actors are threads of which only one ever runs. Each hands over when it sleeps, and it sleeps a little ahead of every
call; so any order of calls can happen, and the same seed gives the same order again.
"""

from __future__ import annotations

import heapq
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

START = 1_000_000.0


class Over(BaseException):
    """The run has ended: raised in whoever is still asleep."""


@dataclass(eq=False)
class Actor:
    """Something that goes on by itself. What it is told to suffer is in `fate`, which tests/history/faults.py knows."""

    name: str
    work: Callable[[], None]
    fate: list[object] = field(default_factory=list)
    turn: threading.Lock = field(default_factory=threading.Lock)  # held while it has to wait
    done: bool = False

    def __post_init__(self) -> None:
        self.turn.acquire()


class Timeline:
    """`current` is the actor that runs now; the thread that makes the timeline is its first."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = START
        self.story: list[str] = []
        self.error: BaseException | None = None
        self.main = self.current = Actor("main", lambda: None)
        self._waiting: list[tuple[float, int, Actor]] = []
        self._pushed = 0
        self._over = False

    def actor(self, name: str, work: Callable[[], None], after: float = 0.0) -> Actor:
        """Something begins to go on."""
        actor = Actor(name, work)
        threading.Thread(target=self._live, args=(actor,), daemon=True).start()
        self._push(after, actor)
        return actor

    def later(self, seconds: float, effect: Callable[[], None]) -> None:
        """Something happens once, by nobody's doing any more."""
        self.actor("lingering", effect, seconds)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """The others go on."""
        if self._over:
            raise Over
        me = self.current
        self._push(seconds, me)
        self._hand_over(me)
        if self._over:
            raise Over
        if self.error is not None and me is self.main:
            raise self.error

    def tell(self, what: str) -> None:
        self.story.append(f"{self.now - START:8.2f} {self.current.name}: {what}")

    def end(self) -> None:
        """Everybody who is still asleep ends."""
        self._over = True
        while self._waiting:
            _, _, actor = heapq.heappop(self._waiting)
            if actor is not self.main:
                self.current = actor
                actor.turn.release()
                self.main.turn.acquire()
        self.current = self.main

    def _push(self, seconds: float, actor: Actor) -> None:
        self._pushed += 1
        heapq.heappush(self._waiting, (self.now + seconds, self._pushed, actor))

    def _hand_over(self, me: Actor) -> None:
        at, _, following = heapq.heappop(self._waiting)
        self.now = max(self.now, at)
        self.current = following
        if following is not me:
            following.turn.release()
            if not me.done:
                me.turn.acquire()

    def _live(self, actor: Actor) -> None:
        actor.turn.acquire()
        try:
            if not self._over:
                actor.work()
        except Over:
            pass
        except BaseException as error:  # noqa: BLE001 - raised in the first actor
            self.error = self.error or error
        actor.done = True
        if self._over:
            self.main.turn.release()
        else:
            self._hand_over(actor)
