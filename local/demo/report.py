"""The table at the end of the demo: figures from the history of all calls, not from what the program believes."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from local.demo.watch import Sealed, monotonic_of
from local.traffic.check import Kind, Verdict


@dataclass(frozen=True, slots=True)
class StageTime:
    title: str
    seconds: float


def print_report(console: Console, verdict: Verdict, stages: Sequence[StageTime], turns: Sequence[Sealed]) -> None:
    console.print(_writes(verdict))
    console.print(_stages(stages))
    console.print(_turns(verdict, turns))
    for finding in verdict.findings[:20]:
        console.print(f"[red]{finding.kind}[/]: {finding.key}: {finding.text}", highlight=False)
    if len(verdict.findings) > 20:
        console.print(f"[red]and {len(verdict.findings) - 20} more[/]")


def _writes(verdict: Verdict) -> Table:
    table = Table("every call checked against the final table", "", title="Writes and reads", title_justify="left")
    table.columns[1].justify = "right"
    refusals = verdict.refusals
    table.add_row("writes acknowledged", f"{verdict.acknowledged:,}")
    table.add_row("writes refused and tried again", f"{refusals.writes:,}")
    table.add_row("  seconds in which writes were refused", f"{refusals.seconds:.1f}")
    table.add_row("  longest wait of one client, seconds", f"{refusals.longest_wait:.1f}")
    table.add_row("writes without an answer", f"{verdict.unknown:,}")
    table.add_row("reads answered", f"{verdict.reads:,}")
    table.add_section()
    shown = {
        "writes lost": [Kind.LOST, Kind.TORN, Kind.GIVEN_UP],
        "counters wrong": [Kind.COUNTER],
        "reads that missed an own write": [Kind.MISSED_OWN_WRITE],
        "reads that failed": [Kind.FAILED_READ],
        "reads that cannot be explained": [Kind.WENT_BACK, Kind.UNEXPLAINED_READ, Kind.NEVER_WRITTEN],
        "writes to both tables at once": [Kind.BOTH_WRITTEN],
        "keys that differ between the tables at rest": [Kind.DIFFERENT],
        "keys not decided": [Kind.UNDECIDED],
    }
    for title, kinds in shown.items():
        count = sum(map(verdict.count, kinds))
        table.add_row(title, f"[bold {'red' if count else 'green'}]{count}[/]")
    return table


def _stages(stages: Sequence[StageTime]) -> Table:
    table = Table("stage", "seconds", title="Time", title_justify="left")
    table.columns[1].justify = "right"
    for stage in stages:
        table.add_row(stage.title, f"{stage.seconds:.1f}")
    table.add_row("together", f"{sum(stage.seconds for stage in stages):.1f}", style="bold")
    return table


def _turns(verdict: Verdict, turns: Sequence[Sealed]) -> Table:
    """The price of each turn: the turn's own share, from the seal to the opening, and the deployment's after it."""
    table = Table("turn to", "seal to open", "then until all were let in", "writes refused", title="Turns, in seconds")
    table.title_justify = "left"
    for column in table.columns[1:]:
        column.justify = "right"
    for turn in turns:
        opened = monotonic_of(turn.opened_at)
        spans = [(start, end) for start, end in verdict.refusals.spans if start < opened < end]
        after, whole = (spans[0][1] - opened, spans[0][1] - spans[0][0]) if spans else (0.0, 0.0)
        table.add_row(turn.to, f"{turn.seconds:.1f}", f"{after:.1f}", f"{whole:.1f}")
    return table
