"""Comparing both tables while they are written: a difference is only what stays one.

A page of one table is looked up in the other. What differs is looked at again, with consistent reads of both, and again
after the mirror has had its time, because a write is in the owner first and in the other table a moment later; where
the mirror is known to be late, the worker looks until it has come. A key that is equal at any of these looks is equal.
A key whose two sides both go on changing is being mirrored just then, and its value will come that way.

What a comparison cannot see: a value that was wrong and was overwritten before it came by, and what happens after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replication.values import Item, equal, identity

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from replication.copy import Ends
    from replication.tables import Page, Patience, Tables

# Seconds before each further look; together three times the lag at which a turn refuses.
LOOKS_AFTER = (0.0, 1.0, 3.0, 6.0, 20.0)
ONE_LOOK = (0.0,)  # for a repair: a key that is only late is brought over without harm
_NO_LONGER_REMOVED = 5 * 365 * 24 * 3600  # seconds: what expired longer ago than that, DynamoDB leaves where it is


@dataclass(frozen=True)
class _Both:
    """What both tables had under a key at one moment."""

    key: Item
    owner: Item | None
    other: Item | None


class Compare:
    """Compares pages of either table with the other one. `expiry`: the attribute by which items expire, if any."""

    def __init__(
        self,
        tables: Tables,
        ends: Ends,
        patience: Patience,
        expiry: str | None,
        looks_after: Sequence[float] = LOOKS_AFTER,
    ) -> None:
        self._tables = tables
        self._ends = ends
        self._patience = patience
        self._expiry = expiry
        self._looks_after = looks_after
        self.waited = 0.0  # seconds between looks so far

    def of_owner(self, page: Page, deadline: float) -> list[Item]:
        """The keys of a page of the owner under which the other table has something else. Raises a TableError."""
        keys = [self._ends.key(item) for item in page.items]
        others = self._tables.get(self._ends.other, keys, deadline, consistent=False)
        suspects = [
            key for key, item in zip(keys, page.items, strict=True) if not equal(item, others.get(identity(key)))
        ]
        return self.remaining(suspects, deadline)

    def of_other(self, page: Page, deadline: float) -> list[Item]:
        """The keys of a page of the other table that the owner does not have. Raises a TableError."""
        keys = [self._ends.key(item) for item in page.items]
        owners = self._tables.get(self._ends.owner, keys, deadline, consistent=False)
        return self.remaining([key for key in keys if identity(key) not in owners], deadline)

    def remaining(self, suspects: Sequence[Item], deadline: float) -> list[Item]:
        """Those of the keys that stay different, look after look. Raises a TableError."""
        before: dict[Hashable, _Both] = {}
        for wait in self._looks_after:
            if not suspects:
                return []
            if wait:
                self._patience.sleep(wait)
                self.waited += wait
            now = self._look(suspects, deadline)
            found = {
                identity(both.key): both
                for both in now
                if not self._same(both) and not _is_followed(before.get(identity(both.key)), both)
            }
            suspects = [both.key for both in found.values()]
            before = found
        return list(suspects)

    def _look(self, keys: Sequence[Item], deadline: float) -> list[_Both]:
        # The owner first: that gives the mirror a moment.
        owners = self._tables.get(self._ends.owner, keys, deadline, consistent=True)
        others = self._tables.get(self._ends.other, keys, deadline, consistent=True)
        return [_Both(key, owners.get(identity(key)), others.get(identity(key))) for key in keys]

    def _same(self, both: _Both) -> bool:
        return equal(both.owner, both.other) or (self._is_over(both.owner) and self._is_over(both.other))

    def _is_over(self, item: Item | None) -> bool:
        """Whether there is no item, or one that DynamoDB removes when it gets to it: each table at its own time."""
        if item is None:
            return True
        if self._expiry is None or "N" not in item.get(self._expiry, {}):
            return False
        expired_for = self._patience.clock() - float(item[self._expiry]["N"])
        return 0 < expired_for < _NO_LONGER_REMOVED


def _is_followed(before: _Both | None, now: _Both) -> bool:
    """Whether both sides have changed since the look before: the mirror is carrying this key's writes."""
    return before is not None and not equal(before.owner, now.owner) and not equal(before.other, now.other)
