"""DynamoDB's calls for clients, on the account in memory: conditions, transactions, batches and PartiQL."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ReadTimeoutError

from local.traffic.items import KEY
from replication.values import Item, identity
from tests.history.faults import Fate
from tests.replicator.control.aws import Client, Killed, Table
from tests.replicator.control.expressions import holds, update
from tests.replicator.control.iam import refusal

if TYPE_CHECKING:
    from tests.history.account import Account

_Write = tuple[str, str, Item, Item | None]  # action, table, key, new item


class Api(Client):
    """What one caller can ask for. Whatever it does takes effect at one moment, when the call has come there."""

    def __init__(self, account: Account, caller: Any) -> None:
        super().__init__(account, caller)
        self._cloud = account

    # ---- single items ----
    def get_item(self, *, TableName: str, Key: Item, **_: Any) -> dict[str, Any]:  # noqa: N803
        self._begin("get_item")
        found = self._require("GetItem", TableName).items.get(identity(Key))
        return {"Item": found} if found else {}

    def put_item(self, **request: Any) -> dict[str, Any]:
        return self._one("PutItem", request)

    def delete_item(self, **request: Any) -> dict[str, Any]:
        return self._one("DeleteItem", request)

    def update_item(self, **request: Any) -> dict[str, Any]:
        return self._one("UpdateItem", request)

    def _one(self, action: str, request: Mapping[str, Any]) -> dict[str, Any]:
        def effect() -> None:
            self._apply([self._meant(action, request)])

        self._take_effect(action, effect)
        return {}

    def _meant(self, action: str, request: Mapping[str, Any]) -> _Write:
        """The write that a request comes to. Raises as DynamoDB does when its condition does not hold."""
        table, key = request["TableName"], request.get("Key") or {KEY: request["Item"][KEY]}
        found = self._require(action, table).items.get(identity(key))
        if not holds(request.get("ConditionExpression"), found, request):
            raise refusal("ConditionalCheckFailedException", action)
        if action == "DeleteItem":
            return action, table, key, None
        if action == "PutItem":
            return action, table, key, request["Item"]
        item = dict(found or key)
        update(item, request)
        return action, table, key, item

    # ---- several ----
    def batch_write_item(self, *, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:  # noqa: N803
        ((table, requests),) = RequestItems.items()
        if len(requests) > 25:
            raise refusal("ValidationException", "BatchWriteItem")
        left: list[Any] = []

        def effect() -> None:
            self._require("BatchWriteItem", table)
            taken = requests
            if len(requests) > 1 and self._cloud.faults.leaves_a_part(self._caller):
                taken, left[:] = requests[:1], requests[1:]
            self._apply([_batched(table, one) for one in taken])

        self._take_effect("batch_write_item", effect)
        return {"UnprocessedItems": {table: left} if left else {}}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        self._cloud.faults.throttle(self._caller)
        return super().batch_get_item(RequestItems=RequestItems)

    def transact_write_items(self, *, TransactItems: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803
        def effect() -> None:
            meant, reasons = [], []
            for one in TransactItems:
                ((kind, request),) = one.items()
                try:
                    meant.append(self._meant(f"{kind}Item", request))
                    reasons.append("None")
                except ClientError as error:
                    if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                        raise
                    reasons.append("ConditionalCheckFailed")
            if len(meant) < len(TransactItems):
                cancelled = refusal("TransactionCanceledException", "TransactWriteItems")
                cancelled.response["CancellationReasons"] = [{"Code": reason} for reason in reasons]
                raise cancelled
            self._apply(meant)

        self._take_effect("transact_write_items", effect)
        return {}

    def transact_get_items(self, *, TransactItems: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self._begin("transact_get_items")
        gets = [one["Get"] for one in TransactItems]
        found = [self._require("GetItem", get["TableName"]).items.get(identity(get["Key"])) for get in gets]
        return {"Responses": [{"Item": item} if item else {} for item in found]}

    def scan(self, **request: Any) -> dict[str, Any]:
        self._begin("scan")
        table, segment, of = request["TableName"], request["Segment"], request["TotalSegments"]
        found = self._require("Scan", table)
        after = request.get("ExclusiveStartKey", {}).get(KEY, {}).get("S", "")
        names = sorted(item[KEY]["S"] for item in found.items.values())
        mine = [name for name in names if zlib.crc32(name.encode()) % of == segment and name > after]
        page = mine[: min(2, request["Limit"])]
        more = {"LastEvaluatedKey": {KEY: {"S": page[-1]}}} if len(mine) > len(page) else {}
        return {"Items": [found.items[identity({KEY: {"S": name}})] for name in page], **more}

    # ---- PartiQL, as far as the clients speak it ----
    def execute_statement(self, *, Statement: str, Parameters: Sequence[Any]) -> dict[str, Any]:  # noqa: N803
        verb, table = Statement.split(maxsplit=1)[0], re.findall(r'"(\w+)"', Statement)[0]
        action = f"PartiQL{verb.capitalize()}"

        def effect() -> None:
            self._apply([self._stated(action, self._require(action, table), Parameters, Statement)])

        self._take_effect(action, effect)
        return {}

    @staticmethod
    def _stated(action: str, table: Table, given: Sequence[Any], statement: str) -> _Write:
        if action == "PartiQLInsert":
            item = given[0]["M"]
            if identity({KEY: item[KEY]}) in table.items:
                raise refusal("DuplicateItemException", action)
            return action, table.name, {KEY: item[KEY]}, item
        if action == "PartiQLDelete":
            return action, table.name, {KEY: given[0]}, None
        new, key, before = given
        (name, *_) = re.findall(r'SET "(\w+)"', statement)
        found = table.items.get(identity({KEY: key}))
        if found is None or found.get(name) != before:
            raise refusal("ConditionalCheckFailedException", action)
        return action, table.name, {KEY: key}, {**found, name: new}

    # ---- tables ----
    def describe_table(self, *, TableName: str) -> dict[str, Any]:  # noqa: N803
        found = super().describe_table(TableName=TableName)["Table"]
        keys = {"KeySchema": [{"AttributeName": KEY, "KeyType": "HASH"}], "ItemCount": 2, "TableSizeBytes": 200}
        return {"Table": found | keys}

    def describe_time_to_live(self, **_: Any) -> dict[str, Any]:
        self._begin("describe_time_to_live")
        return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}

    # ---- how a write takes effect ----
    def _take_effect(self, operation: str, effect: Callable[[], None]) -> None:
        """Now, or later, or never; with an answer or without one."""
        faults = self._cloud.faults
        try:
            self._begin(operation)
            faults.throttle(self._caller)
        except Killed:
            faults.linger(effect)
            raise
        fate = faults.of_write(self._caller)
        if fate is Fate.ANSWERED:
            effect()
            return
        faults.linger(effect, at_once=fate is Fate.DONE_UNANSWERED)
        raise ReadTimeoutError(endpoint_url="https://dynamodb.example")

    def _apply(self, writes: Sequence[_Write]) -> None:
        for _, table, key, item in writes:
            self._account.write(table, dict(key), item)
            self._cloud.written(self._caller)


def _batched(table: str, request: Mapping[str, Any]) -> _Write:
    if "PutRequest" in request:
        item = request["PutRequest"]["Item"]
        return "BatchWriteItem", table, {KEY: item[KEY]}, item
    return "BatchWriteItem", table, request["DeleteRequest"]["Key"], None
