"""The history check, small size: the real gate, turn, copy, mirror and watchdog under faults, seed after seed.

Within the protocol's assumptions nothing is lost, counters are exact, reads can be explained, and at rest both tables
are equal or known not to be. Beyond the bound on spreading, whatever is lost has been found and named.

A seed that fails is run again, step by step, by `python -m tests.history --seed N`; more of them by `--seeds N`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.history.many import Sum, again, many
from tests.history.run import run

WITHIN, BEYOND = 1000, 200


def failures(total: Sum, *, beyond: bool) -> str:
    return "\n".join(f"{one}\n    {again(int(one.split()[1][:-1]), beyond=beyond)}" for one in total.wrong)


@pytest.mark.parametrize(("seeds", "beyond"), [(WITHIN, False), (BEYOND, True)], ids=["within", "beyond"])
def test_nothing_is_lost_or_it_is_found_and_named(
    seeds: int, beyond: bool, record_property: Callable[[str, object], None]
) -> None:
    total = Sum()
    for result in many(range(seeds), beyond=beyond):
        total.add(result)
    record_property("told", f"{'beyond' if beyond else 'within'} the bound, seeds 0 to {seeds - 1}: {total}")
    assert not total.wrong, failures(total, beyond=beyond)
    assert total.counts["turns"] > seeds  # the journeys were made, not refused
    assert total.counts["acknowledged writes"] > 50 * seeds
    assert total.counts["strays named"] > 0 if beyond else total.faults["migrations begun anew"] > 0


def test_a_seed_gives_the_same_run_in_another_process() -> None:
    command = [sys.executable, "-m", "tests.history", "--seed", "3"]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=120).stdout
    assert told.splitlines() == [*run(3).story, "all is well"]
