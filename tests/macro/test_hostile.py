"""Templates that nobody should write: an answer, never an exception."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migration.handler import handler
from migration.stages import Stage

TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    },
}
USER = {"Type": "AWS::SSM::Parameter", "Properties": {"Value": {"Ref": "Users"}}}


def answer(fragment: Any, stage: Stage = Stage.CUTOVER) -> dict[str, Any]:
    """The macro's answer, which CloudFormation must be able to read."""
    event = {"requestId": "r", "fragment": fragment, "params": {"Stage": stage.value}, "templateParameterValues": {}}
    found: dict[str, Any] = handler(event, None)
    assert "defect" not in found.get("errorMessage", "")
    assert found["requestId"] == "r"
    json.dumps(found)
    return found


def nested(levels: int) -> Any:
    value: Any = {"Ref": "Users"}
    for level in range(levels):
        value = {"Fn::Join": ["", [value]]} if level % 2 else {"Other": value}
    return value


def with_user(user: Any) -> dict[str, Any]:
    return {"Resources": {"Users": TABLE, "User": user}}


@pytest.mark.parametrize("levels", [400, 5000])
def test_what_is_nested_too_deeply_is_refused(levels: int) -> None:
    found = answer(with_user({"Type": "AWS::SSM::Parameter", "Properties": {"Value": nested(levels)}}))
    assert found["errorMessage"].startswith("Template: it is nested deeper than")


def test_what_is_nested_as_deeply_as_people_write_it_is_done() -> None:
    found = answer(with_user({"Type": "AWS::SSM::Parameter", "Properties": {"Value": nested(60)}}))
    assert "UsersEncrypted" in json.dumps(found["fragment"]["Resources"]["User"])


@pytest.mark.parametrize(
    "user",
    [
        None,
        [],
        "text",
        {},
        {"Type": None},
        {"Type": ["AWS::SSM::Parameter"]},
        {"Type": "AWS::Serverless::Function"},
        {"Type": "AWS::Serverless::Function", "Properties": None},
        {"Type": "AWS::Serverless::Function", "Properties": {"Policies": None, "Events": None, "Environment": []}},
        {"Type": "AWS::Serverless::Function", "Properties": {"Policies": [None, [], {"DynamoDBReadPolicy": None}]}},
        {"Type": "AWS::Serverless::Connector", "Properties": {"Destination": None}},
        {"Type": "AWS::Serverless::Connector", "DependsOn": [None, 1], "Properties": {"Destination": {"Id": "Users"}}},
        {"Type": "AWS::Serverless::GraphQLApi", "Properties": {"DataSources": {"DynamoDb": {"A": None}}}},
        {"Type": "AWS::Serverless::GraphQLApi", "Properties": {"DataSources": [], "Functions": []}},
        {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "Properties": None},
        {"Type": "AWS::Lambda::EventSourceMapping", "Properties": []},
        {"Type": "AWS::Pipes::Pipe", "Properties": {"Source": {"Fn::GetAtt": ["Users", "StreamArn"]}, "Name": None}},
        {"Type": "AWS::IAM::Role", "Properties": {"Policies": [{"Effect": "Allow", "Action": "*", "Condition": None}]}},
        {"Type": "AWS::IAM::Role", "Properties": {"Effect": "Allow", "Action": "*", "Resource": {"Fn::Split": 5}}},
        {"Type": "AWS::IAM::Role", "Properties": {"Effect": "Allow", "Action": "*", "Resource": {"Fn::If": ["Users"]}}},
        {"Type": "AWS::SSM::Parameter", "DependsOn": {"Ref": "Users"}},
        {"Type": "AWS::SSM::Parameter", "DependsOn": [None, {}, "Users"]},
        {"Type": "AWS::SSM::Parameter", "Metadata": None, "Condition": [], "Connectors": None},
        {"Type": "AWS::SSM::Parameter", "Properties": {"Value": {"Fn::Transform": {"Name": "AWS::Include"}}}},
        {"Type": "AWS::SSM::Parameter", "Properties": {1: {"Ref": "Users"}, None: 5, "Value": None}},
        {"Type": "AWS::SSM::Parameter", "Properties": {"Value": {"Ref": None, "Fn::Sub": []}}},
        {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Value": [{"Ref": 5}, {"Fn::GetAtt": []}, {"Fn::GetAtt": None}]},
        },
        {"Type": "AWS::SSM::Parameter", "Properties": {"Value": {"Fn::Sub": ["${Users}", None]}}},
        {"Type": "AWS::SSM::Parameter", "Properties": {"Value": {"Fn::Sub": ["${Users}"]}}},
        {"Type": "AWS::SSM::Parameter", "Properties": {"Value": {"Fn::Sub": "${ ${Users ${} ${Users} $"}}},
        {"Type": "AWS::SSM::Parameter", "Properties": {"Wert": "Größe: ${Users} 表 🗝"}},
        {"Type": "AWS::ApiGateway::Deployment", "Properties": None},
        {"Type": "AWS::Lambda::Version"},
    ],
    ids=lambda user: json.dumps(user, skipkeys=True),
)
@pytest.mark.parametrize("stage", list(Stage)[1:], ids=lambda stage: stage.name.lower())
def test_a_strange_resource_is_answered(user: Any, stage: Stage) -> None:
    assert answer(with_user(user), stage)["status"] == "success"


@pytest.mark.parametrize(
    "table",
    [
        {"Type": "AWS::DynamoDB::Table"},
        {"Type": "AWS::DynamoDB::Table", "Properties": None},
        {"Type": "AWS::DynamoDB::Table", "Properties": []},
        {"Type": "AWS::DynamoDB::Table", "Metadata": "text", "DependsOn": None, "Condition": None},
        {"Type": "AWS::DynamoDB::Table", "Metadata": {"EncryptMigrate": None}},
        {"Type": "AWS::DynamoDB::Table", "Properties": {"StreamSpecification": None, "SSESpecification": []}},
        {"Type": "AWS::DynamoDB::Table", "Properties": {"ResourcePolicy": None, "Tags": None}},
        {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": 5}},
        {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": {"Ref": 5}}},
        {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": {"Fn::Sub": []}}},
        {"Type": "AWS::DynamoDB::Table", "Properties": {"GlobalSecondaryIndexes": 5}},
        {"Type": "AWS::Serverless::SimpleTable", "Properties": {"PrimaryKey": 5, "Tags": 5}},
        {"Type": "AWS::Serverless::SimpleTable", "Properties": {"PrimaryKey": {"Type": []}}},
    ],
    ids=json.dumps,
)
def test_a_strange_table_is_answered(table: Any) -> None:
    resources = {"Users": table, "User": USER}
    assert "UsersEncrypted" in answer({"Resources": resources})["fragment"]["Resources"]


@pytest.mark.parametrize("section", ["Outputs", "Metadata", "Parameters", "Conditions", "Globals", "Mappings"])
@pytest.mark.parametrize("value", [None, {}, [], "text", {"A": None}, {1: {"Value": {"Ref": "Users"}}}], ids=str)
def test_a_strange_section_is_answered(section: str, value: Any) -> None:
    assert answer({"Resources": {"Users": TABLE, "User": USER}, section: value})["status"] == "success"


def test_ids_may_be_anything_that_json_can_hold() -> None:
    resources = {1: TABLE, "": TABLE, "Größe": TABLE, "a b": USER, "x" * 300: TABLE}
    assert answer({"Resources": resources})["status"] in {"success", "failure"}


def test_more_than_500_resources_are_refused() -> None:
    others = {f"Topic{number}": {"Type": "AWS::SNS::Topic"} for number in range(496)}
    found = answer({"Resources": {"Users": TABLE, **others}})
    assert "497 resources and the 5 of the migration are more than 500" in found["errorMessage"]


def test_500_resources_and_a_megabyte_are_done_within_a_second() -> None:
    text = "x" * 2000
    users = {
        f"User{number}": {"Type": "AWS::SSM::Parameter", "Properties": {"Value": {"Fn::Sub": f"${{Users}} {text}"}}}
        for number in range(494)
    }
    began = time.process_time()
    found = answer({"Resources": {"Users": TABLE, **users}})
    assert time.process_time() - began < 1
    assert len(found["fragment"]["Resources"]) == 500
    assert len(json.dumps(found["fragment"])) > 1_000_000


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["Users", "${Users}", "", "Arn", "AWS::NoValue", "table/users", "\0table/users\0", "${ users }"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Ref", "Fn::GetAtt", "Fn::Sub", "Fn::If", "Fn::Join", "Effect", "Action", "Resource", "Type"]
            )
            | st.sampled_from(
                ["Properties", "Policies", "Connectors", "Condition", "DependsOn", "TableName", "Events"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)
types = st.sampled_from(
    [
        "AWS::Serverless::Function",
        "AWS::Serverless::Connector",
        "AWS::Serverless::GraphQLApi",
        "AWS::DynamoDB::Table",
        "AWS::IAM::Role",
        "AWS::Pipes::Pipe",
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "AWS::Serverless::SimpleTable",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    json_values, types, json_values, json_values, st.sampled_from(Stage), st.sampled_from([{}, {"TableName": "users"}])
)
def test_any_json_is_answered(
    body: Any, type_: str, properties: Any, section: Any, stage: Stage, name: dict[str, str]
) -> None:
    strange = {**body, "Type": type_} if isinstance(body, dict) else {"Type": type_, "Properties": properties}
    table = {**TABLE, "Properties": {**TABLE["Properties"], **name}}  # type: ignore[dict-item]
    template = {"Resources": {"Users": table, "Strange": strange, "Body": body}, "Outputs": section, "Globals": section}
    answer(template, stage)
