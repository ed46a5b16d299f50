"""The turn's second look brings over what the owner holds, each key once."""

from __future__ import annotations

from typing import Any

import pytest

from replication.errors import NotCopied, Unanswered
from replication.look import Look
from tests.replicator.data.engine import Engine, Time, no_answer


def key(name: str) -> dict[str, Any]:
    return {"id": {"S": name}}


class Looking:
    def __init__(self) -> None:
        self.engine, self.time = Engine("owner", "other"), Time()
        once = self.engine.tables_client(self.time, repeat_unanswered=False)
        self.look = Look(self.engine.tables_client(self.time), once)

    def at(self, *keys: dict[str, Any]) -> None:
        self.look.copy("owner", "other", keys, self.time.now + 60, lambda: None)


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
        [("owner", True)],
        [("other", True)],
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
