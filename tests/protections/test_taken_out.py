"""Takes every protection out of the code, one at a time: the check that the table names for it fails.

The replicator is copied, changed in one place, and the check is run on the copy, in a process of its own. That the same
checks pass on the code as it is, the rest of the suite shows.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.model.protocol import Protocol
from tests.protections.table import PROTECTIONS, Edit, Protection

ROOT = Path(__file__).parents[2]
TESTS_FAILED = 1  # pytest's exit code; another means that the check was not found, or could not be run


def changed(folder: Path, edits: tuple[Edit, ...]) -> Path:
    """A copy of the replicator with these edits made."""
    package = folder / "replication"
    shutil.copytree(ROOT / "replicator" / "replication", package, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in edits:
        text = (package / edit.file).read_text()
        assert text.count(edit.old) == 1, f"{edit.file} has changed: find the protection again"
        (package / edit.file).write_text(text.replace(edit.old, edit.new))
    return folder


def checked(check: str, replicator: Path) -> subprocess.CompletedProcess[str]:
    """One check, run on the replicator in this folder."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-o", f"pythonpath={replicator} ."]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(replicator)}
    return subprocess.run(
        [*command, check], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, subprocess.CompletedProcess[str]]:
    """What the check of each protection says without it, a few at a time."""

    def without(protection: Protection) -> subprocess.CompletedProcess[str]:
        return checked(protection.check, changed(tmp_path_factory.mktemp("without"), protection.edits))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        said = list(pool.map(without, PROTECTIONS))
    return {protection.name: one for protection, one in zip(PROTECTIONS, said, strict=True)}


@pytest.mark.parametrize("protection", PROTECTIONS, ids=lambda protection: protection.name)
def test_its_check_fails_without(
    protection: Protection, outcomes: Mapping[str, subprocess.CompletedProcess[str]]
) -> None:
    said = outcomes[protection.name]
    assert said.returncode == TESTS_FAILED, said.stdout + said.stderr
    assert not re.search(r"^E +(Name|Syntax|Attribute)Error", said.stdout, re.MULTILINE), (
        said.stdout
    )  # taken out, not broken


def test_every_protection_of_the_protocol_is_here() -> None:
    """docs/protocol.md and the model name them; three are one line of code with another, as the table says."""
    named = {name for protection in PROTECTIONS for name in re.split(r", |: ", protection.name)}
    # Opening and releasing cannot be one change: they are steps of two invocations, with the hold between them.
    assert set(vars(Protocol())) - named == {"open_then_release"}


def test_each_has_its_row_in_the_documentation() -> None:
    written = (ROOT / "docs" / "claims.md").read_text()
    rows = [f"| {one.name} | `{one.edits[0].file}` | `{one.check}` |" for one in PROTECTIONS]
    assert [row for row in rows if row not in written] == []
