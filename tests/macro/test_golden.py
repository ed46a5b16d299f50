"""Templates in, templates out: each folder of tests/golden is one case.

    input.yaml                  what a user writes
    stage1.yaml .. stage4.yaml  what CloudFormation gets at each stage, or
    error.txt                   what the user reads instead

`make golden` writes the expected files anew; a person reads the diff.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from migration.errors import TemplateRefused
from migration.expand import expand
from migration.stages import Stage
from tests.macro.linting import new_findings
from tests.macro.templates import STAGES, Template, dump, expanded, load, without_macro

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = sorted(path.parent for path in GOLDEN.glob("*/input.yaml"))
REFUSED = [case for case in CASES if (case / "error.txt").exists()]
DONE = [case for case in CASES if case not in REFUSED]

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def outcome(template: Template, stage: Stage) -> tuple[str, str]:
    """The name and the text of the golden file that this stage gives."""
    try:
        return f"stage{stage.value}.yaml", dump(expanded(template, stage))
    except TemplateRefused as refused:
        return "error.txt", "\n".join(str(problem) for problem in refused.problems) + "\n"


@each_case
def test_golden_outcome_is_what_it_was(case: Path, rewrite_golden: bool) -> None:
    outcomes = dict(outcome(load(case / "input.yaml"), stage) for stage in STAGES)
    if rewrite_golden:
        for old in case.iterdir():
            if old.name != "input.yaml" and old.name not in outcomes:
                old.unlink()
        for name, text in outcomes.items():
            (case / name).write_text(text)
    there = {path.name: path.read_text() for path in case.iterdir() if path.name != "input.yaml"}
    assert outcomes == there


@each_case
def test_golden_template_is_as_it_was_at_stage_off(case: Path) -> None:
    template = without_macro(load(case / "input.yaml"))
    assert expand(template, Stage.OFF) == template


@pytest.mark.parametrize("case", DONE, ids=lambda case: case.name)
@pytest.mark.parametrize("stage", STAGES[1:], ids=lambda stage: stage.name.lower())  # stage 1 is a part of stage 2
def test_golden_template_gives_cfn_lint_and_sam_nothing_new_to_say(case: Path, stage: Stage) -> None:
    template = load(case / "input.yaml")
    assert new_findings(without_macro(template), expanded(template, stage)) == frozenset()
