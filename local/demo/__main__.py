"""`python -m local.demo`: exits with 1 when a write was lost or anything else was not as it must be."""

import random
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from local.cli.output import PIPED_WIDTH
from local.cloud import Cloud
from local.cloud.stacks import StackFailed
from local.demo.journey import Journey, Unexpected
from local.demo.page import write_page
from local.demo.report import print_report
from local.demo.screen import Screen

PAGE = Path("demo.html")


def main(
    items: Annotated[int, typer.Option(help="Items in the table before the migration.", min=50)] = 1000,
    seed: Annotated[int | None, typer.Option(help="Of everything random in the clients; printed at the start.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Keep the history and the cloud's log in this folder.")] = None,
    page: Annotated[Path, typer.Option(help="Where the page of the run goes; its time line alone, as .svg.")] = PAGE,
) -> None:
    """Take a table under live traffic through all stages, on this machine, without AWS."""
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    with tempfile.TemporaryDirectory() as temporary:
        folder = keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "history.jsonl").unlink(missing_ok=True)
        with Screen(console, items) as screen:
            screen.say(f"seed {seed}")
            try:
                with Cloud(folder=folder) as cloud:
                    journey = Journey(cloud, screen, folder, seed)
                    run = journey.run()
            except (StackFailed, Unexpected) as failure:
                screen.say(f"[bold red]{failure}[/]")
                for event in failure.events if isinstance(failure, StackFailed) else ():
                    screen.say(f"  {event.logical_id} {event.status} {event.reason}")
                sys.exit(1)
        print_report(console, run)
    write_page(run, page, datetime.now().astimezone())
    console.print(f"The time line of this run, for any browser: [bold]{escape(str(page.resolve()))}[/]", soft_wrap=True)
    sys.exit(0 if run.verdict.clean else 1)


if __name__ == "__main__":
    typer.run(main)
