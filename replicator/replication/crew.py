"""Whom gate and turns work with: every effect goes through one of these, so that tests can stand in for the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from replication.access import Access
    from replication.answer import Answers
    from replication.look import Look
    from replication.mappings import Mappings
    from replication.pair import Pair
    from replication.probe import Probes
    from replication.register import Register
    from replication.state import State
    from replication.stream import Streams
    from replication.waits import Waits


@dataclass(frozen=True)
class Crew:
    """The collaborators of gate and turns."""

    state: State
    access: Access
    streams: Streams
    probes: Probes
    look: Callable[[int], Look]  # for the holder of this token
    mappings: Mappings
    register: Register
    answers: Answers
    evidence: Callable[[Pair], list[str]]  # what speaks against a cutover of this pair
    waits: Waits
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    log: Callable[[str, dict[str, object]], None]
