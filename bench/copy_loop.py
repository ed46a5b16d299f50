"""Copying a table: time and calls, against a bare loop of the same engine calls.

    python -m bench.copy_loop [ministack|dynamodb-local|http://…] [--items N] [--rounds N] [--latency MS] [--segments N]

- bare loop: scans in parallel segments, writes each page in batches of 25, reads every key again with a consistent
  BatchGetItem, looks at none of it, and knows neither throttling nor where it was
- copy: the worker itself, as many segments at once: checks whose turn it is, registers, compares what it reads again
  with what it wrote, keeps its position; its state table on the same engine

`share` is the bare loop's time over the copy's: 1.00 would mean that safety costs nothing.
"""

from __future__ import annotations

import argparse
import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from bench.engines import OURS, Engine, engine
from bench.figures import median_ratio, print_table
from bench.workload import JOB, PAIR_ID, SOURCE, STATE, TWIN, Counting, items, make_pair, write_all
from replication.population import Population
from replication.register import Register
from replication.segments import Mode, Part, Segments
from replication.state import State
from replication.tables import Patience, Tables
from replication.worker import Means, Task, Worker

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 8  # batches at once, as in replication.wiring; the bare loop has as many


def bare_loop(client: Any, segments: int) -> None:
    """Scan, write, read again; the groups of a page side by side."""
    with ThreadPoolExecutor(segments) as scans, ThreadPoolExecutor(THREADS) as groups:

        def group(found: list[dict[str, Any]]) -> None:
            write_all(client, TWIN, found)
            keys = [{"user": item["user"]} for item in found]
            while keys:
                answer = client.batch_get_item(RequestItems={SOURCE: {"Keys": keys, "ConsistentRead": True}})
                keys = answer.get("UnprocessedKeys", {}).get(SOURCE, {}).get("Keys", [])

        def segment(number: int) -> None:
            request: dict[str, Any] = {"TableName": SOURCE, "Segment": number, "TotalSegments": segments}
            while True:
                page = client.scan(**request)
                list(groups.map(group, (page["Items"][at : at + 100] for at in range(0, len(page["Items"]), 100))))
                if "LastEvaluatedKey" not in page:
                    return
                request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

        list(scans.map(segment, range(segments)))


def copy(client: Any, segments: int) -> None:
    """The workers of a job, as the population machine runs them."""
    patience = Patience(time.time, time.sleep, random.random)

    def means() -> Means:
        state, register = State(client, STATE), Register(client, STATE, time.time)
        tables = Tables(client, patience, threads=max(1, THREADS // segments))
        return Means(state, register, Segments(client, STATE, time.time), tables, patience)

    def work(number: int) -> None:
        task = Task(PAIR_ID, JOB, Part.COPY, number, segments)
        assert Worker(means(), task, f"invocation-{number}", time.time() + 900).run()

    Population(means()).plan(PAIR_ID, JOB, Mode.POPULATE, time.time() + 60)
    with ThreadPoolExecutor(segments) as workers:
        list(workers.map(work, range(segments)))


def measure(on: Engine, count: int, rounds: int, segments: int, latency: float) -> None:
    """Runs both in each round, on new tables, and prints their medians."""
    found = items(count)
    ways: dict[str, Callable[[Any, int], None]] = {"bare loop": bare_loop, "copy": copy}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    calls: dict[str, int] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            plain = on.client()
            make_pair(plain)
            write_all(plain, SOURCE, found)
            counting = Counting(on.client(OURS if way is copy else None), latency)
            began = time.perf_counter()
            way(counting, segments)
            seconds[name].append(time.perf_counter() - began)
            calls[name] = counting.calls
            copied = sum(page["Count"] for page in plain.get_paginator("scan").paginate(TableName=TWIN))
            assert copied == count, f"{name}: {copied} of {count} items"
    rows = [
        [
            name,
            f"{calls[name]}",
            f"{count * median_ratio([1] * rounds, seconds[name]):.0f}",
            f"{median_ratio(seconds['bare loop'], seconds[name]):.2f}",
        ]
        for name in ways
    ]
    title = (
        f"Copying {count} items in {segments} segments, {latency * 1000:g} ms to the engine, medians of {rounds} rounds"
    )
    print_table(title, ["way", "calls", "items/s", "share"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", nargs="?", default="ministack")
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--segments", type=int, default=2)
    parser.add_argument("--latency", type=float, default=0, help="milliseconds that each call waits for the network")
    given = parser.parse_args()
    with engine(given.engine) as on:
        measure(on, given.items, given.rounds, given.segments, given.latency / 1000)


if __name__ == "__main__":
    main()
