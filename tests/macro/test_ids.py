"""Logical ids, frozen.

A changed id is a catastrophe: CloudFormation makes a new, empty twin and deletes the one that holds the data; a renamed
gate turns a running migration back. If a test here fails, the change is wrong, whatever it was for.
"""

from __future__ import annotations

from migration.companions import CONTRACT_VERSION, FAILED_RECORDS_EXPORT, GATE_EXPORT, REPLICATOR_EXPORT
from migration.expand import expand
from migration.ids import companion_ids, gate_id, population_id, replication_id, reverse_replication_id, twin_id
from migration.names import renamed
from migration.stages import Stage

TABLE = {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": "users"}}
TARGET = {
    "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
    "Properties": {"ResourceId": {"Fn::Sub": "table/${Users}"}},
}
METHOD = {"Type": "AWS::ApiGateway::Method", "Properties": {"RestApiId": {"Ref": "Api"}, "Uri": {"Ref": "Users"}}}
DEPLOYMENT = {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": {"Ref": "Api"}}}
API = {"Type": "AWS::ApiGateway::RestApi"}


def test_ids_are_frozen() -> None:
    assert twin_id("Users") == "UsersEncrypted"
    assert replication_id("Users") == "UsersReplication"
    assert reverse_replication_id("Users") == "UsersReverseReplication"
    assert gate_id("Users") == "UsersMigrationGate"
    assert population_id("Users") == "UsersPopulation"
    assert len(companion_ids("Users")) == 5


def test_ids_in_a_template_are_frozen() -> None:
    resources = {"Users": TABLE, "Target": TARGET, "Api": API, "Method": METHOD, "Deployment": DEPLOYMENT}
    outputs = {"Out": {"Value": {"Ref": "Users"}, "Export": {"Name": "users"}}}
    template = {"Resources": resources, "Outputs": outputs}
    ids = {stage: sorted(expand(template, stage)["Resources"]) for stage in list(Stage)[1:]}
    pair = ["Users", "UsersEncrypted", "UsersMigrationGate"]
    mappings = ["UsersReplication", "UsersReverseReplication"]
    assert ids == {
        Stage.REPLICATE: ["Api", "Deployment", "Method", "Target", "TargetEncrypted", *pair, *mappings],
        Stage.POPULATE: [
            "Api",
            "Deployment",
            "Method",
            "Target",
            "TargetEncrypted",
            *pair,
            "UsersPopulation",
            *mappings,
        ],
        Stage.CUTOVER: [
            *["Api", "DeploymentEncrypted", "Method", "Target", "TargetEncrypted"],
            *[*pair, "UsersPopulation", *mappings],
        ],
        Stage.CLEANUP: [
            "Api",
            "DeploymentEncrypted",
            "Method",
            "TargetEncrypted",
            "UsersEncrypted",
            "UsersMigrationGate",
        ],
    }
    assert sorted(expand(template, Stage.REPLICATE)["Outputs"]) == ["EncryptMigrateUsers", "Out", "OutEncrypted"]


def test_names_are_frozen() -> None:
    """A table of another name is another table."""
    assert renamed("users") == "users-encrypted"
    assert renamed({"Ref": "Name"}) == {"Fn::Sub": "${Name}-encrypted"}


def test_what_the_installer_exports_is_frozen() -> None:
    """User stacks import these: an installer that renames one cannot be deployed while a migration runs."""
    assert REPLICATOR_EXPORT == "EncryptMigrate-ReplicatorFunctionArn"
    assert GATE_EXPORT == "EncryptMigrate-GateFunctionArn"
    assert FAILED_RECORDS_EXPORT == "EncryptMigrate-FailedRecordsBucketArn"
    assert CONTRACT_VERSION == "1"
