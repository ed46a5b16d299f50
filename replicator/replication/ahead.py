"""What the sealed owner holds, read ahead while the fence spreads, so that of most keys the look reads one table only.

Kept of each item is its fingerprint, so that memory does not grow with the items. All that a fingerprint can do is to
spare a key: the look takes what the other table holds for right where it has the same one. Whatever the look writes it
has read by itself, after the fence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replication.values import fingerprint, identity

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from replication.stream import Seen
    from replication.values import Item


class Ahead:
    """Fingerprints of a table's items, as it held them when they were read."""

    def __init__(self, keys: Iterable[Item] = ()) -> None:
        """`keys`: those to be read."""
        self._unread = list(keys)
        self._known: dict[Hashable, bytes] = {}

    def due(self, most: int) -> list[Item]:
        """So many of the keys that have not been read yet."""
        return self._unread[-most:]

    def note(self, keys: Sequence[Item], held: Mapping[Hashable, Item]) -> None:
        """These, the last that were due, have been read: the table holds of them what `held` says."""
        del self._unread[-len(keys) :]
        self._known |= {name: fingerprint(held.get(name)) for name in map(identity, keys)}

    def stop(self) -> None:
        """Nothing more is due."""
        self._unread.clear()

    def forget(self, records: Iterable[Seen]) -> None:
        """Somebody has changed these after all (R1): what was read of them may be older than that."""
        for record in records:
            self._known.pop(identity(record.key), None)

    def matches(self, name: Hashable, item: Item | None) -> bool:
        """Whether it is known that the table holds exactly this under the key of this identity."""
        return name in self._known and self._known[name] == fingerprint(item)
