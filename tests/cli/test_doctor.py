"""`doctor`: what is amiss with the installation, and what old migrations have left behind."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cli.conftest import Account

FUNCTIONS = ("Macro", "Replicator", "Gate", "Turn", "Worker", "Watchdog")


class Pages:
    """A paginator with one page."""

    def __init__(self, page: dict[str, Any]) -> None:
        self.page = page

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [self.page]


class Functions:
    """Lambda: functions that can run, and mappings of the replicator."""

    def __init__(self) -> None:
        self.states: dict[str, dict[str, str]] = {}
        self.concurrency = 1000
        self.mappings: list[dict[str, str]] = []

    def get_function_configuration(self, FunctionName: str) -> dict[str, str]:  # noqa: N803
        return {"State": "Active", "LastUpdateStatus": "Successful", **self.states.get(FunctionName, {})}

    def get_account_settings(self) -> dict[str, Any]:
        return {"AccountLimit": {"ConcurrentExecutions": self.concurrency}}

    def get_paginator(self, operation: str) -> Pages:
        assert operation == "list_event_source_mappings"
        return Pages({"EventSourceMappings": self.mappings})


class Tags:
    """Tables with their tags."""

    def __init__(self) -> None:
        self.tables: list[dict[str, Any]] = []

    def get_paginator(self, operation: str) -> Pages:
        assert operation == "get_resources"
        return Pages({"ResourceTagMappingList": self.tables})


class Alarms:
    """CloudWatch's alarms that ring."""

    def __init__(self) -> None:
        self.ringing: list[dict[str, str]] = []

    def describe_alarms(self, AlarmNames: list[str], StateValue: str) -> dict[str, Any]:  # noqa: N803
        assert StateValue == "ALARM"
        return {"MetricAlarms": [alarm for alarm in self.ringing if alarm["AlarmName"] in AlarmNames]}


@pytest.fixture
def well(installed: Account) -> Account:
    """An installation that is well."""
    installed.clients |= {"lambda": Functions(), "resourcegroupstaggingapi": Tags(), "cloudwatch": Alarms()}
    installed.installer.resources |= {f"{name}Function": f"em-{name}" for name in FUNCTIONS}
    installed.installer.resources["LagAlarm"] = "em-lag"
    installed.installer.outputs["Version"] = version("encrypt-migrate")
    installed.dynamodb.update_continuous_backups(
        TableName=installed.state_table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    return installed


def problems(account: Account) -> list[str]:
    found = account.run("doctor", "--json").json["findings"]
    return [f"{each['about']}: {each['what']}" for each in found if each["level"] == "problem"]


def notes(account: Account) -> list[str]:
    found = account.run("doctor", "--json").json["findings"]
    # moto's account may write 10,000 units per second, which is worth knowing too.
    told = [each for each in found if each["level"] == "note" and each["about"] != "quotas"]
    return [f"{each['about']}: {each['what']}" for each in told]


def test_a_well_installation_has_no_problem(well: Account) -> None:
    ran = well.run("doctor")
    assert (ran.code, problems(well), notes(well)) == (0, [], [])
    assert "✓ installer: stack encrypt-migrate is UPDATE_COMPLETE" in ran.said


def test_not_installed_is_told_with_the_way_to_install(account: Account) -> None:
    ran = account.run("doctor")
    assert (ran.code, "sam build && sam deploy" in ran.said) == (1, True)


class TestInstallation:
    def test_a_missing_export_is_a_problem_because_migrated_stacks_import_it(self, well: Account) -> None:
        del well.installer.exports["EncryptMigrate-GateFunctionArn"]
        assert problems(well) == ["exports: EncryptMigrate-GateFunctionArn missing: migrated stacks cannot be updated"]
        assert well.run("doctor").code == 1

    @pytest.mark.parametrize(("outputs", "named"), [({"Version": "9.9.9"}, "9.9.9"), ({}, "a version before 0.2.0")])
    def test_so_is_another_version_than_that_of_the_command(
        self, well: Account, outputs: dict[str, str], named: str
    ) -> None:
        well.installer.outputs = outputs
        assert problems(well) == [f"version: {named} is installed, and this command is {version('encrypt-migrate')}"]

    def test_so_is_a_stack_that_failed(self, well: Account) -> None:
        well.installer.status = "UPDATE_ROLLBACK_FAILED"
        assert problems(well) == ["installer: stack encrypt-migrate is UPDATE_ROLLBACK_FAILED"]

    def test_so_is_a_resource_that_is_missing(self, well: Account) -> None:
        del well.installer.resources["TurnFunction"]
        assert problems(well) == ["resources: TurnFunction missing"]

    def test_so_is_a_function_that_cannot_run(self, well: Account) -> None:
        well.clients["lambda"].states["em-Gate"] = {"State": "Failed", "StateReason": "no such role"}
        assert problems(well) == ["functions: GateFunction cannot run: no such role"]

    def test_so_is_a_state_table_without_protection(self, well: Account) -> None:
        well.dynamodb.update_table(TableName=well.state_table, DeletionProtectionEnabled=False)
        assert problems(well) == [f"state table: {well.state_table}: its deletion protection is off"]

    def test_so_is_an_alarm_that_rings(self, well: Account) -> None:
        ringing = {"AlarmName": "em-lag", "StateReason": "3 of 5", "AlarmDescription": "Lag."}
        well.clients["cloudwatch"].ringing = [ringing]
        assert problems(well) == ["alarms: em-lag rings: 3 of 5"]

    def test_a_new_accounts_small_concurrency_is_worth_knowing(self, well: Account) -> None:
        well.clients["lambda"].concurrency = 10
        assert notes(well) == ["concurrency: the account runs 10 functions at once; 1,000 are usual"]


class TestLeftovers:
    def test_a_record_whose_stack_is_gone_is_a_problem(self, well: Account) -> None:
        well.pair("shop")
        assert problems(well) == []
        del well.stacks.all["shop"]
        assert problems(well) == ["records: shop-users → shop-users-encrypted: its stack is gone, its record is not"]

    def test_a_record_that_cannot_be_used_is_a_problem(self, well: Account) -> None:
        well.dynamodb.put_item(
            TableName=well.state_table, Item={"Pair": {"S": "x/Y"}, "Item": {"S": "pair"}, "Version": {"N": "99"}}
        )
        assert "version 99" in problems(well)[0]

    def test_a_mapping_of_nobody_is_a_problem(self, well: Account) -> None:
        well.pair("shop")
        well.clients["lambda"].mappings = [{"UUID": "mapping"}, {"UUID": "foreign", "EventSourceArn": "stream"}]
        assert problems(well) == ["mappings: foreign brings stream to the replicator, which refuses it"]

    def test_a_twin_that_outlived_its_stack_is_worth_knowing(self, well: Account) -> None:
        shop = well.stacks.deploy("shop").stack_id

        def table(name: str, logical_id: str, stack_id: str) -> dict[str, Any]:
            tags = {"aws:cloudformation:logical-id": logical_id, "aws:cloudformation:stack-id": stack_id}
            return {
                "ResourceARN": f"arn:aws:dynamodb:us-east-1:123456789012:table/{name}",
                "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
            }

        well.clients["resourcegroupstaggingapi"].tables = [
            table("kept", "UsersEncrypted", "arn:aws:cloudformation:us-east-1:123456789012:stack/gone/1"),
            table("in-use", "UsersEncrypted", shop),
            table("another", "Users", "arn:aws:cloudformation:us-east-1:123456789012:stack/gone/1"),
        ]
        assert notes(well) == ["twins: kept was kept when its stack went"]

    def test_backups_of_cleanups_are_told_with_their_price(self, well: Account) -> None:
        for name in ("users-before-cleanup-1", "nightly"):
            well.dynamodb.create_backup(TableName=well.state_table, BackupName=name)
        [found] = notes(well)
        assert found.startswith("backups: 1 backup of old tables from cleanups")
        assert "a month" in found


def test_what_aws_does_not_let_one_look_at_is_told_and_hinders_nothing_else(well: Account) -> None:
    class Denied:
        def __getattr__(self, name: str) -> Any:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, name)

    well.clients["cloudwatch"] = Denied()
    ran = well.run("doctor")
    assert ran.code == 0
    assert "not looked at: AWS does not let you" in ran.said
    assert "✓ records" in ran.said
