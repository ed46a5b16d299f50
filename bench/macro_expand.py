"""The macro: expansion against the SAM translator, growth with size, and what its import costs.

    python -m bench.macro_expand [--rounds N]

- the example: `examples/users/template.yaml` at stage 3, against the SAM translator on the same template
- grown: the example's function and table over and over, up to the 500 resources that CloudFormation takes
- grown, no events: the same without the functions' events, which is the least that the translator can be given to do
- start: a fresh Python that imports the handler, against one with Powertools' Logger, and one with boto3

Processor time, not wall time, for expansion: nothing is waited for.
"""

from __future__ import annotations

import argparse
import functools
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samtranslator.translator.transform import transform

from bench.figures import median_ratio, print_table
from migration.expand import expand
from migration.stages import Stage
from tests.macro.sam import packaged
from tests.macro.templates import load, without_macro

ROOT = Path(__file__).parents[1]
SIZES = (10, 100, 475)
RESOURCES_PER_TABLE = 100
"""A template of the largest size must have room for the five resources of each migration."""

HANDLER = "import migration.handler"
LOGGER = "from aws_lambda_powertools import Logger; Logger(service='bench')"
BOTO3 = "import boto3; boto3.client('dynamodb')"

Template = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """One line of the table: what was measured, against what; medians of the rounds."""

    what: str
    seconds: float
    yardstick: str
    yardstick_seconds: float
    ratio: float


class _NoManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}


def example() -> Template:
    """The users example as `sam package` leaves it."""
    return packaged(without_macro(load(ROOT / "examples" / "users" / "template.yaml")))


def grown(size: int, events: bool) -> Template:
    """A template of `size` resources, each a table or function of the example; each function uses one table."""
    given = example()["Resources"]
    function = json.dumps(given["Api"])
    resources: dict[str, Any] = {}
    for number in range(size):
        table = f"Users{number // RESOURCES_PER_TABLE}"
        if number % RESOURCES_PER_TABLE == 0:
            resources[table] = given["Users"]
            continue
        made = json.loads(function.replace('"Users"', f'"{table}"').replace("Users.Arn", f"{table}.Arn"))
        for event in made["Properties"]["Events"].values():
            event["Properties"]["Path"] = f"/{number}{event['Properties']['Path']}"
        if not events:
            del made["Properties"]["Events"]
        resources[f"Api{number}"] = made
    return {**example(), "Resources": resources, "Outputs": {}}


def expansion(what: str, template: Template, rounds: int) -> Line:
    """Expanding `template` at cutover, against the SAM translator on it."""
    # The translator changes what it is given, so it gets a copy of its own each time; making it is not counted.
    copies = [json.loads(json.dumps(template)) for _ in range(rounds)]
    ours = [_processor_seconds(functools.partial(expand, template, Stage.CUTOVER), times=10) for _ in range(rounds)]
    theirs = [_processor_seconds(functools.partial(transform, copy, {}, _NoManagedPolicies())) for copy in copies]
    return _line(what, ours, "SAM translator", theirs)


def start(what: str, code: str, yardstick: str, other: str, rounds: int) -> Line:
    """A fresh interpreter that runs `code`, against one that runs `other`, one after the other in each round."""
    pairs = [(_interpreter_seconds(code), _interpreter_seconds(other)) for _ in range(rounds)]
    ours, theirs = zip(*pairs, strict=True)
    return _line(what, ours, yardstick, theirs)


def lines(rounds: int = 5) -> list[Line]:
    """Every figure of this file."""
    found = [expansion("expand the example", example(), rounds)]
    # With events the translator's time grows with the square of the size: at the largest it is half a minute and more.
    found += [expansion(f"expand {size} resources", grown(size, events=True), rounds) for size in SIZES[:-1]]
    found += [expansion(f"expand {size} resources without events", grown(size, events=False), rounds) for size in SIZES]
    found.append(start("start the handler", HANDLER, "start Python with Powertools' Logger", LOGGER, rounds))
    found.append(start("start the handler", HANDLER, "start Python with boto3", BOTO3, rounds))
    return found


def growth(found: Sequence[Line]) -> float:
    """How many times longer the largest template takes per resource than the one of a tenth of its size."""
    seconds = {line.what: line.seconds for line in found}
    per_resource = [seconds[f"expand {size} resources without events"] / size for size in SIZES]
    return per_resource[-1] / per_resource[-2]


def _line(what: str, ours: Sequence[float], yardstick: str, theirs: Sequence[float]) -> Line:
    return Line(what, statistics.median(ours), yardstick, statistics.median(theirs), median_ratio(ours, theirs))


def _processor_seconds(action: Callable[[], object], times: int = 1) -> float:
    """The time of one run; what is short is run several times, or the clock would be too coarse."""
    gc.collect()
    gc.disable()  # as timeit does: what it collects here is mostly this program's own, not that of what is measured
    try:
        began = time.process_time()
        for _ in range(times):
            action()
        return (time.process_time() - began) / times
    finally:
        gc.enable()


def _interpreter_seconds(code: str) -> float:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "macro"), "AWS_DEFAULT_REGION": "us-east-1"}
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=ROOT)
    return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # the translator asks for one
    found = lines(parser.parse_args().rounds)
    rows = [
        [
            line.what,
            f"{line.seconds * 1000:.1f} ms",
            line.yardstick,
            f"{line.yardstick_seconds * 1000:.1f} ms",
            f"{line.ratio:.3f}",
        ]
        for line in found
    ]
    print_table("The macro", ["what", "time", "against", "time", "ratio"], rows)
    print(f"Per resource, {SIZES[-1]} resources take {growth(found):.2f} times what {SIZES[-2]} take.")


if __name__ == "__main__":
    main()
