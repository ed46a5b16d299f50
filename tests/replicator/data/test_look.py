"""The turn's second look brings over what the owner holds, each key once."""

from __future__ import annotations

from typing import Any

import pytest

from replication.ahead import Ahead
from replication.errors import NotCopied, Unanswered
from replication.look import Look
from replication.stream import Seen
from tests.replicator.data.engine import Engine, Time, no_answer, refusal


def key(name: str) -> dict[str, Any]:
    return {"id": {"S": name}}


class Looking:
    def __init__(self) -> None:
        self.engine, self.time = Engine("owner", "other"), Time()
        once = self.engine.tables_client(self.time, repeat_unanswered=False)
        self.look = Look(self.engine.tables_client(self.time), once)
        self.ahead = Ahead()

    def at(self, *keys: dict[str, Any]) -> None:
        self.look.copy("owner", "other", keys, self.ahead, self.time.now + 60, lambda: None)

    def reads_ahead(self, *keys: dict[str, Any]) -> None:
        self.ahead = Ahead(keys)
        while self.look.read_ahead("owner", self.ahead, self.time.now + 60):
            pass

    def read(self) -> list[tuple[str, list[str]]]:
        """The tables that were read, with the keys that each was asked for."""
        read = [each for call in self.engine.calls_of("batch_get_item") for each in call["RequestItems"].items()]
        return [(table, [one["id"]["S"] for one in wanted["Keys"]]) for table, wanted in read]


def test_a_key_that_was_read_and_has_failed_is_looked_at_once() -> None:
    looking = Looking()
    looking.engine.put("owner", {**key("a"), "v": {"S": "1"}})
    looking.engine.put("other", {**key("gone")})
    looking.at(key("a"), key("gone"), key("a"))
    assert looking.engine.items("owner") == looking.engine.items("other")


def test_what_the_other_table_holds_already_is_not_written_again() -> None:
    looking = Looking()
    for table, number in (("owner", "1.0"), ("other", "1")):
        looking.engine.put(table, {**key("same"), "v": {"N": number}})
        looking.engine.put(table, {**key("differs"), "v": {"S": table}})
    looking.at(key("same"), key("differs"), key("gone from both"))
    assert looking.engine.items("owner").keys() == looking.engine.items("other").keys()
    (write,) = looking.engine.calls_of("batch_write_item")
    assert [one["PutRequest"]["Item"] for one in write["RequestItems"]["other"]] == [
        {**key("differs"), "v": {"S": "owner"}}
    ]


def test_both_tables_are_read_as_they_are_and_not_as_they_were_a_moment_ago() -> None:
    looking = Looking()
    looking.at(key("a"))
    reads = [call["RequestItems"] for call in looking.engine.calls_of("batch_get_item")]
    assert [[(table, wanted["ConsistentRead"]) for table, wanted in read.items()] for read in reads] == [
        [("other", True)],
        [("owner", True)],
    ]


def test_an_unanswered_write_ends_the_look() -> None:
    looking = Looking()
    looking.engine.put("owner", key("a"))

    def hang(operation: str, request: dict[str, Any]) -> None:
        if operation == "batch_write_item":
            raise no_answer()

    looking.engine.before = hang
    with pytest.raises(Unanswered):
        looking.at(key("a"))
    assert len(looking.engine.calls_of("batch_write_item")) == 1


def test_an_item_that_the_other_table_rejects_ends_the_look_by_its_digest() -> None:
    looking = Looking()
    looking.engine.put("owner", key("secret"))
    looking.engine.rejects = lambda table, item: True
    with pytest.raises(NotCopied, match="digest") as raised:
        looking.at(key("secret"))
    assert "secret" not in str(raised.value)


class TestReadAhead:
    """What the sealed owner holds was read while the fence was spreading."""

    def test_the_owner_is_read_again_only_where_the_other_table_holds_something_else(self) -> None:
        looking = Looking()
        for table, value in (("owner", "1"), ("other", "2")):
            looking.engine.put(table, {**key("same"), "v": {"M": {"b": {"B": b"\x00"}, "n": {"NULL": True}}}})
            looking.engine.put(table, {**key("differs"), "v": {"S": value}})
        looking.engine.put("other", key("deleted"))
        looking.reads_ahead(key("same"), key("differs"), key("deleted"), key("in neither"))
        looking.engine.calls.clear()
        looking.at(key("same"), key("differs"), key("deleted"), key("in neither"))
        assert looking.read() == [
            ("other", ["same", "differs", "deleted", "in neither"]),
            ("owner", ["differs", "deleted"]),
        ]
        assert looking.engine.items("owner") == looking.engine.items("other")

    def test_a_write_that_slips_through_after_that_is_brought_over(self) -> None:
        looking = Looking()
        for table in ("owner", "other"):
            looking.engine.put(table, {**key("a"), "v": {"N": "1"}})
        looking.reads_ahead(key("a"))
        looking.engine.put("owner", {**key("a"), "v": {"N": "2"}})
        looking.ahead.forget([Seen("1", key("a"), at=0, expired=False)])
        looking.at(key("a"))
        assert looking.engine.items("owner") == looking.engine.items("other")

    def test_what_cannot_be_read_ahead_is_left_to_the_look(self) -> None:
        looking = Looking()
        looking.engine.put("owner", key("a"))
        looking.engine.before = refuse
        looking.reads_ahead(*(key(f"{number}") for number in range(2000)), key("a"))
        assert len(looking.read()) == 1
        looking.engine.before = lambda operation, request: None
        looking.at(key("a"))
        assert looking.engine.items("owner") == looking.engine.items("other")

    def test_every_key_is_read_once(self) -> None:
        looking = Looking()
        names = [f"{number}" for number in range(2345)]
        looking.reads_ahead(*map(key, names))
        assert sorted(name for _, some in looking.read() for name in some) == sorted(names)


def refuse(_operation: str, _request: dict[str, Any]) -> None:
    raise refusal("AccessDeniedException", "BatchGetItem")
