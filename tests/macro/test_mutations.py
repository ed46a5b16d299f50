"""The laws are strong enough: with any one rule taken out of the macro, a law fails on some golden case."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.macro.laws import LAWS
from tests.macro.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).parents[2]

# Run in a process of its own, so that the changed macro is the only one there is.
PROGRAM = """
import sys
from pathlib import Path
from migration.errors import TemplateRefused
from tests.macro.laws import broken
from tests.macro.templates import load, without_macro

for case in sorted(Path("tests/golden").glob("*/stage4.yaml")):
    try:
        found = broken(without_macro(load(case.parent / "input.yaml")))
    except TemplateRefused as refused:
        found = [f"it is refused: {refused}"]
    if found:
        sys.exit(f"{case.parent.name}: {found[0]}")
"""


def laws_on(macro: Path) -> str:
    """What the laws say about the macro in a folder: nothing, or the first golden case that breaks one."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(macro), str(ROOT)]), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.stderr.strip()


@pytest.fixture
def macro(tmp_path: Path) -> Path:
    """A copy of the macro to be changed."""
    shutil.copytree(ROOT / "macro" / "migration", tmp_path / "migration", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_the_laws_hold_while_no_rule_is_taken_out(macro: Path) -> None:
    assert laws_on(macro) == ""


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_law_fails_when(mutation: Mutation, macro: Path) -> None:
    file = macro / "migration" / mutation.file
    text = file.read_text()
    assert text.count(mutation.old) == 1, f"{mutation.file} has changed: find the rule again"
    file.write_text(text.replace(mutation.old, mutation.new))
    said = laws_on(macro)
    assert any(name in said for name in ("it is refused", *(law.__name__ for law in LAWS))), said
