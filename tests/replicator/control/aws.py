"""An account in memory, as gate and turns meet it: tables with policies that spread, streams, a state table.

Time moves only when somebody sleeps. `before` is called ahead of every call of the code under test, with the caller's
name and the operation: there a test stops the caller, or lets something else happen first.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from replication.values import Item, equal, identity
from tests.replicator.control.expressions import holds, update
from tests.replicator.control.iam import ACCOUNT, Caller, Policies, allows, refusal

REGION = "us-east-1"


class Killed(BaseException):
    """The process is gone: nothing that it could catch."""


def table_arn(name: str) -> str:
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


def stream_arn(name: str) -> str:
    return f"{table_arn(name)}/stream/2026-01-01T00:00:00.000"


@dataclass
class Shard:
    """A shard: the numbers of its records in the table's log."""

    name: str
    parent: str | None = None
    records: list[int] = field(default_factory=list)
    ended: bool = False


@dataclass(frozen=True)
class Record:
    """A change of an item, in the order of the table's stream."""

    number: int
    key: Item
    item: Item | None
    before: Item | None
    at: float
    expired: bool = False

    @property
    def sequence(self) -> str:
        return f"{self.number + 1:021}"


@dataclass
class Table:
    name: str
    items: dict[Hashable, Item] = field(default_factory=dict)
    log: list[Record] = field(default_factory=list)
    shards: list[Shard] = field(default_factory=lambda: [Shard("shard-0")])
    policies: Policies = field(default_factory=Policies)
    table_id: str = ""
    protected: bool = False


class Account:
    """Everything there is."""

    def __init__(self, *tables: str, spread: float = 3.0, interval: float = 2.0) -> None:
        self.now = 1_000_000.0
        self.tables = {name: Table(name, table_id=f"id-of-{name}") for name in tables}
        self.state = StateTable(self)
        self.interval = interval
        self.before: Callable[[str, str], None] = lambda caller, operation: None
        self.meanwhile: Callable[[], None] = lambda: None  # what others do while somebody sleeps
        self.delay: Callable[[str, str, int], float] = lambda table, caller, number: (
            zlib.crc32(f"{table} {caller} {number}".encode()) / 2**32 * spread
        )
        self.on_policy: Callable[[Any], Any] = lambda policy: policy  # what DynamoDB makes of a policy that is put
        self.throttled: set[str] = set()  # shards that throttle their readers
        self.mappings: dict[str, dict[str, Any]] = {}
        self._busy = False

    # ---- time ----
    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Others go on meanwhile, a quarter of a second after the other."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 0.25)
            if not self._busy:
                self._busy = True
                try:
                    self.meanwhile()
                finally:
                    self._busy = False

    # ---- policies ----
    def reaches_no_more(self, caller: str) -> None:
        """Policies that are put from now on never reach this caller."""
        before, delay = {name: len(table.policies) for name, table in self.tables.items()}, self.delay

        def at_last(table: str, other: str, number: int) -> float:
            return float("inf") if other == caller and number >= before[table] else delay(table, other, number)

        self.delay = at_last

    def seen_by(self, table: str, caller: str) -> Mapping[str, Any] | None:
        """The policy that holds for a caller now."""
        reached = self.tables[table].policies.reached(lambda number: self.delay(table, caller, number), self.now)
        return reached.policy if reached else None

    def allows(self, caller: Caller, action: str, table: str) -> bool:
        return allows(self.seen_by(table, caller.name), caller, action, table_arn(table))

    # ---- what happens to a table ----
    def write(self, table: str, key: Item, item: Item | None, *, expired: bool = False) -> None:
        found = self.tables[table]
        before = found.items.get(identity(key))
        if equal(before, item):
            return
        if item is None:
            del found.items[identity(key)]
        else:
            found.items[identity(key)] = item
        record = Record(len(found.log), key, item, before, self.now, expired)
        found.log.append(record)
        open_shards = [shard for shard in found.shards if not shard.ended]
        open_shards[zlib.crc32(str(sorted(key.items())).encode()) % len(open_shards)].records.append(record.number)

    def split(self, table: str) -> None:
        """Every open shard ends and has two children."""
        found = self.tables[table]
        for shard in [shard for shard in found.shards if not shard.ended]:
            shard.ended = True
            found.shards += [Shard(f"{shard.name}-{child}", shard.name) for child in "ab"]

    def client(self, caller: Caller) -> Client:
        return Client(self, caller)


class Client:
    """boto3's clients for DynamoDB, its streams and Lambda, with the rights of one caller."""

    def __init__(self, account: Account, caller: Caller) -> None:
        self._account = account
        self._caller = caller

    def _begin(self, operation: str) -> None:
        self._account.before(self._caller.name, operation)

    def _require(self, action: str, table: str) -> Table:
        if table not in self._account.tables:
            raise refusal("ResourceNotFoundException", action)
        if not self._account.allows(self._caller, f"dynamodb:{action}", table):
            raise refusal("AccessDeniedException", action)
        return self._account.tables[table]

    # ---- items ----
    def put_item(self, *, TableName: str, Item: Item) -> dict[str, Any]:  # noqa: N803
        self._require("PutItem", TableName)
        self._account.write(TableName, {"id": Item["id"]}, Item)
        return {}

    def delete_item(self, *, TableName: str, Key: Item, **condition: Any) -> dict[str, Any]:  # noqa: N803
        self._begin("delete_item")
        self._require("DeleteItem", TableName)
        if condition:
            raise refusal("ConditionalCheckFailedException", "DeleteItem")
        self._account.write(TableName, Key, None)
        return {}

    def batch_write_item(self, *, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:  # noqa: N803
        self._begin("batch_write_item")
        for table, requests in RequestItems.items():
            self._require("BatchWriteItem", table)
            for one in requests:
                item = one.get("PutRequest", {}).get("Item")
                self._account.write(table, {"id": item["id"]} if item else one["DeleteRequest"]["Key"], item)
        return {"UnprocessedItems": {}}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        self._begin("batch_get_item")
        ((table, wanted),) = RequestItems.items()
        found = self._require("BatchGetItem", table)
        items = [found.items.get(identity(key)) for key in wanted["Keys"]]
        return {"Responses": {table: [item for item in items if item is not None]}, "UnprocessedKeys": {}}

    def scan(self, *, TableName: str, Limit: int, **_: Any) -> dict[str, Any]:  # noqa: N803
        self._begin("scan")
        return {"Items": list(self._require("Scan", TableName).items.values())[:Limit]}

    # ---- tables and their policies ----
    def describe_table(self, *, TableName: str) -> dict[str, Any]:  # noqa: N803
        self._begin("describe_table")
        found = self._account.tables.get(TableName)
        if found is None:
            raise refusal("ResourceNotFoundException", "DescribeTable")
        return {
            "Table": {
                "TableName": TableName,
                "TableArn": table_arn(TableName),
                "TableId": found.table_id,
                "TableStatus": "ACTIVE",
                "LatestStreamArn": stream_arn(TableName),
                "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
                "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            }
        }

    def get_resource_policy(self, *, ResourceArn: str) -> dict[str, Any]:  # noqa: N803
        self._begin("get_resource_policy")
        found = self._named(ResourceArn)
        delay = self._account.delay
        reached = found.policies.reached(
            lambda number: delay(found.name, "GetResourcePolicy", number), self._account.now
        )
        if reached is None or reached.policy is None:
            raise refusal("PolicyNotFoundException", "GetResourcePolicy")
        return {"Policy": json.dumps(reached.policy), "RevisionId": reached.revision}

    def put_resource_policy(self, *, ResourceArn: str, Policy: str, ExpectedRevisionId: str) -> dict[str, Any]:  # noqa: N803
        self._begin("put_resource_policy")
        return {
            "RevisionId": self._change(ResourceArn, self._account.on_policy(json.loads(Policy)), ExpectedRevisionId)
        }

    def delete_resource_policy(self, *, ResourceArn: str, ExpectedRevisionId: str) -> dict[str, Any]:  # noqa: N803
        self._begin("delete_resource_policy")
        return {"RevisionId": self._change(ResourceArn, None, ExpectedRevisionId)}

    def _change(self, arn: str, policy: Mapping[str, Any] | None, expected: str) -> str:
        found = self._named(arn)
        return found.policies.change(policy, expected, self._account.now, self._account.interval, found.name)

    def _named(self, arn: str) -> Table:
        name = arn.rsplit("/", 1)[-1]
        if name not in self._account.tables:
            raise refusal("ResourceNotFoundException")
        return self._account.tables[name]

    # ---- streams ----
    def describe_stream(self, *, StreamArn: str, ExclusiveStartShardId: str | None = None) -> dict[str, Any]:  # noqa: N803
        self._begin("describe_stream")
        shards = self._of_stream(StreamArn).shards
        names = [shard.name for shard in shards]
        start = names.index(ExclusiveStartShardId) + 1 if ExclusiveStartShardId else 0
        page = shards[start : start + 2]  # small pages, so that there are several
        described = [
            {
                "ShardId": one.name,
                "SequenceNumberRange": {"StartingSequenceNumber": "1"}
                | ({"EndingSequenceNumber": "9"} if one.ended else {}),
            }
            | ({"ParentShardId": one.parent} if one.parent else {})
            for one in page
        ]
        more = {"LastEvaluatedShardId": page[-1].name} if start + 2 < len(shards) else {}
        return {"StreamDescription": {"Shards": described, **more}}

    def get_shard_iterator(self, *, StreamArn: str, ShardId: str, ShardIteratorType: str) -> dict[str, Any]:  # noqa: N803
        self._begin("get_shard_iterator")
        found = self._of_stream(StreamArn)
        shard = next(one for one in found.shards if one.name == ShardId)
        at = len(shard.records) if ShardIteratorType == "LATEST" else 0
        return {"ShardIterator": json.dumps([found.name, ShardId, at, self._account.now])}

    def get_records(self, *, ShardIterator: str, Limit: int) -> dict[str, Any]:  # noqa: N803
        self._begin("get_records")
        table, name, at, issued = json.loads(ShardIterator)
        if self._account.now - issued > 900:
            raise refusal("ExpiredIteratorException", "GetRecords")
        if name in self._account.throttled:
            raise refusal("ProvisionedThroughputExceededException", "GetRecords")
        found = self._account.tables[table]
        shard = next(one for one in found.shards if one.name == name)
        records = [found.log[number] for number in shard.records[at : at + Limit]]
        at += len(records)
        more = not shard.ended or at < len(shard.records)
        following = {"NextShardIterator": json.dumps([table, name, at, self._account.now])} if more else {}
        return {"Records": [_stream_record(record) for record in records], **following}

    def _of_stream(self, arn: str) -> Table:
        return self._account.tables[arn.split("/")[1]]

    # ---- Lambda ----
    def get_event_source_mapping(self, *, UUID: str) -> dict[str, Any]:  # noqa: N803
        self._begin("get_event_source_mapping")
        return self._account.mappings.get(UUID, {"State": "Enabled", "LastProcessingResult": "OK"})


def _stream_record(record: Record) -> dict[str, Any]:
    by = {"userIdentity": {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}} if record.expired else {}
    return {
        "dynamodb": {
            "SequenceNumber": record.sequence,
            "Keys": record.key,
            "ApproximateCreationDateTime": datetime.fromtimestamp(int(record.at), UTC),
        },
        **by,
    }


class StateTable:
    """boto3's DynamoDB client for the state table alone. Items are never changed in place, so they need no copies."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.caller = "control"
        self.exceptions = SimpleNamespace(
            ConditionalCheckFailedException=ConditionalCheckFailedError,
            TransactionCanceledException=TransactionCanceledError,
        )

    def get_item(self, *, Key: Mapping[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803
        self._account.before(self.caller, "state.get_item")
        found = self.items.get(_place(Key))
        return {} if found is None else {"Item": dict(found)}

    def put_item(self, **request: Any) -> dict[str, Any]:
        self._account.before(self.caller, "state.put_item")
        self._put(request)
        return {}

    def delete_item(self, **request: Any) -> dict[str, Any]:
        self._account.before(self.caller, "state.delete_item")
        place = _place(request["Key"])
        self._check(request, self.items.get(place))
        self.items.pop(place, None)
        return {}

    def update_item(self, **request: Any) -> dict[str, Any]:
        self._account.before(self.caller, "state.update_item")
        place = _place(request["Key"])
        found = self.items.get(place)
        self._check(request, found)
        changed = dict(found or request["Key"])
        update(changed, request)
        self.items[place] = changed
        return {"Attributes": dict(changed if request.get("ReturnValues") == "ALL_NEW" else found or {})}

    def transact_write_items(self, *, TransactItems: list[Any]) -> dict[str, Any]:  # noqa: N803
        self._account.before(self.caller, "state.transact_write_items")
        asked = [(kind, request) for one in TransactItems for kind, request in one.items()]
        try:
            for _, request in asked:
                self._check(request, self.items.get(_place(request.get("Item") or request["Key"])))
        except ConditionalCheckFailedError as error:
            raise TransactionCanceledError from error
        for kind, request in asked:
            if kind == "Put":
                self._put(request | {"ConditionExpression": None})
            else:
                self.items.pop(_place(request["Key"]), None)
        return {}

    def get_paginator(self, operation: str) -> Any:
        def paginate(**request: Any) -> list[dict[str, Any]]:
            self._account.before(self.caller, f"state.{operation}")
            condition = request.get("KeyConditionExpression") or request.get("FilterExpression")
            return [{"Items": [dict(item) for item in self.items.values() if holds(condition, item, request)]}]

        return SimpleNamespace(paginate=paginate)

    def _put(self, request: Mapping[str, Any]) -> None:
        place = _place(request["Item"])
        self._check(request, self.items.get(place))
        self.items[place] = dict(request["Item"])

    @staticmethod
    def _check(request: Mapping[str, Any], found: Mapping[str, Any] | None) -> None:
        if not holds(request.get("ConditionExpression"), found, request):
            raise ConditionalCheckFailedError


class ConditionalCheckFailedError(ClientError):
    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "ConditionalCheckFailedException", "Message": "no"}}, "UpdateItem")


class TransactionCanceledError(ClientError):
    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "TransactionCanceledException", "Message": "no"}}, "TransactWriteItems")


def _place(key: Mapping[str, Any]) -> tuple[str, str]:
    return key["Pair"]["S"], key["Item"]["S"]
