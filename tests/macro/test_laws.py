"""The laws, one by one, over generated templates; and all of them over every golden case."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.macro.laws import LAWS, Run, broken, run
from tests.macro.strategies import Template, templates
from tests.macro.templates import load, without_macro

GOLDEN = Path(__file__).parents[1] / "golden"
DONE = sorted(path.parent for path in GOLDEN.glob("*/stage4.yaml"))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(template=templates())
def test_law_holds_for_any_template(law: Callable[[Run], list[str]], template: Template) -> None:
    assert law(run(template)) == []


@pytest.mark.parametrize("case", DONE, ids=lambda case: case.name)
def test_laws_hold_for_golden_case(case: Path) -> None:
    assert broken(without_macro(load(case / "input.yaml"))) == []
