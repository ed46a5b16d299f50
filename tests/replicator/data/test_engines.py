"""One suite of behaviours for every engine: what a table holds arrives equal in the other, by mirror and by copy.

moto always; the local cloud's emulator always; DynamoDB Local where DYNAMODB_LOCAL names the folder of its libraries.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest
from moto import mock_aws

from bench.engines import engine as started
from bench.workload import described
from replication.client import items_client
from replication.mirror import Mirror
from replication.pair import Population, PopulationState
from replication.population import Population as Jobs
from replication.register import Register
from replication.segments import Mode, Part, Segments
from replication.state import State
from replication.tables import Patience, Tables
from replication.values import equal
from replication.worker import Means, Task, Worker
from tests.replicator.data.engine import as_event
from tests.replicator.data.world import PAIR_ID, pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

BINARY = b"\x00\x01\xfe\xff hello"
KEY = {"id": {"B": BINARY}, "sort": {"N": "12345678901234567890123456789012345678"}}
EVERYTHING: dict[str, Any] = {
    **KEY,
    "binary": {"B": bytes(range(256))},
    "empty binary": {"B": b""},
    "empty": {"S": ""},
    "long number": {"N": "0." + "1234567890" * 3 + "12345678"},
    "small number": {"N": "1E-130"},
    "large number": {"N": "9.9999999999999999999999999999999999999E+125"},
    "negative": {"N": "-0.5"},
    "strings": {"SS": ["b", "a", "ä", "\N{GRINNING FACE}"]},
    "numbers": {"NS": ["1", "2.5", "-3"]},
    "binaries": {"BS": [b"\x00", b"\xff\xfe", BINARY]},
    "list": {
        "L": [{"L": [{"BS": [BINARY, b"x"]}]}, {"M": {"deep": {"B": BINARY}, "empty": {"S": ""}}}, {"NULL": True}]
    },
    "map": {"M": {"set": {"BS": [b"1", b"2"]}, "flag": {"BOOL": False}}},
    "empty list": {"L": []},
    "empty map": {"M": {}},
    "Name": {"S": "a reserved word"},
    "with.dot and #hash :colon": {"S": "\x00\x01 control"},
    "\N{SNOWMAN}": {"BOOL": True},
}
LARGE: dict[str, Any] = {
    "id": {"B": b"large"},
    "sort": {"N": "0"},
    "text": {"S": "ä" * 95_000},
    "binary": {"B": bytes(range(256)) * 742},
    "empty": {"S": ""},
}


class Told:
    """The client of an engine that leaves out the id which every table of AWS has."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def describe_table(self, **request: Any) -> dict[str, Any]:
        return described(self._client, **request)


@dataclass
class Pairs:
    """Two tables with binary and number keys, and the state of their migration, on one engine."""

    client: DynamoDBClient
    engine: str

    def __post_init__(self) -> None:
        for name, keys in (("Source", "id sort"), ("Twin", "id sort"), ("State", "Pair Item")):
            kinds = {"id": "B", "sort": "N"}
            self.client.create_table(
                TableName=name,
                AttributeDefinitions=[
                    {"AttributeName": key, "AttributeType": cast("Any", kinds.get(key, "S"))} for key in keys.split()
                ],
                KeySchema=[
                    {"AttributeName": key, "KeyType": cast("Any", kind)}
                    for key, kind in zip(keys.split(), ("HASH", "RANGE"), strict=True)
                ],
                BillingMode="PAY_PER_REQUEST",
            )
        found = pair()
        source, twin = (
            type(table)(
                name, table.arn, self.client.describe_table(TableName=name)["Table"]["TableId"], table.stream_arn
            )
            for name, table in (("Source", found.source), ("Twin", found.twin))
        )
        self.state = State(self.client, "State")
        self.state.create(pair(source=source, twin=twin))
        self.register = Register(self.client, "State", time.time)
        patience = Patience(time.time, lambda seconds: None, lambda: 0.5)  # nobody else writes: no wait is worth it
        self.tables = Tables(self.client, patience, threads=1)
        self.means = Means(self.state, self.register, Segments(self.client, "State", time.time), self.tables, patience)

    def mirror(self, *found: dict[str, Any]) -> None:
        stream = self.state.pair(PAIR_ID).source.stream_arn
        records = [
            {
                "eventName": "INSERT",
                "eventSourceARN": stream,
                "dynamodb": {
                    "ApproximateCreationDateTime": time.time(),
                    "Keys": as_event({name: item[name] for name in KEY}),
                    "NewImage": as_event(item),
                    "SequenceNumber": str(number + 1),
                    "SizeBytes": 1000,
                    "StreamViewType": "NEW_AND_OLD_IMAGES",
                },
            }
            for number, item in enumerate(found)
        ]
        event = json.loads(json.dumps({"Records": records}))
        outcome = Mirror(self.state, self.register, self.tables, time.time).run(event, "one", time.time() + 300)
        assert outcome.failed is None, outcome.error

    def put(self, table: str, *found: dict[str, Any]) -> None:
        for item in found:
            self.client.put_item(TableName=table, Item=item)

    def populate(self) -> None:
        found, job = self.state.pair(PAIR_ID), f"job-{time.time()}"
        ids = (found.source.table_id, found.twin.table_id)
        self.state.start_population(found, Population(job, found.epoch, *ids, PopulationState.RUNNING, time.time()))
        self._run(job, Mode.POPULATE, Part.COPY)

    def compare(self) -> int:
        """How many keys differ."""
        job = f"job-{time.time()}"
        self._run(job, Mode.COMPARE, Part.COMPARE_OWNER, Part.COMPARE_OTHER)
        return Jobs(self.means).conclude(PAIR_ID, job).differences

    def scans_segments(self) -> None:
        if self.engine == "moto":
            pytest.skip("moto cannot scan a table with binary keys in segments")

    def _run(self, job: str, mode: Mode, *parts: Part) -> None:
        plan = Jobs(self.means).plan(PAIR_ID, job, mode, time.time() + 60)
        for part in parts:
            for number in range(plan.segments):
                task = Task(PAIR_ID, job, part, number, plan.segments)
                while not Worker(self.means, task, "one", time.time() + 300).run():
                    pass

    def get(self, table: str, item: dict[str, Any]) -> Any:
        key = {name: item[name] for name in KEY}
        return self.client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")

    def arrived(self, item: dict[str, Any]) -> bool:
        return equal(self.get("Twin", item), item) and equal(self.get("Source", item), item)


@pytest.fixture(scope="module", params=["moto", "ministack", "dynamodb-local"])
def at(request: pytest.FixtureRequest) -> Iterator[Pairs]:
    with ExitStack() as stack:
        if request.param == "moto":
            stack.enter_context(mock_aws())
            client = items_client()
        elif request.param == "dynamodb-local" and "DYNAMODB_LOCAL" not in os.environ:
            pytest.skip("DYNAMODB_LOCAL does not name the folder of com.amazonaws:DynamoDBLocal and its libraries")
        else:
            client = stack.enter_context(started(request.param)).ours()
        yield Pairs(cast("DynamoDBClient", Told(client)), request.param)


class TestMirror:
    @pytest.mark.parametrize("item", [EVERYTHING, LARGE], ids=["every type", "380 KB"])
    def test_what_the_stream_brings_arrives_equal(self, at: Pairs, item: dict[str, Any]) -> None:
        at.put("Source", item)
        at.mirror(item)
        assert at.arrived(item)

    def test_a_key_three_times_in_a_batch_ends_at_its_last(self, at: Pairs) -> None:
        versions: list[dict[str, Any]] = [{**KEY, "value": {"N": str(number)}} for number in range(3)]
        at.mirror(*versions)
        assert equal(at.get("Twin", KEY), versions[-1])

    def test_an_attribute_that_is_gone_at_the_source_is_gone(self, at: Pairs) -> None:
        at.put("Twin", EVERYTHING)
        at.mirror({**KEY})
        assert equal(at.get("Twin", KEY), KEY)

    def test_ten_items_of_380_kb_in_one_batch(self, at: Pairs) -> None:
        found = [{**LARGE, "sort": {"N": str(number)}} for number in range(1, 11)]
        at.mirror(*found)
        assert all(equal(at.get("Twin", item), item) for item in found)


class TestPopulate:
    def test_what_the_source_holds_arrives_equal(self, at: Pairs) -> None:
        at.scans_segments()
        others = [{"id": {"B": str(number).encode()}, "sort": {"N": str(number)}} for number in range(300)]
        at.put("Source", EVERYTHING, LARGE, *others)
        at.populate()
        assert all(map(at.arrived, [EVERYTHING, LARGE, *others]))

    def test_a_difference_in_the_38th_digit_is_found_and_another_form_of_a_number_is_none(self, at: Pairs) -> None:
        at.scans_segments()
        at.populate()
        for page in at.client.get_paginator("scan").paginate(TableName="Twin"):
            for item in page["Items"]:  # what the tests before this one have put into the twin alone
                if at.get("Source", item) is None:
                    at.client.delete_item(TableName="Twin", Key={name: item[name] for name in KEY})
        at.put("Source", {**KEY, "n": {"N": "1" * 38}, "m": {"N": "1.50"}})
        at.put("Twin", {**KEY, "n": {"N": "1" * 37 + "2"}, "m": {"N": "1.5E0"}})
        assert at.compare() == 1
        at.put("Twin", {**KEY, "n": {"N": "1" * 38}, "m": {"N": "1.5E0"}})
        assert at.compare() == 0
