"""A plan for people."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table as Grid
from rich.text import Text

from local.cli import limits
from local.cli.changes import Change, What
from local.cli.planning import WAY_BACK, Copying, Plan
from local.cli.prices import AS_OF, REGION
from local.cli.words import amount, dollars, duration, plural, size

_MARKS = {What.ADDED: ("+", "green"), What.CHANGED: ("~", "yellow"), What.REMOVED: ("-", "red")}


def plan_view(plan: Plan) -> Iterator[RenderableType]:
    """The plan, part by part."""
    yield from _tables(plan)
    yield _heading("What each stage does")
    for stage, found in plan.stages.items():
        yield Text.assemble(
            ("\n" + str(int(stage)) + " " + stage.name.lower(), "bold"), f"   way back: {WAY_BACK[stage]}"
        )
        yield Padding(Group(*(_change(change) for change in found)), (0, 0, 0, 2), expand=False)
    yield from _cutover(plan)
    if plan.warnings:
        yield _heading("Worth knowing")
    for notice in plan.warnings:
        yield Text.assemble(("• ", "yellow"), (notice.where, "bold"), f": {notice.what}. {notice.advice}.")
    if plan.copying is not None:
        yield from _copying(plan.copying)


def _heading(text: str) -> Text:
    return Text("\n" + text, style="bold underline")


def _tables(plan: Plan) -> Iterator[RenderableType]:
    yield _heading(f"{plural(len(plan.tables), 'table')} to migrate")
    for table, instead in zip(plan.tables, plan.in_place, strict=True):
        yield Text.assemble("  ", (table.id, "bold"), " → ", (table.twin, "bold"))
        for reason in instead.reasons:
            yield Text(f"    needs a new table. {reason}")
    for properties in dict.fromkeys(instead.text for instead in plan.in_place if instead.would_do):
        names = " and ".join(each.table for each in plan.in_place if each.would_do and each.text == properties)
        yield Panel(
            f"Nothing of what {names} would get needs a new table: a change in place would do, without any of the "
            f"stages below. Put this into its Properties and deploy:\n\n{properties}",
            title="Do you need this?",
            border_style="yellow",
            box=box.ROUNDED,
        )


def _change(change: Change) -> Text:
    mark, style = _MARKS[change.what]
    about = f"  of {', '.join(change.tables)}" if change.tables and change.what is not What.REMOVED else ""
    places = f"  {', '.join(place.removeprefix('Properties.') for place in change.places)}" if change.places else ""
    return Text.assemble((f"{mark} ", style), (change.logical_id, "bold"), f"  {change.type}{about}", (places, style))


def _cutover(plan: Plan) -> Iterator[RenderableType]:
    yield _heading("Writes refused at the cutover")
    yield Text(
        f"The turn itself refuses writes for about {duration(plan.turn_seconds)}, from the seal of the old table to "
        "the opening of the new one. After that a service is refused until it has its new configuration. Reading is "
        "never refused.",
    )
    if not plan.refused:
        yield Text("Nothing in this template uses the tables: whoever writes them does so from elsewhere.")
        return
    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("service", "longer by", "why", "how to shorten it"):
        grid.add_column(name, overflow="fold")
    for service in plan.refused:
        longer = f"{duration(service.least)} to {duration(service.most)}" if service.most is not None else "open"
        grid.add_row(f"{service.logical_id}\n[dim]{service.type}[/dim]", longer, service.why, service.shorten)
    yield grid


def _copying(copying: Copying) -> Iterator[RenderableType]:
    found = copying.estimate
    load = found.load
    live = f", {load.live_writes:g} live writes per second" if load.live_writes else ""
    yield _heading(f"Copying {copying.table}: {load.items:,} items of {size(load.item_bytes)}, {size(load.size)}{live}")
    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("step", "time", "items/s", "held by", "read units", "write units", "worker calls"):
        grid.add_column(name, justify="left" if name in ("step", "held by") else "right")
    for phase in found.phases:
        grid.add_row(
            phase.name,
            duration(phase.seconds),
            amount(phase.items_per_second),
            phase.held_by,
            amount(phase.read_units),
            amount(phase.write_units),
            amount(phase.invocations),
        )
    yield grid
    yield Text(
        f"{duration(found.seconds)} in all, {amount(found.invocations)} Lambda invocations with the replicator's, "
        f"about {dollars(found.cost)} ({REGION}, list prices of {AS_OF}):"
    )
    for name, cost in found.costs.items():
        yield Text(f"  {dollars(cost):>9}  {name}")
    if found.seconds > limits.UPDATE_WAIT_SECONDS:
        yield Text(
            f"The update to populate waits for {duration(limits.UPDATE_WAIT_SECONDS)} and succeeds then; the copy goes "
            "on behind it, and the cutover is refused until it is done."
        )
    yield from _limits(copying)


def _limits(copying: Copying) -> Iterator[RenderableType]:
    first, *others = copying.limits
    breaks = first.share > 1
    yield Text.assemble(
        "\nBreaks first: " if breaks else "\nNearest limit: ",
        (f"{first.name}, {amount(first.need)} of {amount(first.most)}", "bold red" if breaks else "bold"),
        f". {first.what_happens} {first.remedy}",
    )
    for limit in others:
        if limit.share > 1:
            yield Text(f"Then: {limit.name}, {amount(limit.need)} of {amount(limit.most)}. {limit.remedy}")
    yield Text.assemble("Right tool at this size: ", (copying.advice.tool, "bold"), f". {copying.advice.why}")
