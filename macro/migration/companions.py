"""What the macro adds for each table beside its twin: both event source mappings, the gate and the population.

The property names are the contract with the installer's functions; tests/test_contract.py holds both halves together.
The mappings are equal in all stages in which they exist, and so is the population: CloudFormation then never touches
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migration.ids import gate_id, population_id, replication_id, reverse_replication_id
from migration.intrinsics import NO_VALUE
from migration.stages import Stage
from migration.twins import policy, twin_policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migration.outputs import Export
    from migration.tables import Table

CONTRACT_VERSION = "1"
SERVICE_TIMEOUT_SECONDS = 3600

REPLICATOR_EXPORT = "EncryptMigrate-ReplicatorFunctionArn"
GATE_EXPORT = "EncryptMigrate-GateFunctionArn"
FAILED_RECORDS_EXPORT = "EncryptMigrate-FailedRecordsBucketArn"


def companions(table: Table, stage: Stage, changing_exports: Sequence[Export]) -> dict[str, dict[str, Any]]:
    """The resources, by logical id, in the order in which CloudFormation creates them."""
    found: dict[str, dict[str, Any]] = {}
    if stage < Stage.CLEANUP:
        found[replication_id(table.id)] = _mapping(table, table.id)
        found[reverse_replication_id(table.id)] = _mapping(table, table.twin)
    found[gate_id(table.id)] = _gate(table, stage, changing_exports)
    if Stage.POPULATE <= stage <= Stage.CUTOVER:
        found[population_id(table.id)] = _population(table)
    return found


def _mapping(table: Table, stream_of: str) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::EventSourceMapping",
        **table.condition,
        "Properties": {
            "EventSourceArn": {"Fn::GetAtt": [stream_of, "StreamArn"]},
            "FunctionName": {"Fn::ImportValue": REPLICATOR_EXPORT},
            # LATEST can miss what is written while the mapping is being made.
            "StartingPosition": "TRIM_HORIZON",
            "BatchSize": 1000,
            "MaximumBatchingWindowInSeconds": 0,
            "ParallelizationFactor": 4,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            # A failing record stops its shard for 6 hours, then goes in full to the bucket: the stream keeps 24
            # hours, so the records behind it are still there.
            "MaximumRecordAgeInSeconds": 21600,
            "MaximumRetryAttempts": -1,
            "BisectBatchOnFunctionError": True,
            "DestinationConfig": {"OnFailure": {"Destination": {"Fn::ImportValue": FAILED_RECORDS_EXPORT}}},
        },
    }


def _gate(table: Table, stage: Stage, changing_exports: Sequence[Export]) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "ServiceToken": {"Fn::ImportValue": GATE_EXPORT},
        "ServiceTimeout": SERVICE_TIMEOUT_SECONDS,
        "Version": CONTRACT_VERSION,
        "Stage": stage.value,
        "SourceLogicalId": table.id,
        "TwinLogicalId": table.twin,
    }
    if stage < Stage.CLEANUP:
        properties["Source"] = {"Ref": table.id}
    properties["Twin"] = {"Ref": table.twin}
    if stage < Stage.CLEANUP:
        properties["Replication"] = {"Ref": replication_id(table.id)}
        properties["ReverseReplication"] = {"Ref": reverse_replication_id(table.id)}
        if (document := policy(table.properties)) is not None:
            properties["SourcePolicy"] = document
    if (document := twin_policy(table)) is not None:
        properties["TwinPolicy"] = document
    if _has_consumers(table):
        properties["StreamConsumers"] = "true"
    if changing_exports:
        properties["ChangingExports"] = [_name(export, table) for export in changing_exports]
    if table.options.writers_moved and stage is Stage.CLEANUP:
        properties["WritersMoved"] = "true"
    return {"Type": "Custom::MigrationGate", **table.condition, "Properties": properties}


def _name(export: Export, table: Table) -> Any:
    """The export's name, or nothing where the export does not exist."""
    if export.condition is None or table.condition == {"Condition": export.condition}:
        return export.name
    return {"Fn::If": [export.condition, export.name, NO_VALUE]}


def _population(table: Table) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "ServiceToken": {"Fn::ImportValue": GATE_EXPORT},
        "ServiceTimeout": SERVICE_TIMEOUT_SECONDS,
        "Version": CONTRACT_VERSION,
        "Pair": {"Ref": gate_id(table.id)},
    }
    if table.options.write_rate is not None:
        properties["WriteRate"] = table.options.write_rate
    return {"Type": "Custom::MigrationPopulation", **table.condition, "Properties": properties}


def _has_consumers(table: Table) -> bool:
    """Whether somebody is owed every change: a stream that the user asked for has a reader, here or elsewhere."""
    return any(name in table.properties for name in ("StreamSpecification", "KinesisStreamSpecification"))
