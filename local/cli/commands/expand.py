"""`expand`: the template as CloudFormation will see it."""

from __future__ import annotations

import difflib
from enum import StrEnum
from typing import Annotated, Any

import typer

from local.cli.dump import to_json, to_yaml
from local.cli.failures import Exit
from local.cli.options import AsJson, Parameters, TemplateFile, pairs
from local.cli.output import Output, run
from local.cli.template import Template, load, parsed_stage


class Format(StrEnum):
    """How a template is printed."""

    YAML = "yaml"
    JSON = "json"


def expand(
    template: TemplateFile,
    stage: Annotated[
        str | None,
        typer.Option("--stage", "-s", help="Name or number; what the template's parameter says unless given."),
    ] = None,
    param: Parameters = None,
    format_: Annotated[Format, typer.Option("--format", "-f", help="How to print it.")] = Format.YAML,
    diff: Annotated[
        tuple[str, str] | None,
        typer.Option("--diff", metavar="STAGE STAGE", help="Show what changes from one stage to another instead."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print TEMPLATE as the macro gives it to CloudFormation at a stage. Needs no AWS."""

    def body(output: Output) -> Exit | None:
        found = load(template)
        output.note(*notes(found))
        if diff is not None:
            _show_difference(output, found, diff, format_)
            return None
        expanded = found.at(found.stage(stage, pairs(param, "--param")))
        if as_json:
            output.answer(expanded)
        else:
            output.text(_printed(expanded, format_))
        return None

    run(as_json, body)


def notes(template: Template) -> list[str]:
    """What the expansion on this machine cannot know."""
    found = []
    if not template.names_macro:
        found.append(
            "This template does not use the macro yet: put EncryptMigrate into its Transform, before "
            "AWS::Serverless-2016-10-31 if that is there."
        )
    names = [each if isinstance(each, str) else each.get("Name") for each in _before_ours(template)]
    if names:
        found.append(
            f"CloudFormation carries out {', '.join(map(str, names))} before the macro sees the template, this command "
            "does not. Put EncryptMigrate first in Transform if you can."
        )
    return found


def _before_ours(template: Template) -> list[Any]:
    given = template.data.get("Transform")
    if not isinstance(given, list) or not template.names_macro:
        return []
    ours = next(index for index, each in enumerate(given) if each not in template.transforms)
    return given[:ours]


def _printed(value: Any, format_: Format) -> str:
    text = to_json(value) if format_ is Format.JSON else to_yaml(value)
    return text.rstrip("\n") + "\n"


def _show_difference(output: Output, template: Template, stages: tuple[str, str], format_: Format) -> None:
    one, other = (parsed_stage(each) for each in stages)
    lines = difference(_printed(template.at(one), format_), _printed(template.at(other), format_), one.name, other.name)
    if output.as_json:
        output.answer({"from": one.name.lower(), "to": other.name.lower(), "diff": lines})
    elif not lines:
        output.text("No difference.")
    else:
        output.difference(lines)


def difference(before: str, after: str, before_name: str, after_name: str) -> str:
    """A unified difference of two texts."""
    return "".join(
        difflib.unified_diff(
            before.splitlines(keepends=True), after.splitlines(keepends=True), before_name.lower(), after_name.lower()
        )
    )
