"""Somebody changes the policy of a table from outside, and writes are accepted that do not count."""

import json
import time
from typing import Any

from tests.e2e.conftest import Begin
from tests.e2e.test_way_back import may_write, stranger
from tests.waiting import eventually

KEY = {"user": {"S": "stranger"}}


def test_a_policy_changed_from_outside_is_damage_is_put_back_and_the_writes_meanwhile_are_named(begin: Begin) -> None:
    run = begin(items=60, clients=4, pace=0.1)
    run.to("replicate", "populate", "cutover")
    run.wait_for_the_turn()  # until then the write would be a stray of that turn
    source = run.example.the("Users")
    outside = stranger(run.lab.account, source)
    assert not may_write(outside, source)

    began = time.time()
    dynamodb = run.lab.account.client("dynamodb")
    eventually(lambda: let_everybody_in(dynamodb, source))
    eventually(lambda: may_write(outside, source))

    eventually(lambda: f"Somebody changed the policy of {source}" in run.status())
    eventually(lambda: not may_write(outside, source))  # the watchdog has closed it again
    eventually(lambda: run.compared(began) == 1)  # and has the tables compared
    assert "different in 1 key: run" in run.status()
    assert "found the tables different in 1 of" in run.fails("cleanup")

    asked = run.command("repair", run.example.name, "--keys", answers="n\n")
    assert f"different: user = stranger, only in {source}" in asked.said

    run.repair()
    assert "Item" not in dynamodb.get_item(TableName=source, Key=KEY, ConsistentRead=True)
    run.insist("cleanup")
    run.finish(turns=1)


def let_everybody_in(dynamodb: Any, table: str) -> bool:
    """Take away whatever the table's policy denies; who may do what besides stays. False: it changed a moment ago."""
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    policy = json.loads(dynamodb.get_resource_policy(ResourceArn=arn)["Policy"])
    policy["Statement"] = [each for each in policy["Statement"] if each["Effect"] != "Deny"]
    try:
        dynamodb.put_resource_policy(ResourceArn=arn, Policy=json.dumps(policy))
    except dynamodb.exceptions.ResourceInUseException:
        return False
    return True
