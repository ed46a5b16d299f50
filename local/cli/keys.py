"""Shows keys that something is known to be wrong with, to whoever may read the tables that they are from.

The state table names them, but what is shown is looked up with the caller's own rights: a key is told only to somebody
who could read its item as well, and with what both tables hold under it now.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from rich.text import Text

from local.cli.cloud import asking
from replication.values import equal, identity

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from mypy_boto3_dynamodb import DynamoDBClient

    from replication.pair import Pair
    from replication.values import Item

SHOWN = 20


def named(client: DynamoDBClient, pair: Pair, wrong: Iterable[tuple[str, Item]]) -> list[Text]:
    """A line for each of the first keys. Raises CloudUnreachable."""
    found: dict[Hashable, tuple[Item, list[str]]] = {}
    for what, key in wrong:
        found.setdefault(identity(key), (key, []))[1].append(what)
    with asking():
        try:
            lines = [
                Text(f"  {', '.join(dict.fromkeys(whats))}: {_said(key)}, {_where(client, pair, key)}")
                for key, whats in islice(found.values(), SHOWN)
            ]
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDeniedException":
                raise
            return [Text("  You may not read both tables, so no keys are shown.", style="yellow")]
    return lines + ([Text(f"  … and {len(found) - SHOWN} more")] if len(found) > SHOWN else [])


def _where(client: DynamoDBClient, pair: Pair, key: Item) -> str:
    """What both tables hold under a key now."""
    source, twin = (
        client.get_item(TableName=table.name, Key=key, ConsistentRead=True).get("Item")
        for table in (pair.source, pair.twin)
    )
    if equal(source, twin):
        return "in neither table now" if source is None else "equal in both tables now"
    if source is not None and twin is not None:
        return "not the same in both tables"
    return f"only in {(pair.source if twin is None else pair.twin).name}"


def _said(key: Item) -> str:
    return ", ".join(f"{name} = {_value(value)}" for name, value in sorted(key.items()))


def _value(value: Item) -> str:
    [(kind, content)] = value.items()
    return bytes(content).hex() if kind == "B" else str(content)
