"""The installation is removed when no stack imports it any more, and not before."""

import pytest
from botocore.exceptions import ClientError

from local.cloud import Account
from local.cloud.installer import STACK, build_and_deploy
from local.cloud.stacks import delete, deploy
from local.demo.journey import WAITS
from tests.e2e.conftest import Lab

MIGRATED = """
Transform: EncryptMigrate
Parameters:
  EncryptMigrateStage: {Type: String}
Resources:
  Users:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{AttributeName: user, AttributeType: S}]
      KeySchema: [{AttributeName: user, KeyType: HASH}]
      BillingMode: PAY_PER_REQUEST
"""


def test_the_installation_goes_when_no_stack_imports_it_any_more_and_leaves_what_it_has_noted(lab: Lab) -> None:
    other = lab.cloud.tenant("222222222222")
    build_and_deploy(other, WAITS)
    kept = {id_: resource(other, id_) for id_ in ("StateTable", "FailedRecordsBucket", "Key")}
    deploy(other, "users", MIGRATED, {"EncryptMigrateStage": "replicate"})
    with pytest.raises(ClientError, match="is imported by stack users"):
        delete(other, STACK)
    deploy(other, "users", MIGRATED, {"EncryptMigrateStage": "off"})
    delete(other, STACK)
    other.client("dynamodb").describe_table(TableName=kept["StateTable"])
    other.client("s3").head_bucket(Bucket=kept["FailedRecordsBucket"])
    assert other.client("kms").describe_key(KeyId=kept["Key"])["KeyMetadata"]["Enabled"]


def resource(account: Account, logical_id: str) -> str:
    found = account.client("cloudformation").describe_stack_resource(StackName=STACK, LogicalResourceId=logical_id)
    return str(found["StackResourceDetail"]["PhysicalResourceId"])
