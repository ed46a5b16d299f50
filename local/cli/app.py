"""The command line: which commands there are, and what they have in common."""

from __future__ import annotations

import typer

from local.cli.commands.doctor import doctor
from local.cli.commands.expand import expand
from local.cli.commands.finish import finish
from local.cli.commands.plan import plan
from local.cli.commands.repair import repair
from local.cli.commands.status import status

HELP = """Move live DynamoDB tables to encrypted twins, stack update by stack update.

Before: [bold]plan[/bold], [bold]expand[/bold]. During: [bold]status[/bold], [bold]repair[/bold].
After: [bold]finish[/bold]. Any time: [bold]doctor[/bold].

Exit codes: 0 done; 1 no (refused, or something needs a person); 2 wrong usage; 3 the template cannot be used; \
4 AWS could not be asked."""

app = typer.Typer(
    name="encrypt-migrate",
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (plan, expand, status, repair, finish, doctor):
    app.command()(command)
