"""Going back at any moment, by the user or by CloudFormation, loses nothing."""

import json
import time
from typing import Any

import pytest

from local.cloud.account import Account
from local.cloud.stacks import delete
from local.traffic.history import Outcome
from tests.e2e.conftest import Begin, Lab, changed
from tests.waiting import eventually


def test_all_the_way_back_to_off_and_forward_again_twice(begin: Begin) -> None:
    run = begin()
    for _ in range(2):
        run.to("replicate", "populate", "cutover", "populate", "replicate", "off")
        assert run.example.resource("UsersEncrypted") is None
    run.to("replicate", "populate", "cutover", "cleanup")
    assert run.example.resource("Users") is None
    run.finish(turns=5)


class TestAResourceOfTheSameUpdateFails:
    """CloudFormation rolls back, and with it whatever the gate had done."""

    @staticmethod
    def failing(body: str, *, after: str | None) -> str:
        """The template with a resource whose update fails, once `after` has been updated, or as early as it can."""

        def add(template: Any) -> None:
            template["Resources"]["Failing"] = {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {
                    "TableName": "taken",
                    "BillingMode": "PAY_PER_REQUEST",
                    "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
                    "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
                    "SSESpecification": {"SSEEnabled": True},
                },
                **({"DependsOn": after} if after else {}),
            }

        return changed(body, add)

    @pytest.fixture(autouse=True)
    def taken(self, lab: Lab) -> None:
        """A table outside has the name that the failing resource wants."""
        dynamodb = lab.account.client("dynamodb")
        if "taken" not in dynamodb.list_tables()["TableNames"]:
            dynamodb.create_table(
                TableName="taken",
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            )

    def test_after_the_cutover_the_source_owns_the_writes_again(self, begin: Begin) -> None:
        run = begin()
        run.to("replicate", "populate")
        reason = run.fails("cutover", self.failing(run.example.body, after="Api"))
        assert "taken" in reason
        assert run.owner() == "source"
        assert run.traffic.service.table() == run.example.the("Users")
        run.to("cutover", "cleanup")
        run.finish(turns=3)

    def test_before_the_cutover_nothing_has_happened(self, begin: Begin) -> None:
        run = begin()
        run.to("replicate", "populate")
        reason = run.fails("cutover", self.failing(run.example.body, after=None))
        assert "taken" in reason
        assert run.owner() == "source"
        run.to("cutover", "cleanup")
        run.finish(turns=run.epoch())

    def test_after_going_back_the_twin_owns_the_writes_again(self, begin: Begin) -> None:
        run = begin()
        run.to("replicate", "populate", "cutover")
        run.fails("populate", self.failing(run.example.body, after="Api"))
        assert run.owner() == "twin"
        assert run.traffic.service.table() == run.example.the("UsersEncrypted")
        run.to("cleanup")
        run.finish(turns=3)


def without_transform(body: str) -> str:
    def remove(template: Any) -> None:
        template["Transform"].remove("EncryptMigrate")

    return changed(body, remove)


def test_removing_the_transform_while_the_twin_is_owner_turns_back_first(begin: Begin) -> None:
    run = begin()
    run.to("replicate", "populate", "cutover")
    run.example.deploy("off", body=without_transform(run.example.body))
    assert run.traffic.service.table() == run.example.the("Users")
    eventually(lambda: run.record() == {})  # which goes last, when CloudFormation has been answered
    time.sleep(1)
    refused = run.traffic.count(Outcome.REFUSED)
    time.sleep(2)
    assert run.traffic.count(Outcome.REFUSED) == refused
    # Without the transform nothing puts the function behind the gate: for a while it reads the source while the twin
    # still owns the writes, and the source follows a little late. Nor does its role keep the twin until it has let go.
    run.finish(turns=2, late_reads=True, refused_reads=True)


def test_deleting_the_stack_at_replicate_leaves_nothing_of_the_migration(begin: Begin) -> None:
    run = begin()
    run.to("replicate")
    run.traffic.stop()
    delete(run.lab.account, run.example.name)
    assert run.record() == {}


def test_deleting_the_stack_while_the_twin_is_owner_keeps_the_twin_and_every_write_in_it(begin: Begin) -> None:
    run = begin(items=60)
    run.to("replicate", "populate", "cutover")
    twin = run.example.the("UsersEncrypted")
    run.finish(turns=1)
    before = run.traffic.contents(twin)
    delete(run.lab.account, run.example.name)
    eventually(lambda: run.record() == {})  # which goes last, when CloudFormation has been answered
    assert run.traffic.contents(twin) == before
    assert not may_write(stranger(run.lab.account, twin), twin)  # nobody takes it for a table that is in use
    assert f"{twin} was kept when its stack went" in run.command("doctor").said


class TestAWriterOutsideTheStack:
    """Another application writes the source, by a role that CloudFormation knows nothing of."""

    def test_is_refused_after_the_cutover_and_let_in_again_after_going_back(self, begin: Begin) -> None:
        run = begin(items=60)
        source = run.example.the("Users")
        outside = stranger(run.lab.account, source)
        assert may_write(outside, source)
        run.to("replicate", "populate")
        assert may_write(outside, source)
        run.to("cutover")
        assert not may_write(outside, source)
        run.to("populate")
        assert may_write(outside, source)
        # what it wrote arrived on the other side, too
        run.to("cutover")
        twin = run.example.the("UsersEncrypted")
        reader = run.lab.account.client("dynamodb")
        found = reader.get_item(TableName=twin, Key={"user": {"S": "stranger"}}, ConsistentRead=True)
        assert found["Item"]["n"] == {"N": "3"}


def stranger(account: Account, table: str) -> Any:
    """A client with rights of its own on the table."""
    iam = account.client("iam")
    name = f"stranger-of-{table}"[:64]
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account.account}:root"},
        "Action": "sts:AssumeRole",
    }
    role = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    allow = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}
    iam.put_role_policy(
        RoleName=name, PolicyName="all", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    )
    return account.client("dynamodb", account.assume(role))


def may_write(dynamodb: Any, table: str) -> bool:
    """Count up an item of the stranger's own."""
    try:
        dynamodb.update_item(
            TableName=table,
            Key={"user": {"S": "stranger"}},
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
    except dynamodb.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return False
    return True
