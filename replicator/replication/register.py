"""The register of work that writes a table which is not the owner: batches of the mirror, and workers that copy.

A turn may only go on when everything older than itself is in both tables, and nothing of ours is still on its way. So
whoever writes registers before it asks who the owner is, and signs off when its last write has been answered. What dies
in between stays registered, with the time by which it is certainly over. Items of the state table, under a pair's id:

    batch#source#<sequence number>    a batch of the mirror, by its first record: running, put off or failed; `twin`
                                      for the other table's stream
    batch#worker#<name>               a worker that copies
    progress#<side>                   how far behind the mirror of this side's stream was

Lambda delivers a failed batch again from the very record that was reported, so the next attempt finds its item.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from replication.codec import pack, pack_item, unpack
from replication.errors import NotUnderstood
from replication.notes import item_key
from replication.values import Item, identity, wire_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from replication.errors import ReplicationError
    from replication.pair import Side

WORKER = "worker"
_BYTES_OF_KEYS = 200_000  # an item of the state table holds 400 KB
_KEPT = ("FailedSince", "RefusedSince")
_PROGRESS_EVERY = 1.0  # seconds: one item takes a thousand writes per second, and hundreds of lanes report to it


class Standing(StrEnum):
    """How registered work stands."""

    RUNNING = "running"  # or dead, when its deadline has passed
    PUT_OFF = "put off"  # a turn had closed the table: Lambda delivers it again
    FAILED = "failed"


@dataclass(frozen=True)
class Registered:
    """Work that has not been signed off. Times are seconds since the epoch."""

    pair_id: str
    lane: str  # the side whose stream it mirrors, or WORKER
    name: str  # sequence number of the first record, or the worker's name
    standing: Standing
    invocation: str
    began: float
    deadline: float  # when Lambda ends the invocation, whatever it is doing
    oldest_at: float  # of its records; 0 when unknown
    life: float | None = None  # when the record was made that it was registered for; None for workers
    failures: int = 0
    failed_since: float | None = None
    refused_since: float | None = None  # the table's policy has let nothing through since
    error: str | None = None
    keys: tuple[Item, ...] = ()  # of the record that failed and of those behind it, which may be given up with it
    keys_missing: bool = False  # there are more, or one could not be read: only a whole copy brings them all back

    @property
    def failing(self) -> bool:
        """Whether it has failed and not been done since, also while it is being tried again."""
        return self.failed_since is not None


@dataclass(frozen=True)
class Progress:
    """How the mirror of one stream stands."""

    ended_at: float  # when the last batch was signed off
    lag: float  # seconds that its oldest record had waited by then
    late_at: float | None  # when a batch last was late


class Register:
    """Registered work and progress of all pairs, in the state table."""

    def __init__(
        self, client: DynamoDBClient, table_name: str, clock: Callable[[], float], lag_limit: float = 10.0
    ) -> None:
        self._client = client
        self._table = table_name
        self._clock = clock
        self._lag_limit = lag_limit
        self._noted: dict[tuple[str, str], float] = {}

    def begin(
        self,
        pair_id: str,
        lane: str,
        name: str,
        invocation: str,
        deadline: float,
        oldest_at: float = 0.0,
        life: float | None = None,
    ) -> tuple[Registered, bool]:
        """Register work before anything is decided about it. Also tells whether an invocation before this one died."""
        held = Registered(pair_id, lane, name, Standing.RUNNING, invocation, self._clock(), deadline, oldest_at, life)
        before = self._write(_key(held, name), Standing=Standing.RUNNING, **_attempt(held))
        if not before:
            return held, False
        found = _registered(before)
        held = replace(
            held,
            failures=found.failures,
            failed_since=found.failed_since,
            refused_since=found.refused_since,
        )
        return held, found.standing is Standing.RUNNING and found.invocation != invocation

    def end(self, held: Registered) -> None:
        """Sign off: every write has been answered, and nothing is due any more."""
        self.forget(held.pair_id, held.lane, held.name)

    def note_progress(self, held: Registered) -> float:
        """Note how late a batch of the mirror was when it ended. Returns its lag in seconds."""
        now = self._clock()
        lag = max(0.0, now - held.oldest_at)
        late = lag > self._lag_limit
        place = (held.pair_id, held.lane)
        if late or now - self._noted.get(place, 0.0) >= _PROGRESS_EVERY:
            late_at = {"LateAt": now} if late else {}
            self._write(item_key(held.pair_id, f"progress#{held.lane}"), EndedAt=now, Lag=lag, **late_at)
            self._noted[place] = now
        return lag

    def put_off(self, held: Registered) -> None:
        """Nothing of this was written, and it comes again: it stays registered, because it is still due."""
        self._write(_key(held, held.name), Standing=Standing.PUT_OFF, **_attempt(held))

    def refused(self, held: Registered) -> float:
        """The table's policy refuses this. Returns since when, in seconds since the epoch."""
        if held.refused_since is not None:
            return held.refused_since
        now = self._clock()
        self._write(_key(held, held.name), Standing=held.standing, RefusedSince=now, **_attempt(held))
        return now

    def failed(
        self, held: Registered, name: str, error: ReplicationError, keys: Iterable[Item], *, keys_missing: bool
    ) -> None:
        """It fails at the record `name`; `keys` are of that record and of all behind it in the batch."""
        kept, more = _bounded(keys)
        self._write(
            _key(held, name),
            Standing=Standing.FAILED,
            **_attempt(held),
            FailedSince=self._clock(),
            Failures=held.failures + 1,
            Error=f"{type(error).__name__}: {error}",
            KeysMissing=keys_missing or more,
            Keys=kept,
        )
        if name != held.name:
            self.end(held)

    def forget(self, pair_id: str, lane: str, name: str) -> None:
        """Nothing is due any more of the work of this name."""
        self._client.delete_item(TableName=self._table, Key=item_key(pair_id, f"batch#{lane}#{name}"))

    def forget_attempt(self, seen: Registered) -> bool:
        """Forget work as it was seen. False, and nothing is forgotten, when it has been tried again since."""
        try:
            self._client.delete_item(
                TableName=self._table,
                Key=item_key(seen.pair_id, f"batch#{seen.lane}#{seen.name}"),
                ConditionExpression="Invocation = :invocation AND Began = :began",
                ExpressionAttributeValues={":invocation": pack(seen.invocation), ":began": pack(seen.began)},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def work(self, pair_id: str, lane: str | None = None) -> list[Registered]:
        """Everything of a pair that has not been signed off, or only that of one lane."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="#pair = :pair AND begins_with(#item, :prefix)",
            ExpressionAttributeNames={"#pair": "Pair", "#item": "Item"},
            ExpressionAttributeValues={":pair": pack(pair_id), ":prefix": pack(f"batch#{lane}#" if lane else "batch#")},
        )
        return [_registered(item) for page in pages for item in page["Items"]]

    def progress(self, pair_id: str, side: Side) -> Progress | None:
        """How the mirror of this side's stream stands; None before its first batch."""
        answer = self._client.get_item(
            TableName=self._table, Key=item_key(pair_id, f"progress#{side}"), ConsistentRead=True
        )
        found = answer.get("Item")
        if found is None:
            return None
        return Progress(_time(found, "EndedAt") or 0.0, _time(found, "Lag") or 0.0, _time(found, "LateAt"))

    def late(self, pair_id: str, side: Side, within: float) -> bool | None:
        """Whether the mirror of this side's stream is late: a batch was, `within` so many seconds, or one in hand is.

        None when nothing of it has come yet. A batch that fails is not late: nobody knows whether it will ever come.
        """
        now, progress = self._clock(), self.progress(pair_id, side)
        in_hand = [one for one in self.work(pair_id, side) if one.oldest_at and not one.failing]
        if any(now - one.oldest_at > self._lag_limit for one in in_hand):
            return True
        if progress is None:
            return None
        return progress.late_at is not None and now - progress.late_at < within

    def _write(self, key: Mapping[str, Any], **changes: Any) -> Mapping[str, Any]:
        """Write attributes of an item; a time that says since when stays. Returns the item as it was before."""
        terms = [
            f"#{name} = if_not_exists(#{name}, :{name})" if name in _KEPT else f"#{name} = :{name}" for name in changes
        ]
        # Keys of items are in wire format already.
        keys = {":Keys": {"L": [{"M": dict(key)} for key in changes.pop("Keys")]}} if "Keys" in changes else {}
        answer = self._client.update_item(
            TableName=self._table,
            Key=key,
            UpdateExpression=f"SET {', '.join(terms)}",
            ExpressionAttributeNames={f"#{name}": name for name in (*changes, *(name[1:] for name in keys))},
            ExpressionAttributeValues={**{f":{name}": value for name, value in pack_item(changes).items()}, **keys},
            ReturnValues="ALL_OLD",
        )
        return answer.get("Attributes", {})


def _attempt(held: Registered) -> dict[str, Any]:
    """Written whenever the item is: it may have been removed meanwhile, and half an item could not be read."""
    return {
        "Invocation": held.invocation,
        "Began": held.began,
        "Deadline": held.deadline,
        "OldestAt": held.oldest_at,
        **({} if held.life is None else {"Life": held.life}),
    }


def _key(held: Registered, name: str) -> dict[str, Any]:
    return item_key(held.pair_id, f"batch#{held.lane}#{name}")


def _bounded(keys: Iterable[Item]) -> tuple[list[Item], bool]:
    """Each key once, as many as an item of the state table can hold; and whether there are more."""
    kept: list[Item] = []
    size = 0
    for key in {identity(key): key for key in keys}.values():
        size += wire_size(key)
        if size > _BYTES_OF_KEYS:
            return kept, True
        kept.append(key)
    return kept, False


def _registered(item: Mapping[str, Any]) -> Registered:
    """What an item says. Raises NotUnderstood when it is half an item, or a later version's."""
    try:
        return _read(item)
    except (KeyError, TypeError, ValueError) as why:
        raise NotUnderstood(
            f"The item {item['Item']['S']} of {item['Pair']['S']} in the state table cannot be used "
            f"({type(why).__name__}: {why}): as long as it is there, nobody knows what is still being written. Restore "
            "the state table, or remove the item and compare."
        ) from why


def _read(item: Mapping[str, Any]) -> Registered:
    _, lane, name = item["Item"]["S"].split("#", 2)
    return Registered(
        pair_id=item["Pair"]["S"],
        lane=lane,
        name=name,
        standing=Standing(item["Standing"]["S"]),
        invocation=item["Invocation"]["S"],
        began=_time(item, "Began") or 0.0,
        deadline=_time(item, "Deadline") or 0.0,
        oldest_at=_time(item, "OldestAt") or 0.0,
        life=_time(item, "Life"),
        failures=unpack(item.get("Failures", pack(0))),
        failed_since=_time(item, "FailedSince"),
        refused_since=_time(item, "RefusedSince"),
        error=item["Error"]["S"] if "Error" in item else None,
        keys=tuple(key["M"] for key in item["Keys"]["L"]) if "Keys" in item else (),
        keys_missing=unpack(item.get("KeysMissing", pack(value=False))),
    )


def _time(item: Mapping[str, Any], name: str) -> float | None:
    return float(unpack(item[name])) if name in item else None
