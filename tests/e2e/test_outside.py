"""Somebody changes the policy of a table from outside, and writes are accepted that do not count."""

import json
import time
from typing import Any

from replication.values import digest
from tests.e2e.conftest import Begin, Run, changed, eventually
from tests.e2e.test_way_back import may_write, stranger

KEY = {"user": {"S": "stranger"}}
READ_BACK = 60.0  # seconds after which a policy that was put must be what is read


def test_a_policy_changed_from_outside_is_damage_the_writes_are_named_and_an_update_closes_the_table_again(
    begin: Begin,
) -> None:
    run = begin(items=60, clients=4, pace=0.1)
    run.to("replicate", "populate", "cutover")
    source = run.example.the("Users")
    outside = stranger(run.lab.account, source)
    assert not may_write(outside, source)

    began = time.time()
    dynamodb = run.lab.account.client("dynamodb")
    let_everybody_in(dynamodb, source)
    eventually(lambda: may_write(outside, source))

    eventually(lambda: "Somebody changed the policy of" in told(run), within=READ_BACK + 60)
    eventually(lambda: run.compared(began) == 1, within=90)  # the watchdog has them compared by itself
    assert digest(KEY) in named(run)
    assert "1 key differ: run" in run.command("status", run.example.name).said

    run.example.deploy("cutover", body=changed(run.example.body, describe))
    eventually(lambda: not may_write(outside, source))
    run.repair()
    assert "Item" not in dynamodb.get_item(TableName=source, Key=KEY, ConsistentRead=True)
    run.insist("cleanup")
    run.finish(turns=1)


def let_everybody_in(dynamodb: Any, table: str) -> None:
    """Take away whatever the table's policy denies; who may do what besides stays."""
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    policy = json.loads(dynamodb.get_resource_policy(ResourceArn=arn)["Policy"])
    policy["Statement"] = [each for each in policy["Statement"] if each["Effect"] != "Deny"]
    dynamodb.put_resource_policy(ResourceArn=arn, Policy=json.dumps(policy))


def describe(template: Any) -> None:
    """A harmless change: any update has the gate look at the policies."""
    template["Resources"]["Users"]["Metadata"] = {"EncryptMigrate": {"WritersMoved": True}}


def told(run: Run) -> str:
    """What is kept about damage to the pair."""
    return " ".join(each["M"]["What"]["S"] for each in run.record().get("Damage", {"L": []})["L"])


def named(run: Run) -> set[str]:
    """The digests of keys that comparisons of this pair have found different."""
    pages = (
        run.lab.account.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=run.lab.state_table,
            KeyConditionExpression="#pair = :pair",
            ExpressionAttributeNames={"#pair": "Pair"},
            ExpressionAttributeValues={":pair": {"S": run.pair}},
        )
    )
    items = [item for page in pages for item in page["Items"]]
    return {found["S"] for item in items for found in item.get("Digests", {"L": []})["L"]}
