"""Many runs at once, one process for each core."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

from tests.history.run import Result, run


def _run(seed: int, *, beyond: bool) -> Result:
    return replace(run(seed, beyond=beyond), story=[])


def many(seeds: Iterable[int], *, beyond: bool = False) -> Iterator[Result]:
    """The results of these seeds, in their order. Time here is made up: whoever keeps real time goes first."""
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(os.cpu_count(), context, initializer=os.nice, initargs=(10,)) as pool:
        yield from pool.map(partial(_run, beyond=beyond), seeds, chunksize=10)


def again(seed: int, *, beyond: bool = False) -> str:
    """The command that runs a seed again and tells its story."""
    return f"python -m tests.history --seed {seed}" + (" --beyond" if beyond else "")


@dataclass
class Sum:
    """What many runs were together."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, result: Result) -> None:
        self.counts.update(result.counts)
        self.faults.update(result.faults)
        self.wrong += [f"seed {result.seed}: {one}" for one in result.wrong]

    def __str__(self) -> str:
        counts = ", ".join(f"{count:,} {what}" for what, count in self.counts.items())
        faults = ", ".join(f"{count:,} x {what}" for what, count in self.faults.most_common())
        return f"{counts}\n{sum(self.faults.values()):,} faults: {faults}"
