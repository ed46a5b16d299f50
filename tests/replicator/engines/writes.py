"""The kinds of writes that clients make: each returns the value that the key has afterwards, None for none.

The last needs the item to be there.
"""

from __future__ import annotations

from typing import Any


def _put(client: Any, table: str, key: str, value: str) -> str | None:
    client.put_item(TableName=table, Item=_item(key, value))
    return value


def _update(client: Any, table: str, key: str, value: str) -> str | None:
    client.update_item(
        TableName=table,
        Key={"id": {"S": key}},
        UpdateExpression="SET #v = :v",
        ExpressionAttributeNames={"#v": "value"},
        ExpressionAttributeValues={":v": {"S": value}},
    )
    return value


def _delete(client: Any, table: str, key: str, _value: str) -> str | None:
    client.delete_item(TableName=table, Key={"id": {"S": key}})
    return None


def _batch(client: Any, table: str, key: str, value: str) -> str | None:
    answer = client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": _item(key, value)}}]})
    assert not answer.get("UnprocessedItems")
    return value


def _transaction(client: Any, table: str, key: str, value: str) -> str | None:
    client.transact_write_items(TransactItems=[{"Put": {"TableName": table, "Item": _item(key, value)}}])
    return value


def _statement(client: Any, table: str, key: str, value: str) -> str | None:
    client.execute_statement(
        Statement=f'UPDATE "{table}" SET "value"=? WHERE "id"=?',
        Parameters=[{"S": value}, {"S": key}],
    )
    return value


def _item(key: str, value: str) -> dict[str, Any]:
    return {"id": {"S": key}, "value": {"S": value}}


KINDS = [_put, _update, _delete, _batch, _transaction, _statement]
