"""Tests that a page of the documents names."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]


def require(check: str) -> None:
    """The test, class or file `path::name::…` exists. Raises AssertionError, FileNotFoundError."""
    path, *names = check.split("::")
    found: list[ast.stmt] = ast.parse((ROOT / path).read_text()).body
    for name in names:
        inner = [one for one in found if isinstance(one, ast.ClassDef | ast.FunctionDef) and one.name == name]
        assert inner, f"{path} has no {name}"
        found = inner[0].body
