"""Two pairs of tables with binary and number keys on one engine, and items of every kind to bring to another table."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import pytest

from replication.mirror import Mirror, Outcome
from replication.pair import Pair, Population, PopulationState, Table
from replication.population import Population as Jobs
from replication.register import Register
from replication.segments import Mode, Part, Segments
from replication.state import State
from replication.tables import Patience, Tables
from replication.values import equal
from replication.worker import Means, Task, Worker
from tests.replicator.control.aws import table_arn
from tests.replicator.data.engine import event_record, stream_arn
from tests.replicator.data.world import PAIR_ID, pair

OTHER_ID = "guid/Other"
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
    "SELECT": {"S": "another one"},
    "\N{SNOWMAN}": {"BOOL": True},
}
LARGE: dict[str, Any] = {
    "id": {"B": b"large"},
    "sort": {"N": "0"},
    "text": {"S": "ä" * 95_000},
    "binary": {"B": bytes(range(256)) * 742},
    "empty": {"S": ""},
}


@dataclass
class Pairs:
    """Two tables with binary and number keys, and the state of their migration, on one engine."""

    client: Any
    engine: str
    between: Callable[[Any], None] = lambda request: None  # what happens ahead of every batch of writes of the copy

    def __post_init__(self) -> None:
        for name in ("Source", "Twin", "Other", "OtherTwin"):
            self._make(name, id="B", sort="N")
        self._make("State", Pair="S", Item="S")
        self.state = State(self.client, "State")
        self.state.create(self._pair(PAIR_ID, "Source", "Twin"))
        self.state.create(self._pair(OTHER_ID, "Other", "OtherTwin"))
        self.register = Register(self.client, "State", time.time)
        patience = Patience(time.time, lambda seconds: None, lambda: 0.5)  # nobody else writes: no wait is worth it
        self.tables = Tables(self.client, patience, threads=1)
        copying = Tables(cast("Any", Interrupted(self)), patience, threads=1)
        self.means = Means(self.state, self.register, Segments(self.client, "State", time.time), copying, patience)

    def _make(self, name: str, **keys: Any) -> None:
        self.client.create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, kind in keys.items()],
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=True)
            ],
            BillingMode="PAY_PER_REQUEST",
        )

    def _pair(self, pair_id: str, *names: str) -> Pair:
        source, twin = (
            Table(
                name, table_arn(name), self.client.describe_table(TableName=name)["Table"]["TableId"], stream_arn(name)
            )
            for name in names
        )
        return pair(pair_id=pair_id, source=source, twin=twin)

    def mirror(self, *found: dict[str, Any]) -> None:
        """One batch of the source's stream, in which these items were put."""
        outcome = self.deliver(*(record("Source", number, item) for number, item in enumerate(found)))
        assert outcome.failed is None, outcome.error

    def deliver(self, *records: dict[str, Any]) -> Outcome:
        """One invocation of the mirror, with the event as Lambda gives it: JSON."""
        event = json.loads(json.dumps({"Records": records}))
        return Mirror(self.state, self.register, self.tables, time.time).run(event, "one", time.time() + 300)

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


class Interrupted:
    """The client of a copy: something happens ahead of each of its batches of writes."""

    def __init__(self, pairs: Pairs) -> None:
        self._pairs = pairs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pairs.client, name)

    def batch_write_item(self, **request: Any) -> Any:
        self._pairs.between(request)
        return self._pairs.client.batch_write_item(**request)


def record(
    table: str, number: int, item: dict[str, Any], *, gone: bool = False, by_expiry: bool = False
) -> dict[str, Any]:
    """The record of a put, or of the removal, of an item."""
    found = event_record(
        table, number, {name: item[name] for name in KEY}, None if gone else item, item if gone else None, time.time()
    )
    who = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    return found | ({"userIdentity": who} if by_expiry else {})
