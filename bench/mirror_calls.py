"""Mirroring stream records: calls and time, against one update call per record and against bare batches.

- one call per record: a function that is invoked with each record and updates the other table's item by it
- bare batches: BatchWriteItem of the same items, 25 at a time, one after the other, and nothing else: no records to
  read, no state, no order
- mirror: the replicator from the event's JSON text to its response, its state table on the same engine

Every record is of another key, so nothing is gained by mirroring only a key's last image. The engine runs on this very
machine; with a latency each call waits as long as it would for the network, in the time of all three.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.engines import Engine
from bench.figures import Part, Table, at_least, at_most, median_ratio
from bench.workload import STATE, TWIN, Counting, Spent, items, make_pair, records, spent, write_all
from replication.mirror import Mirror
from replication.register import Register
from replication.state import State
from replication.tables import Patience, Tables

if TYPE_CHECKING:
    from replication.pair import Pair

PARALLEL = 8  # batches at once, as in replication.wiring
BATCH = 1000  # records of an invocation, as the macro sets up the mapping
BATCH_SIZES = (10, 100, 1000, 2000)

Way = Callable[[Any, list[str], "Pair"], None]


def one_call_per_record(client: Any, texts: list[str], _: Pair) -> None:
    """The way of 2018: a record, an invocation, an update."""
    for text in texts:
        [record] = json.loads(f'{{"Records": [{text}]}}')["Records"]
        image, key = record["dynamodb"]["NewImage"], record["dynamodb"]["Keys"]
        rest = [name for name in image if name not in key]
        client.update_item(
            TableName=TWIN,
            Key=key,
            UpdateExpression="SET " + ", ".join(f"#{place} = :{place}" for place, _ in enumerate(rest)),
            ExpressionAttributeNames={f"#{place}": name for place, name in enumerate(rest)},
            ExpressionAttributeValues={f":{place}": image[name] for place, name in enumerate(rest)},
        )


def mirror(client: Any, texts: list[str], _: Pair, batch: int = BATCH) -> None:
    """The replicator, an invocation for each batch."""
    tables = Tables(client, Patience(time.time, time.sleep, random.random), threads=PARALLEL)
    mirrors = Mirror(State(client, STATE), Register(client, STATE, time.time), tables, time.time)
    for at in range(0, len(texts), batch):
        event = json.loads(f'{{"Records": [{", ".join(texts[at : at + batch])}]}}')
        outcome = mirrors.run(event, f"invocation-{at}", time.time() + 900)
        assert outcome.response() == {"batchItemFailures": []}, outcome


def measure(on: Engine, count: int, rounds: int, latency: float) -> Part:
    """Runs all three in each round, on new tables. A first round, in which the engine warms up, does not count."""
    found = items(count)
    ways: dict[str, Way] = {
        "one update call per record": one_call_per_record,
        "bare batches": lambda client, _texts, _pair: write_all(client, TWIN, found),
        "mirror": mirror,
    }
    took: dict[str, list[Spent]] = {name: [] for name in ways}
    calls: dict[str, int] = {}
    for number in range(rounds + 1):
        for name, way in ways.items():
            pair = make_pair(on.client())
            texts = records(found, pair.source.stream_arn)
            counting = Counting(on.ours() if way is mirror else on.client(), latency)
            one = spent(on, partial(way, counting, texts, pair))
            took[name] += [one] if number else []
            calls[name] = counting.calls
    return _told(on, count, latency, took, calls)


def _told(on: Engine, count: int, latency: float, took: dict[str, list[Spent]], calls: dict[str, int]) -> Part:
    seconds = {name: [one.seconds for one in each] for name, each in took.items()}
    single, bare, ours = seconds.values()
    most = max(calls.values())
    rows = [
        [
            name,
            str(calls[name]),
            f"{most / calls[name]:.1f}",
            f"{count / statistics.median(seconds[name]):.0f}",
            f"{median_ratio(single, seconds[name]):.1f}",
            f"{median_ratio(seconds[name], bare):.2f}",
            f"{statistics.median(one.engine for one in each) / count * 1000:.2f} ms" if each[0].engine else "",
            f"{statistics.median(one.ours for one in each) / count * 1000:.2f} ms",
        ]
        for name, each in took.items()
    ]
    where = f"{on.name}, {latency * 1000:g} ms away"
    table = Table(
        f"Mirroring {count} records: {where}",
        [
            "way",
            "calls",
            "times fewer",
            "records/s",
            "times faster",
            "time against bare batches",
            "engine's processor time per record",
            "client's",
        ],
        rows,
    )
    fewer = at_least(f"mirror: times fewer calls than one per record ({where})", most / calls["mirror"], 20)
    return Part(
        "Mirror",
        [table],
        [
            *([fewer] if count >= BATCH else []),  # of a batch that is not full, its own calls are too large a part
            at_least(f"mirror: times faster than one call per record ({where})", median_ratio(single, ours), 10),
            at_most(f"mirror: time against bare batches ({where})", median_ratio(ours, bare), 1.15),
        ],
    )


def batch_sizes(on: Engine, count: int, latency: float) -> Table:
    """What the size of a mapping's batches changes."""
    found = items(count)
    rows = []
    for size in BATCH_SIZES:
        pair = make_pair(on.client())
        texts = records(found, pair.source.stream_arn)
        counting = Counting(on.ours(), latency)
        took = spent(on, partial(mirror, counting, texts, pair, size))
        longest = max(
            sum(map(len, texts[at : at + size])) for at in range(0, count, size)
        )  # two images at most make it twice as long
        rows.append(
            [
                str(size),
                f"{count / took.seconds:.0f}",
                f"{counting.calls / count * 1000:.0f}",
                f"{took.ours / count * 1000:.2f} ms",
                f"{longest / 1e6:.2f} MB",
            ]
        )
    return Table(
        f"Batch size of the mapping: {count} records, {on.name}, {latency * 1000:g} ms away",
        ["BatchSize", "records/s of one lane", "calls per 1,000 records", "client's time per record", "longest event"],
        rows,
    )
