"""A stage whose evidence is missing is refused: the update rolls back, the reason names the way on, traffic goes on.

A refusal leaves everything as it was, so one stack serves many of them and goes on afterwards. Refusals for want of a
copy that failed or is stopped: test_population.py.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from local.cloud.stacks import StackFailed, delete, deploy
from tests.e2e.conftest import Begin, Lab, Run, changed, eventually, running

STRANGER = {"user": {"S": "stranger"}}


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


@pytest.fixture(scope="class")
def populated(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run at populate. Whatever it is refused, it goes on to the cutover in the end, without a lost write."""
    folder = tmp_path_factory.mktemp("refusals")
    with running(lab, folder, "refusals", items=60, clients=4, pace=0.1) as run:
        run.to("replicate", "populate")
        yield run
        run.insist("cutover")
        run.compare_at_rest()
        run.finish(turns=1)


class TestCutover:
    def test_needs_every_stage_before_it(self, begin: Begin) -> None:
        run = begin(items=60)
        reason = run.refused("cutover")
        assert "populat" in reason
        assert run.example.resource("UsersEncrypted") is None
        run.to("replicate")
        assert "populat" in run.refused("cutover")
        run.finish(turns=0)

    def test_needs_a_twin_with_no_less_capacity_than_the_source(self, populated: Run) -> None:
        dynamodb, source = populated.lab.account.client("dynamodb"), populated.example.the("Users")
        of_both = dynamodb.describe_table(TableName=source)["Table"]["ProvisionedThroughput"]
        units = {name: of_both[name] for name in ("ReadCapacityUnits", "WriteCapacityUnits")}
        more = {name: number + 9 for name, number in units.items()}
        dynamodb.update_table(TableName=source, ProvisionedThroughput=more)
        assert "raise them to that" in populated.refused("cutover")
        dynamodb.update_table(TableName=source, ProvisionedThroughput=units)

    def test_needs_mappings_that_nobody_has_switched_off_and_does_not_wait_for_them(self, populated: Run) -> None:
        functions, mapping = populated.lab.account.client("lambda"), populated.example.the("UsersReplication")
        functions.update_event_source_mapping(UUID=mapping, Enabled=False)
        began = time.monotonic()
        assert f"The event source mapping {mapping} is Disabled, not Enabled." in populated.refused("cutover")
        assert time.monotonic() - began < 200  # one that is being made is waited for, up to four minutes
        assert "Paused" not in populated.record()
        functions.update_event_source_mapping(UUID=mapping, Enabled=True)
        eventually(lambda: functions.get_event_source_mapping(UUID=mapping)["State"] == "Enabled")

    def test_a_gate_takes_in_only_tables_of_its_own_stack(self, populated: Run) -> None:
        with pytest.raises(StackFailed) as refused:
            deploy(populated.lab.account, "thief", gate_for(populated))
        assert "is not the table Users of this stack" in refused.value.reason
        delete(populated.lab.account, "thief")
        assert populated.owner() == "source"

    def test_is_refused_while_a_record_cannot_be_mirrored(self, begin: Begin, lab: Lab) -> None:
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


def gate_for(run: Run) -> str:
    """A template that wants to migrate the tables of another stack."""
    names = {"Source": "Users", "Twin": "UsersEncrypted"}
    mappings = {"Replication": "UsersReplication", "ReverseReplication": "UsersReverseReplication"}
    properties = {
        "ServiceToken": {"Fn::ImportValue": "EncryptMigrate-GateFunctionArn"},
        "Version": "1",
        "Stage": 1,
        "SourceLogicalId": "Users",
        "TwinLogicalId": "UsersEncrypted",
        **{name: run.example.the(resource) for name, resource in (names | mappings).items()},
    }
    return json.dumps({"Resources": {"Gate": {"Type": "Custom::MigrationGate", "Properties": properties}}})


def with_index_on_the_twin(body: str) -> str:
    def add(template: Any) -> None:
        capacity = {"Ref": "Capacity"}
        index = {
            "IndexName": "by-mail",
            "KeySchema": [{"AttributeName": "mail", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
            "ProvisionedThroughput": {"ReadCapacityUnits": capacity, "WriteCapacityUnits": capacity},
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

    def test_needs_the_pairs_record(self, begin: Begin) -> None:
        run = begin(items=60)
        run.to("replicate", "populate", "cutover")
        with without_record(run):
            assert "restore the state table" in run.fails("cleanup")
        run.insist("cleanup")
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


@contextmanager
def without_record(run: Run) -> Iterator[None]:
    """The state table has lost the pair's record meanwhile."""
    dynamodb, record = run.lab.account.client("dynamodb"), run.record()
    dynamodb.delete_item(TableName=run.lab.state_table, Key={name: record[name] for name in ("Pair", "Item")})
    yield
    dynamodb.put_item(TableName=run.lab.state_table, Item=record)
