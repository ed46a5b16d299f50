"""`plan`: what will happen, before anything does."""

from __future__ import annotations

from typing import Annotated

import typer

from local.cli.commands.expand import notes
from local.cli.failures import Exit, Refused
from local.cli.options import AsJson, TemplateFile, pairs
from local.cli.output import Output, run
from local.cli.plan_json import plan_json
from local.cli.plan_view import plan_view
from local.cli.planning import Copying, copying
from local.cli.planning import plan as make_plan
from local.cli.prices import Prices, with_overrides
from local.cli.template import Template, load


def plan(
    template: TemplateFile,
    items: Annotated[int | None, typer.Option("--items", min=0, help="Items in the table, for time and cost.")] = None,
    size: Annotated[
        int, typer.Option("--size", min=1, max=409_600, metavar="BYTES", help="Size of an average item.")
    ] = 1024,
    writes: Annotated[
        float, typer.Option("--writes", min=0, metavar="PER_SECOND", help="Live writes meanwhile.")
    ] = 0.0,
    table: Annotated[str | None, typer.Option("--table", help="Which table, where there are several.")] = None,
    price: Annotated[
        list[str] | None,
        typer.Option("--price", metavar="NAME=USD", help="Your price for something; see docs/costs.md."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what each stage of TEMPLATE does, whose writes the cutover refuses, and what it costs. Needs no AWS."""

    def body(output: Output) -> Exit | None:
        found = load(template)
        output.note(*notes(found))
        prices = with_overrides(Prices(), _numbers(price))
        copy = None if items is None else _copying(found, table, (items, size, writes), prices)
        made = make_plan(found, copy)
        output.answer(plan_json(made), *plan_view(made))
        return None

    run(as_json, body)


def _copying(template: Template, table: str | None, load_of: tuple[int, int, float], prices: Prices) -> Copying:
    tables = {each.id: each for each in template.tables()}
    if table is None and len(tables) > 1:
        raise Refused(f"Say with --table which of {', '.join(tables)} has these items.")
    chosen = table or next(iter(tables))
    if chosen not in tables:
        raise Refused(f"{chosen} is no table that migrates. Those are: {', '.join(tables)}.")
    return copying(tables[chosen], *load_of, prices)


def _numbers(given: list[str] | None) -> dict[str, float]:
    found = {}
    for name, text in pairs(given, "--price").items():
        try:
            found[name] = float(text)
        except ValueError:
            raise Refused(f"--price {name}={text}: {text} is no number of US dollars.") from None
    return found
