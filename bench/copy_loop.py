"""Copying and comparing a table: against bare loops of the same engine calls, and against dynamodump.

- bare loop: scans in parallel segments, writes each page in batches of 25, reads every key again with a consistent
  BatchGetItem, looks at none of it, and knows neither throttling nor where it was
- copy: the worker itself, as many segments at once: checks whose turn it is, registers, compares what it reads again
  with what it wrote, keeps its position; its state table on the same engine
- bare comparison: scans both tables, looks every key up in the other, looks at none of it
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from bench import dynamodump
from bench.engines import Engine
from bench.figures import Part, Table, at_least, median_ratio
from bench.workload import JOB, PAIR_ID, SOURCE, STATE, TWIN, Counting, Spent, items, make_pair, spent, write_all
from replication.population import Population
from replication.register import Register
from replication.segments import WORKERS_AT_ONCE, Mode, Segments
from replication.segments import Part as Kind
from replication.state import State
from replication.tables import Patience, Tables
from replication.worker import Means, Task, Worker

THREADS = 8  # batches at once, as in replication.wiring; the bare loop has as many
SEGMENTS = 2


def pages(client: Any, table: str, segment: int) -> Iterator[list[dict[str, Any]]]:
    """A bare scan of a segment."""
    request: dict[str, Any] = {"TableName": table, "Segment": segment, "TotalSegments": SEGMENTS}
    while True:
        page = client.scan(**request)
        yield page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def read_all(client: Any, table: str, found: list[dict[str, Any]], *, consistent: bool) -> None:
    """Bare BatchGetItem of these items' keys."""
    keys = [{"user": item["user"]} for item in found]
    while keys:
        answer = client.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": consistent}})
        keys = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])


def bare(client: Any, table: str, each: Callable[[list[dict[str, Any]]], object]) -> None:
    """Scans in parallel; a hundred items at a time, side by side, go through `each`."""
    with ThreadPoolExecutor(SEGMENTS) as scans, ThreadPoolExecutor(THREADS) as groups:

        def segment(number: int) -> None:
            for page in pages(client, table, number):
                list(groups.map(each, (page[at : at + 100] for at in range(0, len(page), 100))))

        list(scans.map(segment, range(SEGMENTS)))


def bare_copy(client: Any) -> None:
    def each(found: list[dict[str, Any]]) -> None:
        write_all(client, TWIN, found)
        read_all(client, SOURCE, found, consistent=True)

    bare(client, SOURCE, each)


def bare_compare(client: Any) -> None:
    for table, other in ((SOURCE, TWIN), (TWIN, SOURCE)):
        bare(client, table, lambda found, other=other: read_all(client, other, found, consistent=False))  # type: ignore[misc]


def job(client: Any, *parts: Kind) -> None:
    """The workers of these parts of a job, as the population machine runs them."""
    patience = Patience(time.time, time.sleep, random.random)

    def means() -> Means:
        state, register = State(client, STATE), Register(client, STATE, time.time)
        tables = Tables(client, patience, threads=max(1, THREADS // SEGMENTS))
        return Means(state, register, Segments(client, STATE, time.time), tables, patience)

    def work(part: Kind, number: int) -> None:
        task = Task(PAIR_ID, JOB, part, number, SEGMENTS)
        assert Worker(means(), task, f"invocation-{number}", time.time() + 900).run()

    Population(means()).plan(PAIR_ID, JOB, Mode.POPULATE, time.time() + 60)
    with ThreadPoolExecutor(SEGMENTS) as workers:
        for part in parts:
            list(workers.map(work, [part] * SEGMENTS, range(SEGMENTS)))


def measure(on: Engine, count: int, rounds: int, latency: float) -> Part:
    """Runs every way in each round, on new tables: the comparisons at hand, dynamodump from a distance.

    A first round, in which the engine warms up, does not count.
    """
    found = items(count)
    ways: dict[str, Callable[[Any], None]] = {
        "bare loop": bare_copy,
        "copy": lambda client: job(client, Kind.COPY),
    }
    if not latency:
        ways |= {
            "bare comparison": bare_compare,
            "comparison": lambda client: job(client, Kind.COMPARE_OWNER, Kind.COMPARE_OTHER),
        }
    took: dict[str, list[Spent]] = {name: [] for name in ways}
    calls: dict[str, int] = {}
    dumped: list[Spent] = []
    plain = on.client()
    for number in range(rounds + 1):
        for name, way in ways.items():
            if "comparison" not in name:  # a comparison finds what the copy has left
                make_pair(plain)
                write_all(plain, SOURCE, found)
            counting = Counting(on.ours() if name in ("copy", "comparison") else on.client(), latency)
            one = spent(on, partial(way, counting))
            took[name] += [one] if number else []
            calls[name] = counting.calls
            _check(plain, count, name)
        if number and latency and dynamodump.is_there():
            make_pair(plain)
            write_all(plain, SOURCE, found)
            dumped.append(_dumped(on, latency))
            _check(plain, count, "dynamodump")
    return _told(f"{on.name}, {latency * 1000:g} ms away", count, took, calls, dumped)


def _dumped(on: Engine, latency: float) -> Spent:
    engine = on.processor_seconds()
    run = dynamodump.run(on.endpoint, SOURCE, TWIN, latency)
    return Spent(run.seconds, on.processor_seconds() - engine, run.processor_seconds)


def _check(client: Any, count: int, name: str) -> None:
    copied = sum(page["Count"] for page in client.get_paginator("scan").paginate(TableName=TWIN))
    assert copied == count, f"{name}: {copied} of {count} items"


def _told(where: str, count: int, took: dict[str, list[Spent]], calls: dict[str, int], dumped: list[Spent]) -> Part:
    seconds = {name: [one.seconds for one in each] for name, each in took.items()}

    def row(name: str, against: str) -> list[str]:
        each = took[name]
        return [
            name,
            str(calls[name]),
            f"{count / statistics.median(seconds[name]):.0f}",
            f"{median_ratio(seconds[against], seconds[name]):.2f} of {against}",
            f"{statistics.median(one.engine for one in each) / count * 1000:.2f} ms" if each[0].engine else "",
            f"{statistics.median(one.ours for one in each) / count * 1000:.2f} ms",
        ]

    rows = [row(name, "bare comparison" if "comparison" in name else "bare loop") for name in took]
    targets = [
        at_least(
            f"copy: speed against its bare loop ({where})", median_ratio(seconds["bare loop"], seconds["copy"]), 0.85
        )
    ]
    if dumped:
        rows.append(_of_dynamodump(count, seconds["copy"], dumped))
        ratio = median_ratio([one.seconds for one in dumped], seconds["copy"])
        targets.append(at_least(f"copy in one process: times faster than dynamodump ({where})", ratio, 10))
    head = ["way", "calls", "items/s", "speed", "engine's processor time per item", "client's"]
    title = f"Copying {count} items: {where}"
    note = f"{_limit(count, took['copy'], dumped)} {_fleet(count, took['copy'], dumped)}" if dumped else ""
    return Part("Copy and comparison", [Table(title, head, rows, note)], targets)


def _limit(count: int, copied: list[Spent], dumped: list[Spent]) -> str:
    """Why one process cannot be ten times as fast here."""
    wanted = 10 * count / statistics.median(one.seconds for one in dumped)
    engine = statistics.median(one.engine for one in copied) / count * wanted
    ours = statistics.median(one.ours for one in copied) / count * wanted
    return (
        f"Ten times dynamodump's speed would be {wanted:,.0f} items/s. For that the engine alone would need "
        f"{engine:.1f} cores all the time, and the copy {ours:.1f}; this machine has {os.cpu_count()}."
    )


def _fleet(count: int, copied: list[Spent], dumped: list[Spent]) -> str:
    """What both could do at most if the engine and the network took no time at all."""
    one = count / statistics.median(one.ours for one in copied)
    tool = count / statistics.median(one.ours for one in dumped)
    return (
        f"By processor time alone a worker could copy {one:,.0f} items/s on a core of this machine, and dynamodump, "
        f"which is one thread, {tool:,.0f} however fast the engine is. In AWS {WORKERS_AT_ONCE} workers copy at once, "
        f"each with a core of its own: {WORKERS_AT_ONCE * one / tool:.0f} times as much, where the tables have that "
        "capacity."
    )


def _of_dynamodump(count: int, copied: list[float], dumped: list[Spent]) -> list[str]:
    seconds = [one.seconds for one in dumped]
    return [
        "dynamodump, backup and restore",
        "",
        f"{count / statistics.median(seconds):.0f}",
        f"copy is {median_ratio(seconds, copied):.2f} times faster",
        f"{statistics.median(one.engine for one in dumped) / count * 1000:.2f} ms",
        f"{statistics.median(one.ours for one in dumped) / count * 1000:.2f} ms",
    ]
