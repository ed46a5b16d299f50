"""Batches for the mirror, and what it makes of them."""

from __future__ import annotations

from typing import Any

from tests.replicator.data.engine import event_record
from tests.replicator.data.world import SOURCE, TWIN, World


def key(name: str) -> dict[str, Any]:
    return {"id": {"S": name}}


def item(name: str, value: str) -> dict[str, Any]:
    return {**key(name), "value": {"S": value}}


def record(number: int, name: str, value: str | None, table: str = SOURCE, at: float = 1_000_000.0) -> dict[str, Any]:
    return event_record(table, number, key(name), None if value is None else item(name, value), {}, at)


def sequence(number: int) -> str:
    return f"{number + 1:021}"


def values(found: World, table: str = TWIN) -> dict[str, str]:
    return {one["id"]["S"]: one["value"]["S"] for one in found.engine.items(table).values()}
