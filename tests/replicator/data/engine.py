"""A DynamoDB of dictionaries for tests of the data plane: batch calls, scans and streams of user tables.

It keeps DynamoDB's rules that these tests lean on (25 and 100 per batch, no key twice, a write that changes nothing
leaves no record, segments by hash of the key), and calls `before` ahead of each call, where a test raises, kills or
switches.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Hashable
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from replication.tables import Patience, Tables
from replication.values import Item, equal, identity, wire_size


class Killed(BaseException):
    """The process is gone: nothing that it could catch."""


def refusal(code: str, operation: str = "BatchWriteItem", message: str = "no", status: int = 400) -> ClientError:
    """The error that boto3 raises for an answer of DynamoDB."""
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        operation,
    )


def no_answer() -> ReadTimeoutError:
    """The error that boto3 raises when a call hangs."""
    return ReadTimeoutError(endpoint_url="https://dynamodb.example")


class Time:
    """A clock that moves only when somebody sleeps, or a test pushes it."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def patience(self) -> Patience:
        return Patience(self.clock, self.sleep, lambda: 0.5)


class Engine:
    """Tables of one string or composite key. `streams[table]` holds the events that Lambda would deliver."""

    def __init__(self, *names: str, keys: tuple[str, ...] = ("id",), page: int = 1000) -> None:
        self.keys = keys
        self.page = page
        self.tables: dict[str, dict[Hashable, Item]] = {name: {} for name in names}
        self.streams: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.ids = {name: f"id-of-{name}" for name in names}
        self.expiry: str | None = None
        self.before: Callable[[str, dict[str, Any]], Any] = lambda operation, request: None
        self.stale: Callable[[], int] = lambda: 0  # how many writes back a read that is not consistent sees
        self._history: dict[str, list[tuple[Hashable, Item | None]]] = {name: [] for name in names}
        self.rejects: Callable[[str, Item], bool] = lambda table, item: False
        self.now = 1_000_000.0

    def tables_client(self, time: Time, **options: Any) -> Tables:
        """The code under test on top of this engine, one batch after the other."""
        return Tables(self, time.patience(), **{"threads": 1, **options})  # type: ignore[arg-type]

    def put(self, table: str, item: Item) -> None:
        """A write of a client."""
        self._write(table, self.key(item), item)

    def delete(self, table: str, key: Item) -> None:
        """A delete of a client."""
        self._write(table, key, None)

    def key(self, item: Item) -> dict[str, Any]:
        return {name: item[name] for name in self.keys}

    def items(self, table: str) -> dict[Hashable, Item]:
        return dict(self.tables[table])

    def calls_of(self, operation: str) -> list[dict[str, Any]]:
        return [request for name, request in self.calls if name == operation]

    def settle(self) -> None:
        """What was written until now is older than any stream and any read that is not consistent."""
        for name in self.tables:
            self.streams[name].clear()
            self._history[name].clear()

    # ---- the client's operations ----

    def batch_write_item(self, **request: Any) -> dict[str, Any]:
        answer = self._begin("batch_write_item", request)
        if answer is not None:
            return answer
        [(table, requests)] = request["RequestItems"].items()
        writes = [
            (self.key(one["PutRequest"]["Item"]), one["PutRequest"]["Item"])
            if "PutRequest" in one
            else (one["DeleteRequest"]["Key"], None)
            for one in requests
        ]
        if not 1 <= len(writes) <= 25:
            raise refusal("ValidationException", message="1 to 25 requests")
        if len({identity(key) for key, _ in writes}) < len(writes):
            raise refusal("ValidationException", message="a key twice")
        if any(item is not None and self.rejects(table, item) for _, item in writes):
            raise refusal("ValidationException", message="an index does not take its key")
        self.write(table, requests)
        return {"UnprocessedItems": {}}

    def write(self, table: str, requests: list[dict[str, Any]]) -> None:
        """The effect of the write requests of a batch."""
        for one in requests:
            if "PutRequest" in one:
                self.put(table, one["PutRequest"]["Item"])
            else:
                self.delete(table, one["DeleteRequest"]["Key"])

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        operation = "batch_get_item"
        answer = self._begin(operation, request)
        if answer is not None:
            return answer
        [(table, wanted)] = request["RequestItems"].items()
        if not 1 <= len(wanted["Keys"]) <= 100:
            raise refusal("ValidationException", operation, "1 to 100 keys")
        if len(set(map(identity, wanted["Keys"]))) < len(wanted["Keys"]):
            raise refusal("ValidationException", operation, "a key twice")
        held = self.tables[table] if wanted.get("ConsistentRead") else self._stale(table)
        found = [held.get(identity(key)) for key in wanted["Keys"]]
        return {"Responses": {table: [item for item in found if item is not None]}, "UnprocessedKeys": {}}

    def scan(self, **request: Any) -> dict[str, Any]:
        answer = self._begin("scan", request)
        if answer is not None:
            return answer
        table, of = request["TableName"], request["TotalSegments"]
        ordered = self._ordered(table, request["Segment"], of)
        if after := request.get("ExclusiveStartKey"):
            begin = self._place(after)
            ordered = [item for item in ordered if self._place(self.key(item)) > begin]
        size = min(self.page, request["Limit"])
        page = ordered[:size]
        length = sum(wire_size(item) for item in page)
        answer = {"Items": page, "ResponseMetadata": {"HTTPHeaders": {"content-length": str(length)}}}
        return answer | ({"LastEvaluatedKey": self.key(page[-1])} if len(ordered) > size else {})

    def describe_table(self, **request: Any) -> dict[str, Any]:
        answer = self._begin("describe_table", request)
        if answer is not None:
            return answer
        name = request["TableName"]
        kinds = ("HASH", "RANGE")
        return {
            "Table": {
                "TableName": name,
                "TableId": self.ids[name],
                "ItemCount": len(self.tables[name]),
                "TableSizeBytes": 100 * len(self.tables[name]),
                "KeySchema": [
                    {"AttributeName": key, "KeyType": kind} for key, kind in zip(self.keys, kinds, strict=False)
                ],
            }
        }

    def describe_time_to_live(self, **request: Any) -> dict[str, Any]:
        answer = self._begin("describe_time_to_live", request)
        if answer is not None:
            return answer
        if self.expiry is None:
            return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
        return {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": self.expiry}}

    def _begin(self, operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
        self.calls.append((operation, request))
        answer: dict[str, Any] | None = self.before(operation, request)
        return answer

    def _ordered(self, table: str, segment: int, of: int) -> list[Item]:
        items = [item for item in self._stale(table).values() if self._place(self.key(item))[0] % of == segment]
        return sorted(items, key=lambda item: self._place(self.key(item)))

    def _stale(self, table: str) -> dict[Hashable, Item]:
        seen = dict(self.tables[table])
        history = self._history[table]
        for key, before in reversed(history[max(0, len(history) - self.stale()) :]):
            if before is None:
                seen.pop(key, None)
            else:
                seen[key] = before
        return seen

    def _place(self, key: Item) -> tuple[int, str]:
        shown = str(sorted(key.items()))
        return zlib.crc32(str(key[self.keys[0]]).encode()), shown

    def _write(self, table: str, key: Item, item: Item | None) -> None:
        before = self.tables[table].get(identity(key))
        if item is None:
            self.tables[table].pop(identity(key), None)
        else:
            self.tables[table][identity(key)] = item
        self._history[table].append((identity(key), before))
        if before != item and not equal(before, item):
            self.streams[table].append(event_record(table, len(self.streams[table]), key, item, before, self.now))


def stream_arn(table: str) -> str:
    return f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}/stream/2026-01-01T00:00:00.000"


def event_record(
    table: str, number: int, key: Item, item: Item | None, before: Item | None = None, at: float = 1_000_000.0
) -> dict[str, Any]:
    """A stream record as Lambda delivers it."""
    content: dict[str, Any] = {
        "Keys": as_event(key),
        "SequenceNumber": f"{number + 1:021}",
        "ApproximateCreationDateTime": float(int(at)),
        "SizeBytes": 100,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    if before is not None:
        content["OldImage"] = as_event(before)
    if item is not None:
        content["NewImage"] = as_event(item)
    return {
        "eventID": f"{number:032x}",
        "eventName": "REMOVE" if item is None else "INSERT" if before is None else "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "eventSourceARN": stream_arn(table),
        "dynamodb": content,
    }


def as_event(item: Item) -> dict[str, Any]:
    """A wire item as the JSON of an event has it: bytes as base64 text, at every depth."""
    return {name: _as_event(value) for name, value in item.items()}


def _as_event(value: Item) -> dict[str, Any]:
    [(kind, content)] = value.items()
    if kind == "B":
        return {"B": base64.b64encode(content).decode()}
    if kind == "BS":
        return {"BS": [base64.b64encode(entry).decode() for entry in content]}
    if kind == "L":
        return {"L": [_as_event(entry) for entry in content]}
    if kind == "M":
        return {"M": as_event(content)}
    return {kind: content}
