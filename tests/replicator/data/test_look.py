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
