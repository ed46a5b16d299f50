"""A speed limit: so many items per second, whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replication.tables import Patience


class Pace:
    """Hands out items at `rate` per second, a second's worth at a time, or without limit."""

    def __init__(self, patience: Patience, rate: float | None = None) -> None:
        self._patience = patience
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
        now = self._patience.clock()
        self._free_at = max(self._free_at, now - 1.0) + items / self.rate
        if self._free_at > now:
            self._patience.sleep(self._free_at - now)
