"""Public templates that nobody wrote with this macro in mind: every stage of each is made, holds the laws and lints.

The templates lie outside of the project (they are other people's); without them the tests are skipped.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from migration.errors import TemplateRefused
from migration.stages import Stage
from tests.macro.laws import broken, run
from tests.macro.linting import new_findings
from tests.macro.templates import load, without_macro

# Any other folder of templates can be held against the same laws.
CORPUS = Path(os.environ.get("TEMPLATE_CORPUS", Path(__file__).parents[3] / "shared" / "corpus"))
TEMPLATES = sorted(path for path in CORPUS.glob("*") if path.suffix in {".yaml", ".yml", ".json"})

NO_TABLE = "no table to migrate"
LISTED_REASONS = ("readers", "is not supported yet", "vector indexes", "its stream is", "not plain JSON", "is taken")
DONE_AT_LEAST = 45

pytestmark = pytest.mark.skipif(not TEMPLATES, reason=f"there are no templates in {CORPUS.name}")


def refusal(path: Path) -> str:
    """Why the macro refuses a template, or nothing."""
    try:
        run(without_macro(load(path)))
    except TemplateRefused as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_corpus_template_is_done_or_refused_for_a_listed_reason(path: Path) -> None:
    reason = refusal(path)
    if reason:
        assert any(listed in reason for listed in (*LISTED_REASONS, NO_TABLE))
    else:
        assert broken(without_macro(load(path))) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_corpus_template_gives_cfn_lint_and_sam_nothing_new_to_say(path: Path) -> None:
    template = without_macro(load(path))
    if refusal(path):
        pytest.skip("refused")
    results = run(template).results
    # Stage 1 and 2 hold nothing that stage 3 does not hold; the golden cases are looked at in full.
    for stage in (Stage.CUTOVER, Stage.CLEANUP):
        assert new_findings(template, results[stage]) == frozenset()


def test_corpus_is_done_but_for_a_few_templates(capsys: pytest.CaptureFixture[str]) -> None:
    reasons = {path.name: refusal(path) for path in TEMPLATES}
    refused = {name: reason for name, reason in reasons.items() if reason and NO_TABLE not in reason}
    empty = [name for name, reason in reasons.items() if NO_TABLE in reason]
    done = len(reasons) - len(refused) - len(empty)
    lines = [f"{done} done, {len(empty)} have no table to migrate, {len(refused)} refused:"]
    lines += [f"  {name}: {reason}" for name, reason in refused.items()]
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
    if "TEMPLATE_CORPUS" not in os.environ:
        assert done >= DONE_AT_LEAST
