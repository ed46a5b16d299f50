"""Measures everything in one run and writes docs/bench.md and the README's table: `make bench`.

python -m bench [PART ...]    only these parts (mirror, copy, capacity, macro, turn, memory), and nothing is written
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from bench import capacity, copy_loop, macro_expand, memory, mirror_calls, report, turn
from bench.engines import Engine, engine
from bench.figures import Part, markdown

RECORDS, ITEMS, ROUNDS = 1000, 2000, 3
FEW = 250  # items of a figure in which nothing depends on how many there are
ALL = ("mirror", "copy", "capacity", "macro", "turn", "memory")
AWAY = 0.005  # seconds that the way to DynamoDB takes


def mirrored(engines: list[Engine]) -> Part:
    """Every engine at hand, the first one also from a distance."""
    parts = [mirror_calls.measure(on, RECORDS if on is engines[0] else FEW, ROUNDS, 0) for on in engines]
    parts.append(mirror_calls.measure(engines[0], RECORDS, ROUNDS, AWAY))
    sizes = mirror_calls.batch_sizes(engines[0], 2 * RECORDS, AWAY)
    return replace(_joined(parts), tables=[*_joined(parts).tables, sizes])


def copied(engines: list[Engine]) -> Part:
    """The same for copy and comparison."""
    parts = [copy_loop.measure(on, ITEMS if on is engines[0] else FEW, ROUNDS, 0) for on in engines]
    parts.append(copy_loop.measure(engines[0], ITEMS, ROUNDS, AWAY))
    return _joined(parts)


ON_ENGINES: dict[str, Callable[[list[Engine]], Part]] = {
    "mirror": mirrored,
    "copy": copied,
    "capacity": lambda engines: capacity.measure(engines[0], FEW),
}


def reckoned(names: Sequence[str]) -> Iterator[Part]:
    """The parts that need no engine. They count processor time and memory, so they may run side by side."""
    copies = {count: memory.started(count) for count in memory.SIZES} if "memory" in names else {}
    with ProcessPoolExecutor(2) as pool:
        running = [pool.submit(macro_expand.measure, ROUNDS)] if "macro" in names else []
        running += [pool.submit(turn.measure)] if "turn" in names else []
        yield from (each.result() for each in running)
    if copies:
        yield memory.measure(copies)


def _joined(parts: list[Part]) -> Part:
    return Part(
        parts[0].name,
        [table for part in parts for table in part.tables],
        [target for part in parts for target in part.targets],
    )


def measured(names: Sequence[str]) -> Iterator[Part]:
    """The parts of these names."""
    first = "dynamodb-local" if os.environ.get("DYNAMODB_LOCAL") else "ministack"
    if not {*ON_ENGINES}.isdisjoint(names):
        with engine(first) as one, engine("ministack") as other:
            engines = [one, other] if first != "ministack" else [other]
            yield from (part(engines) for name, part in ON_ENGINES.items() if name in names)
    yield from reckoned(names)


def main(names: Sequence[str]) -> None:
    """Prints each part as it is done."""
    began = time.monotonic()
    found = []
    for part in measured(names or ALL):
        found.append(part)
        for table in part.tables:
            print(f"{table.title}\n\n{markdown(table.head, table.rows)}\n", flush=True)
    print(report.summary(found))
    if not names:
        report.write(found, (time.monotonic() - began) / 60)


if __name__ == "__main__":
    main(sys.argv[1:])
