"""The account in memory, shared by actors: calls take a while, and a policy comes to each caller at its own time."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.history.api import Api
from tests.history.faults import Faults
from tests.history.timeline import Timeline
from tests.replicator.control import aws
from tests.replicator.control.iam import Caller


class Account(aws.Account):
    """`spread`: seconds in which a policy comes to everybody; `late`: seconds after which it comes to whom else."""

    def __init__(self, *tables: str, timeline: Timeline, faults: Faults, spread: float, interval: float) -> None:
        self.timeline = timeline
        self.faults = faults
        super().__init__(*tables, spread=spread, interval=interval)
        self.late: dict[str, float] = {}
        self.writes: Counter[str] = Counter()
        self.before = self._before
        salt = timeline.random.random()
        self.delay = lambda table, seat, number: (
            self.late.get(seat, 0.0) or zlib.crc32(f"{salt} {table} {seat} {number}".encode()) / 2**32 * spread
        )

    @property
    def now(self) -> float:
        return self.timeline.now

    @now.setter
    def now(self, _value: float) -> None:
        """Time is the timeline's."""

    def sleep(self, seconds: float) -> None:
        self.timeline.sleep(seconds)

    def client(self, caller: Caller) -> Api:
        return Api(self, caller)

    def seen_by(self, table: str, caller: str) -> Mapping[str, Any] | None:
        """Policies come to each session at its own time: nobody can tell from one what another meets."""
        return super().seen_by(table, self._seat or caller)

    _seat = ""

    def allows(self, caller: Caller, action: str, table: str) -> bool:
        self._seat = f"{caller.name}/{caller.session}"
        return super().allows(caller, action, table)

    def written(self, caller: Caller) -> None:
        self.writes["clients" if caller.trusted else "ours"] += 1

    def _before(self, caller: str, operation: str) -> None:
        chance = self.timeline.random
        self.timeline.sleep(chance.uniform(0, 0.5) if chance.random() < 0.03 else chance.uniform(0, 0.03))
        self.faults.strike()
