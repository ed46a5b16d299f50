"""`repair --keys`: the keys that are known to be wrong, for whoever may read the tables they are from."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cli.keys import SHOWN
from replication.errors import ItemRejected
from replication.pair import Pair, Side
from replication.segments import Part, Position
from tests.cli.conftest import Account
from tests.cli.test_status import comparison, ready


@pytest.fixture
def pair(installed: Account) -> Pair:
    """Populated, with both tables, which hold nothing."""
    found = ready(installed)
    for table in (found.source, found.twin):
        installed.dynamodb.create_table(
            TableName=table.name,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
    return found


def compared(account: Account, pair: Pair, *keys: str) -> None:
    """A comparison found these keys different."""
    different = tuple({"id": {"S": key}} for key in keys)
    account.segments.keep(
        pair.pair_id, "compare-1", Part.COMPARE_OTHER, Position(0, 1, 1.0, 2.0, done=True, different=different), None
    )
    account.changed(pair, comparison=replace(comparison(pair, differences=len(keys)), job="compare-1"))


def put(account: Account, table: str, key: str, value: str = "1") -> None:
    account.dynamodb.put_item(TableName=table, Item={"id": {"S": key}, "secret": {"N": value}})


def shown(account: Account, *more: str) -> str:
    return account.run("repair", "shop", *more, answers="n\n").said


def test_what_a_comparison_found_is_shown_with_where_it_is_now(installed: Account, pair: Pair) -> None:
    compared(installed, pair, "ada", "bob", "eve", "zoe")
    put(installed, pair.source.name, "ada")
    put(installed, pair.twin.name, "bob")
    for table, value in ((pair.source, "1"), (pair.twin, "2")):
        put(installed, table.name, "eve", value)
    said = shown(installed, "--keys")
    assert "different: id = ada, only in shop-users different:" in said
    assert "different: id = bob, only in shop-users-encrypted" in said
    assert "different: id = eve, not the same in both tables" in said
    assert "different: id = zoe, in neither table now" in said
    assert "secret" not in said


def test_strays_and_what_fails_too(installed: Account, pair: Pair) -> None:
    installed.state.keep_stray(pair.pair_id, Side.TWIN, "1", {"id": {"S": "ada"}}, 1.0)
    held, _ = installed.register.begin(pair.pair_id, "source", "1", "invocation", time.time() + 60, time.time())
    installed.register.failed(held, "1", ItemRejected("too large"), [{"id": {"B": b"\x01\xfe"}}], keys_missing=False)
    installed.clients["dynamodb"] = Reader(installed.dynamodb, dict)
    said = shown(installed, "--keys")
    assert "stray in shop-users-encrypted: id = ada, in neither table now" in said
    assert "failing: id = 01fe, in neither table now" in said


def test_a_key_that_is_wrong_for_two_reasons_is_shown_once(installed: Account, pair: Pair) -> None:
    compared(installed, pair, "ada")
    for sequence in ("1", "2"):
        installed.state.keep_stray(pair.pair_id, Side.SOURCE, sequence, {"id": {"S": "ada"}}, 1.0)
    assert "different, stray in shop-users: id = ada, in neither table now" in shown(installed, "--keys")


def test_no_more_than_a_screen_of_them(installed: Account, pair: Pair) -> None:
    compared(installed, pair, *(f"{number:02}" for number in range(SHOWN + 5)))
    said = shown(installed, "--keys")
    assert said.count("different: id =") == SHOWN
    assert "… and 5 more" in said


def test_nobody_sees_a_key_who_may_not_read_the_tables(installed: Account, pair: Pair) -> None:
    compared(installed, pair, "ada")

    def refuse() -> Any:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetItem")

    installed.clients["dynamodb"] = Reader(installed.dynamodb, refuse)
    said = shown(installed, "--keys")
    assert "You may not read both tables, so no keys are shown." in said
    assert "ada" not in said


@pytest.mark.parametrize("more", [[], ["--json"], ["--keys", "--json"]])
def test_unasked_and_for_machines_there_are_none(installed: Account, pair: Pair, more: list[str]) -> None:
    compared(installed, pair, "ada")
    assert "ada" not in shown(installed, *more)


class Reader:
    """The client, but for how it reads items of users' tables."""

    def __init__(self, client: Any, read: Any) -> None:
        self._client = client
        self._read = read

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_item(self, **given: Any) -> Any:
        return self._read() if given["TableName"].startswith("shop-") else self._client.get_item(**given)
