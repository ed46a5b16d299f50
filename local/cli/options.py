"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from local.cli.cloud import Cloud
from local.cli.failures import Refused

TemplateFile = Annotated[
    Path, typer.Argument(metavar="TEMPLATE", help="A CloudFormation or SAM template, YAML or JSON.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as one JSON object, errors too.")]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="NAME=VALUE", help="A template parameter; may be given more than once."),
]
Region = Annotated[str | None, typer.Option("--region", help="AWS region; the environment's unless given.")]
Profile = Annotated[str | None, typer.Option("--profile", help="AWS profile; the environment's unless given.")]
Connect = Callable[[str | None, str | None], Cloud]


def connected(context: typer.Context, region: str | None, profile: str | None) -> Cloud:
    """The account to ask: the environment's, unless the application's caller hands one in. Raises CloudUnreachable."""
    connect: Connect = context.obj or Cloud.connect
    return connect(region, profile)


def pairs(given: list[str] | None, what: str) -> dict[str, str]:
    """NAME=VALUE texts as a mapping; raises Refused for anything else."""
    found = {}
    for each in given or []:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise Refused(f"{what} {each!r} is not NAME=VALUE.")
        found[name] = value
    return found
