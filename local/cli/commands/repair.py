"""`repair`: compares both tables of a stack's pairs and copies every key that differs from the owner."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.text import Text

from local.cli.cloud import asking
from local.cli.failures import Exit, Refused
from local.cli.keys import named
from local.cli.options import AsJson, Profile, Region, connected
from local.cli.output import Output, run
from local.cli.pairs import Pairs
from local.cli.standing import Report
from local.cli.words import amount, plural
from replication.machines import Machines, PopulationJob
from replication.pair import Side
from replication.segments import Mode

StackName = Annotated[str, typer.Argument(metavar="STACK", help="Name of the migrated stack.", show_default=False)]


def repair(  # noqa: PLR0913, PLR0917  each is an option of the command line
    context: typer.Context,
    stack: StackName,
    table: Annotated[
        str | None, typer.Option("--table", help="Logical id of one source; all of them unless given.")
    ] = None,
    keys: Annotated[
        bool,
        typer.Option("--keys", help="Show the keys that are known to be wrong; needs the right to read both tables."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start without asking.")] = False,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Compare both tables of STACK and bring over every key that differs, from the one that takes the writes.

    Shows first what is wrong and what it reads. Safe at any time: it writes whole items as the owner has them.
    """

    def body(output: Output) -> Exit | None:
        cloud = connected(context, region, profile)
        installation = cloud.installer()
        pairs = Pairs(cloud, installation, time.time)
        reports = [pairs.report(pair) for pair in pairs.find(stack).pairs if table in (None, pair.source_logical_id)]
        if not reports:
            raise Refused(f"Stack {stack} has no migration of {table}.")
        _require_possible(reports)
        if not as_json:
            for report in reports:
                output.console.print(*preview(report), sep="\n")
                if keys:
                    output.console.print(*named(cloud.client("dynamodb"), report.pair, pairs.wrong(report)), sep="\n")
        if not yes and not (not as_json and typer.confirm("Start?")):
            output.answer({"started": []}, Text("Nothing was started."))
            return Exit.NO
        with asking():
            machines = Machines(cloud.client("stepfunctions"), "", installation.population_machine)
            jobs = [_start(machines, report) for report in reports]
        said = Text(f"Started. Watch it with `encrypt-migrate status {stack} --watch`.")
        output.answer({"started": jobs}, said)
        return None

    run(as_json, body)


def _require_possible(reports: list[Report]) -> None:
    for report in reports:
        pair = report.pair
        if pair.turn is not None:
            raise Refused(f"A turn of {pair.source.name} is under way: wait for its end.")
        if report.jobs:
            raise Refused(f"A {report.jobs[0].mode} of {pair.source.name} is under way: wait for its end.")
        if not pair.populated:
            raise Refused(
                f"{pair.twin.name} has not been populated: there is nothing to repair yet.",
                way_on="Set the stage to populate; to begin a failed copy anew, go to replicate and to populate again.",
            )


def preview(report: Report) -> list[Text]:
    """What is wrong with a pair, and what a repair of it does."""
    pair = report.pair
    owner, other = pair.table(pair.owner).name, pair.table(pair.owner.other).name
    lines = [Text.assemble((f"{owner} → {other}", "bold"), f" (the {pair.owner} takes the writes)")]
    if report.failing:
        keys = sum(len(one.keys) for one in report.failing)
        batches = plural(len(report.failing), "batch", "batches")
        lines.append(Text(f"  {batches} of the mirror failing, with {plural(keys, 'key')} known"))
    if report.differences:
        lines.append(Text(f"  {plural(report.differences, 'key')} different at the last comparison"))
    lines += [Text(f"  {what}") for what in report.damage]
    for table, count in sorted(report.strays.items()):
        lines.append(
            Text(f"  {plural(count, 'stray write')} in {table}: a repair takes what {owner} has, not the stray")
        )
    if len(lines) == 1:
        lines.append(Text("  nothing is known to be wrong"))
    items = pair.comparison.checked if pair.comparison else (pair.population.items if pair.population else 0)
    lines.append(Text(f"  It reads both tables, about {amount(items)} items each, and writes to {other} what differs."))
    if pair.owner is Side.TWIN:
        lines.append(Text("  Services are not touched: they use the new table, which is only read."))
    return lines


def _start(machines: Machines, report: Report) -> dict[str, Any]:
    job = f"repair-{report.pair.pair_id}-{report.at:.0f}"
    machines.population(PopulationJob(report.pair.pair_id, job, Mode.REPAIR))
    return {"pair": report.pair.pair_id, "job": job}
