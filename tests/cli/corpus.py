"""Public templates, where they are at hand, prepared as a user would: the macro in Transform, the stage's parameter."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.cli.rewrite import rewritten
from local.cli.template import Template
from local.cli.tree import parse, plain

FOLDER = Path(__file__).parents[3] / "shared/corpus"
FILES = sorted(path for path in FOLDER.glob("*.*") if path.suffix in (".yaml", ".yml", ".json"))
each_template = pytest.mark.parametrize(
    "path",
    FILES
    or [pytest.param(None, marks=pytest.mark.skip(reason="no corpus of public templates in ../shared/corpus here"))],
    ids=lambda path: path.name if path else "none",
)


def prepared(path: Path, stage: str = "cleanup") -> str:
    """The template's text with EncryptMigrate in it, everything else byte for byte."""
    text = path.read_bytes().decode()
    data = plain(parse(text))
    given = data.get("Transform", [])
    transforms = ["EncryptMigrate", *(given if isinstance(given, list) else [given])]
    parameter = {"EncryptMigrateStage": {"Type": "String", "Default": stage}}
    want = {**data, "Transform": transforms, "Parameters": {**data.get("Parameters", {}), **parameter}}
    return rewritten(text, want, {})


def template(text: str, path: Path = Path("template.yaml")) -> Template:
    """A template that is not on any disk."""
    return Template(path, text, plain(parse(text)))
