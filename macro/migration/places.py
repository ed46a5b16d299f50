"""Which place of a template follows which rule: one table, read by everything else.

A place that is not named here follows rule Data. Statements of policies are known by their shape wherever they stand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from migration.connectors import CONNECTOR, embedded
from migration.graphql import graphql_api
from migration.intrinsics import mentioned
from migration.permissions import doubled, policies
from migration.replacements import Replaced
from migration.rules import Rule
from migration.simple_table import SIMPLE_TABLE
from migration.snapshots import environment
from migration.streams import StreamReader
from migration.tables import GLOBAL_TABLE, TABLE

if TYPE_CHECKING:
    from migration.references import Places, Walk


@dataclass(frozen=True)
class Kind:
    """How resources of a type are rewritten."""

    rule: Rule = Rule.DATA
    places: Places = field(default_factory=dict)


# What hands out permissions is never gated: a key policy that names a role that names the table would make a circle.
# Names and descriptions in it change last.
_PERMISSION = Kind(rule=Rule.LATE)

_PERMISSION_TYPES = (
    "AWS::EC2::VPCEndpoint",
    "AWS::Events::EventBusPolicy",
    "AWS::KMS::Key",
    "AWS::KMS::ReplicaKey",
    "AWS::Lambda::LayerVersionPermission",
    "AWS::Lambda::Permission",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::SSO::PermissionSet",
    "AWS::SecretsManager::ResourcePolicy",
)

_ANYWHERE: Places = {"Connectors": embedded}
"""Attributes that any resource may have."""


def _own_name(walk: Walk, value: Any, _: Rule) -> Any:
    """The name of a table that does not migrate: with another one it would be another, empty table."""
    if not mentioned(value).keys().isdisjoint(walk.moves):
        walk.problems.append("its name is made of the name of a table that migrates, and it would be replaced with it")
    return value


_TABLE = Kind(places={**_ANYWHERE, "Properties": {"TableName": _own_name}})

_FUNCTION: Places = {
    "Environment": environment,
    "Policies": policies,
    "Events": {"*": {"Properties": StreamReader("Stream", ("StartingPosition",))}},
}

_KINDS = {
    **dict.fromkeys((TABLE, GLOBAL_TABLE, SIMPLE_TABLE), _TABLE),
    **dict.fromkeys(_PERMISSION_TYPES, _PERMISSION),
    # Both tables are scaled for as long as there are two.
    "AWS::AutoScalingPlans::ScalingPlan": Kind(places={"Properties": {"ScalingInstructions": doubled}}),
    "AWS::Lambda::EventSourceMapping": Kind(
        places={"Properties": StreamReader("EventSourceArn", ("StartingPosition",))}
    ),
    "AWS::Lambda::Function": Kind(places={**_ANYWHERE, "Properties": {"Environment": environment}}),
    "AWS::Serverless::Function": Kind(places={**_ANYWHERE, "Properties": _FUNCTION}),
    "AWS::IAM::ManagedPolicy": Kind(Rule.LATE, {"Properties": Replaced("Description", "ManagedPolicyName", 128)}),
    "AWS::AutoScaling::LaunchConfiguration": Kind(
        places={"Properties": Replaced("UserData", "LaunchConfigurationName", 255)}
    ),
    "AWS::SSM::Document": Kind(places={"Properties": Replaced("Content", "Name", 128)}),
    "AWS::Serverless::StateMachine": Kind(places={**_ANYWHERE, "Properties": {"Policies": policies}}),
    "AWS::Serverless::GraphQLApi": Kind(places={**_ANYWHERE, "Properties": graphql_api}),
    "AWS::Serverless::Connector": Kind(rule=Rule.LATE, places=CONNECTOR),
    "AWS::Pipes::Pipe": Kind(
        places={
            "Properties": StreamReader(
                "Source",
                ("SourceParameters", "DynamoDBStreamParameters", "StartingPosition"),
                Replaced("Source", "Name", 64),
            )
        }
    ),
    "AWS::Glue::Integration": Kind(places={"Properties": Replaced("SourceArn", "IntegrationName", 128).last}),
}

_ANYTHING = Kind(places=_ANYWHERE)


def kind_of(resource_type: str) -> Kind:
    """The kind of a resource type."""
    return _KINDS.get(resource_type) or (_PERMISSION if resource_type.startswith("AWS::IAM::") else _ANYTHING)
