"""Stream records, read and put in order: what has to be written, without writing it.

A batch is read up to its first record that cannot be mirrored. Nothing is skipped: that record is named, and everything
before it is still due. Of a key's changes the last one is enough, because every change is a whole item; a table whose
stream has readers of its own is owed every one, in rounds that hold a key once.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from replication.errors import PoisonRecord
from replication.tables import BYTES_PER_BATCH, WRITES_PER_BATCH
from replication.values import Item, Write, equal, from_event, identity

_VIEWS_WITH_NEW_IMAGE = ("NEW_IMAGE", "NEW_AND_OLD_IMAGES")
# Bytes in the table. In a request an item can be up to twelve times as long: an empty string in a list is 1 byte there
# and 11 here.
_SMALL = BYTES_PER_BATCH // WRITES_PER_BATCH // 12
_EXPIRY = ("Service", "dynamodb.amazonaws.com")


@dataclass(frozen=True)
class Change:
    """One stream record: the whole item that its key has since. `at` is in seconds since the epoch, rounded down."""

    place: int  # in the batch, from 0
    sequence: str
    write: Write
    at: float
    small: bool = False  # so that any batch of such stays under 16 MB
    expired: bool = False  # DynamoDB deleted the item because its time to live was over


@dataclass(frozen=True)
class Poison:
    """The first record of a batch that cannot be mirrored."""

    place: int
    error: PoisonRecord
    sequence: str | None


@dataclass(frozen=True)
class Batch:
    """The records of one invocation, up to the first that cannot be mirrored."""

    changes: tuple[Change, ...]
    poison: Poison | None = None


def read(records: Sequence[object], stream_arn: str) -> Batch:
    """Read the records of one stream. Never raises: the first that cannot be read ends the batch as its poison."""
    changes: list[Change] = []
    for place, record in enumerate(records):
        try:
            changes.append(_change(place, record, stream_arn))
        except PoisonRecord as error:
            return Batch(tuple(changes), Poison(place, error, _sequence(record)))
    return Batch(tuple(changes))


def keys_from(records: Sequence[object], place: int) -> tuple[list[Item], bool]:
    """The keys of the records from this place on, and whether all of them could be read."""
    keys = [_key(record) for record in records[place:]]
    return [key for key in keys if key is not None], None not in keys


def by_key(changes: Iterable[Change]) -> dict[Hashable, list[Change]]:
    """The changes of each key, in order."""
    found: dict[Hashable, list[Change]] = {}
    for change in changes:
        found.setdefault(identity(change.write.key), []).append(change)
    return found


def rounds(changes: Iterable[Change]) -> list[list[Change]]:
    """Every change, the n-th of a key in the n-th round."""
    found: list[list[Change]] = []
    for changes_of_key in by_key(changes).values():
        for number, change in enumerate(changes_of_key):
            if number == len(found):
                found.append([])
            found[number].append(change)
    return found


def _change(place: int, record: object, stream_arn: str) -> Change:
    if not isinstance(record, Mapping):
        raise PoisonRecord(f"a stream record must be a map, not {type(record).__name__}")
    content = record.get("dynamodb")
    if not isinstance(content, Mapping):
        raise PoisonRecord("the record has no part `dynamodb`")
    if not _sequence(record):
        raise PoisonRecord("the record has no SequenceNumber")
    if record.get("eventSourceARN") != stream_arn:
        raise PoisonRecord(f"the record is of another stream than the batch: {record.get('eventSourceARN')}")
    at = content.get("ApproximateCreationDateTime")
    if isinstance(at, bool) or not isinstance(at, int | float):
        raise PoisonRecord("the record has no ApproximateCreationDateTime")
    if not content.get("Keys"):
        raise PoisonRecord("the record has no Keys")
    key = from_event(content["Keys"])
    size = content.get("SizeBytes")
    small = isinstance(size, int) and size <= _SMALL
    write = Write(key, _image(record, content, key))
    return Change(place, str(_sequence(record)), write, at, small, _by_expiry(record))


def _image(record: Mapping[str, Any], content: Mapping[str, Any], key: Item) -> Item | None:
    """The item that the key has since; None when it is gone."""
    event = record.get("eventName")
    if event == "REMOVE":
        return None
    if event not in ("INSERT", "MODIFY"):
        raise PoisonRecord(f"eventName is {event!r}, expected INSERT, MODIFY or REMOVE")
    if "NewImage" not in content:
        view = content.get("StreamViewType")
        if view in _VIEWS_WITH_NEW_IMAGE:
            raise PoisonRecord(f"the {event} record has no NewImage")
        raise PoisonRecord(
            f"the stream's view type is {view!r}, so that its records do not hold the new item: "
            "it must be NEW_IMAGE or NEW_AND_OLD_IMAGES"
        )
    image = from_event(content["NewImage"])
    if not equal(key, {name: image[name] for name in key if name in image}):
        raise PoisonRecord("the record's NewImage does not have the record's Keys")
    return image


def _sequence(record: object) -> str | None:
    content = record.get("dynamodb") if isinstance(record, Mapping) else None
    found = content.get("SequenceNumber") if isinstance(content, Mapping) else None
    return found if isinstance(found, str) and found else None


def _key(record: object) -> Item | None:
    """The key of a record that is poison for another reason."""
    content = record.get("dynamodb") if isinstance(record, Mapping) else None
    try:
        return from_event(content["Keys"]) if isinstance(content, Mapping) and content.get("Keys") else None
    except PoisonRecord:
        return None


def _by_expiry(record: Mapping[str, Any]) -> bool:
    who = record.get("userIdentity")
    return isinstance(who, Mapping) and (who.get("type"), who.get("principalId")) == _EXPIRY
