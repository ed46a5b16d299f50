"""The macro: expansion against the SAM translator, growth with size, and what its import costs.

- the example: `examples/users/template.yaml` at stage 3, against the SAM translator on the same template
- grown: the example's function and table over and over, up to the 500 resources that CloudFormation takes
- grown, no events: the same without the functions' events, which is the least that the translator can be given to do
- start: a fresh Python that imports a handler, against one with Powertools' Logger, a bare one, and one with boto3

Processor time, not wall time: nothing is waited for.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samtranslator.translator.transform import transform

from bench.figures import Part, Table, at_most, median_ratio
from migration.expand import expand
from migration.stages import Stage
from tests.macro.sam import packaged
from tests.macro.templates import load, without_macro

ROOT = Path(__file__).parents[1]
SIZES = (10, 100, 475)
RESOURCES_PER_TABLE = 100
"""A template of the largest size must have room for the five resources of each migration."""

HANDLERS = {
    "the macro's handler": "import migration.handler",
    "the replicator's handlers": "import replication.handlers",
}
BARE = "pass"
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

    @property
    def row(self) -> list[str]:
        """As a row of the report."""
        ours, theirs = f"{self.seconds * 1000:.1f} ms", f"{self.yardstick_seconds * 1000:.1f} ms"
        return [self.what, ours, self.yardstick, theirs, f"{self.ratio:.3f}"]


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


def measure(rounds: int) -> Part:
    """Every figure of this file."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # the translator asks for one
    found = [expansion("expand the example", example(), rounds)]
    # With events the translator's time grows with the square of the size: at the largest it is half a minute and more.
    found += [expansion(f"expand {size} resources", grown(size, events=True), rounds) for size in SIZES[:-1]]
    plain = [expansion(f"expand {size} resources without events", grown(size, events=False), rounds) for size in SIZES]
    against_logger, *starts = [
        start(f"import {name}", code, yardstick, other, rounds)
        for name, code in HANDLERS.items()
        for yardstick, other in (("Python with Powertools' Logger", LOGGER), ("bare Python", BARE), ("boto3", BOTO3))
    ]
    expanded = [*found, *plain]
    per_resource = [line.seconds / size for line, size in zip(plain, SIZES, strict=True)]
    growth = per_resource[-1] / per_resource[-2]
    head = ["what", "time", "against", "time", "ratio"]
    return Part(
        "Macro",
        [
            Table("Expansion, in processor time", head, [line.row for line in expanded]),
            Table("Cold import, in processor time", head, [line.row for line in (against_logger, *starts)]),
        ],
        [
            at_most(
                "macro: time against the SAM translator, at its worst size", max(each.ratio for each in expanded), 0.1
            ),
            at_most(f"macro: time per resource, {SIZES[-1]} against {SIZES[-2]} of them", growth, 1.5),
            at_most("macro: cold import against Python with Powertools' Logger", against_logger.ratio, 2),
        ],
    )


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
    """Processor time of a fresh Python, which waits for nothing: what else the machine does counts less like this."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'macro'}:{ROOT / 'replicator'}",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
