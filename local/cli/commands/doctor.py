"""`doctor`: is everything that migrations need there and well, and what has been left behind."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.padding import Padding
from rich.text import Text

from local.cli.examination import Check, examine, of_alarms, of_functions, of_stack, of_state
from local.cli.failures import Exit
from local.cli.findings import Finding, Level
from local.cli.leftovers import of_backups, of_mappings, of_records, of_twins
from local.cli.options import AsJson, Profile, Region, connected
from local.cli.output import Output, run

CHECKS: tuple[Check, ...] = (
    of_stack,
    of_functions,
    of_state,
    of_alarms,
    of_records,
    of_mappings,
    of_twins,
    of_backups,
)
_MARKS = {Level.WELL: ("✓", "green"), Level.NOTE: ("•", "yellow"), Level.PROBLEM: ("✗", "bold red")}


def doctor(context: typer.Context, region: Region = None, profile: Profile = None, as_json: AsJson = False) -> None:
    """Look at the installation: deployed, current, healthy, within limits; and at what old migrations left behind.

    Only reads. Exit code 1 when something needs a person.
    """

    def body(output: Output) -> Exit | None:
        cloud = connected(context, region, profile)
        found = examine(cloud, cloud.installer(), CHECKS)
        output.answer(
            {"findings": [asdict(each) for each in found]}, *(line for each in found for line in _lines(each))
        )
        return Exit.NO if any(each.level is Level.PROBLEM for each in found) else Exit.DONE

    run(as_json, body)


def _lines(finding: Finding) -> list[Text | Padding]:
    mark, style = _MARKS[finding.level]
    lines: list[Text | Padding] = [Text.assemble((f"{mark} ", style), (finding.about, "bold"), f": {finding.what}")]
    if finding.remedy:
        lines.append(Padding(Text(f"→ {finding.remedy}", style="cyan"), (0, 0, 0, 2), expand=False))
    return lines
