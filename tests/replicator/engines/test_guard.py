"""The layer that enforces policies, held to what AWS documents: each case names the page that tells it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from replication.policies import WRITES
from tests.local.lab import allowed
from tests.replicator.control.iam import NONE, Caller, allows, role
from tests.replicator.engines.guard import Guard, wanted

KEY = {"id": {"S": "a"}}
CLIENT, STRANGER = Caller("client", trusted=True), Caller("stranger")
LOGIC = "IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-single-account.html"
OPERATORS = "IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html"
KEYS = "IAM/latest/UserGuide/reference_policies_condition-keys.html"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/Users"
PUT = "dynamodb:PutItem"


def statement(effect: str, principal: Any = "*", action: Any = PUT, **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Principal": principal, "Action": action, "Resource": TABLE, **more}


def not_like(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"Condition": {operator: {key: list(values)}}}


ALLOW, DENY = statement("Allow", {"AWS": role("stranger")}), statement("Deny")
PAGES_ON_DECISIONS = [
    (LOGIC, "nothing allows it: denied", STRANGER, [], False),
    (LOGIC, "within one account the table's policy alone allows", STRANGER, [ALLOW], True),
    (LOGIC, "... and so does the caller's own", CLIENT, [], True),
    (LOGIC, "an explicit Deny wins over the table's Allow", STRANGER, [ALLOW, DENY], False),
    (LOGIC, "... whatever comes first", STRANGER, [DENY, ALLOW], False),
    (LOGIC, "... and over the caller's own", CLIENT, [DENY], False),
    (LOGIC, "an Allow for another one is none", STRANGER, [statement("Allow", {"AWS": [role("other")]})], False),
    (LOGIC, "an Allow of another action is none", STRANGER, [ALLOW | {"Action": ["dynamodb:GetItem"]}], False),
    (LOGIC, "an Allow on another table is none", STRANGER, [ALLOW | {"Resource": f"{TABLE}2"}], False),
    (LOGIC, "actions may have wildcards, in any case", STRANGER, [ALLOW | {"Action": "DynamoDB:Put*"}], True),
    (
        OPERATORS,
        "a negated operator is met only if none of its values fits",
        CLIENT,
        [DENY | not_like("aws:PrincipalArn", "ArnNotEquals", role("x"), role("client"))],
        True,
    ),
    (
        OPERATORS,
        "... and so the Deny holds for whoever is not among them",
        CLIENT,
        [DENY | not_like("aws:PrincipalArn", "ArnNotEquals", role("x"), role("y"))],
        False,
    ),
    (
        OPERATORS,
        "all operators of a condition must be met",
        CLIENT,
        [DENY | {"Condition": {"ArnNotEquals": {"aws:PrincipalArn": role("x")}, "StringNotLike": {"aws:userid": "*"}}}],
        True,
    ),
    (
        KEYS,
        "the user id of a role's session ends with the session's name",
        Caller("client", "turn-7", trusted=True),
        [DENY | not_like("aws:userid", "StringNotLike", "*:turn-7")],
        True,
    ),
    (
        KEYS,
        "... and with nothing before it",
        Caller("client", "turn-17", trusted=True),
        [DENY | not_like("aws:userid", "StringNotLike", "*:turn-7")],
        False,
    ),
]


@pytest.mark.parametrize(("page", "told", "caller", "statements", "decided"), PAGES_ON_DECISIONS)
def test_decides_as_documented(page: str, told: str, caller: Caller, statements: Any, decided: bool) -> None:
    assert allows({"Statement": statements}, caller, PUT, TABLE) is decided, f"{told}: docs.aws.amazon.com/{page}"


@pytest.mark.parametrize("condition", [{"Bool": {"aws:SecureTransport": "true"}}, {"ArnNotEquals": {"aws:x": "y"}}])
def test_does_not_pass_over_a_condition_that_it_does_not_know(condition: Any) -> None:
    with pytest.raises(KeyError):
        allows({"Statement": [DENY | {"Condition": condition}]}, CLIENT, PUT, TABLE)


STATEMENTS = {
    """INSERT INTO "Users" VALUE {'id': 'a'}""": "PartiQLInsert",
    """UPDATE "Users" SET n=1 WHERE id='a'""": "PartiQLUpdate",
    "delete from Users where id='a'": "PartiQLDelete",
    """SELECT id, "n"\nFROM "Users"."by-n" WHERE n=1""": "PartiQLSelect",
}
CALLS: list[tuple[str, dict[str, Any], list[str]]] = [
    *[
        (operation, {"TableName": table}, [operation])
        for operation in ("PutItem", "UpdateItem", "DeleteItem", "GetItem", "Query", "Scan")
        for table in ("Users", TABLE)
    ],
    ("BatchWriteItem", {"RequestItems": {"Users": []}}, ["BatchWriteItem"]),
    ("BatchGetItem", {"RequestItems": {"Users": {}}}, ["BatchGetItem"]),
    *[
        ("TransactWriteItems", {"TransactItems": [{part: {"TableName": "Users"}}]}, [action])
        for part, action in {
            "Put": "PutItem",
            "Update": "UpdateItem",
            "Delete": "DeleteItem",
            "ConditionCheck": "ConditionCheckItem",
        }.items()
    ],
    ("TransactGetItems", {"TransactItems": [{"Get": {"TableName": "Users"}}] * 2}, ["GetItem"] * 2),
    *[("ExecuteStatement", {"Statement": text}, [action]) for text, action in STATEMENTS.items()],
    *[
        (operation, {several: [{"Statement": text} for text in STATEMENTS]}, [*STATEMENTS.values()])
        for operation, several in {
            "BatchExecuteStatement": "Statements",
            "ExecuteTransaction": "TransactStatements",
        }.items()
    ],
]


@pytest.mark.parametrize(("operation", "request_", "actions"), CALLS)
def test_a_call_is_decided_on_by_the_actions_of_its_parts(
    operation: str, request_: dict[str, Any], actions: list[str]
) -> None:
    assert list(wanted(operation, request_)) == [(action, "Users") for action in actions]


def test_every_write_that_a_seal_refuses_is_decided_on() -> None:
    decided = {f"dynamodb:{action}" for operation, request, _ in CALLS for action, _ in wanted(operation, request)}
    assert set(WRITES) <= decided


class Time:
    now = 0.0

    def clock(self) -> float:
        return self.now


class TestAClient:
    """A client of moto, which has no policies that it would enforce."""

    @pytest.fixture
    def time(self) -> Time:
        return Time()

    @pytest.fixture
    def guard(self, time: Time) -> Iterator[Guard]:
        with mock_aws():
            yield Guard(time.clock, spread=3, interval=15)

    def client(self, guard: Guard, caller: Caller) -> Any:
        client = boto3.client("dynamodb")
        if "Users" not in client.list_tables()["TableNames"]:
            client.create_table(
                TableName="Users",
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
            )
        guard.stand_before(client, caller)
        return client

    def put(self, client: Any, *statements: Any, **more: Any) -> str:
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        return str(client.put_resource_policy(ResourceArn=TABLE, Policy=policy, **more)["RevisionId"])

    def test_is_refused_by_the_policy_and_nothing_is_written(self, guard: Guard, time: Time) -> None:
        client, stranger = self.client(guard, CLIENT), self.client(guard, STRANGER)
        assert not allowed(stranger.put_item, TableName="Users", Item=KEY)
        self.put(client, DENY | {"Action": list(WRITES)})
        time.now += 3
        with pytest.raises(ClientError, match="AccessDeniedException"):
            client.put_item(TableName="Users", Item=KEY)
        assert not allowed(client.execute_statement, Statement=next(iter(STATEMENTS)))
        assert client.scan(TableName="Users")["Count"] == 0

    def test_two_callers_see_a_change_at_different_times(self, guard: Guard, time: Time) -> None:
        """developerguide/rbac-considerations.html: changes are eventually consistent."""
        clients = [self.client(guard, Caller(f"client-{number}", trusted=True)) for number in range(6)]
        self.put(clients[0], DENY)
        refused: list[int] = []
        for _ in range(7):
            refused.append(sum(not allowed(client.put_item, TableName="Users", Item=KEY) for client in clients))
            time.now += 0.5
        assert refused == sorted(refused)
        assert refused[-1] == len(clients)
        assert len(set(refused)) > 2

    def test_changes_of_a_policy_name_the_revision_that_they_replace(self, guard: Guard, time: Time) -> None:
        """APIReference/API_PutResourcePolicy.html, on ExpectedRevisionId and idempotence."""
        client = self.client(guard, CLIENT)
        with pytest.raises(client.exceptions.PolicyNotFoundException):
            self.put(client, DENY, ExpectedRevisionId="some-revision")  # there is none
        first = self.put(client, DENY, ExpectedRevisionId=NONE)
        assert self.put(client, DENY) == self.put(client, DENY, ExpectedRevisionId=first) == first
        time.now += 15
        second = self.put(client, ALLOW, ExpectedRevisionId=first)
        assert second != first
        time.now += 15
        for stale in (first, NONE):
            with pytest.raises(client.exceptions.PolicyNotFoundException):
                self.put(client, DENY, ExpectedRevisionId=stale)
        assert client.get_resource_policy(ResourceArn=TABLE)["RevisionId"] == second

    def test_a_policy_that_is_read_back_may_be_the_one_before(self, guard: Guard, time: Time) -> None:
        """APIReference/API_PutResourcePolicy.html: PolicyNotFoundException, or the one before, for a few seconds."""
        client = self.client(guard, CLIENT)
        self.put(client, DENY)
        with pytest.raises(client.exceptions.PolicyNotFoundException):
            client.get_resource_policy(ResourceArn=TABLE)
        time.now += 3
        assert json.loads(client.get_resource_policy(ResourceArn=TABLE)["Policy"])["Statement"] == [DENY]

    def test_taking_a_policy_away_can_be_repeated_unless_a_revision_is_expected(self, guard: Guard, time: Time) -> None:
        """APIReference/API_DeleteResourcePolicy.html."""
        client = self.client(guard, CLIENT)
        client.delete_resource_policy(ResourceArn=TABLE)
        revision = self.put(client, DENY)
        time.now += 15
        with pytest.raises(client.exceptions.PolicyNotFoundException):
            client.delete_resource_policy(ResourceArn=TABLE, ExpectedRevisionId="another")
        client.delete_resource_policy(ResourceArn=TABLE, ExpectedRevisionId=revision)
        client.delete_resource_policy(ResourceArn=TABLE)
        with pytest.raises(client.exceptions.PolicyNotFoundException):
            client.delete_resource_policy(ResourceArn=TABLE, ExpectedRevisionId=revision)
        time.now += 3
        assert allowed(client.put_item, TableName="Users", Item=KEY)

    def test_a_second_change_within_fifteen_seconds_is_refused(self, guard: Guard, time: Time) -> None:
        """developerguide/rbac-considerations.html."""
        client = self.client(guard, CLIENT)
        self.put(client, DENY)
        time.now += 14.9
        with pytest.raises(ClientError, match="ResourceInUseException"):
            self.put(client, ALLOW)
        time.now += 0.1
        self.put(client, ALLOW)
