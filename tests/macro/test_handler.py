"""CloudFormation always gets an answer that it can show to a person."""

from __future__ import annotations

from typing import Any

import pytest

from migration.handler import handler

TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "AttributeDefinitions": [{"AttributeName": "user", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "user", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    },
}


def event(**changes: Any) -> dict[str, Any]:
    given = {
        "requestId": "r-1",
        "region": "us-east-1",
        "accountId": "123456789012",
        "transformId": "123456789012::EncryptMigrate",
        "params": {},
        "templateParameterValues": {"EncryptMigrateStage": "replicate"},
        "fragment": {"Resources": {"Users": TABLE}},
    }
    return given | changes


def test_a_template_comes_back_with_the_id_of_the_request() -> None:
    answer = handler(event(), None)
    assert answer["requestId"] == "r-1"
    assert answer["status"] == "success"
    assert "UsersEncrypted" in answer["fragment"]["Resources"]
    assert "errorMessage" not in answer


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"templateParameterValues": {}}, "no stage: there is no parameter EncryptMigrateStage"),
        (
            {"templateParameterValues": {"EncryptMigrateStage": "go"}},
            "unknown stage 'go'. Use one of: off (0), replicate",
        ),
        ({"params": {"Stage": 5}}, "unknown stage 5"),
        ({"fragment": {}}, "it has no Resources"),
        ({"fragment": {"Resources": None}}, "it has no Resources"),
        ({"fragment": None}, "it has no Resources"),
        ({"fragment": {"Resources": {}}}, "no table to migrate"),
        (
            {"fragment": {"Resources": {"Users": {"Type": "AWS::DynamoDB::GlobalTable"}}}},
            "Users: AWS::DynamoDB::GlobalTable",
        ),
    ],
)
def test_what_is_wrong_is_told(changes: dict[str, Any], message: str) -> None:
    answer = handler(event(**changes), None)
    assert answer["requestId"] == "r-1"
    assert answer["status"] == "failure"
    assert message in answer["errorMessage"]
    assert "fragment" not in answer


@pytest.mark.parametrize("malformed", [None, [], "text", {}, {"requestId": "r-1"}])
def test_a_malformed_event_is_answered(malformed: Any) -> None:
    answer = handler(malformed, None)
    assert answer["status"] == "failure"
    assert "it has no Resources" in answer["errorMessage"]


def test_a_message_stays_below_what_cloudformation_shows_and_counts_what_it_leaves_out() -> None:
    tables = {f"Table{number}": {"Type": "AWS::DynamoDB::GlobalTable"} for number in range(40)}
    message = handler(event(fragment={"Resources": tables}), None)["errorMessage"]
    assert len(message.encode()) <= 1000
    assert message.startswith("Table0: ")
    assert message.endswith("more.")


def test_a_defect_of_the_macro_is_answered_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(dict[str, Any]):
        def get(self, *_: Any) -> Any:
            raise ZeroDivisionError

    answer = handler(event(fragment=Broken()), None)
    assert answer["status"] == "failure"
    assert "defect: ZeroDivisionError" in answer["errorMessage"]
    assert any(record.exc_info and record.exc_info[0] is ZeroDivisionError for record in caplog.records)
