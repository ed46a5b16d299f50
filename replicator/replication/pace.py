"""A speed limit: so many items per second, whoever asks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replication.tables import Patience


class Pace:
    """Hands out items at `rate` per second, a second's worth at a time, or without limit. Threads may share it."""

    def __init__(self, patience: Patience, rate: float | None = None) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._free_at = 0.0  # when what was handed out so far has been worked off
        self.rate = rate

    @property
    def portion(self) -> int | None:
        """How many to take at a time so that no wait is longer than about a second; None for as many as wanted."""
        return None if self.rate is None else max(1, int(self.rate))

    def take(self, items: int) -> None:
        """Wait until this many more are due."""
        if self.rate is None:
            return
        with self._lock:
            now = self._patience.clock()
            begin = max(self._free_at, now - 1.0)
            self._free_at = begin + items / self.rate
            wait = self._free_at - now
        if wait > 0:
            self._patience.sleep(wait)
