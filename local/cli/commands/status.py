"""`status`: where every migration stands, once or again and again."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.live import Live

from local.cli.failures import Exit
from local.cli.options import AsJson, Profile, Region, connected
from local.cli.output import Output, run
from local.cli.pairs import Pairs
from local.cli.standing import Report
from local.cli.status_view import status_json, status_view

Read = Callable[[], tuple[list[Report], tuple[str, ...]]]
StackName = Annotated[
    str | None, typer.Argument(metavar="STACK", help="Name of a migrated stack; all of them unless given.")
]


def status(
    context: typer.Context,
    stack: StackName = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option("--every", min=1, metavar="SECONDS", help="How often, with --watch.")] = 5.0,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Tell where the migration of STACK stands: stage, owner, progress, lag, failures, and what to do.

    Exit code 1 when something needs a person. With --watch and --json: one object a line.
    """

    def body(output: Output) -> Exit | None:
        cloud = connected(context, region, profile)
        pairs = Pairs(cloud, cloud.installer(), time.time)

        def read() -> tuple[list[Report], tuple[str, ...]]:
            found = pairs.find(stack)
            return [pairs.report(pair) for pair in found.pairs], found.unusable

        reports, unusable = watching(output, read, every, time.sleep) if watch else read()
        if not watch:
            output.answer(status_json(reports, unusable), status_view(reports, unusable))
        return Exit.DONE if not unusable and all(report.well for report in reports) else Exit.NO

    run(as_json, body)


def watching(
    output: Output, read: Read, every: float, sleep: Callable[[float], None]
) -> tuple[list[Report], tuple[str, ...]]:
    """Shows what is read, again and again, until it is interrupted. Returns what was read last."""
    found = read()
    try:
        if output.as_json:
            while True:
                sys.stdout.write(json.dumps(status_json(*found)) + "\n")
                sys.stdout.flush()
                sleep(every)
                found = read()
        with Live(status_view(*found), console=output.console, auto_refresh=False) as live:
            while True:
                live.update(status_view(*found), refresh=True)
                sleep(every)
                found = read()
    except KeyboardInterrupt:
        return found
