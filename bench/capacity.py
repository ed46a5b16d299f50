"""What a migration consumes of both tables, item by item, on a quiet table: as the engine itself tells of each call."""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import Any

from bench.copy_loop import job
from bench.engines import Engine
from bench.figures import Part, Table, at_most
from bench.mirror_calls import mirror
from bench.workload import SOURCE, STATE, TWIN, Counting, items, make_pair, records, write_all
from replication.segments import Part as Kind

KINDS = {
    "scan": "read",
    "batch_get_item": "read",
    "get_item": "read",
    "query": "read",
    "batch_write_item": "write",
    "put_item": "write",
    "update_item": "write",
    "delete_item": "write",
}


class Metering:
    """A client that adds up what its calls consume, by table and kind."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()
        self.units: Counter[tuple[str, str]] = Counter()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        kind = KINDS.get(name)
        if kind is None:
            return found

        def call(**request: Any) -> Any:
            answer = found(**{**request, "ReturnConsumedCapacity": "TOTAL"})
            told = answer.get("ConsumedCapacity", [])
            with self._lock:
                for one in [told] if isinstance(told, dict) else told:
                    self.units[one["TableName"], kind] += one["CapacityUnits"]
            return answer

        return call


def measure(on: Engine, count: int) -> Part:
    """Mirrors, copies and compares so many items of half a kilobyte."""
    found = items(count)
    stored = sum(map(_stored, found)) / count
    scan, look = stored / 4096 / 2, 1.0
    steps = []
    pair = make_pair(on.client())
    mirrored = Metering(Counting(on.client()))
    mirror(mirrored, records(found, pair.source.stream_arn), pair)
    steps.append(("mirror", mirrored.units, 1.0, 0.0, "a write"))
    make_pair(on.client())
    write_all(on.client(), SOURCE, found)
    copied, compared = Metering(Counting(on.client())), Metering(Counting(on.client()))
    job(copied, Kind.COPY)
    steps.append(("copy", copied.units, 1.0, scan + look, "a scan, a write, a consistent second look"))
    job(compared, Kind.COMPARE_OWNER, Kind.COMPARE_OTHER)
    steps.append(
        ("compare", compared.units, 0.0, 2 * (scan + look / 2), "a scan of each table, a look-up in the other")
    )
    rows = []
    targets = []
    for name, units, writes, reads, why in steps:
        written = (units[SOURCE, "write"] + units[TWIN, "write"]) / count
        read = (units[SOURCE, "read"] + units[TWIN, "read"]) / count
        state = (units[STATE, "write"] / count, units[STATE, "read"] / count)
        rows.append(
            [
                name,
                f"{written:.3f}",
                f"{writes:.3f}",
                f"{read:.3f}",
                f"{reads:.3f}",
                why,
                f"{state[0]:.3f} and {state[1]:.3f}",
            ]
        )
        if writes:
            targets.append(at_most(f"{name}: write units per item ({on.name})", written, writes))
        if reads:
            targets.append(at_most(f"{name}: read units against the least possible ({on.name})", read / reads, 1.05))
    head = [
        "step",
        "write units",
        "least",
        "read units",
        "least",
        "the least is",
        "of the state table (write and read)",
    ]
    title = f"Units per item: {count} items of {stored:.0f} bytes, {on.name}"
    return Part("Capacity", [Table(title, head, rows)], targets)


def _stored(item: dict[str, Any]) -> int:
    """About as many bytes as DynamoDB counts: names and values, a byte or three around lists and maps."""
    return sum(len(name) + _of_value(value) for name, value in item.items())


def _of_value(value: dict[str, Any]) -> int:
    [(kind, content)] = value.items()
    if kind == "N":
        return len(content.strip("-0.")) // 2 + 2
    if kind == "L":
        return 3 + sum(1 + _of_value(one) for one in content)
    if kind == "M":
        return 3 + sum(1 + len(name) + _of_value(one) for name, one in content.items())
    if kind == "SS":
        return sum(map(len, content))
    return 1 if kind in ("BOOL", "NULL") else len(content) if kind in ("S", "B") else len(json.dumps(content))
