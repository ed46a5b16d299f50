"""Reading and writing templates, and asking the macro for them as CloudFormation does."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import cfnlint.decode
from ruamel.yaml import YAML

from migration.expand import expand
from migration.options import stage_parameter
from migration.request import read_request
from migration.stages import Stage

MACRO = "EncryptMigrate"
STAGES = [stage for stage in Stage if stage is not Stage.OFF]

Template = dict[str, Any]


def load(path: Path) -> Template:
    """A template file, its short tags written out."""
    template, matches = cfnlint.decode.decode(str(path))
    assert template is not None, (path, matches)
    plain: Template = json.loads(json.dumps(template, default=str))
    return plain


def dump(template: Template) -> str:
    """A template as YAML; what is shared between tables is written out each time."""
    yaml = YAML()
    yaml.version = (1, 1)  # the YAML of CloudFormation, in which a bare off is a boolean
    yaml.width = 118
    yaml.representer.ignore_aliases = lambda _: True
    text = io.StringIO()
    yaml.dump(template, text)
    return text.getvalue().removeprefix("%YAML 1.1\n---\n")


def transforms(template: Template) -> list[Any]:
    """The macros that a template names, in order."""
    given = template.get("Transform", [])
    return given if isinstance(given, list) else [given]


def without_macro(template: Template) -> Template:
    """The template as CloudFormation sees it when EncryptMigrate is done: its other transforms stay."""
    rest = [each for each in transforms(template) if (each if isinstance(each, str) else each["Name"]) != MACRO]
    found = {key: value for key, value in template.items() if key != "Transform"}
    return {**found, "Transform": rest} if rest else found


def event(template: Template, stage: Stage | int | str) -> dict[str, Any]:
    """What CloudFormation sends: the stage stands where the template says that it stands."""
    declared = [each for each in transforms(template) if isinstance(each, dict) and each["Name"] == MACRO]
    params = dict(declared[0].get("Parameters", {})) if declared else {}
    parameters = template.get("Parameters", {})
    values = {name: given["Default"] for name, given in parameters.items() if "Default" in given}
    name = stage_parameter(template.get("Metadata"))
    if "Stage" in params:
        params["Stage"] = str(int(stage)) if isinstance(stage, int) else stage
    elif name in parameters:
        values[name] = str(int(stage)) if isinstance(stage, int) else stage
    return {
        "region": "us-east-1",
        "accountId": "123456789012",
        "transformId": f"123456789012::{MACRO}",
        "requestId": "5dba79b5-f117-4de0-9ce4-d40363bfb6ab",
        "params": params,
        "templateParameterValues": values,
        "fragment": {key: value for key, value in template.items() if key != "Transform"},
    }


def expanded(template: Template, stage: Stage | int | str) -> Template:
    """The template after the macro at `stage`, its other transforms still to come; raises TemplateRefused."""
    request = read_request(event(template, stage))
    rest = without_macro(template)
    result = expand(request.template, request.stage)
    return {**result, "Transform": rest["Transform"]} if "Transform" in rest else result
