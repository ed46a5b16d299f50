"""A stage whose evidence is missing is refused: the update rolls back, the reason names the way on, traffic goes on.

One stack serves the refusals of the cutover, another those of the cleanup: a refusal leaves everything as it was.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from local.cloud.stacks import delete, deploy
from tests.e2e.conftest import Begin, Run, changed

STRANGER = {"user": {"S": "stranger"}}


def eventually(ask: Callable[[], bool], within: float = 20.0) -> None:
    deadline = time.monotonic() + within
    while not ask():
        assert time.monotonic() < deadline, f"not within {within} s"
        time.sleep(0.2)


def with_export(body: str) -> str:
    def add(template: Any) -> None:
        template["Outputs"]["Table"]["Export"] = {"Name": "users-table"}

    return changed(body, add)


IMPORTER = json.dumps(
    {
        "Resources": {
            "Named": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Type": "String", "Value": {"Fn::ImportValue": "users-table"}},
            }
        }
    }
)


@contextmanager
def disabled(run: Run, logical_id: str) -> Iterator[None]:
    """One of the mappings is switched off inside."""
    mapping, functions = run.example.the(logical_id), run.lab.account.client("lambda")
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    yield
    functions.update_event_source_mapping(UUID=mapping, Enabled=True)
    eventually(lambda: functions.get_event_source_mapping(UUID=mapping)["State"] == "Enabled")


class TestCutover:
    def test_needs_every_stage_before_it(self, begin: Begin) -> None:
        run = begin(items=60)
        reason = run.refused("cutover")
        assert "populat" in reason
        assert run.example.resource("UsersEncrypted") is None
        reason = run.refused("cleanup")
        assert "cutover" in reason
        run.to("replicate")
        assert "populat" in run.refused("cutover")
        run.finish(turns=0)

    def test_needs_mappings_capacity_and_untouched_policies(self, begin: Begin) -> None:
        run = begin(items=60)
        run.to("replicate", "populate")
        dynamodb = run.lab.account.client("dynamodb")

        for logical_id in ("UsersReplication", "UsersReverseReplication"):
            with disabled(run, logical_id):
                reason = run.refused("cutover")
            assert logical_id in reason
            assert "nabled" in reason

        source = run.example.the("Users")
        dynamodb.update_table(TableName=source, ProvisionedThroughput={"ReadCapacityUnits": 9, "WriteCapacityUnits": 9})
        assert "capacity" in run.refused("cutover")
        dynamodb.update_table(TableName=source, ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1})

        run.to("cutover")
        run.compare_at_rest()
        run.finish(turns=1)

    def test_is_refused_while_a_record_cannot_be_mirrored(self, begin: Begin, lab: Any) -> None:
        """The twin has an index that the source has not, and one item does not fit it."""
        run = begin(items=60, body=with_index_on_the_twin(lab.body))
        run.to("replicate", "populate")
        dynamodb, source = run.lab.account.client("dynamodb"), run.example.the("Users")
        dynamodb.put_item(TableName=source, Item={**STRANGER, "mail": {"N": "1"}})
        eventually(lambda: "FailedAt" in run.record())
        assert "failed" in run.refused("cutover")
        # put right, it is mirrored; the next comparison makes the pair clean again
        dynamodb.put_item(TableName=source, Item={**STRANGER, "mail": {"S": "a@b"}})
        run.finish(turns=0)


def with_index_on_the_twin(body: str) -> str:
    def add(template: Any) -> None:
        index = {
            "IndexName": "by-mail",
            "KeySchema": [{"AttributeName": "mail", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
            "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
        }
        names = [{"AttributeName": name, "AttributeType": "S"} for name in ("user", "mail")]
        properties = {"AttributeDefinitions": names, "GlobalSecondaryIndexes": [index]}
        template["Resources"]["Users"]["Metadata"] = {"EncryptMigrate": {"Properties": properties}}

    return changed(body, add)


class TestCleanup:
    def test_needs_the_cutover_a_healthy_mirror_back_and_no_importer(self, begin: Begin, lab: Any) -> None:
        run = begin(items=60, body=with_export(lab.body))
        run.to("replicate", "populate")
        assert "cutover" in run.refused("cleanup")

        deploy(lab.account, "importer", IMPORTER)
        run.to("cutover")
        with disabled(run, "UsersReverseReplication"):
            assert "UsersReverseReplication" in run.refused("cleanup")
        assert "users-table" in run.refused("cleanup")
        delete(lab.account, "importer")

        run.to("cleanup")
        run.finish(turns=1)

    @pytest.mark.parametrize("stage", ["cutover"])
    def test_an_update_at_the_same_stage_changes_nothing(self, begin: Begin, stage: str) -> None:
        run = begin(items=60)
        run.to("replicate", "populate", stage)
        before = run.record()["Epoch"]

        def describe(template: Any) -> None:
            template["Resources"]["Api"]["Properties"]["Description"] = "the same, told better"

        run.example.deploy(stage, body=changed(run.example.body, describe))
        assert run.record()["Epoch"] == before
        run.to("cleanup")
        run.finish(turns=1)
