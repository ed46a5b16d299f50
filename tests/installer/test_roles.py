"""Nobody may do more than they need.

Which items of users' tables the roles may read and write stands in the tables' own policies; here is what no table's
policy can grant, and each of it has its reason in docs/permissions.md.
"""

from __future__ import annotations

import re

import pytest

from tests.installer.template import RESOURCES, ROOT, Statement, of_type, statements

ITEM_ACTIONS = {
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:PartiQLInsert",
    "dynamodb:PartiQLUpdate",
    "dynamodb:PartiQLDelete",
    "dynamodb:GetItem",
    "dynamodb:BatchGetItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:PartiQLSelect",
    "dynamodb:ConditionCheckItem",
}

OPEN_TO_ALL_TABLES = {
    "ReadStreams",
    "WritePoliciesOfTables",
    "ReplacePoliciesOfTables",
    "ReadPoliciesOfTables",
    "DescribeTables",
    "BackUpBeforeCleanup",
    "WaitForBackup",
}
"""Statements whose resource matches every table: which one it is, only the stack that asks knows."""

WITHOUT_RESOURCES = {"SendTraces", "ReadMetrics", "FindImporters", "FindBackup"}
"""Statements on `*`: actions that AWS cannot narrow to a resource."""


SHARED = {"WriteItsOwnLog", "SendTraces"}
"""Statements that the roles of all functions have."""


def named(statement: Statement) -> str:
    return f"{statement.role}-{statement.sid}"


@pytest.mark.parametrize("statement", statements(), ids=named)
def test_a_statement_says_what_it_is_for(statement: Statement) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z]+", statement.sid)


@pytest.mark.parametrize("statement", statements(), ids=named)
def test_no_action_is_a_wildcard_but_the_two_families_of_kms(statement: Statement) -> None:
    wild = {action for action in statement.actions if "*" in action}
    assert wild <= {"kms:GenerateDataKey*", "kms:ReEncrypt*"}


@pytest.mark.parametrize("statement", statements(), ids=named)
def test_items_are_read_and_written_in_the_state_table_alone(statement: Statement) -> None:
    if ITEM_ACTIONS & set(statement.actions):
        assert statement.resources == ("StateTable.Arn",)


@pytest.mark.parametrize("statement", statements(), ids=named)
def test_only_listed_statements_reach_every_table(statement: Statement) -> None:
    reaches_all = any(re.search(r":table/\*", resource) for resource in statement.resources)
    assert reaches_all == (statement.sid in OPEN_TO_ALL_TABLES)


@pytest.mark.parametrize("statement", statements(), ids=named)
def test_only_listed_statements_go_without_a_resource(statement: Statement) -> None:
    assert ("*" in statement.resources) == (statement.sid in WITHOUT_RESOURCES)


@pytest.mark.parametrize("statement", statements(), ids=named)
def test_keys_are_used_through_the_service_that_encrypts_with_them(statement: Statement) -> None:
    if any(action.startswith("kms:") for action in statement.actions):
        assert list(statement.condition["StringEquals"]) == ["kms:ViaService"]


def test_only_those_who_decide_write_the_policies_of_tables() -> None:
    writers = {each.role for each in statements() if "dynamodb:PutResourcePolicy" in each.actions}
    assert writers == {"GateRole", "TurnRole"}


def test_nobody_may_delete_a_table_or_a_backup_or_change_a_mapping() -> None:
    forbidden = re.compile(
        r"dynamodb:(DeleteTable|UpdateTable|DeleteBackup|Restore)|lambda:(Create|Update|Delete)|iam:"
    )
    assert [each for each in statements() if any(forbidden.match(action) for action in each.actions)] == []


@pytest.mark.parametrize("role", ["LookRole", "ProbeRole"])
def test_look_and_probe_are_for_turns_alone_and_can_do_nothing_by_themselves(role: str) -> None:
    [trust] = RESOURCES[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"AWS": {"Fn::GetAtt": ["TurnRole", "Arn"]}}
    own = [action for each in statements() if each.role == role for action in each.actions]
    assert {action.split(":")[0] for action in own} == {"kms"}


def test_every_role_is_given_to_somebody() -> None:
    given = str([found for found in RESOURCES.values() if found["Type"] != "AWS::IAM::Role"])
    assert [
        role for role in of_type("AWS::IAM::Role") if f"'{role}'" not in given and f"'{role}.Arn'" not in given
    ] == []


def test_the_list_in_the_docs_is_that_of_the_template() -> None:
    """docs/permissions.md gives a reason for each statement; those that all functions share, it gives once."""
    rows = re.findall(
        r"^\| `(\w+)` \| `(\w+)` \| ([^|]+) \|[^|]+\|[^|]+\|$", (ROOT / "docs/permissions.md").read_text(), re.MULTILINE
    )
    documented = {(role, sid): set(re.findall(r"`([^`]+)`", actions)) for role, sid, actions in rows}
    of_one_role = [each for each in statements() if each.sid not in SHARED]
    assert documented == {(each.role, each.sid): set(each.actions) for each in of_one_role}
