"""Tables with something in them, for workers."""

from __future__ import annotations

from typing import Any

from tests.replicator.data.world import SOURCE, TWIN, World


def item(number: int, value: str = "v") -> dict[str, Any]:
    return {"id": {"S": f"{number:04}"}, "value": {"S": value}}


def filled(at: World, count: int = 30, *tables: str) -> World:
    for table in tables or (SOURCE,):
        for number in range(count):
            at.engine.put(table, item(number))
    return at


def same(at: World) -> bool:
    return at.engine.items(SOURCE) == at.engine.items(TWIN)


def nothing_is_taken(operation: str, request: dict[str, Any]) -> Any:
    return {"UnprocessedItems": request["RequestItems"]} if operation == "batch_write_item" else None
