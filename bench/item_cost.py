"""What an item costs in processor time on our side alone: by the replicator's client, and by boto3's own.

Both go over the same wire, which ends in this process; what is done behind it is not counted. The least of several
rounds, because whatever else the machine does only adds to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import boto3

from bench.figures import Table
from bench.wire import over_the_wire
from replication.client import items_client

_READ, _WRITTEN, _TABLE = 100, 25, "Users"  # as many as a batch takes


class _Answering:
    """A table that holds whatever it is asked for."""

    def __init__(self, item: dict[str, Any]) -> None:
        self._item = item

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        [(table, wanted)] = RequestItems.items()
        return {"Responses": {table: [{**self._item, **key} for key in wanted["Keys"]]}}

    def batch_write_item(self, **_: Any) -> dict[str, Any]:
        return {}


def measure(item: dict[str, Any], rounds: int) -> Table:
    """Microseconds for each item read and written, and for a call that carries one."""
    keys = [{"id": {"S": f"user-{number:08}"}} for number in range(_READ)]
    writes = [{"PutRequest": {"Item": {**item, **key}}} for key in keys[:_WRITTEN]]
    found: list[list[float]] = []
    for make in (lambda **given: boto3.client("dynamodb", **given), items_client):
        behind: list[float] = []
        client = over_the_wire(lambda: _Answering(item), behind.append, make)

        def call(operation: str, wanted: Any, behind: list[float] = behind, client: Any = client) -> float:
            behind.clear()
            began = time.thread_time()
            getattr(client, operation)(RequestItems={_TABLE: wanted})
            return time.thread_time() - began - sum(behind)

        found.append([
            _least(lambda call=call: call("batch_get_item", {"Keys": keys}), rounds) / _READ,  # type: ignore[misc]
            _least(lambda call=call: call("batch_write_item", writes), rounds) / _WRITTEN,  # type: ignore[misc]
            _least(lambda call=call: call("batch_write_item", writes[:1]), rounds),  # type: ignore[misc]
        ])  # fmt: skip
    theirs, ours = found
    return Table(
        "Processor time of an item on our side",
        ["what", "boto3", "the replicator's client", "ratio"],
        [
            [what, f"{one * 1e6:.0f} µs", f"{other * 1e6:.0f} µs", f"{other / one:.2f}"]
            for what, one, other in zip(
                ("read, of 100 in a call", "written, of 25 in a call", "a call that writes one"),
                theirs,
                ours,
                strict=True,
            )
        ],
        f"A {_WRITTEN}th of a call is the least that writing an item can cost, whoever builds it: boto3 signs each "
        "request, and finds its address and headers anew.",
    )


def _least(measured: Callable[[], float], rounds: int) -> float:
    return min(measured() for _ in range(rounds))
