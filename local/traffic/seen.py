"""Did a reader of a table's stream see every change, in order? Judged by the history of all calls, like all here.

Its notes say of every record from which stream it came, its place in it, and what the key held before and after. A
value that only one call wrote to a key tells which call a note is about; so half of the writes, and every step of a
counter, must be found. Notes may repeat what others say: a reader is promised every change at least once.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from local.traffic.history import Call, Op

_BEGIN, _END = -1, float("inf")


@dataclass(frozen=True, slots=True)
class Note:
    """One record as the reader noted it. None is an absent item."""

    key: str
    stream: str
    place: int  # in its stream
    before: str | None
    after: str | None
    first_seen: int = 0


def unseen(calls: Iterable[Call], notes: Iterable[Note]) -> list[str]:
    """What the reader has not seen, or not in order, each in words; empty when nothing is missing.

    Within one stream the notes of a key must follow each other without a gap and in the order in which they were
    first seen. All together must hold every acknowledged write, first seen in an order that their intervals allow.
    """
    history: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        if call.is_write:
            history[call.key].append(call)
    noted: dict[str, dict[str, list[Note]]] = defaultdict(lambda: defaultdict(list))
    for note in sorted(notes, key=lambda note: note.place):
        noted[note.key][note.stream].append(note)
    found = []
    for key in sorted(history.keys() | noted.keys()):
        for stream, of_stream in noted[key].items():
            found += [f"{key}: {what} on {stream}" for what in _broken(of_stream)]
        found += [f"{key}: {what}" for what in _missing(_Writes(history[key]), list(noted[key].values()))]
    return found


def last_seen(notes: Iterable[Note]) -> dict[str, str]:
    """What the keys hold by the last note of each; of notes from one stream."""
    held: dict[str, str | None] = {}
    for note in sorted(notes, key=lambda note: note.place):
        held[note.key] = note.after
    return {key: value for key, value in held.items() if value is not None}


def _broken(notes: Sequence[Note]) -> list[str]:
    """Gaps and disorder among the notes of one key from one stream."""
    found = [f"{notes[0].before} was there before the first note"] if notes[0].before is not None else []
    for one, other in pairwise(notes):
        if one.after != other.before:
            found.append(f"a gap from {one.after} to {other.before}")
        if one.first_seen > other.first_seen:
            found.append(f"{other.after} was seen before {one.after}, which it followed")
    return found


@dataclass
class _Writes:
    """The writes of one key."""

    calls: Sequence[Call]
    by_value: dict[str | None, list[Call]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for call in self.calls:
            if call.may_have_taken_effect:
                self.by_value[None if call.op is Op.DELETE else call.value].append(call)

    def telling(self) -> list[Call]:
        """Acknowledged writes that left a value which no other write of the key leaves."""
        return [calls[0] for value, calls in self.by_value.items() if value is not None and _only_one(calls)]

    def deletes(self) -> list[Call]:
        return [call for call in self.by_value[None] if call.took_effect]


def _only_one(calls: Sequence[Call]) -> bool:
    return len(calls) == 1 and calls[0].took_effect


def _missing(writes: _Writes, streams: Sequence[Sequence[Note]]) -> list[str]:
    """What of these writes no stream holds, and what a stream holds that cannot be."""
    values = {note.after for notes in streams for note in notes}
    strange = sorted(value for value in values - writes.by_value.keys() if value is not None)
    found = [f"{value} was noted, which nobody wrote" for value in strange]
    found += [
        f"{call.value}, acknowledged to {call.client}, was not seen"
        for call in writes.telling()
        if call.value not in values
    ]
    as_seen = sorted((note for notes in streams for note in notes), key=lambda note: note.first_seen)
    found += _Order(as_seen, writes.telling()).crossed()
    orders = [_Order(notes, writes.telling()) for notes in streams]
    found += [
        f"a deletion, acknowledged to {call.client}, was not seen"
        for call in writes.deletes()
        if not any(order.explains(call) for order in orders)
    ]
    return found


class _Order:
    """Notes of one key, and the telling writes in the order in which they first say them."""

    def __init__(self, notes: Sequence[Note], telling: Iterable[Call]) -> None:
        places: dict[str | None, int] = {}
        for place, note in enumerate(notes):
            places.setdefault(note.after, place)
        self._absent = [place for place, note in enumerate(notes) if note.after is None]
        found = [(places[call.value], call) for call in telling if call.value in places]
        self._writes = sorted(found, key=lambda one: one[0])

    def crossed(self) -> Iterator[str]:
        """Writes that stand behind one which began only after their end."""
        latest: Call | None = None
        for _, call in self._writes:
            if latest is not None and call.end < latest.start:
                yield f"{latest.value} was seen before {call.value}, which had been acknowledged before it began"
            if latest is None or call.start > latest.start:
                latest = call

    def explains(self, delete: Call) -> bool:
        """Whether the key is absent somewhere between what was written before the deletion and what after it."""
        before = max((place for place, call in self._writes if call.end < delete.start), default=_BEGIN)
        after = min((place for place, call in self._writes if call.start > delete.end), default=_END)
        return before == _BEGIN or any(before < place < after for place in self._absent)
