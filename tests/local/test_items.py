"""What else a migration needs of the account: metrics, schedules, backups, batches that are not done whole."""

import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cloud import Cloud, Settings
from local.cloud.mends.batches import split
from local.cloud.mends.usererrors import counts
from tests.local.lab import Lab
from tests.waiting import eventually


def user_errors(lab: Lab) -> float:
    now = datetime.now(UTC)
    metric = {"Namespace": "AWS/DynamoDB", "MetricName": "UserErrors"}
    answer = lab.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "errors", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=1),
    )
    total: float = sum(answer["MetricDataResults"][0]["Values"])
    return total


class TestUserErrors:
    def test_every_bad_request_counts_but_a_failed_condition(self, lab: Lab) -> None:
        lab.table("Users")
        client = lab.client("dynamodb")
        assert user_errors(lab) == 0
        client.put_item(TableName="Users", Item={"user": {"S": "ann"}})
        with pytest.raises(ClientError, match="ConditionalCheckFailedException"):
            client.put_item(
                TableName="Users",
                Item={"user": {"S": "ann"}},
                ConditionExpression="attribute_not_exists(#u)",
                ExpressionAttributeNames={"#u": "user"},
            )
        assert user_errors(lab) == 0
        with pytest.raises(ClientError, match="ValidationException"):
            client.put_item(TableName="Users", Item={"other": {"S": "ann"}})
        stranger = lab.client("dynamodb", lab.account.assume(lab.role("stranger")))
        with pytest.raises(ClientError, match="AccessDeniedException"):
            stranger.get_item(TableName="Users", Key={"user": {"S": "ann"}})
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            lab.client("dynamodbstreams").describe_stream(
                StreamArn=f"arn:aws:dynamodb:us-east-1:{lab.account.account}:table/No/stream/2026-01-01T00:00:00.000"
            )
        assert user_errors(lab) == 3

    @pytest.mark.parametrize("kind", ["ProvisionedThroughputExceededException", "ThrottlingException"])
    def test_throttles_do_not_count(self, kind: str) -> None:
        assert not counts(f'{{"__type": "com.amazonaws.dynamodb#{kind}"}}')


def test_a_rule_calls_its_function_every_minute(lab: Lab, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    code = "import os\ndef handler(event, context):\n    open(os.environ['NOTES'], 'a').write(event['source'] + ' ')\n"
    function = lab.function("watchdog", code, Environment={"Variables": {"NOTES": str(notes)}})
    events = lab.client("events")
    events.put_rule(Name="minute", ScheduleExpression="rate(1 minute)")
    events.put_targets(Rule="minute", Targets=[{"Id": "1", "Arn": function}])
    began = time.monotonic()
    eventually(lambda: notes.exists() and notes.read_text().count("aws.events") >= 3)
    assert time.monotonic() - began > 1.5


def test_a_backup_can_be_described(lab: Lab) -> None:
    lab.table("Users")
    client = lab.client("dynamodb")
    arn = client.create_backup(TableName="Users", BackupName="last")["BackupDetails"]["BackupArn"]
    found = client.describe_backup(BackupArn=arn)["BackupDescription"]
    assert found["BackupDetails"]["BackupStatus"] == "AVAILABLE"
    assert found["SourceTableDetails"]["TableName"] == "Users"


def test_describing_a_backup_is_decided_on_its_table(lab: Lab) -> None:
    lab.table("Users")
    arn = lab.client("dynamodb").create_backup(TableName="Users", BackupName="last")["BackupDetails"]["BackupArn"]
    allow = {"Effect": "Allow", "Action": "dynamodb:DescribeBackup", "Resource": "arn:aws:dynamodb:*:*:table/Users/*"}
    role = lab.role("reader", allow)
    lab.client("dynamodb", lab.account.assume(role)).describe_backup(BackupArn=arn)


class TestUnprocessedItems:
    def test_some_operations_come_back_and_some_are_done(self) -> None:
        items: dict[str, list[Any]] = {"A": list(range(20)), "B": list(range(5))}
        done, left = split(items, 0.5, random.Random(1))
        assert done["A"]
        assert left["A"]
        for table, operations in items.items():
            assert sorted(done.get(table, []) + left.get(table, [])) == operations

    def test_at_least_one_is_done(self) -> None:
        done, left = split({"A": [1]}, 1.0, random.Random(1))
        assert (done, left) == ({"A": [1]}, {})

    def test_a_cloud_can_be_told_to_leave_some_undone(self) -> None:
        with Cloud(Settings(unprocessed=0.5)) as cloud:
            lab = Lab(cloud.tenant("111111111111"))
            lab.table("Users")
            requests = [{"PutRequest": {"Item": {"user": {"S": str(number)}}}} for number in range(25)]
            left = lab.client("dynamodb").batch_write_item(RequestItems={"Users": requests})["UnprocessedItems"]
            assert 0 < len(left["Users"]) < 25
            assert len(lab.items("Users")) == 25 - len(left["Users"])
