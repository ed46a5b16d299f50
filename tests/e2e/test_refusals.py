"""A stage whose evidence is missing is refused: the update rolls back, the reason names the way on, traffic goes on.

One stack serves the refusals of the cutover, another those of the cleanup: a refusal leaves everything as it was.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from local.cloud.stacks import delete, deploy
from tests.e2e.conftest import Begin, changed

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


class TestCutover:
    def test_needs_every_stage_before_it(self, begin: Begin) -> None:
        run = begin(items=60)
        reason = run.refused("cutover")
        assert "populat" in reason
        assert run.example.resource("UsersEncrypted") is None
        run.to("replicate")
        assert "populat" in run.refused("cutover")
        run.finish(turns=0)

    def test_needs_a_twin_with_no_less_capacity_than_the_source(self, begin: Begin) -> None:
        run = begin(items=60)
        run.to("replicate", "populate")
        dynamodb = run.lab.account.client("dynamodb")

        source = run.example.the("Users")
        dynamodb.update_table(TableName=source, ProvisionedThroughput={"ReadCapacityUnits": 9, "WriteCapacityUnits": 9})
        assert "9 and 9" in run.refused("cutover")
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
        dynamodb.delete_item(TableName=source, Key=STRANGER)  # the clients' history knows nothing of it
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
    def test_a_jump_to_it_is_refused_and_loses_no_write(self, begin: Begin) -> None:
        """The source is not in the template of this stage, so the roles lose it before the gate is asked.

        Until CloudFormation has rolled that back, clients are refused, readers too.
        """
        run = begin(items=60)
        assert "migrated" in run.fails("cleanup")
        run.finish(turns=0, refused_reads=True)

    def test_needs_that_nobody_imports_what_would_change(self, begin: Begin, lab: Any) -> None:
        run = begin(items=60, body=with_export(lab.body))
        run.to("replicate", "populate")
        deploy(lab.account, "importer", IMPORTER)
        run.to("cutover")
        # Clients with the old configuration are refused for a while after any cutover, so they are not counted.
        assert "users-table" in run.fails("cleanup")
        delete(lab.account, "importer")

        run.to("cleanup")
        run.finish(turns=1)

    def test_an_update_at_the_same_stage_changes_nothing(self, begin: Begin) -> None:
        run = begin(items=60)
        run.to("replicate", "populate", "cutover")
        before = run.record()["Epoch"]

        def describe(template: Any) -> None:
            template["Resources"]["Api"]["Properties"]["Description"] = "the same, told better"

        run.example.deploy("cutover", body=changed(run.example.body, describe))
        assert run.record()["Epoch"] == before
        run.to("cleanup")
        run.finish(turns=1)
