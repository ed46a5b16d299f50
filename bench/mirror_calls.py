"""Mirroring stream records: calls and time, against one update call per record and against bare batches.

    python -m bench.mirror_calls [ministack|dynamodb-local|http://…] [--records N] [--rounds N] [--latency MS]

- one call per record: a function that is invoked with each record and updates the other table's item by it
- bare batches: BatchWriteItem of the same items, 25 at a time, one after the other, and nothing else: no records to
  read, no state, no order
- mirror: the replicator from the event's JSON text to its response, its state table on the same engine

Every record is of another key, so nothing is gained by mirroring only a key's last image. The engine runs on this very
machine; with --latency each call waits as long as it would for the network, in the time of all three.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from typing import TYPE_CHECKING, Any

from bench.engines import OURS, Engine, engine
from bench.figures import median_ratio, print_table
from bench.workload import STATE, TWIN, Counting, items, make_pair, records, write_all
from replication.mirror import Mirror
from replication.register import Register
from replication.state import State
from replication.tables import Patience, Tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from replication.pair import Pair

PARALLEL = 8  # batches at once, as in replication.wiring
BATCH = 1000  # records of an invocation, as the macro sets up the mapping


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


def mirror(client: Any, texts: list[str], _: Pair) -> None:
    """The replicator, an invocation for each batch."""
    tables = Tables(client, Patience(time.time, time.sleep, random.random), threads=PARALLEL)
    mirrors = Mirror(State(client, STATE), Register(client, STATE, time.time), tables, time.time)
    for at in range(0, len(texts), BATCH):
        event = json.loads(f'{{"Records": [{", ".join(texts[at : at + BATCH])}]}}')
        outcome = mirrors.run(event, f"invocation-{at}", time.time() + 900)
        assert outcome.response() == {"batchItemFailures": []}, outcome


def measure(on: Engine, count: int, rounds: int, latency: float) -> None:
    """Runs all three in each round, on new tables, and prints their medians."""
    found = items(count)
    ways: dict[str, Callable[[Any, list[str], Pair], None]] = {
        "one update call per record": one_call_per_record,
        "bare batches": lambda client, _texts, _pair: write_all(client, TWIN, found),
        "mirror": mirror,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    calls: dict[str, int] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            pair = make_pair(on.client())
            texts = records(found, pair.source.stream_arn)
            counting = Counting(on.client(OURS if way is mirror else None), latency)
            began = time.perf_counter()
            way(counting, texts, pair)
            seconds[name].append(time.perf_counter() - began)
            calls[name] = counting.calls
    rows = [
        [
            name,
            f"{calls[name]}",
            f"{calls['one update call per record'] / calls[name]:.1f}x fewer",
            f"{count * median_ratio([1] * rounds, seconds[name]):.0f}",
            f"{median_ratio(seconds['one update call per record'], seconds[name]):.1f}x",
            f"{median_ratio(seconds[name], seconds['bare batches']):.2f}",
        ]
        for name in ways
    ]
    head = ["way", "calls", "calls against one per record", "records/s", "speed", "time against bare batches"]
    title = f"Mirroring {count} records, {latency * 1000:g} ms to the engine, medians of {rounds} rounds"
    print_table(title, head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", nargs="?", default="ministack")
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0, help="milliseconds that each call waits for the network")
    given = parser.parse_args()
    with engine(given.engine) as on:
        measure(on, given.records, given.rounds, given.latency / 1000)


if __name__ == "__main__":
    main()
