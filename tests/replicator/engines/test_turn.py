"""The turn on every engine: its real steps, the real policies, enforced for whoever calls."""

from __future__ import annotations

from typing import Any

from replication.order import Ended
from replication.pair import Side
from replication.policies import Mode
from tests.local.lab import allowed
from tests.replicator.control.iam import Caller
from tests.replicator.engines.engine import Engine
from tests.replicator.engines.migration import CLIENTS, KEYS, Migration
from tests.waiting import eventually

LAST = "The owner is being closed: writes of clients are refused from here on."


def test_there_and_back_under_traffic_loses_nothing(engine: Engine) -> None:
    migration = Migration(engine, "ThereAndBack")
    for to in (Side.TWIN, Side.SOURCE):
        assert migration.turn(to) is Ended.RELEASED, migration.answers[-1]["Reason"]
        assert migration.pair.owner is to
    assert [one["Status"] for one in migration.answers] == ["SUCCESS", "SUCCESS"]
    assert migration.refused > 0
    assert migration.acknowledged
    migration.check()
    assert (migration.pair.damage, migration.pair.failed_at) == ((), None)


def test_what_is_written_right_before_the_owner_closes_comes_over_without_the_mirror(engine: Engine) -> None:
    migration = Migration(engine, "LastKeys")
    held: dict[Side, Any] = {}

    def write(message: str) -> None:
        if message == LAST:
            migration.traffic = migration.mirroring = False
            for key in KEYS:
                migration.write(CLIENTS[0], key)
        if message == "The new owner is open to clients.":
            held[migration.pair.owner] = migration.items(migration.pair.owner)
            migration.mirroring = True

    migration.heard = write
    for to in (Side.TWIN, Side.SOURCE):
        assert migration.turn(to) is Ended.RELEASED, migration.answers[-1]["Reason"]
        migration.traffic = True
    found = {key: item["value"]["S"] for key, item in held[Side.SOURCE].items()}
    assert found == {key: value for key, value in migration.acknowledged.items() if value is not None}
    migration.check()


def every_write(client: Any, table: str) -> set[str]:
    """The kinds of writes that pass their authorisation, whatever becomes of them."""
    key, item = {"id": {"S": "nobody's"}}, {"id": {"S": "nobody's"}, "value": {"S": "x"}}
    values = {":v": {"S": "x"}}
    never = {"ConditionExpression": "attribute_exists(id) AND attribute_not_exists(id)"}
    update = {"TableName": table, "Key": key, "UpdateExpression": "SET v = :v", "ExpressionAttributeValues": values}
    statements = {
        "insert": f"""INSERT INTO "{table}" VALUE {{'id': 'nobody''s'}}""",
        "update": f"""UPDATE "{table}" SET v='x' WHERE id='nobody''s'""",
        "delete": f"""DELETE FROM "{table}" WHERE id='nobody''s'""",
    }
    found = {
        "put": allowed(client.put_item, TableName=table, Item=item, **never),
        "update": allowed(client.update_item, **update, **never),
        "delete": allowed(client.delete_item, TableName=table, Key=key, **never),
        "batch put": allowed(client.batch_write_item, RequestItems={table: [{"PutRequest": {"Item": item}}]}),
        "batch delete": allowed(client.batch_write_item, RequestItems={table: [{"DeleteRequest": {"Key": key}}]}),
        "transact put": transacted(client, Put={"TableName": table, "Item": item, **never}),
        "transact update": transacted(client, Update={**update, **never}),
        "transact delete": transacted(client, Delete={"TableName": table, "Key": key, **never}),
        **{f"statement {kind}": allowed(client.execute_statement, Statement=text) for kind, text in statements.items()},
    }
    return {kind for kind, passes in found.items() if passes}


def transacted(client: Any, **part: Any) -> bool:
    return allowed(client.transact_write_items, TransactItems=[part])


MAY_WRITE: dict[Mode, set[str]] = {
    Mode.FOLLOWING: {"replicator"},
    Mode.SEALED: set(),
    Mode.FENCED: {"this turn"},
    Mode.OPEN: {"a client", "another client"},
}
OUR_WAYS = {"delete", "batch put", "batch delete", "transact delete"}
EVERY_WAY = OUR_WAYS | {"put", "update", "transact put", "transact update"}
EVERY_WAY |= {"statement insert", "statement update", "statement delete"}


def test_a_table_lets_in_whom_its_mode_names_and_refuses_every_kind_of_write_of_all_others(engine: Engine) -> None:
    migration = Migration(engine, "Modes")
    token, table = migration.pair.token, migration.names[Side.TWIN]
    callers = {
        "a client": CLIENTS[0],
        "another client": CLIENTS[1],
        "replicator": Caller("replicator"),
        "this turn": Caller("look", f"turn-{token}"),
        "another turn": Caller("look", f"turn-{token + 10}"),
    }

    def let_in() -> dict[str, set[str]]:
        """Who can write, and in which ways."""
        found = {who: every_write(engine.client(caller), table) for who, caller in callers.items()}
        return {who: ways for who, ways in found.items() if ways}

    for mode, expected in MAY_WRITE.items():
        migration.crew.access.place(migration.pair, Side.TWIN, mode, token)
        eventually(lambda expected=expected: let_in().keys() == expected)  # type: ignore[misc]
        assert all(ways == (EVERY_WAY if "client" in who else OUR_WAYS) for who, ways in let_in().items())
        assert allowed(engine.client(CLIENTS[0]).scan, TableName=table)
