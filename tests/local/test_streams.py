"""Streams of tables and the functions behind them."""

import itertools
import json
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.lab import Lab, allowed
from tests.waiting import eventually

READ_STREAMS = {
    "Effect": "Allow",
    "Action": [f"dynamodb:{name}" for name in ("GetRecords", "GetShardIterator", "DescribeStream", "ListStreams")],
    "Resource": "arn:aws:dynamodb:*:*:table/*/stream/*",
}
# Notes every batch (time, keys) in a file, and does with it what the test wants.
CONSUMER = """
import json, os, time
def handler(event, context):
    records = event["Records"]
    began = time.time()
    keys = [record["dynamodb"]["Keys"]["user"]["S"] for record in records]
    values = [record["dynamodb"].get("NewImage", {}).get("n", {}).get("N") for record in records]
    time.sleep(float(os.environ.get("SECONDS", "0")))
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(json.dumps({"keys": keys, "values": values, "began": began, "ended": time.time()}) + "\\n")
    poison = [r["dynamodb"]["SequenceNumber"] for r in records if r["dynamodb"]["Keys"]["user"]["S"] == "poison"]
    if poison and os.environ.get("FAIL") == "raise":
        raise RuntimeError("poison")
    if poison and os.environ.get("FAIL") == "partly":
        return {"batchItemFailures": [{"itemIdentifier": poison[0]}]}
"""


class Consumer:
    def __init__(self, lab: Lab, notes: Path, environment: dict[str, str], **mapping: Any) -> None:
        self.lab = lab
        self.notes = notes
        self.table = lab.table("Users", stream=True)
        lab.function(
            "consumer",
            CONSUMER,
            lab.role("consumer", READ_STREAMS),
            Environment={"Variables": {"NOTES": str(notes), **environment}},
        )
        self.mapping = lab.client("lambda").create_event_source_mapping(
            EventSourceArn=self.table["LatestStreamArn"],
            FunctionName="consumer",
            StartingPosition="TRIM_HORIZON",
            **mapping,
        )["UUID"]

    def put(self, *users: str, n: int = 0) -> None:
        for user in users:
            self.lab.client("dynamodb").put_item(TableName="Users", Item={"user": {"S": user}, "n": {"N": str(n)}})

    def batches(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.notes.read_text().splitlines()] if self.notes.exists() else []

    def delivered(self) -> list[str]:
        return [key for batch in self.batches() for key in batch["keys"]]

    def state(self) -> Any:
        return self.lab.client("lambda").get_event_source_mapping(UUID=self.mapping)


@pytest.fixture
def consumer(lab: Lab, tmp_path: Path) -> Any:
    def made(environment: dict[str, str] | None = None, **mapping: Any) -> Consumer:
        return Consumer(lab, tmp_path / "notes", environment or {}, **mapping)

    return made


def test_records_arrive_in_order_and_the_mapping_reports_success(consumer: Any) -> None:
    running = consumer()
    assert running.state()["State"] == "Enabled"
    assert running.state()["LastProcessingResult"] == "No records processed"
    running.put("ann", "bob", "cid")
    eventually(lambda: running.delivered() == ["ann", "bob", "cid"])
    eventually(lambda: running.state()["LastProcessingResult"] == "OK")


def test_a_window_gathers_what_comes_in_it(consumer: Any) -> None:
    running = consumer(MaximumBatchingWindowInSeconds=1)
    running.put("ann", "bob", "cid")
    eventually(running.batches)
    assert [batch["keys"] for batch in running.batches()] == [["ann", "bob", "cid"]]


def test_a_batch_holds_no_more_than_its_size(consumer: Any) -> None:
    running = consumer(BatchSize=2, MaximumBatchingWindowInSeconds=1)
    running.put("ann", "bob", "cid")
    eventually(lambda: len(running.delivered()) == 3)
    assert [len(batch["keys"]) for batch in running.batches()] == [2, 1]


def test_lanes_run_side_by_side_and_keep_the_order_of_each_item(consumer: Any) -> None:
    running = consumer({"SECONDS": "0.5"}, ParallelizationFactor=4)
    users = [f"user{number}" for number in range(12)]
    for n in range(3):
        running.put(*users, n=n)
    eventually(lambda: len(running.delivered()) == 36)
    batches = running.batches()
    overlapping = [a for a in batches for b in batches if a["began"] < b["began"] < a["ended"]]
    assert overlapping
    for user in users:
        pairs = [pair for batch in batches for pair in zip(batch["keys"], batch["values"], strict=True)]
        assert [value for key, value in pairs if key == user] == ["0", "1", "2"]


def test_one_lane_never_runs_two_batches_at_once(consumer: Any) -> None:
    running = consumer({"SECONDS": "0.1"}, BatchSize=1)
    running.put("a", "b", "c", "d")
    eventually(lambda: len(running.delivered()) == 4)
    batches = running.batches()
    assert all(first["ended"] <= second["began"] for first, second in itertools.pairwise(batches))


def test_a_partial_failure_delivers_again_from_the_failed_record_on(consumer: Any) -> None:
    running = consumer(
        {"FAIL": "partly"}, MaximumBatchingWindowInSeconds=1, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    running.put("ann", "poison", "cid")
    eventually(lambda: len(running.batches()) >= 3)
    batches = [batch["keys"] for batch in running.batches()]
    assert batches[0] == ["ann", "poison", "cid"]
    assert batches[1:3] == [["poison", "cid"]] * 2
    assert running.state()["LastProcessingResult"] == "PROBLEM: Function call failed"


def test_a_record_given_up_is_in_the_bucket_in_full_and_the_rest_goes_on(consumer: Any, lab: Lab) -> None:
    bucket = lab.bucket("failed-records")
    running = consumer(
        {"FAIL": "raise"},
        MaximumRetryAttempts=1,
        BisectBatchOnFunctionError=True,
        MaximumBatchingWindowInSeconds=1,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}},
    )
    running.put("ann", "poison", "cid", n=7)
    found = eventually(lambda: lab.client("s3").list_objects_v2(Bucket=bucket).get("Contents"))
    key = found[0]["Key"]
    parts = key.split("/")
    assert parts[:3] == ["aws", "lambda", running.mapping]
    assert parts[3].startswith("shardId-")
    assert parts[4:7] == time.strftime("%Y/%m/%d", time.gmtime()).split("/")
    body = json.loads(lab.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    assert body["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert body["DDBStreamBatchInfo"]["batchSize"] == 1
    assert body["payload"]["Records"][0]["dynamodb"]["NewImage"] == {"user": {"S": "poison"}, "n": {"N": "7"}}
    eventually(lambda: running.batches()[-1]["keys"] == ["cid"])


def test_a_record_that_becomes_too_old_is_given_up(consumer: Any, lab: Lab) -> None:
    bucket = lab.bucket("failed-records")
    running = consumer(
        {"FAIL": "partly"},
        MaximumRecordAgeInSeconds=60,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}},
    )
    lab.client("lambda").update_event_source_mapping(UUID=running.mapping, MaximumRecordAgeInSeconds=1)
    running.put("poison", "cid")
    found = eventually(lambda: lab.client("s3").list_objects_v2(Bucket=bucket).get("Contents"))
    body = json.loads(lab.client("s3").get_object(Bucket=bucket, Key=found[0]["Key"])["Body"].read())
    assert body["requestContext"]["condition"] == "RecordAgeExceeded"
    assert body["payload"]["Records"][0]["dynamodb"]["Keys"] == {"user": {"S": "poison"}}


def test_a_disabled_mapping_keeps_its_place(consumer: Any, lab: Lab) -> None:
    running = consumer()
    running.put("ann")
    eventually(lambda: running.delivered() == ["ann"])
    lab.client("lambda").update_event_source_mapping(UUID=running.mapping, Enabled=False)
    assert running.state()["State"] == "Disabled"
    running.put("bob")
    time.sleep(0.5)
    assert running.delivered() == ["ann"]
    lab.client("lambda").update_event_source_mapping(UUID=running.mapping, Enabled=True)
    eventually(lambda: running.delivered() == ["ann", "bob"])


def test_a_write_that_changes_nothing_is_not_in_the_stream(consumer: Any) -> None:
    running = consumer()
    running.put("ann")
    running.put("ann")
    running.put("bob")
    eventually(lambda: running.delivered() == ["ann", "bob"])


def test_a_mapping_whose_function_may_not_read_the_stream_is_refused(lab: Lab) -> None:
    table = lab.table("Users", stream=True)
    lab.function("blind", CONSUMER)
    with pytest.raises(ClientError, match="Please ensure the role can perform the GetRecords"):
        lab.client("lambda").create_event_source_mapping(
            EventSourceArn=table["LatestStreamArn"], FunctionName="blind", StartingPosition="TRIM_HORIZON"
        )


def test_calls_about_a_mapping_are_decided_on_that_mapping(consumer: Any, lab: Lab) -> None:
    mapping = consumer().mapping
    arn = f"arn:aws:lambda:us-east-1:{lab.account.account}:event-source-mapping:{mapping}"
    role = lab.role("reader", {"Effect": "Allow", "Action": "lambda:GetEventSourceMapping", "Resource": arn})
    client = lab.client("lambda", lab.account.assume(role))
    assert client.get_event_source_mapping(UUID=mapping)["State"] == "Enabled"
    assert not allowed(client.get_event_source_mapping, UUID="00000000-0000-0000-0000-000000000000")
    assert not allowed(client.update_event_source_mapping, UUID=mapping, Enabled=False)
    assert not allowed(client.delete_event_source_mapping, UUID=mapping)


def test_binary_values_are_base64_text_in_a_functions_event(lab: Lab, tmp_path: Path) -> None:
    code = """
import json, os
def handler(event, context):
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(json.dumps(event["Records"][0]["dynamodb"]["NewImage"]))
"""
    table = lab.table("Users", stream=True)
    notes = tmp_path / "image"
    environment = {"Variables": {"NOTES": str(notes)}}
    lab.function("consumer", code, lab.role("consumer", READ_STREAMS), Environment=environment)
    lab.client("lambda").create_event_source_mapping(
        EventSourceArn=table["LatestStreamArn"], FunctionName="consumer", StartingPosition="TRIM_HORIZON"
    )
    item = {"user": {"S": "ann"}, "photo": {"B": b"\x00\x01"}, "keys": {"BS": [b"\xfe"]}}
    lab.client("dynamodb").put_item(TableName="Users", Item=item)
    eventually(notes.exists)
    image = eventually(notes.read_text)
    assert json.loads(image) == {"user": {"S": "ann"}, "photo": {"B": "AAE="}, "keys": {"BS": ["/g=="]}}


def test_what_expires_is_deleted_and_marked_in_the_stream(lab: Lab) -> None:
    table = lab.table("Users", stream=True)
    client = lab.client("dynamodb")
    client.update_time_to_live(TableName="Users", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})
    now = int(time.time())
    for user, expires in (
        ("gone", {"N": str(now - 1)}),
        ("later", {"N": str(now + 3600)}),
        ("text", {"S": str(now - 1)}),
        ("ancient", {"N": "1"}),
    ):
        client.put_item(TableName="Users", Item={"user": {"S": user}, "expires": expires})
    client.delete_item(TableName="Users", Key={"user": {"S": "later"}})
    streams = lab.client("dynamodbstreams")
    arn = table["LatestStreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]

    def removals() -> Any:
        iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        records = streams.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
        found = [record for record in records if record["eventName"] == "REMOVE"]
        return found if len(found) == 2 else None

    by_user = {record["dynamodb"]["Keys"]["user"]["S"]: record for record in eventually(removals)}
    assert by_user["gone"]["userIdentity"] == {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    assert "userIdentity" not in by_user["later"]
    assert {item["user"]["S"] for item in lab.items("Users")} == {"text", "ancient"}
