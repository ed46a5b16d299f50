"""What a person is told before the first stage."""

from __future__ import annotations

from typing import Any

import pytest

from migration.errors import TemplateRefused
from migration.warnings import warnings

KEY = {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}


def template(properties: dict[str, Any] | None = None, others: Any = None, **attributes: Any) -> dict[str, Any]:
    users = {"Type": "AWS::DynamoDB::Table", **attributes, "Properties": {**KEY, **(properties or {})}}
    return {"Resources": {"Users": users, **(others or {})}}


def told(*args: Any, **attributes: Any) -> str:
    return "\n".join(str(notice) for notice in warnings(template(*args, **attributes)))


def parameter(value: Any) -> Any:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}}


def test_a_template_that_hides_nothing_gives_no_warning() -> None:
    assert told(None, {"P": parameter({"Ref": "Users"})}) == ""


def test_a_fixed_name_that_stays_in_a_text_is_told_with_its_path() -> None:
    found = told({"TableName": "users"}, {"P": parameter("see users"), "Q": parameter("users-of-it")})
    assert "Resources.P.Properties.Value: it holds the name of Users and stays as it is" in found
    assert "Resources.Q" not in found
    assert "Users: it has a fixed name, which code, consoles and other stacks may know" in found


def test_a_parameter_that_names_the_table_is_told_where_it_stays() -> None:
    found = told({"TableName": {"Ref": "Name"}}, {"P": parameter({"Ref": "Name"}), "Q": parameter({"Ref": "Other"})})
    assert "Resources.P.Properties.Value" in found
    assert "Resources.Q" not in found


@pytest.mark.parametrize("kind", ["AWS::CloudFormation::Stack", "AWS::Serverless::Application"])
def test_a_nested_stack_is_told(kind: str) -> None:
    found = told(None, {"Inner": {"Type": kind, "Properties": {"Parameters": {"Table": {"Ref": "Users"}}}}})
    assert "Inner: it gets Users as a parameter; its own roles may use the source alone until cutover" in found


def test_what_stands_in_a_file_is_told() -> None:
    properties = {"DefinitionUri": "machine.json", "DefinitionSubstitutions": {"Table": {"Ref": "Users"}}}
    found = told(None, {"Machine": {"Type": "AWS::Serverless::StateMachine", "Properties": properties}})
    assert "Machine: what stands in the file of DefinitionUri is not seen" in found


def test_an_export_is_told() -> None:
    given = template()
    given["Outputs"] = {
        "Table": {"Value": {"Ref": "Users"}, "Export": {"Name": "users"}},
        "Plain": {"Value": {"Ref": "Users"}},
    }
    (notice,) = warnings(given)
    assert notice.where == "Output Table"
    assert "Let their roles use the export of output TableEncrypted too" in notice.advice


def test_a_table_that_is_kept_or_protected_is_told() -> None:
    found = told({"DeletionProtectionEnabled": True}, DeletionPolicy="Retain")
    assert "Users: it is protected from deletion, but its twin is not before cleanup" in found
    assert "Users: its DeletionPolicy keeps it in the account" in found


def test_a_name_that_is_put_together_is_told_where_it_stays() -> None:
    text = {"Fn::Join": ["", ["see ", {"Ref": "AWS::StackName"}, "-users!"]]}
    found = told({"TableName": {"Fn::Sub": "${AWS::StackName}-users"}}, {"P": parameter(text)})
    assert "Resources.P.Properties.Value: it holds the name of Users" in found


def test_what_cloudformation_calls_a_table_without_a_name_is_told_where_it_stays() -> None:
    statement = {
        "Effect": "Allow",
        "Action": "*",
        "Resource": {"Fn::Sub": "arn:aws:dynamodb:*:*:table/${AWS::StackName}-Users-*"},
    }
    policy = {
        "Type": "AWS::IAM::Policy",
        "Properties": {"PolicyName": "p", "PolicyDocument": {"Statement": [statement]}},
    }
    assert "Resources.P.Properties.PolicyDocument.Statement.0.Resource: it holds the name of Users" in told(
        None, {"P": policy}
    )


def test_what_says_nothing_to_running_code_is_not_told() -> None:
    other = {"Type": "AWS::SNS::Topic", "Metadata": {"aws:cdk:path": "Stack/Table/Resource"}}
    lines = told({"TableName": "Table"}, {"Topic": other}).splitlines()
    assert [line for line in lines if "it holds the name" in line] == []


@pytest.mark.parametrize("kind", ["Custom::Seed", "AWS::CloudFormation::CustomResource"])
def test_a_custom_resource_that_is_told_another_table_is_told(kind: str) -> None:
    found = told(None, {"Seed": {"Type": kind, "Properties": {"ServiceToken": "arn", "Into": {"Ref": "Users"}}}})
    assert "Seed: it is a custom resource that is told of Users" in found


def test_a_resource_whose_own_name_moves_with_the_table_is_told() -> None:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "${Users}-failed"}}}
    assert "Queue: its QueueName is made of a table's name" in told(None, {"Queue": queue})
    alarm = {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {"Dimensions": [{"Name": "TableName", "Value": {"Ref": "Users"}}]},
    }
    assert told(None, {"Alarm": alarm}) == ""


@pytest.mark.parametrize(
    "sse", [{"SSEEnabled": {"Ref": "Sse"}}, {"Fn::If": ["Is", {"SSEEnabled": True}, {"SSEEnabled": False}]}]
)
def test_encryption_that_a_function_decides_is_told(sse: Any) -> None:
    assert "Users: whether it is encrypted is decided by a function" in told({"SSESpecification": sse})


def test_a_stream_view_that_a_function_decides_is_told() -> None:
    found = told({"StreamSpecification": {"StreamViewType": {"Ref": "View"}}})
    assert "Users: the view of its stream is decided by a function" in found


def test_tables_that_a_loop_makes_are_told() -> None:
    loop = ["Name", ["A", "B"], {"Table${Name}": {"Type": "AWS::DynamoDB::Table"}}]
    assert "Fn::ForEach::Tables: tables that a loop makes are not migrated" in told(None, {"Fn::ForEach::Tables": loop})


def test_a_template_that_is_refused_has_no_warnings() -> None:
    with pytest.raises(TemplateRefused):
        warnings({"Resources": {}})
