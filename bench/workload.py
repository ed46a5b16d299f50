"""What the data plane is measured with: items, stream records, a pair of tables and its state on an engine."""

from __future__ import annotations

import base64
import gc
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replication.pair import Pair, Population, PopulationState, Table
from replication.state import State
from tests.replicator.pairs import pair_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from bench.engines import Engine

SOURCE, TWIN, STATE = "Users", "UsersEncrypted", "State"
PAIR_ID = "bench/Users"
JOB = "bench"


def items(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Items of about half a kilobyte with attributes of most types."""
    chance = random.Random(seed)
    return [
        {
            "user": {"S": f"user-{number:08}"},
            "name": {"S": f"Name {chance.random()}"},
            "visits": {"N": str(chance.randrange(10**9))},
            "balance": {"N": f"{chance.randrange(10**12)}.{chance.randrange(10, 99)}"},
            "picture": {"B": chance.randbytes(120)},
            "tags": {"SS": [f"tag{tag}" for tag in range(chance.randrange(1, 6))]},
            "address": {"M": {"street": {"S": "x" * 40}, "number": {"N": str(number)}, "active": {"BOOL": True}}},
            "history": {"L": [{"S": f"event {event}"} for event in range(5)]},
        }
        for number in range(count)
    ]


def records(found: list[dict[str, Any]], stream_arn: str) -> list[str]:
    """Lambda events of one record for each item, as the JSON text that a function receives."""
    return [json.dumps(_record(number, item, stream_arn), default=_base64) for number, item in enumerate(found)]


def _record(number: int, item: dict[str, Any], stream_arn: str) -> dict[str, Any]:
    return {
        "eventID": f"{number:032x}",
        "eventName": "INSERT",
        "eventSourceARN": stream_arn,
        "dynamodb": {
            "ApproximateCreationDateTime": float(int(time.time())),
            "Keys": {"user": item["user"]},
            "NewImage": item,
            "SequenceNumber": f"{number + 1:021}",
            "SizeBytes": 500,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def described(client: DynamoDBClient, **request: Any) -> dict[str, Any]:
    """DescribeTable; DynamoDB Local leaves out the id that every table of AWS has."""
    found: Any = client.describe_table(**request)
    found["Table"].setdefault("TableId", f"id-of-{request['TableName']}")
    return dict(found)


class Counting:
    """A client that counts its calls, and waits before each for as long as the way to DynamoDB takes."""

    def __init__(self, client: DynamoDBClient, latency: float = 0.0) -> None:
        self._client = client
        self._latency = latency
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name == "exceptions":
            return found

        def call(*given: Any, **request: Any) -> Any:
            self.calls += 1
            time.sleep(self._latency)
            return described(self._client, **request) if name == "describe_table" else found(*given, **request)

        return call


@dataclass(frozen=True)
class Spent:
    """What something took: wall time, and processor time of the engine and of this process."""

    seconds: float
    engine: float
    ours: float


def spent(on: Engine, action: Callable[[], object]) -> Spent:
    """Runs the action."""
    gc.collect()
    engine, ours, began = on.processor_seconds(), time.process_time(), time.perf_counter()
    action()
    seconds = time.perf_counter() - began
    return Spent(seconds, on.processor_seconds() - engine, time.process_time() - ours)


def make_table(client: DynamoDBClient, name: str, *key: str) -> str:
    """A new, empty table on demand; one that is there is removed first. Returns its id."""
    if name in client.list_tables()["TableNames"]:
        client.delete_table(TableName=name)
        client.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    client.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": attribute, "AttributeType": "S"} for attribute in key],
        KeySchema=[
            {"AttributeName": attribute, "KeyType": "HASH" if place == 0 else "RANGE"}
            for place, attribute in enumerate(key)
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    return str(described(client, TableName=name)["Table"]["TableId"])


def make_pair(client: DynamoDBClient) -> Pair:
    """New tables, and the record of a pair that is being populated."""

    def table(name: str) -> Table:
        table_id = make_table(client, name, "user")
        arn = f"arn:aws:dynamodb:us-east-1:123456789012:table/{name}"
        return Table(name, arn, table_id, f"{arn}/stream/2026")

    make_table(client, STATE, "Pair", "Item")
    source, twin = table(SOURCE), table(TWIN)
    population = Population(JOB, 0, source.table_id, twin.table_id, PopulationState.RUNNING, time.time())
    pair = pair_of(PAIR_ID, "bench", source, twin, population=population)
    State(client, STATE).create(pair)
    return pair


def write_all(client: DynamoDBClient, table: str, found: list[dict[str, Any]]) -> None:
    """Bare BatchWriteItem, 25 at a time, one after the other."""
    for at in range(0, len(found), 25):
        requests: list[Any] = [{"PutRequest": {"Item": item}} for item in found[at : at + 25]]
        while requests:
            answer = client.batch_write_item(RequestItems={table: requests})
            requests = list(answer.get("UnprocessedItems", {}).get(table, []))
