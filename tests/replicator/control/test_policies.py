"""Who may do what with a table in each mode, decided by an evaluator of policies, not by looking at the text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from replication.policies import LARGEST, WRITES, Mode, digest, document, left_behind, problems_of, put_by_us, rewritten
from tests.replicator.control.aws import Account, table_arn
from tests.replicator.control.iam import Caller, Change, role
from tests.replicator.control.world import ROLES, SOURCE, TWIN

TOKEN = 7
CLIENT = Caller("client", trusted=True)
LOOK = Caller("look", f"turn-{TOKEN}")
WHO = {
    "client": CLIENT,
    "replicator": Caller("replicator"),
    "worker": Caller("worker"),
    "turn": Caller("turn"),
    "look": LOOK,
    "look of another turn": Caller("look", "turn-6"),
    "look of turn 17": Caller("look", "turn-17"),
    "stranger": Caller("stranger"),
}
MAY_WRITE = {
    Mode.OPEN: {"client"},
    Mode.FOLLOWING: {"replicator", "worker"},
    Mode.SEALED: set(),
    Mode.FENCED: {"look"},
}


def with_policy(policy: Any) -> Account:
    account = Account(SOURCE, spread=0)
    account.tables[SOURCE].policies.append(Change(0, 0.0, policy, "r"))
    return account


def put(mode: Mode, own: str | None = None) -> Account:
    return with_policy(document(mode, TOKEN, table_arn(SOURCE), ROLES, own))


@pytest.mark.parametrize("mode", Mode)
def test_only_whom_the_mode_names_can_write(mode: Mode) -> None:
    account = put(mode)
    writers = {who for who, caller in WHO.items() if account.allows(caller, "dynamodb:BatchWriteItem", SOURCE)}
    assert writers == MAY_WRITE[mode]


@pytest.mark.parametrize("mode", [Mode.FOLLOWING, Mode.SEALED, Mode.FENCED])
@pytest.mark.parametrize("action", WRITES)
def test_a_closed_table_takes_no_kind_of_write_from_a_client_whatever_its_own_rights(mode: Mode, action: str) -> None:
    assert not put(mode).allows(CLIENT, action, SOURCE)


@pytest.mark.parametrize("mode", Mode)
def test_reading_is_never_taken_from_anybody(mode: Mode) -> None:
    account = put(mode)
    assert all(account.allows(caller, "dynamodb:Scan", SOURCE) for caller in (CLIENT, WHO["worker"], WHO["turn"]))
    assert not account.allows(WHO["stranger"], "dynamodb:Scan", SOURCE)


@pytest.mark.parametrize("mode", Mode)
def test_the_probe_may_what_a_client_may_and_nothing_but_deletes(mode: Mode) -> None:
    account, probe = put(mode), Caller("probe")
    assert account.allows(probe, "dynamodb:DeleteItem", SOURCE) is (mode is Mode.OPEN)
    assert not account.allows(probe, "dynamodb:PutItem", SOURCE)


def test_no_two_documents_of_ours_are_equal_so_that_each_has_a_revision_of_its_own() -> None:
    made = [document(mode, token, table_arn(SOURCE), ROLES, None) for mode in Mode for token in (1, 2)]
    assert len({json.dumps(one) for one in made}) == len(made)


@pytest.mark.parametrize("mode", Mode)
def test_a_document_tells_its_mode_and_token(mode: Mode) -> None:
    assert put_by_us(document(mode, 12, table_arn(SOURCE), ROLES, None)) == (mode, 12)


@pytest.mark.parametrize("policy", [{}, {"Statement": []}, {"Statement": [{"Sid": "EncryptMigrate"}]}])
def test_the_policy_of_somebody_else_is_not_taken_for_ours(policy: Any) -> None:
    assert put_by_us(policy) is None


@pytest.mark.parametrize("mode", Mode)
def test_the_users_own_statements_stay(mode: Mode) -> None:
    own = {"Effect": "Allow", "Principal": {"AWS": [role("stranger")]}, "Action": ["dynamodb:Query"], "Resource": "*"}
    for given in ([own], own):
        account = put(mode, json.dumps({"Statement": given}))
        assert account.allows(WHO["stranger"], "dynamodb:Query", SOURCE)


def test_what_is_left_behind_can_be_read_and_written_by_nobody() -> None:
    account = with_policy(left_behind(TOKEN, table_arn(SOURCE), None))
    assert account.allows(CLIENT, "dynamodb:Scan", SOURCE)
    assert not any(account.allows(caller, "dynamodb:BatchWriteItem", SOURCE) for caller in WHO.values())


def test_the_largest_policy_that_a_user_may_have_leaves_room_for_ours() -> None:
    long = "x" * (LARGEST - 6 * 1024 - 200)
    own = {"Statement": [{"Sid": "a", "Effect": "Allow", "Action": long}]}
    assert problems_of(own, "SourcePolicy") == []
    arn = table_arn("n" * 255)
    roles = type(ROLES)(*(role("p" * 64) for _ in range(5)))
    sizes = [len(json.dumps(document(mode, 10**6, arn, roles, json.dumps(own)))) for mode in Mode]
    assert max(sizes) <= LARGEST


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        ("text", "no policy document"),
        ({}, "no policy document"),
        ({"Statement": ["x"]}, "Statement that is no map"),
        ({"Statement": {"Sid": "EncryptMigrateX"}}, "uses the Sid EncryptMigrateX"),
        ({"Statement": [{"Sid": "x" * 15_000}]}, "too large"),
    ],
)
def test_a_policy_that_cannot_stand_beside_ours_is_explained(own: Any, problem: str) -> None:
    (found,) = problems_of(own, "SourcePolicy")
    assert problem in found


def test_arns_of_the_other_table_are_rewritten_and_those_of_its_namesakes_are_not() -> None:
    text = json.dumps([f"{table_arn(SOURCE)}", f"{table_arn(SOURCE)}/index/*", f"{table_arn(SOURCE)}Archive"])
    assert json.loads(rewritten(text, {table_arn(SOURCE): table_arn(TWIN)})) == [
        table_arn(TWIN),
        f"{table_arn(TWIN)}/index/*",
        f"{table_arn(SOURCE)}Archive",
    ]


def test_policies_are_compared_by_what_they_say() -> None:
    one = {"Statement": [{"Sid": "a", "Action": ["x", "y"]}, {"Sid": "b", "Action": ["z"]}]}
    same = {"Version": "2012-10-17", "Statement": [{"Action": "z", "Sid": "b"}, {"Sid": "a", "Action": ["y", "x"]}]}
    other = {"Statement": [{"Sid": "a", "Action": ["x"]}, {"Sid": "b", "Action": ["z"]}]}
    assert digest(one) == digest(same) != digest(other)
