"""docs/deployer-permissions.md names what CloudFormation's handlers ask for: nobody is to find out in mid-update."""

from __future__ import annotations

import re

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from tests.installer.template import ROOT

DOC = (ROOT / "docs/deployer-permissions.md").read_text()

NOT_USED = re.compile(
    r"dynamodb:(CreateTableReplica|AssociateTableReplica|Scan|Query|UpdateItem|PutItem|GetItem|DeleteItem|BatchWriteItem)"
    r"|dynamodb:(ImportTable|DescribeImport)|(logs|s3):.*|iam:CreateServiceLinkedRole"  # replicas, imports
    r"|lambda:ListEventSourceMappings|dynamodb:ListTables"  # for those who look at resources outside a stack
    r"|kms:GenerateDataKey"  # for filters of mappings encrypted with a key, which the injected ones do not have
)


def handled(resource_type: str) -> set[str]:
    """Every action that CloudFormation's handlers of a type say they need."""
    handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema["handlers"]
    return {action for handler in handlers.values() for action in handler["permissions"]}


@pytest.mark.parametrize("resource_type", ["AWS::DynamoDB::Table", "AWS::Lambda::EventSourceMapping"])
def test_every_action_that_a_migration_needs_is_listed(resource_type: str) -> None:
    needed = {action for action in handled(resource_type) if not NOT_USED.fullmatch(action)}
    assert needed
    assert {action for action in needed if f"`{action}`" not in DOC} == set()
