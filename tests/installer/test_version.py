"""The version stands in one place, and everything that runs says which one it is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version

import pytest

from tests.installer.template import ROOT, TEMPLATE, functions

[VERSION] = TEMPLATE["Mappings"]["EncryptMigrate"]["Installation"].values()
FROM_THERE = {"Fn::FindInMap": ["EncryptMigrate", "Installation", "Version"]}


def test_the_package_has_the_version_of_the_template() -> None:
    assert version("encrypt-migrate") == VERSION


def test_the_installation_says_its_version_and_exports_it_to_nobody() -> None:
    """An export that is imported cannot change any more: the next upgrade would be refused."""
    output = TEMPLATE["Outputs"]["Version"]
    assert output["Value"] == FROM_THERE
    assert "Export" not in output


@pytest.mark.parametrize("name", functions())
def test_every_function_is_told_its_version(name: str) -> None:
    assert functions()[name]["Environment"]["Variables"]["ENCRYPT_MIGRATE_VERSION"] == FROM_THERE


@pytest.mark.parametrize(("half", "module"), [("macro", "migration.handler"), ("replicator", "replication.handlers")])
def test_every_line_of_a_log_has_the_version(half: str, module: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", f"import {module} as started; started.logger.warning('something')"],
        env={"ENCRYPT_MIGRATE_VERSION": "1.2.3", "PYTHONPATH": str(ROOT / half)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(run.stdout)["version"] == "1.2.3"


def test_the_changelog_tells_of_the_version_or_of_what_will_be_in_it() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] in (VERSION, "Unreleased")


def test_whatever_was_released_is_kept_for_the_versions_to_come() -> None:
    released = set(re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE))
    kept, templates = ROOT / "tests" / "earlier", ROOT / "tests" / "golden" / "earlier"
    assert released == {archive.name.removesuffix(".tar.gz") for archive in kept.glob("*.tar.gz")}
    assert released == {records.stem for records in kept.glob("*.json")}
    assert released == {folder.name for folder in templates.iterdir()}
