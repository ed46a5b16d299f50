"""The second look: what the owner holds of given keys goes to the other table, whatever the mirror did with them.

It writes with a role that only turns use, in the one mode of the other table in which nobody else can, and never
repeats a write that was not answered: such a write may land much later, and by then clients may write that table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replication.errors import NotCopied, NotEmpty, TableError
from replication.values import Write, digest, equal, identity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from replication.ahead import Ahead
    from replication.tables import Tables
    from replication.values import Item

_CHUNK = 1000  # keys between two signs of life


class Look:
    """Copies keys of one table to another, whole items as they are."""

    def __init__(self, reader: Tables, writer: Tables) -> None:
        """`writer` writes in the session of one turn and must not repeat unanswered writes."""
        self._reader = reader
        self._writer = writer

    def read_ahead(self, owner: str, ahead: Ahead, deadline: float) -> bool:
        """Reads the next keys of the sealed owner; False when there are no more. What cannot be read now is left to
        the look."""
        keys = ahead.due(_CHUNK)
        if not keys:
            return False
        try:
            ahead.note(keys, self._reader.get(owner, keys, deadline, consistent=True))
        except TableError:
            ahead.stop()
        return True

    def copy(
        self, owner: str, other: str, keys: Sequence[Item], ahead: Ahead, deadline: float, alive: Callable[[], None]
    ) -> None:
        """Makes the other table hold of these keys what the owner holds; calls `alive` between chunks.

        What it holds already, because the mirror was in time, is not written again: reading takes a fraction of the
        time and of the capacity. Nobody else writes either table now, so that it still holds it in the end. Of the
        owner only those keys are read of which it is not known `ahead` that both hold the same.

        Raises Unanswered, NotCopied, and a TableError when a table cannot be read.
        """
        # A key may have been read and have failed; a batch must not name it twice.
        named = list({identity(key): key for key in keys}.items())
        for at in range(0, len(named), _CHUNK):
            chunk = dict(named[at : at + _CHUNK])
            there = self._reader.get(other, list(chunk.values()), deadline, consistent=True)
            unsure = {name: key for name, key in chunk.items() if not ahead.matches(name, there.get(name))}
            held = self._reader.get(owner, list(unsure.values()), deadline, consistent=True)
            due = [
                Write(key, held.get(name)) for name, key in unsure.items() if not equal(held.get(name), there.get(name))
            ]
            failures = self._writer.write(other, due, deadline)
            if failures:
                which = ", ".join(digest(failure.write.key) for failure in failures[:5])
                raise NotCopied(
                    f"{len(failures)} of the keys written during the turn could not be brought to {other}, for example "
                    f"those with digest {which}: {failures[0].error}"
                )
            alive()

    def require_empty(self, table: str, deadline: float) -> None:
        """Raises NotEmpty when the table holds anything, AccessRefused or Throttled when it cannot be read."""
        if self._reader.scan(table, deadline, segment=(0, 1), after=None, limit=1).items:
            raise NotEmpty(
                f"{table} already holds items. A stack can only start at this stage with empty tables: go to replicate "
                "first, then populate, then cutover."
            )
