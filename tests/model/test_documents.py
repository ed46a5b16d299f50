"""The documents about safety say what is there: every protection is told, every check exists."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from tests.model.protocol import Protocol
from tests.named import require

ROOT = Path(__file__).parents[2]
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
CLAIMS = (ROOT / "docs" / "claims.md").read_text()


@pytest.mark.parametrize("name", [one.name for one in fields(Protocol)])
def test_every_protection_has_its_story(name: str) -> None:
    assert re.search(rf"^\d+\. `{name}`", PROTOCOL, re.MULTILINE)


def test_stories_tell_of_no_other_protection() -> None:
    told = set(re.findall(r"^\d+\. `(\w+)`", PROTOCOL, re.MULTILINE))
    assert told == {one.name for one in fields(Protocol)}


@pytest.mark.parametrize("check", sorted(set(re.findall(r"`(tests/[\w/]+\.py::[\w:]+)`", PROTOCOL + CLAIMS))))
def test_every_check_exists(check: str) -> None:
    require(check)


def test_every_claim_has_a_check() -> None:
    rows = [row for row in CLAIMS.splitlines() if row.startswith("| ") and not row.startswith("| claim")]
    assert rows
    assert [row for row in rows if "`tests/" not in row] == []


@pytest.mark.parametrize("page", ["protocol.md", "claims.md", "real-account.md"])
def test_links_between_files_lead_somewhere(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (ROOT / "docs" / target).exists(), target
