"""The tables at the end of the demo."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from local.demo.figures import calls_made, faults, turn_times
from local.demo.run import Run, StageTime
from local.traffic.check import Verdict


def print_report(console: Console, run: Run) -> None:
    verdict = run.verdict
    console.print(_writes(verdict))
    console.print(_stages(run.stages))
    console.print(_turns(run))
    for finding in verdict.findings[:20]:
        console.print(f"[red]{finding.kind}[/]: {finding.key}: {finding.text}", highlight=False)
    if len(verdict.findings) > 20:
        console.print(f"[red]and {len(verdict.findings) - 20} more[/]")


def _writes(verdict: Verdict) -> Table:
    table = Table("every call checked against the final table", "", title="Writes and reads", title_justify="left")
    table.columns[1].justify = "right"
    for figure in calls_made(verdict):
        table.add_row(figure.title, figure.value)
    table.add_section()
    for figure in faults(verdict):
        table.add_row(figure.title, f"[bold {'green' if figure.good else 'red'}]{figure.value}[/]")
    return table


def _stages(stages: Sequence[StageTime]) -> Table:
    table = Table("stage", "seconds", title="Time", title_justify="left")
    table.columns[1].justify = "right"
    for stage in stages:
        table.add_row(stage.title, f"{stage.seconds:.1f}")
    table.add_row("together", f"{sum(stage.seconds for stage in stages):.1f}", style="bold")
    return table


def _turns(run: Run) -> Table:
    table = Table("turn to", "seal to open", "then until all were let in", "writes refused", title="Turns, in seconds")
    table.title_justify = "left"
    for column in table.columns[1:]:
        column.justify = "right"
    for turn in turn_times(run.verdict, run.turns):
        table.add_row(turn.to, f"{turn.sealed:.1f}", f"{turn.deployment:.1f}", f"{turn.refused:.1f}")
    return table
