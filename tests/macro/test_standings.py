"""Outputs that say where a migration stands: one for each table, at every stage but off."""

from __future__ import annotations

from typing import Any

import pytest

from migration.errors import TemplateRefused
from migration.expand import expand
from migration.stages import Stage
from migration.standings import OUTPUT_LIMIT

TABLE = {"Type": "AWS::DynamoDB::Table", "Properties": {}}
SPECIAL = {"Type": "AWS::DynamoDB::Table", "Condition": "IsSpecial", "Properties": {}}


def template(outputs: dict[str, Any] | None = None, tables: tuple[str, ...] = ("Users",)) -> dict[str, Any]:
    given: dict[str, Any] = {"Resources": dict.fromkeys(tables, TABLE)}
    return given if outputs is None else {**given, "Outputs": outputs}


def standing(stage: Stage) -> str:
    """What the output of Users says at a stage."""
    text: str = expand(template(), stage)["Outputs"]["EncryptMigrateUsers"]["Value"]["Fn::Sub"]
    return text


def test_each_stage_says_its_name_whom_clients_use_and_the_ways_on_and_back() -> None:
    assert standing(Stage.REPLICATE) == (
        "1 replicate: clients use ${Users}, its changes are mirrored into ${UsersEncrypted}. Next: populate; back: off"
    )
    assert standing(Stage.POPULATE) == (
        "2 populate: clients use ${Users}, what it holds is copied into ${UsersEncrypted}. "
        "Next: cutover; back: replicate"
    )
    assert standing(Stage.CUTOVER) == (
        "3 cutover: clients use ${UsersEncrypted}, its changes are mirrored into ${Users}. "
        "Next: cleanup; back: populate"
    )
    assert standing(Stage.CLEANUP) == (
        "4 cleanup: clients use ${UsersEncrypted} alone. Next: encrypt-migrate finish; no way back"
    )


def test_at_stage_off_there_is_none() -> None:
    assert "Outputs" not in expand(template(), Stage.OFF)


def test_the_users_own_outputs_stay_before_it() -> None:
    found = expand(template({"Mine": {"Value": "x"}}), Stage.REPLICATE)["Outputs"]
    assert list(found) == ["Mine", "EncryptMigrateUsers"]
    assert found["Mine"] == {"Value": "x"}


def test_it_exists_only_where_its_table_does() -> None:
    given = {"Conditions": {"IsSpecial": {"Fn::Equals": ["a", "b"]}}, "Resources": {"Users": TABLE, "Orders": SPECIAL}}
    found = expand(given, Stage.POPULATE)["Outputs"]
    assert found["EncryptMigrateOrders"]["Condition"] == "IsSpecial"
    assert "Condition" not in found["EncryptMigrateUsers"]


def test_an_output_of_that_name_is_refused() -> None:
    with pytest.raises(TemplateRefused) as refused:
        expand(template({"EncryptMigrateUsers": {"Value": "mine"}}), Stage.REPLICATE)
    assert [str(problem) for problem in refused.value.problems] == [
        "Users: the output id EncryptMigrateUsers is taken. Rename the output EncryptMigrateUsers."
    ]


def test_as_many_outputs_as_cloudformation_takes_are_made_and_beyond_them_none_of_these() -> None:
    mine = {f"Output{number}": {"Value": "x"} for number in range(OUTPUT_LIMIT - 1)}
    assert len(expand(template(mine), Stage.REPLICATE)["Outputs"]) == OUTPUT_LIMIT
    assert expand(template(mine, ("Users", "Orders")), Stage.REPLICATE)["Outputs"] == mine
