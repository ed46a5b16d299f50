"""What CloudFormation asks of the macro: a template and a stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from migration.errors import Problem, TemplateRefused
from migration.intrinsics import is_mapping, reference
from migration.options import stage_parameter
from migration.stages import STAGES, Stage, parse_stage

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Request:
    """A template and the stage it is wanted at."""

    template: dict[str, Any]
    stage: Stage


def read_request(event: Mapping[str, Any]) -> Request:
    """The request in a macro's event (its shape: "template macros" in the CloudFormation guide).

    Raises TemplateRefused when the event holds no template or names no stage.
    """
    template = event.get("fragment")
    resources = template.get("Resources") if is_mapping(template) else None
    if not is_mapping(template) or not is_mapping(resources):
        raise TemplateRefused([_NO_RESOURCES])
    params, values = (_mapping(event.get(name)) for name in ("params", "templateParameterValues"))
    return Request(template, _stage(template, params, values))


def _stage(template: dict[str, Any], params: Mapping[str, Any], values: Mapping[str, Any]) -> Stage:
    parameter = stage_parameter(template.get("Metadata"))
    if "Stage" in params:
        given, where = params["Stage"], "Transform parameter Stage"
        named = reference(given) if is_mapping(given) else None
        if named is not None and named[0] in values:
            given, where = values[named[0]], f"Parameter {named[0]}"
    elif parameter in values:
        given, where = values[parameter], f"Parameter {parameter}"
    else:
        raise TemplateRefused([_no_stage(parameter)])
    stage = parse_stage(given)
    if stage is None:
        raise TemplateRefused([Problem(where, f"unknown stage {given!r}", f"Use one of: {STAGES}")])
    return stage


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if is_mapping(value) else {}


_NO_RESOURCES = Problem(
    "Template", "it has no Resources", "Put EncryptMigrate into the Transform section of the whole template"
)


def _no_stage(parameter: str) -> Problem:
    return Problem(
        "Template",
        f"no stage: there is no parameter {parameter}",
        f"Add the parameter {parameter} (Type: String, Default: 'off'), or write "
        "Transform: {Name: EncryptMigrate, Parameters: {Stage: ...}}",
    )
