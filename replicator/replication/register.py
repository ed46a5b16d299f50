"""The register of the mirror's batches: which are under way, which have failed and for which keys, how late it is.

A turn may only begin its work when everything older than itself has been mirrored, so an invocation registers before it
asks who the owner is, and signs off when its last write has been answered. Items of the state table, under a pair's id:

    batch#<side>#<first sequence number>    an invocation that has not signed off, or a record that fails
    progress#<side>                         how far behind the mirror of this side's stream was

Lambda delivers a failed batch again from the very record that was reported, so the next attempt finds its item.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replication.codec import pack, unpack
from replication.pair import Side
from replication.values import Item, identity, wire_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from replication.errors import ReplicationError

_BYTES_OF_KEYS = 200_000  # an item of the state table holds 400 KB
_PROGRESS_EVERY = 1.0  # seconds: one item takes a thousand writes per second, and hundreds of lanes report to it


@dataclass(frozen=True)
class Registered:
    """A batch of the mirror that has not been signed off. Times are seconds since the epoch."""

    pair_id: str
    side: Side
    sequence: str
    began: float
    deadline: float  # when Lambda ends the invocation, whatever it is doing
    attempts: int
    failed_since: float | None = None
    refused_since: float | None = None  # the table's policy has let nothing through since
    error: str | None = None
    keys: tuple[Item, ...] = ()  # of the record that failed and of those behind it
    keys_missing: bool = False  # there are more, or a key could not be read: only a whole copy brings them back


@dataclass(frozen=True)
class Progress:
    """How the mirror of one stream stands."""

    ended_at: float  # when the last batch was signed off
    lag: float  # seconds that its oldest record had waited by then
    late_at: float | None  # when a batch last was late, or a write of one got no answer


class Register:
    """Batches and progress of all pairs, in the state table."""

    def __init__(
        self, client: DynamoDBClient, table_name: str, clock: Callable[[], float], lag_limit: float = 10.0
    ) -> None:
        self._client = client
        self._table = table_name
        self._clock = clock
        self._lag_limit = lag_limit
        self._noted: dict[tuple[str, Side], float] = {}

    def begin(self, pair_id: str, side: Side, sequence: str, deadline: float) -> Registered:
        """Register the batch that begins with this record, before anything is decided about it."""
        changes = {"Began": self._clock(), "Deadline": deadline}
        answer = self._client.update_item(
            TableName=self._table,
            Key=_key(pair_id, _batch(side, sequence)),
            UpdateExpression="SET Began = :Began, Deadline = :Deadline ADD Attempts :one",
            ExpressionAttributeValues={":one": {"N": "1"}, **{f":{name}": pack(at) for name, at in changes.items()}},
            ReturnValues="ALL_NEW",
        )
        return _registered(answer["Attributes"])

    def end(self, batch: Registered, oldest_at: float, *, unanswered: bool) -> float:
        """Sign a batch off: all of its writes have been answered. Returns its lag in seconds.

        An unanswered write that was repeated may still land: it counts as late, so that a turn lets it pass first.
        """
        self.forget(batch.pair_id, batch.side, batch.sequence)
        now = self._clock()
        lag = max(0.0, now - oldest_at)
        late = unanswered or lag > self._lag_limit
        place = (batch.pair_id, batch.side)
        if late or now - self._noted.get(place, 0.0) >= _PROGRESS_EVERY:
            changes = {"EndedAt": now, "Lag": lag} | ({"LateAt": now} if late else {})
            self._client.update_item(
                TableName=self._table,
                Key=_key(batch.pair_id, f"progress#{batch.side}"),
                UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in changes),
                ExpressionAttributeValues={f":{name}": pack(value) for name, value in changes.items()},
            )
            self._noted[place] = now
        return lag

    def put_off(self, batch: Registered) -> None:
        """Sign off a batch of which nothing was written and which comes again; what had failed before stays known."""
        if batch.failed_since is None:
            self.forget(batch.pair_id, batch.side, batch.sequence)

    def refused(self, batch: Registered) -> float:
        """The table's policy refuses this batch. Returns since when, in seconds since the epoch."""
        answer = self._client.update_item(
            TableName=self._table,
            Key=_key(batch.pair_id, _batch(batch.side, batch.sequence)),
            UpdateExpression="SET RefusedSince = if_not_exists(RefusedSince, :now)",
            ExpressionAttributeValues={":now": pack(self._clock())},
            ReturnValues="ALL_NEW",
        )
        return float(unpack(answer["Attributes"]["RefusedSince"]))

    def failed(
        self, batch: Registered, sequence: str, error: ReplicationError, keys: Iterable[Item], *, keys_missing: bool
    ) -> None:
        """A batch fails at this record; `keys` are of this record and of all behind it, which may be lost with it."""
        kept, more = _bounded(keys)
        self._client.update_item(
            TableName=self._table,
            Key=_key(batch.pair_id, _batch(batch.side, sequence)),
            UpdateExpression=(
                "SET FailedSince = if_not_exists(FailedSince, :now), Began = :began, Deadline = :deadline, "
                "#Error = :error, #Keys = :keys, KeysMissing = :missing, Attempts = if_not_exists(Attempts, :one)"
            ),
            ExpressionAttributeNames={"#Error": "Error", "#Keys": "Keys"},
            ExpressionAttributeValues={
                ":now": pack(self._clock()),
                ":began": pack(batch.began),
                ":deadline": pack(batch.deadline),
                ":error": pack(f"{type(error).__name__}: {error}"),
                ":keys": {"L": [{"M": dict(key)} for key in kept]},
                ":missing": pack(keys_missing or more),
                ":one": pack(1),
            },
        )
        if sequence != batch.sequence:
            self.forget(batch.pair_id, batch.side, batch.sequence)

    def forget(self, pair_id: str, side: Side, sequence: str) -> None:
        """Nothing is due any more of the batch that begins with this record."""
        self._client.delete_item(TableName=self._table, Key=_key(pair_id, _batch(side, sequence)))

    def repaired(self, batch: Registered) -> bool:
        """Forget a failed batch whose keys were copied. False when it has been tried again since it was read."""
        try:
            self._client.delete_item(
                TableName=self._table,
                Key=_key(batch.pair_id, _batch(batch.side, batch.sequence)),
                ConditionExpression="Began = :began",
                ExpressionAttributeValues={":began": pack(batch.began)},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def batches(self, pair_id: str) -> list[Registered]:
        """Every batch of a pair that has not been signed off, those that failed among them."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="#pair = :pair AND begins_with(#item, :batch)",
            ExpressionAttributeNames={"#pair": "Pair", "#item": "Item"},
            ExpressionAttributeValues={":pair": {"S": pair_id}, ":batch": {"S": "batch#"}},
        )
        return [_registered(item) for page in pages for item in page["Items"]]

    def progress(self, pair_id: str, side: Side) -> Progress | None:
        """How the mirror of this side's stream stands; None before its first batch."""
        answer = self._client.get_item(
            TableName=self._table, Key=_key(pair_id, f"progress#{side}"), ConsistentRead=True
        )
        found = answer.get("Item")
        if found is None:
            return None
        late_at = unpack(found["LateAt"]) if "LateAt" in found else None
        return Progress(float(unpack(found["EndedAt"])), float(unpack(found["Lag"])), late_at)


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
    _, side, sequence = item["Item"]["S"].split("#")

    def optional(name: str) -> Any:
        return unpack(item[name]) if name in item else None

    return Registered(
        pair_id=item["Pair"]["S"],
        side=Side(side),
        sequence=sequence,
        began=float(unpack(item["Began"])),
        deadline=float(unpack(item["Deadline"])),
        attempts=int(optional("Attempts") or 1),
        failed_since=optional("FailedSince"),
        refused_since=optional("RefusedSince"),
        error=optional("Error"),
        keys=tuple(key["M"] for key in item["Keys"]["L"]) if "Keys" in item else (),
        keys_missing=bool(optional("KeysMissing")),
    )


def _batch(side: Side, sequence: str) -> str:
    return f"batch#{side}#{sequence}"


def _key(pair_id: str, item: str) -> dict[str, Any]:
    return {"Pair": {"S": pair_id}, "Item": {"S": item}}
