"""A record that can never be mirrored, there and back: it is told, shuts the stages, is kept in full, and repaired."""

import json
import time
from typing import Any

from tests.e2e.conftest import Begin, Lab, Run, changed
from tests.waiting import eventually

# `mail` and `login` have a type that an index does not take: the first one of the twin, the second one of the source.
POISON = {"user": {"S": "poison"}, "mail": {"N": "1"}, "told": {"S": "in full"}}
POISON_BACK = {"user": {"S": "poison back"}, "login": {"N": "1"}}
GIVEN_UP_AFTER = 60  # seconds, for the six hours of the mappings that the macro makes; Lambda takes no less


def with_an_index_each(body: str) -> str:
    def add(template: Any) -> None:
        users = template["Resources"]["Users"]
        users["Properties"] |= indexed("login")
        users["Metadata"] = {"EncryptMigrate": {"Properties": indexed("mail")}}

    return changed(body, add)


def indexed(name: str) -> dict[str, Any]:
    capacity = {"Ref": "Capacity"}
    index = {
        "IndexName": f"by-{name}",
        "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
        "ProvisionedThroughput": {"ReadCapacityUnits": capacity, "WriteCapacityUnits": capacity},
    }
    names = [{"AttributeName": each, "AttributeType": "S"} for each in ("user", name)]
    return {"AttributeDefinitions": names, "GlobalSecondaryIndexes": [index]}


def test_a_poisoned_record_is_told_kept_in_full_and_repaired(begin: Begin, lab: Lab) -> None:
    run = begin(items=60, body=with_an_index_each(lab.body), clients=4, pace=0.1)
    run.to("replicate", "populate")
    dynamodb, source, twin = lab.account.client("dynamodb"), run.example.the("Users"), run.example.the("UsersEncrypted")
    lab.account.client("lambda").update_event_source_mapping(
        UUID=run.example.the("UsersReplication"), MaximumRecordAgeInSeconds=GIVEN_UP_AFTER
    )
    began = time.time()
    dynamodb.put_item(TableName=source, Item=POISON)

    told_within_a_minute(run)
    assert "1 batch of the mirror failing: mend the cause" in run.status()
    assert float(run.record()["FailedAt"]["N"]) > float(run.record()["Comparison"]["M"]["StartedAt"]["N"])
    assert "of its batches, the first because of" in run.refused("cutover")

    eventually(lambda: POISON in given_up(lab))
    assert time.time() - began >= GIVEN_UP_AFTER
    dynamodb.put_item(TableName=source, Item={**POISON, "mail": {"S": "a@b"}})  # the cause is mended
    assert "run the repair when the records were given up" in run.refused("cutover")

    run.repair()
    assert failing(run) == []
    run.insist("cutover")
    run.compare_at_rest()

    dynamodb.put_item(TableName=twin, Item=POISON_BACK)
    told_within_a_minute(run)
    assert "of its batches, the first because of" in run.fails("cleanup")
    for item in (POISON, POISON_BACK):
        dynamodb.delete_item(TableName=twin, Key={"user": item["user"]})  # the clients know nothing of it
    run.finish(turns=1)


def told_within_a_minute(run: Run) -> None:
    """One batch fails, and is told soon after the mirror has first tried it."""
    [batch] = eventually(lambda: failing(run))
    assert time.time() - batch["since"] < 60


def failing(run: Run) -> list[Any]:
    """The batches of the mirror that fail, as `status` says."""
    (pair,) = run.command("status", run.example.name, "--json").json["pairs"]
    found: list[Any] = pair["failing"]
    return found


def given_up(lab: Lab) -> list[Any]:
    """The new images of all records in the bucket."""
    s3 = lab.account.client("s3")
    names = [found["Key"] for found in s3.list_objects_v2(Bucket=lab.bucket).get("Contents", [])]
    bodies = [json.loads(s3.get_object(Bucket=lab.bucket, Key=name)["Body"].read()) for name in names]
    return [record["dynamodb"].get("NewImage") for body in bodies for record in body["payload"]["Records"]]
