"""The most memory that a worker takes while it copies a small and a large table.

Each copy runs in a Python of its own. The engine is a double that makes its pages when they are asked for and keeps
nothing, so that whatever grows with the table is the worker's.

    python -m bench.memory COUNT    one copy; prints the most memory of its process, in bytes
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

from bench.figures import Part, Table, at_most
from replication.pair import Population, PopulationState
from replication.pair import Table as TableRecord
from replication.population import Population as Jobs
from replication.register import Register
from replication.segments import Mode, Segments
from replication.segments import Part as Kind
from replication.state import State
from replication.tables import Patience, Tables
from replication.worker import Means, Task, Worker
from tests.replicator.control.aws import Account
from tests.replicator.pairs import pair_of

ROOT = Path(__file__).parents[1]
SIZES = (10_000, 1_000_000)
SOURCE, TWIN, PAIR_ID, JOB = "Users", "UsersEncrypted", "bench/Users", "bench"
_MOST_SECONDS = 1500


class Endless:
    """A client of a table of `count` items, made when they are read, and of one that swallows what it is given."""

    def __init__(self, count: int) -> None:
        self._count = count

    def scan(self, **request: Any) -> dict[str, Any]:
        at = int(request["ExclusiveStartKey"]["id"]["S"]) + 1 if "ExclusiveStartKey" in request else 0
        until = min(self._count, at + min(request["Limit"], 4000))
        found = [_item(f"{number:09}") for number in range(at, until)]
        more = {"LastEvaluatedKey": {"id": found[-1]["id"]}} if until < self._count else {}
        size = {"HTTPHeaders": {"content-length": str(300 * len(found))}}
        return {"Items": found, "ResponseMetadata": size, **more}

    def batch_write_item(self, **_: Any) -> dict[str, Any]:
        return {}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        [(table, wanted)] = RequestItems.items()
        return {"Responses": {table: [_item(key["id"]["S"]) for key in wanted["Keys"]]}}

    def describe_table(self, *, TableName: str) -> dict[str, Any]:  # noqa: N803
        schema = [{"AttributeName": "id", "KeyType": "HASH"}]
        size = {"ItemCount": self._count, "TableSizeBytes": 200 * self._count}
        return {"Table": {"TableId": f"id-of-{TableName}", "KeySchema": schema, **size}}


def _item(key: str) -> dict[str, Any]:
    return {"id": {"S": key}, "name": {"S": f"{key:>200}"}, "visits": {"N": "1"}}


def copy(count: int) -> float:
    """Items per second of a worker that copies so many, all segments one after the other."""
    account = Account(SOURCE, TWIN)
    state_client, patience = cast("Any", account.state), Patience(time.time, time.sleep, lambda: 0.5)
    state, register = State(state_client, "State"), Register(state_client, "State", time.time)
    tables = Tables(cast("Any", Endless(count)), patience, threads=8)
    means = Means(state, register, Segments(state_client, "State", time.time), tables, patience)
    source, twin = (TableRecord(name, f"arn:{name}", f"id-of-{name}", f"arn:{name}/stream") for name in (SOURCE, TWIN))
    running = Population(JOB, 0, source.table_id, twin.table_id, PopulationState.RUNNING, time.time())
    state.create(pair_of(PAIR_ID, "bench", source, twin, population=running))
    Jobs(means).plan(PAIR_ID, JOB, Mode.POPULATE, time.time() + 60)
    began = time.perf_counter()
    # One segment: the longest that a single worker can have. The table is the same for every number of them.
    assert Worker(means, Task(PAIR_ID, JOB, Kind.COPY, 0, 1), "invocation", time.time() + _MOST_SECONDS).run()
    return count / (time.perf_counter() - began)


def started(count: int) -> subprocess.Popen[str]:
    """A copy in a process of its own, which goes on beside whatever waits."""
    words = [sys.executable, "-m", "bench.memory", str(count)]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def measure(running: dict[int, subprocess.Popen[str]]) -> Part:
    """What copies that were started have found."""
    found = {}
    for count, process in running.items():
        told, _ = process.communicate(timeout=_MOST_SECONDS)
        assert process.returncode == 0, f"copying {count} items failed"
        found[count] = json.loads(told)
    least, most = (found[count] for count in (min(found), max(found)))
    rows = [
        [f"{count:,}", f"{each['bytes'] / 2**20:.0f} MB", f"{each['before'] / 2**20:.0f} MB", f"{each['rate']:.0f}"]
        for count, each in sorted(found.items())
    ]
    ratio = most["bytes"] / least["bytes"]
    what = f"memory: {max(found):,} items against {min(found):,}"
    return Part(
        "Memory",
        [Table("The most memory of a copying worker", ["items", "most", "before the copy", "items/s"], rows)],
        [at_most(what, ratio, 1.1)],
    )


def _most() -> int:
    """The most memory that this program has had, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage tells there counts the program that started this one as well
        return 1024 * int(next(line.split()[1] for line in status.read_text().splitlines() if "VmHWM" in line))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    before_copy = _most()
    rate = copy(int(sys.argv[1]))
    print(json.dumps({"bytes": _most(), "before": before_copy, "rate": rate}))
