"""When a reference names the twin: the rules, and what they move."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from migration.stages import Stage


class Rule(IntEnum):
    """The first stage at which a reference names the new id."""

    TWIN = Stage.OFF
    """In what belongs to the twin: always."""
    DATA = Stage.CUTOVER
    """Where running code is told which table to use."""
    LATE = Stage.CLEANUP
    """What changes once and last: streams, exports, names of roles, what tables say about each other."""
    SOURCE = Stage.CLEANUP + 1
    """In what belongs to the source: never."""


@dataclass(frozen=True)
class Move:
    """One logical id that gives way to another."""

    old: str
    new: str
    tables: frozenset[str] = frozenset()
    """The tables that it leads to: their gates come before what names it."""
    since: int | None = None
    """The stage from which on every reference names the new id, whatever its rule; None leaves it to the rule."""

    @property
    def is_table(self) -> bool:
        """Whether it is a table itself that moves."""
        return self.old in self.tables
