"""Each property that a table can have today, and what becomes of it: a new one has to be thought about here."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from migration.errors import TemplateRefused
from migration.expand import expand
from migration.stages import Stage

SCHEMA = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::DynamoDB::Table").schema

COPIED = {
    "AttributeDefinitions",
    "BillingMode",
    "ContributorInsightsSpecification",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
    "OnDemandThroughput",
    "PointInTimeRecoverySpecification",
    "ProvisionedThroughput",
    "StreamSpecification",
    "TableClass",
    "Tags",
    "TimeToLiveSpecification",
    "WarmThroughput",
}
"""The twin has it as the source has it, at every stage."""

AT_CLEANUP = {
    "DeletionProtectionEnabled": True,  # before, a rollback could not take the twin away
    "KinesisStreamSpecification": {"StreamArn": "a"},  # before, every change would be published twice
}
NEVER = {
    "ImportSourceSpecification": {"InputFormat": "CSV"},  # the twin is filled from the source
    "ResourcePolicy": {
        "PolicyDocument": {"Statement": []}
    },  # the gate writes it: CloudFormation would overwrite the gate
}
ANOTHER = {
    "SSESpecification": ({"SSEEnabled": False}, {"SSEEnabled": True}),
    "TableName": ("users", "users-encrypted"),
}
REFUSED = {"VectorIndexes"}

STAGES = list(Stage)[1:]
BEFORE_CLEANUP = STAGES[:-1]
EXAMPLES: dict[str, Any] = {"StreamSpecification": {"StreamViewType": "NEW_IMAGE"}}


def tables(properties: dict[str, Any], stage: Stage) -> tuple[dict[str, Any], dict[str, Any]]:
    """Properties of source and twin; the source's are empty when it has gone."""
    template = {"Resources": {"Users": {"Type": "AWS::DynamoDB::Table", "Properties": properties}}}
    resources = expand(template, stage)["Resources"]
    return resources.get("Users", {}).get("Properties", {}), resources["UsersEncrypted"]["Properties"]


def test_every_property_of_the_schema_is_thought_of() -> None:
    read_only = {path.rpartition("/")[2] for path in SCHEMA["readOnlyProperties"]}
    assert set(SCHEMA["properties"]) - read_only == COPIED | AT_CLEANUP.keys() | NEVER.keys() | ANOTHER.keys() | REFUSED


@pytest.mark.parametrize("name", sorted(COPIED))
@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name.lower())
def test_property_is_copied(name: str, stage: Stage) -> None:
    value = EXAMPLES.get(name, {"any": ["value"]})
    source, twin = tables({name: value}, stage)
    assert twin[name] == value
    assert source.get(name, value) == value


@pytest.mark.parametrize("name", sorted(AT_CLEANUP))
def test_property_comes_to_the_twin_at_cleanup(name: str) -> None:
    value = AT_CLEANUP[name]
    for stage in BEFORE_CLEANUP:
        source, twin = tables({name: value}, stage)
        assert source[name] == value
        assert name not in twin
    assert tables({name: value}, Stage.CLEANUP)[1][name] == value


@pytest.mark.parametrize("name", sorted(NEVER))
def test_property_never_comes_to_the_twin(name: str) -> None:
    for stage in STAGES:
        assert name not in tables({name: NEVER[name]}, stage)[1]


@pytest.mark.parametrize("name", sorted(ANOTHER))
def test_property_is_another_for_the_twin(name: str) -> None:
    given, other = ANOTHER[name]
    for stage in STAGES:
        source, twin = tables({name: given}, stage)
        assert source.get(name, given) == given
        assert twin[name] == other


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_property_is_refused(name: str) -> None:
    with pytest.raises(TemplateRefused, match="vector indexes cannot be migrated"):
        tables({name: []}, Stage.REPLICATE)


def test_a_stream_is_added_to_both_tables_and_stays() -> None:
    for stage in STAGES:
        source, twin = tables({}, stage)
        assert twin["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
        assert stage is Stage.CLEANUP or source == {"StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"}}


def test_a_stream_that_is_there_under_a_condition_is_there_always() -> None:
    given = {"Fn::If": ["Is", {"StreamViewType": "NEW_IMAGE"}, {"Ref": "AWS::NoValue"}]}
    source, _ = tables({"StreamSpecification": given}, Stage.REPLICATE)
    assert source["StreamSpecification"] == {
        "Fn::If": ["Is", {"StreamViewType": "NEW_IMAGE"}, {"StreamViewType": "NEW_AND_OLD_IMAGES"}]
    }


def test_the_twin_is_kept_from_cutover_on_and_not_before() -> None:
    """Before, what a rollback leaves behind would block the next try; after, it holds acknowledged writes."""
    template = {"Resources": {"Users": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "Properties": {}}}}
    policies = {stage: expand(template, stage)["Resources"]["UsersEncrypted"]["DeletionPolicy"] for stage in STAGES}
    assert list(policies.values()) == ["Delete", "Delete", "Retain", "Retain"]


def test_a_policy_that_names_its_own_table_names_the_twin_for_the_twin() -> None:
    arn = "arn:aws:dynamodb:us-east-1:111122223333:table/users"
    document = {"Statement": [{"Effect": "Allow", "Action": "dynamodb:*", "Resource": [arn, f"{arn}/index/*"]}]}
    properties = {"TableName": "users", "ResourcePolicy": {"PolicyDocument": document}}
    template = {"Resources": {"Users": {"Type": "AWS::DynamoDB::Table", "Properties": properties}}}
    gate = expand(template, Stage.REPLICATE)["Resources"]["UsersMigrationGate"]["Properties"]
    assert gate["SourcePolicy"] == document
    assert gate["TwinPolicy"] == json.loads(json.dumps(document).replace("table/users", "table/users-encrypted"))
