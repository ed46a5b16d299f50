"""`finish`: rewrites the user's file after cleanup, so that it needs the macro no more."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from local.cli.commands.expand import difference
from local.cli.evidence import Evidence, evidence
from local.cli.failures import Exit, Refused
from local.cli.finishing import Finished
from local.cli.finishing import finish as finished
from local.cli.options import AsJson, Profile, Region, TemplateFile, connected
from local.cli.output import Output, run
from local.cli.template import Template, load


def finish(  # noqa: PLR0913, PLR0917  each is an option of the command line
    context: typer.Context,
    template: TemplateFile,
    stack: Annotated[
        str | None, typer.Option("--stack", help="The deployed stack: AWS is asked whether its cleanup is done.")
    ] = None,
    deployed_stage: Annotated[
        str | None, typer.Option("--deployed-stage", help="The stage that is deployed, where AWS cannot be asked.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")] = False,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Rewrite TEMPLATE after cleanup: the new table under its own id, and nothing of the migration left.

    Shows the difference first. Comments, order and all other lines stay as they are.
    """

    def body(output: Output) -> Exit | None:
        found = load(template)
        if not found.names_macro:
            raise Refused(f"{template} does not use the macro: there is nothing to finish.")
        proof = evidence(found, deployed_stage, None if stack is None else (connected(context, region, profile), stack))
        result = finished(found)
        lines = difference(found.text, result.text, str(template), f"{template} finished")
        if not output.as_json:
            output.difference(lines)
        written = _write(found, result, yes=yes, asks=not output.as_json)
        output.answer(_json(proof, result, lines, written), *_said(found, result, written))
        return Exit.DONE if written else Exit.NO

    run(as_json, body)


def _write(template: Template, result: Finished, *, yes: bool, asks: bool) -> bool:
    if not yes and not (asks and typer.confirm(f"Write {template.path}?")):
        return False
    template.path.write_bytes(result.text.encode("utf-8"))
    return True


def _json(proof: Evidence, result: Finished, lines: str, written: bool) -> dict[str, object]:
    return {
        "written": written,
        "evidence": proof.what,
        "parameterGone": None if result.parameter_kept else result.parameter,
        "diff": lines,
    }


def _said(template: Template, result: Finished, written: bool) -> list[Text]:
    if not written:
        return [Text("Nothing was written.")]
    what = (
        "It says what the stack is, less the gates and the outputs of the migration: deploying it removes those alone."
    )
    said = [f"{template.path} is written. {what}"]
    if result.parameter_kept:
        said.append(f"Parameter {result.parameter} stays, because other things in the template use it.")
    elif result.parameter is not None:
        said.append(
            f"Parameter {result.parameter} is gone: take it out of samconfig.toml and your pipeline too, or "
            "CloudFormation refuses the deployment."
        )
    said.append("Look at the comments near the changed lines: they are as they were.")
    return [Text(line) for line in said]
