"""A stage whose evidence is missing is refused: the update rolls back, the reason names the way on, traffic goes on.

A refusal leaves everything as it was, so one stack serves many of them and goes on afterwards. Refusals for want of a
copy that failed or is stopped: test_population.py; for a record that cannot be mirrored: test_poison.py.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from local.cloud.stacks import StackFailed, delete, deploy
from replication.machines import Machines, PopulationJob
from replication.segments import Mode
from tests.e2e.conftest import Begin, Lab, Run, changed, running
from tests.waiting import eventually

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

    def test_needs_equal_tables(self, populated: Run) -> None:
        twin = populated.example.the("UsersEncrypted")
        populated.lab.slip_in(twin, STRANGER)
        compare(populated, differences=1)
        assert "The last comparison found the tables different in 1 of" in populated.refused("cutover")
        populated.repair()
        found = populated.lab.account.client("dynamodb").get_item(TableName=twin, Key=STRANGER, ConsistentRead=True)
        assert "Item" not in found

    def test_needs_a_mirror_that_is_not_throttled(self, populated: Run) -> None:
        """The metric goes on for five minutes, so here another function stands for the replicator."""
        functions, api = populated.lab.account.client("lambda"), populated.example.the("Api")
        functions.put_function_concurrency(FunctionName=api, ReservedConcurrentExecutions=0)
        with pytest.raises(functions.exceptions.TooManyRequestsException):
            functions.invoke(FunctionName=api)
        functions.delete_function_concurrency(FunctionName=api)
        with populated.lab.setting("Gate", REPLICATOR_FUNCTION=api):
            assert "The replicator was throttled" in populated.refused("cutover")

    def test_needs_a_copy_that_has_ended(self, begin: Begin, lab: Lab) -> None:
        """A long copy goes on after its update has been answered."""
        run = begin(items=200, body=changed(lab.body, slowly), clients=4, pace=0.1)
        run.to("replicate")
        with lab.setting("Watchdog", POPULATION_WAIT_SECONDS="1"):
            run.to("populate")
        assert "is still running" in run.refused("cutover")
        run.to("replicate")  # which stops it
        run.finish(turns=0)

    def test_a_gate_takes_in_only_tables_of_its_own_stack(self, populated: Run) -> None:
        with pytest.raises(StackFailed) as refused:
            deploy(populated.lab.account, "thief", gate_for(populated))
        assert "is not the table Users of this stack" in refused.value.reason
        delete(populated.lab.account, "thief")
        assert populated.owner() == "source"


def slowly(template: Any) -> None:
    """The copy takes more than three minutes."""
    template["Resources"]["Users"]["Metadata"] = {"EncryptMigrate": {"WriteRate": 1}}


def compare(run: Run, *, differences: int) -> None:
    """Have both tables compared, as the watchdog does, until that finds so many differences."""
    account, began = run.lab.account, time.time()
    machine = f"arn:aws:states:{account.region}:{account.account}:stateMachine:encrypt-migrate-Population"
    job = PopulationJob(run.pair, f"compare-{run.pair}-{began:.0f}", Mode.COMPARE)
    Machines(account.client("stepfunctions"), "", machine).population(job)
    eventually(lambda: run.compared(began) == differences)


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

    def test_needs_a_record_equal_tables_and_that_nobody_was_refused_lately(self, begin: Begin) -> None:
        run = begin(items=60)
        run.to("replicate", "populate", "cutover")
        run.wait_for_the_turn()  # which needs the record
        with without_record(run):
            assert "restore the state table" in run.fails("cleanup")

        run.lab.slip_in(run.example.the("Users"), STRANGER)
        assert "found the tables different in 1 of" in run.fails("cleanup")
        run.repair()

        with run.lab.setting("Worker", WRITERS_QUIET_MINUTES="60"):  # and there were clients that the turn refused
            assert "set WritersMoved: true" in run.fails("cleanup")
            run.example.deploy("cleanup", body=changed(run.example.body, vouch))
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


def vouch(template: Any) -> None:
    template["Resources"]["Users"]["Metadata"] = {"EncryptMigrate": {"WritersMoved": True}}


@contextmanager
def without_record(run: Run) -> Iterator[None]:
    """The state table has lost the pair's record meanwhile."""
    dynamodb, record = run.lab.account.client("dynamodb"), run.record()
    dynamodb.delete_item(TableName=run.lab.state_table, Key={name: record[name] for name in ("Pair", "Item")})
    yield
    dynamodb.put_item(TableName=run.lab.state_table, Item=record)
