"""Runs actors one call at a time, in an order that a seed decides: every interleaving of their calls can happen."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class _Actor:
    name: str
    work: Callable[[], None]
    may_go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    done: bool = False
    error: BaseException | None = None


class Schedule:
    """Actors are threads of which only one ever runs; each hands over at every call of the engine (`step`)."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.story: list[str] = []
        self._actors: list[_Actor] = []
        self._yielded = threading.Semaphore(0)
        self._current: _Actor | None = None

    def actor(self, name: str, work: Callable[[], None]) -> None:
        self._actors.append(_Actor(name, work))

    def step(self, what: str) -> None:
        """Called by an actor ahead of each effect: somebody else may go first."""
        actor = self._current
        if actor is None:  # outside of run()
            return
        self._yielded.release()
        actor.may_go.acquire()
        self.story.append(f"{actor.name}: {what}")

    def run(self) -> None:
        """Until all actors are done, or one of them raises."""
        for actor in self._actors:
            threading.Thread(target=self._run, args=(actor,), daemon=True).start()
        while running := [actor for actor in self._actors if not actor.done]:
            self._current = self.random.choice(running)
            self._current.may_go.release()
            self._yielded.acquire()
            if self._current.error is not None:
                raise self._current.error
        self._current = None

    def _run(self, actor: _Actor) -> None:
        actor.may_go.acquire()
        try:
            actor.work()
        except BaseException as error:  # noqa: BLE001 - handed to the test by run()
            actor.error = error
        actor.done = True
        self._yielded.release()
