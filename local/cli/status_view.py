"""How migrations stand, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table as Grid
from rich.text import Text

from local.cli.standing import STAGES, Job, PartProgress, Report, lag_said, next_steps
from local.cli.words import amount, duration
from replication.pair import Side
from replication.segments import Part

_PARTS = {
    Part.COPY: "copy",
    Part.COMPARE_OWNER: "compare owner",
    Part.COMPARE_OTHER: "compare other",
}
_BAR = 16


def status_view(reports: list[Report], unusable: tuple[str, ...]) -> RenderableType:
    """All of it, one part for each pair."""
    parts = [*(Text(f"✗ {one}", style="bold red") for one in unusable), *(_report(report) for report in reports)]
    return Group(*parts) if parts else Text("No migration is under way.")


def _report(report: Report) -> RenderableType:
    return Group(_title(report), Padding(Group(*_lines(report)), (0, 0, 1, 2), expand=False))


def _title(report: Report) -> Text:
    pair = report.pair
    mark, style = ("●", "green") if report.well else ("▲", "bold red")
    return Text.assemble(
        (f"{mark} ", style),
        (f"{pair.source.name} → {pair.twin.name}", "bold"),
    )


def _lines(report: Report) -> Iterator[RenderableType]:
    pair = report.pair
    stage = STAGES[pair.stage] if pair.stage < len(STAGES) else "?"
    yield Text.assemble(f"stack {report.stack} ({report.stack_status}), stage {pair.stage} ", (stage, "bold"))
    yield Text.assemble("writes go to ", (pair.table(pair.owner).name, "bold"), f" (owner {pair.owner})")
    yield from _turn(report)
    for job in report.jobs:
        yield from _job(job)
    if pair.stage and pair.stage < len(STAGES) - 1:
        yield Text(f"mirror: {lag_said(report.progress, report.at)}")
    yield from _comparison(report)
    for one in report.failing:
        yield Text(f"✗ failing since {_ago(one.failed_since, report.at)}: {one.error}", style="red")
    for side, since in pair.altered.items():
        table = pair.table(side).name
        yield Text(f"✗ somebody else's policy on {table}, seen {_ago(since, report.at)}", style="red")
    for what in report.damage:
        yield Text(f"✗ {what}", style="red")
    if report.refusal is not None:
        yield Text(f"✗ {report.refusal.gate} refused {_ago(report.refusal.at, report.at)}:", style="red")
        yield Padding(Text(report.refusal.reason), (0, 0, 0, 4), expand=False)
    if report.deployment_seconds is not None and pair.owner is Side.TWIN and pair.stage < len(STAGES) - 1:
        yield Text(f"after the turn the deployment took {duration(report.deployment_seconds)}")
    for step in next_steps(report):
        yield Text(f"→ {step}", style="cyan")


def _turn(report: Report) -> Iterator[RenderableType]:
    turn = report.pair.turn
    if turn is None:
        return
    since = report.refusing_since
    if since is not None:
        yield Text(f"WRITES ARE REFUSED, for {duration(report.at - since)} now", style="bold yellow")
    elif turn.sealed_at is not None and turn.opened_at is not None:
        yield Text(f"the turn refused writes for {duration(turn.opened_at - turn.sealed_at)}")
    why = f", because {turn.reason}" if turn.reason else ""
    yield Text(f"turning to the {turn.to}: {turn.phase}, begun {_ago(turn.started_at, report.at)}{why}")


def _job(job: Job) -> Iterator[RenderableType]:
    if not job.parts:
        yield Text(f"{job.mode}: begun")
    for part in job.parts:
        yield _bar(part)


def _bar(part: PartProgress) -> RenderableType:
    grid = Grid.grid(padding=(0, 2))
    grid.add_column(width=max(map(len, _PARTS.values())))
    grid.add_column(width=_BAR)
    grid.add_column(width=5, justify="right")
    share = 1.0 if part.finished else part.done / part.expected if part.expected else 0.0
    left = part.seconds_left
    said = f"{amount(part.done)} of {amount(part.expected)}"
    if part.finished:
        said += ", done"
    elif part.rate:
        said += f", {amount(part.rate)}/s, {duration(left)} left"
    grid.add_row(_PARTS[part.part], ProgressBar(1.0, share, width=_BAR), f"{share:.0%}", said)
    return grid


def _comparison(report: Report) -> Iterator[RenderableType]:
    found = report.pair.comparison
    if found is None:
        return
    if found.differences:
        yield Text(f"✗ different in {amount(found.differences)} of {amount(found.checked)} keys", style="red")
    elif report.pair.compared:
        yield Text(f"compared {_ago(found.finished_at, report.at)}: {amount(found.checked)} items, all equal")
    else:
        yield Text("the last comparison is void: a write failed after it", style="yellow")


def _ago(at: float | None, now: float) -> str:
    return "just now" if at is None or now - at < 1 else f"{duration(now - at)} ago"


def status_json(reports: list[Report], unusable: tuple[str, ...]) -> dict[str, Any]:
    """The same as plain values. Times are seconds since the epoch, no keys and no items."""
    return {"pairs": [_plain(report) for report in reports], "unusable": list(unusable)}


def _plain(report: Report) -> dict[str, Any]:
    pair, turn = report.pair, report.pair.turn
    return {
        "pair": pair.pair_id,
        "stack": report.stack,
        "stackStatus": report.stack_status,
        "source": pair.source.name,
        "twin": pair.twin.name,
        "stage": pair.stage,
        "owner": str(pair.owner),
        "well": report.well,
        "refusingSince": report.refusing_since,
        "turn": None if turn is None else {"to": str(turn.to), "phase": str(turn.phase), "startedAt": turn.started_at},
        "jobs": [
            {
                "mode": str(job.mode),
                "job": job.name,
                "parts": [
                    {
                        "part": str(part.part),
                        "items": part.done,
                        "expected": part.expected,
                        "itemsPerSecond": part.rate,
                        "secondsLeft": part.seconds_left,
                        "done": part.finished,
                    }
                    for part in job.parts
                ],
            }
            for job in report.jobs
        ],
        "population": None if pair.population is None else str(pair.population.state),
        "compared": pair.compared,
        "differences": report.differences,
        "lagSeconds": None if report.progress is None else report.progress.lag,
        "mirroredAt": None if report.progress is None else report.progress.ended_at,
        "failing": [{"since": one.failed_since, "error": one.error} for one in report.failing],
        "damage": report.damage,
        "strays": dict(report.strays),
        "alteredPolicies": [pair.table(side).name for side in pair.altered],
        "paused": pair.paused,
        "refusal": None if report.refusal is None else {"at": report.refusal.at, "reason": report.refusal.reason},
        "deploymentSeconds": report.deployment_seconds,
        "next": next_steps(report),
    }
