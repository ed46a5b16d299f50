"""Writes by PartiQL appear in the table's stream.

ministack changes the item and writes no stream record, so that whatever follows the stream loses the change. On AWS a
stream captures every modification of items, whichever operation makes it.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
"""

from typing import TYPE_CHECKING, Any

from local.cloud import emulator

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.cloud.settings import Settings


def mend(_settings: "Settings") -> None:
    tables = emulator.module("services.dynamodb")
    for name in ("_partiql_insert", "_partiql_update", "_partiql_delete"):
        _record(tables, name)


def _record(tables: Any, name: str) -> None:
    def recorded(table: Any, parsed: Any, *more: Any) -> Any:
        before = _item(tables, table, parsed)
        answer = plain(table, parsed, *more)
        if answer[0] == 200:
            after = _item(tables, table, parsed)
            if before is not None or after is not None:
                event = "INSERT" if before is None else "REMOVE" if after is None else "MODIFY"
                tables._emit_stream_event(table["TableName"], event, before, after)
        return answer

    plain: Callable[..., Any] = emulator.replace(tables, name, recorded)


def _item(tables: Any, table: Any, parsed: Any) -> Any:
    """The item that a statement names. A write puts another in its place, so the one before stays as it was."""
    if parsed["op"] == "INSERT":
        item = parsed.get("item") or {}
        item = item["M"] if set(item) == {"M"} else item
        names = [name for name in (table["pk_name"], table["sk_name"]) if name]
        keys = [tables._extract_key_val(item.get(name)) for name in names]
    else:
        *keys, _, error = tables._partiql_key_target(table, parsed)
        if error:
            return None
    hash_key, range_key = keys if len(keys) == 2 else (*keys, "__no_sort__")
    return table["items"].get(hash_key, {}).get(range_key)
