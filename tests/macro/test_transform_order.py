"""The macro before or after the SAM transform: the same tables, and the same laws."""

from __future__ import annotations

from pathlib import Path

import pytest

from migration.expand import expand
from tests.macro.laws import COMPANIONS, broken, run
from tests.macro.sam import after_sam, is_sam
from tests.macro.templates import STAGES, load, without_macro

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = sorted(path.parent for path in GOLDEN.glob("*/stage4.yaml"))
SAM_CASES = [case for case in CASES if is_sam(load(case / "input.yaml"))]

NOT_THE_SAME = {"AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::Lambda::Alias", "AWS::AppSync::DataSource"}
"""Policies are doubled one by one or as a whole; an alias names a version whose id SAM makes of the environment."""

each_case = pytest.mark.parametrize("case", SAM_CASES, ids=lambda case: case.name)


def test_there_are_cases_with_sam_types() -> None:
    assert len(SAM_CASES) >= 10


@each_case
def test_laws_hold_after_the_sam_transform(case: Path) -> None:
    assert broken(after_sam(without_macro(load(case / "input.yaml")))) == []


@each_case
def test_before_and_after_the_sam_transform_give_the_same_resources(case: Path) -> None:
    template = without_macro(load(case / "input.yaml"))
    sam_first = after_sam(template)
    tables = {f"{table}{suffix}" for table in run(template).tables for suffix in ("", *COMPANIONS)}
    for stage in STAGES:
        before = after_sam(expand(template, stage))["Resources"]
        after = expand(sam_first, stage)["Resources"]
        assert tables & before.keys() == tables & after.keys()
        for logical_id in before.keys() & after.keys():
            if before[logical_id]["Type"] not in NOT_THE_SAME and "AppSync" not in before[logical_id]["Type"]:
                assert without_order(before[logical_id]) == without_order(after[logical_id]), logical_id


def without_order(resource: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in resource.items() if key not in {"DependsOn", "Metadata"}}
