"""A state table with nothing to say, for runs of which there are thousands: one pair, its source the owner."""

from __future__ import annotations

from typing import Any

from replication.pair import Pair, Side
from replication.register import Registered, Standing
from tests.replicator.data.world import pair


class Quiet:
    """Stands in for the state and for the register."""

    def __init__(self, found: Pair | None = None) -> None:
        self.found = found or pair()

    def pair_of_stream(self, stream_arn: str) -> tuple[Pair, Side]:
        return self.found, self.found.owner

    def pair(self, pair_id: str) -> Pair:
        return self.found

    def begin(
        self,
        pair_id: str,
        lane: str,
        name: str,
        invocation: str,
        deadline: float,
        oldest_at: float,
        life: float | None,
    ) -> tuple[Registered, bool]:
        return Registered(pair_id, lane, name, Standing.RUNNING, invocation, 0.0, deadline, oldest_at, life), False

    def note_progress(self, held: Registered) -> float:
        return 0.0

    def note_failure(self, pair_id: str, at: float) -> None: ...

    def end(self, held: Registered) -> None: ...

    def failed(self, *given: Any, **named: Any) -> None: ...
