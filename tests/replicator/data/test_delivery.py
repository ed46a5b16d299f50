"""Any records, cut into any batches, delivered again from any checkpoint, with calls that fail: the same table.

And at every moment: whatever stands before the record from which Lambda delivers next is in the other table, in its own
shape or in that of a later record of its key.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replication.mirror import Mirror
from replication.pair import Side
from tests.replicator.data.engine import Engine, Time, event_record, no_answer, refusal
from tests.replicator.data.quiet import Quiet
from tests.replicator.data.world import SOURCE, TWIN, pair

if TYPE_CHECKING:
    from replication.register import Register
    from replication.state import State

VALUES = ("1", "2", "3", None, "unwelcome")  # None: deleted; the table rejects the last until it is mended

changes = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(VALUES)), min_size=1, max_size=14)


@dataclass
class Delivery:
    """A stream, its mapping, and a table that makes trouble."""

    changes: list[tuple[str, str | None]]
    chance: random.Random
    every_change: bool

    def __post_init__(self) -> None:
        owner, self.other = (TWIN, SOURCE) if self.every_change else (SOURCE, TWIN)
        self.engine, self.time = Engine(SOURCE, TWIN), Time()
        self.engine.rejects = lambda table, item: item["value"]["S"] == "unwelcome" and not self.mended
        self.engine.before = self._trouble
        self.mended = False
        found = pair(owner=Side.TWIN, epoch=1, stream_consumers=True) if self.every_change else pair()
        quiet = Quiet(found)
        tables = self.engine.tables_client(self.time)
        self.mirror = Mirror(cast("State", quiet), cast("Register", quiet), tables, self.time.clock)
        self.records = [
            event_record(owner, number, self.key(name), self.item(name, value), {})
            for number, (name, value) in enumerate(self.changes)
        ]

    @staticmethod
    def key(name: str) -> dict[str, Any]:
        return {"id": {"S": name}}

    def item(self, name: str, value: str | None) -> dict[str, Any] | None:
        return None if value is None else {**self.key(name), "value": {"S": value}}

    def value(self, name: str) -> str | None:
        found = [item for item in self.engine.items(self.other).values() if item["id"]["S"] == name]
        return found[0]["value"]["S"] if found else None

    def _trouble(self, operation: str, request: dict[str, Any]) -> Any:
        kind = self.chance.random()
        requests = request["RequestItems"][self.other]
        if kind < 0.1:
            raise refusal("ThrottlingException")
        if kind < 0.15:
            self.time.now += 10_000  # and no time is left to try again
            raise no_answer()
        if kind < 0.25:
            taken = [one for one in requests if "PutRequest" not in one or not self._rejected(one)][:1]
            self.engine.write(self.other, taken)
            return {"UnprocessedItems": {self.other: [one for one in requests if one not in taken]}}
        return None

    def _rejected(self, request: dict[str, Any]) -> bool:
        return self.engine.rejects(self.other, request["PutRequest"]["Item"])

    def run(self) -> None:
        position, attempts = 0, 0
        while position < len(self.records):
            attempts += 1
            self.mended = attempts > 20
            batch = self.records[position : position + self.chance.randrange(1, 8)]
            outcome = self.mirror.run({"Records": batch}, "invocation", self.time.now + 900)
            [number] = [int(outcome.failed) - 1] if outcome.failed else [position + len(batch)]
            assert position <= number <= position + len(batch)
            self.check(number)
            position = number
            if self.chance.random() < 0.1 and attempts < 40:
                position = self.chance.randrange(position + 1)  # delivered again

    def check(self, upto: int) -> None:
        """Every record before this one is written, or a later one of its key is."""
        for name in "abc":
            due = [number for number, (of, _) in enumerate(self.changes[:upto]) if of == name]
            if due:
                allowed = {value for of, value in self.changes[due[-1] :] if of == name}
                assert self.value(name) in allowed, f"{name} is not what records {due} made of it"


@pytest.mark.parametrize("every_change", [False, True], ids=["last changes", "every change"])
@given(changes=changes, seed=st.integers(0, 2**32))
@settings(max_examples=400, deadline=None)
def test_the_table_ends_as_the_last_record_of_every_key(
    every_change: bool, changes: list[tuple[str, str | None]], seed: int
) -> None:
    delivery = Delivery(changes, random.Random(seed), every_change)
    delivery.run()
    assert {name: delivery.value(name) for name, _ in changes} == dict(changes)


@given(changes=changes, seed=st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_readers_of_the_sources_stream_see_every_change_of_a_key_in_order(
    changes: list[tuple[str, str | None]], seed: int
) -> None:
    """At least once: what is delivered again is seen again, from there on."""
    delivery = Delivery(changes, random.Random(seed), every_change=True)
    delivery.run()
    for name in "abc":
        wanted = _without_repeats([value for of, value in changes if of == name])
        seen = iter([_seen(record) for record in delivery.engine.streams[SOURCE] if _of(record) == name])
        assert all(value in seen for value in wanted), f"{name}: {wanted} is no part of what was seen"


def _without_repeats(values: list[str | None]) -> list[str | None]:
    """A write that changes nothing leaves no record, and neither does deleting what is not there."""
    kept: list[str | None] = [None]
    for value in values:
        if value != kept[-1]:
            kept.append(value)
    return kept[1:]


def _of(record: dict[str, Any]) -> str:
    return str(record["dynamodb"]["Keys"]["id"]["S"])


def _seen(record: dict[str, Any]) -> str | None:
    image = record["dynamodb"].get("NewImage")
    return image["value"]["S"] if image else None
