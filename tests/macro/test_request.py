"""Where the stage comes from, and what it may look like."""

from __future__ import annotations

from typing import Any

import pytest

from migration.errors import TemplateRefused
from migration.request import read_request
from migration.stages import Stage, parse_stage

RESOURCES: dict[str, Any] = {"Resources": {}}


@pytest.mark.parametrize(
    ("value", "stage"),
    [
        ("off", Stage.OFF),
        ("replicate", Stage.REPLICATE),
        ("populate", Stage.POPULATE),
        ("cutover", Stage.CUTOVER),
        ("cleanup", Stage.CLEANUP),
        (0, Stage.OFF),
        (4, Stage.CLEANUP),
        ("3", Stage.CUTOVER),
        (" Cutover ", Stage.CUTOVER),
        (False, Stage.OFF),
        ("false", Stage.OFF),
    ],
)
def test_a_stage_is_known_by_name_or_number(value: Any, stage: Stage) -> None:
    """A bare `off` in YAML is a boolean, and CloudFormation makes the text `false` of it."""
    assert parse_stage(value) is stage


@pytest.mark.parametrize("value", [None, "", "on", True, "true", 5, -1, 2.0, "cut", [], {}])
def test_anything_else_is_no_stage(value: Any) -> None:
    assert parse_stage(value) is None


def test_the_stage_is_the_parameter_of_the_template() -> None:
    event = {"fragment": RESOURCES, "params": {}, "templateParameterValues": {"EncryptMigrateStage": "2"}}
    assert read_request(event).stage is Stage.POPULATE


def test_the_stage_is_the_parameter_that_the_metadata_names() -> None:
    template = {**RESOURCES, "Metadata": {"EncryptMigrate": {"StageParameter": "Step"}}}
    values = {"Step": "cleanup", "EncryptMigrateStage": "off"}
    assert read_request({"fragment": template, "templateParameterValues": values}).stage is Stage.CLEANUP


def test_a_parameter_of_the_transform_wins() -> None:
    values = {"EncryptMigrateStage": "off"}
    event = {"fragment": RESOURCES, "params": {"Stage": "cutover"}, "templateParameterValues": values}
    assert read_request(event).stage is Stage.CUTOVER


def test_a_parameter_of_the_transform_may_refer_to_one_of_the_template() -> None:
    event = {"fragment": RESOURCES, "params": {"Stage": {"Ref": "Step"}}, "templateParameterValues": {"Step": "1"}}
    assert read_request(event).stage is Stage.REPLICATE


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"fragment": RESOURCES}, "Add the parameter EncryptMigrateStage"),
        ({"fragment": RESOURCES, "params": None, "templateParameterValues": None}, "no stage"),
        ({"fragment": RESOURCES, "params": {"Stage": {"Ref": "Nobody"}}}, "unknown stage {'Ref': 'Nobody'}"),
        (
            {"fragment": RESOURCES, "params": {"Stage": "go"}},
            "off (0), replicate (1), populate (2), cutover (3), cleanup (4)",
        ),
        ({"fragment": {"Resources": []}, "params": {"Stage": 1}}, "it has no Resources"),
        ({}, "Put EncryptMigrate into the Transform section of the whole template"),
    ],
)
def test_a_request_without_a_stage_says_what_to_do(event: dict[str, Any], message: str) -> None:
    with pytest.raises(TemplateRefused) as refused:
        read_request(event)
    assert message in str(refused.value)
