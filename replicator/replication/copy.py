"""Copying beside live writes: write, look again at the owner, and write again what is not there any more as it was.

The mirror runs at the same time, so an image that was read a moment ago may be older than what the mirror has already
written over it. No condition helps against that, but a second look does: after a write has been answered, the owner is
read consistently. What is still as it was written is right, because whatever comes later comes through the mirror. What
differs is written again, what is gone is deleted, and looked at again.

A key that changes between every two looks would never end. It need not: when two looks after the last write differ from
each other, the owner took a write after ours had landed, and the mirror will carry that one over ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replication.errors import ItemRejected
from replication.tables import BYTES_PER_BATCH
from replication.values import Item, Write, digest, equal, identity

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from replication.pace import Pace
    from replication.tables import Page, Tables

_REWRITES = 3  # of a key that keeps changing, before it is asked whether the mirror is at it anyway


@dataclass(frozen=True)
class Ends:
    """From which table to which, by name, and the names of their key attributes."""

    owner: str
    other: str
    key_names: tuple[str, ...]

    def key(self, item: Item) -> Item:
        """The key of an item."""
        return {name: item[name] for name in self.key_names}


class Copy:
    """Brings items from the owner to the other table."""

    def __init__(self, tables: Tables, ends: Ends, pace: Pace) -> None:
        self._tables = tables
        self._ends = ends
        self._pace = pace

    def page(self, page: Page, deadline: float) -> int:
        """Bring the items of a page of the owner. Returns how many writes that took. Raises a TableError."""
        # A character can be three times as long in a request as in an answer: then the whole page fits into one.
        small = page.size * 3 <= BYTES_PER_BATCH
        return self._bring([Write(self._ends.key(item), item) for item in page.items], deadline, small=small)

    def keys(self, keys: Sequence[Item], deadline: float) -> int:
        """Bring what the owner has under these keys, which may be nothing. Returns how many writes that took."""
        found = self._tables.get(self._ends.owner, keys, deadline, consistent=True)
        return self._bring([Write(key, found.get(identity(key))) for key in keys], deadline, small=False)

    def _bring(self, writes: list[Write], deadline: float, *, small: bool) -> int:
        size = self._pace.portion or len(writes) or 1
        return sum(self._settle(writes[at : at + size], deadline, small=small) for at in range(0, len(writes), size))

    def _settle(self, writes: Sequence[Write], deadline: float, *, small: bool) -> int:
        pending = {identity(write.key): write for write in writes}
        written = rounds = 0
        while pending:
            self._pace.take(len(pending))
            self._write(list(pending.values()), deadline, small=small and rounds == 0)
            written += len(pending)
            rounds += 1
            pending = self._changed(pending, deadline)
            if pending and rounds >= _REWRITES:
                moved = self._changed(pending, deadline)
                pending = {key: write for key, write in pending.items() if key not in moved}
        return written

    def _write(self, writes: list[Write], deadline: float, *, small: bool) -> None:
        for failure in self._tables.write(self._ends.other, writes, deadline, small=small):
            if isinstance(failure.error, ItemRejected):
                raise ItemRejected(
                    f"Table {self._ends.other} does not take the item whose key has the digest "
                    f"{digest(failure.write.key)}. {failure.error}"
                ) from failure.error
            raise failure.error

    def _changed(self, writes: dict[Hashable, Write], deadline: float) -> dict[Hashable, Write]:
        """The keys under which the owner has something else than this, with what it has."""
        found = self._tables.get(self._ends.owner, [write.key for write in writes.values()], deadline, consistent=True)
        return {
            key: Write(write.key, found.get(key))
            for key, write in writes.items()
            if not equal(write.item, found.get(key))
        }
