"""An account in which the installer is deployed, with its state table, in moto."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.cli.cloud import Cloud
from replication.codec import pack_item, to_map
from replication.machines import PopulationJob
from replication.pair import Pair, Table
from replication.register import Register
from replication.segments import Mode, Part, Plan, Position, Segments
from replication.state import State
from tests.cli.running import Ran, encrypt_migrate
from tests.cli.stacks import FakeStacks
from tests.replicator.pairs import pair_of

REGION, ACCOUNT = "us-east-1", "123456789012"
_ROLE = f"arn:aws:iam::{ACCOUNT}:role/machines"
_MACHINE = json.dumps({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 9999, "End": True}}})

EXPORTS = {
    f"EncryptMigrate-{name}": name for name in ("ReplicatorFunctionArn", "GateFunctionArn", "FailedRecordsBucketArn")
}


class Account:
    """What a test puts into the account."""

    def __init__(self) -> None:
        self.stacks = FakeStacks()
        self.dynamodb = boto3.client("dynamodb")
        self.executions = boto3.client("stepfunctions")
        self.cloud = Cloud(self)
        self.clients: dict[str, Any] = {"cloudformation": self.stacks}
        """Those that moto does not have, or not as a test needs them."""

    def client(self, service: str) -> Any:
        """As boto3's session gives it."""
        return self.clients.get(service) or boto3.client(service)  # type: ignore[call-overload]

    def run(self, *arguments: object, answers: str = "") -> Ran:
        """A command in this account."""
        return encrypt_migrate(*arguments, answers=answers, cloud=self.cloud)

    def install(self) -> None:
        """The installer: its stack, its state table, its machines."""
        self.state_table = "encrypt-migrate-State"
        self.dynamodb.create_table(
            TableName=self.state_table,
            AttributeDefinitions=[
                {"AttributeName": "Pair", "AttributeType": "S"},
                {"AttributeName": "Item", "AttributeType": "S"},
            ],
            KeySchema=[{"AttributeName": "Pair", "KeyType": "HASH"}, {"AttributeName": "Item", "KeyType": "RANGE"}],
            BillingMode="PAY_PER_REQUEST",
            DeletionProtectionEnabled=True,
            SSESpecification={"Enabled": True, "SSEType": "KMS"},
        )
        machines = {
            name: self.executions.create_state_machine(name=name, definition=_MACHINE, roleArn=_ROLE)["stateMachineArn"]
            for name in ("PopulationMachine", "TurnMachine")
        }
        self.machine = machines["PopulationMachine"]
        self.installer = self.stacks.deploy(
            "encrypt-migrate",
            exports=dict(EXPORTS),
            resources={"StateTable": self.state_table, "ReplicatorFunction": "encrypt-migrate-Replicator", **machines},
        )
        self.state = State(self.dynamodb, self.state_table)
        self.register = Register(self.dynamodb, self.state_table, time.time)
        self.segments = Segments(self.dynamodb, self.state_table, time.time)

    def pair(self, stack: str = "shop", **changes: Any) -> Pair:
        """A migration of a new stack with this name, at rest; its record is in the state table."""
        stack_id = self.stacks.deploy(stack).stack_id

        def table(name: str) -> Table:
            arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"
            return Table(name, arn, f"id-of-{name}", f"{arn}/stream/1")

        pair_id = f"{stack_id.rpartition('/')[2]}/Users"
        found = pair_of(pair_id, stack_id, table(f"{stack}-users"), table(f"{stack}-users-encrypted"))
        self.state.create(found)
        return self.changed(found, **changes)

    def changed(self, pair: Pair, **changes: Any) -> Pair:
        """The record with other attributes."""
        new = replace(pair, **changes)
        self.dynamodb.put_item(TableName=self.state_table, Item=pack_item(new.to_item()))
        return new

    def running(self, pair: Pair, mode: Mode, *, expected: int, done: dict[Part, int], seconds: float = 1000) -> str:
        """An execution under way, which has come so far in so many seconds."""
        job = f"{mode}-1"
        given = json.dumps({"Job": to_map(PopulationJob(pair.pair_id, job, mode))})
        self.executions.start_execution(stateMachineArn=self.machine, name=job, input=given)
        plan = Plan(pair.epoch, pair.owner, pair.source.table_id, pair.twin.table_id, mode, time.time(), 2, expected)
        self.segments.keep_plan(pair.pair_id, job, plan)
        began = time.time() - seconds
        for part, items in done.items():
            whole = items >= expected
            for number in (0, 1) if whole else (0,):
                count = items // 2 if whole else items
                position = Position(number, 2, began, time.time(), items=count)
                self.segments.keep(pair.pair_id, job, part, position, None if whole else {"id": {"S": "k"}})
        return job


@pytest.fixture
def account() -> Iterator[Account]:
    """An account with nothing in it."""
    with mock_aws(config={"stepfunctions": {"execute_state_machine": False}}):
        yield Account()


@pytest.fixture
def installed(account: Account) -> Account:
    """An account with the installer in it."""
    account.install()
    return account
