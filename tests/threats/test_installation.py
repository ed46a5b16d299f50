"""What template.yaml lets in, and how it keeps what it keeps."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.installer.template import RESOURCES, ROOT, of_type
from tests.named import require

KEY = {"Fn::GetAtt": ["Key", "Arn"]}
THREATS = (ROOT / "docs/threats.md").read_text()


def properties(name: str) -> Any:
    return RESOURCES[name]["Properties"]


def statements(document: Any) -> list[Any]:
    return list(document["Statement"])


def test_services_are_let_in_for_this_account_alone() -> None:
    """A service acts for whichever account asks it; Lambda assumes only roles that the account itself passes to it."""
    for permission in of_type("AWS::Lambda::Permission").values():
        assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}
        assert permission["Principal"] == "cloudformation.amazonaws.com"
        assert permission["FunctionName"] == {"Fn::GetAtt": ["MacroFunction", "Arn"]}
    trusting = [
        statement
        for role in of_type("AWS::IAM::Role").values()
        for statement in statements(role["AssumeRolePolicyDocument"])
    ] + [
        *statements(properties("Key")["KeyPolicy"]),
        *statements(properties("AlarmTopicPolicy")["PolicyDocument"]),
    ]
    services = [one for one in trusting if isinstance(one["Principal"], dict) and "Service" in one["Principal"]]
    assert services
    for one in services:
        if one["Principal"]["Service"] != "lambda.amazonaws.com":
            assert "AWS::AccountId" in json.dumps(one["Condition"])


def test_what_is_kept_is_encrypted_with_the_installations_key() -> None:
    assert properties("Key")["EnableKeyRotation"] is True
    assert properties("StateTable")["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY}
    [rule] = properties("FailedRecordsBucket")["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
    assert properties("AlarmTopic")["KmsMasterKeyId"] == {"Ref": "Key"}
    logs = of_type("AWS::Logs::LogGroup")
    assert len(logs) == 6
    assert all(each["KmsKeyId"] == KEY for each in logs.values())


def test_failed_records_are_private_and_expire() -> None:
    bucket = properties("FailedRecordsBucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    [rule] = bucket["LifecycleConfiguration"]["Rules"]
    assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", 90)
    [statement] = statements(properties("FailedRecordsBucketPolicy")["PolicyDocument"])
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": False}})


def test_the_state_table_can_be_recovered_and_is_not_deleted_by_mistake() -> None:
    table = properties("StateTable")
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["DeletionProtectionEnabled"] is True


@pytest.mark.parametrize("check", sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::[\w:]+)?)`", THREATS))))
def test_every_answer_has_its_check(check: str) -> None:
    require(check)


def test_every_threat_has_an_answer_that_is_checked() -> None:
    rows = [row for row in THREATS.splitlines() if row.startswith("| ") and not row.startswith("| what is tried")]
    assert len(rows) > 15
    assert [row for row in rows if "`tests/" not in row] == []


def test_every_exception_of_checkov_has_its_reason() -> None:
    exceptions = re.findall(r"^  - (CKV\w+)(.*)$", (ROOT / ".checkov.yaml").read_text(), re.MULTILINE)
    assert exceptions
    assert [name for name, reason in exceptions if not re.match(r" +# \S", reason)] == []
