"""Macros named in a template's Transform."""

import json
from typing import Any

import pytest

from local.cloud import stacks
from tests.local.lab import Lab, trust


def body(resources: dict[str, Any], **sections: Any) -> str:
    return json.dumps({"Resources": resources, **sections})


class TestMacros:
    CODE = """
import json
def handler(event, context):
    values, fragment = event["templateParameterValues"], event["fragment"]
    mode = values.get("Mode", "")
    if mode == "raise":
        raise ValueError("broken")
    if mode == "silent":
        return {"requestId": event["requestId"], "status": "failure"}
    if mode == "fail":
        return {"requestId": event["requestId"], "status": "failure", "errorMessage": "this is why"}
    told = {key: event[key] for key in ("region", "accountId", "transformId", "params", "templateParameterValues")}
    told["types"] = sorted(resource["Type"] for resource in fragment["Resources"].values())
    told["sections"] = sorted(fragment)
    fragment["Outputs"] = {"Told": {"Value": json.dumps(told)}}
    return {"requestId": event["requestId"], "status": "success", "fragment": fragment}
"""
    PARAMETERS = {  # noqa: RUF012
        "Mode": {"Type": "String", "Default": "ok"},
        "Names": {"Type": "CommaDelimitedList", "Default": "a, b"},
        "Count": {"Type": "Number", "Default": 3},
    }

    @pytest.fixture
    def macro(self, lab: Lab) -> Lab:
        role = {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": trust("lambda", lab.account.account)},
        }
        function = {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.11",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": self.CODE},
            },
        }
        macro = {
            "Type": "AWS::CloudFormation::Macro",
            "Properties": {"Name": "Mine", "FunctionName": {"Fn::GetAtt": ["Function", "Arn"]}},
        }
        stacks.deploy(lab.account, "macro", body({"Role": role, "Function": function, "Mine": macro}))
        return lab

    def deploy(self, lab: Lab, transform: Any, parameters: dict[str, str] | None = None) -> stacks.Result:
        resources = {"Table": {"Type": "AWS::Serverless::SimpleTable"}}
        template = body(resources, Transform=transform, Parameters=self.PARAMETERS)
        return stacks.deploy(lab.account, "app", template, parameters)

    def test_a_macro_is_told_what_cloudformation_tells_it(self, macro: Lab) -> None:
        transform = [{"Name": "Mine", "Parameters": {"Stage": "1"}}, "AWS::Serverless-2016-10-31"]
        told = json.loads(self.deploy(macro, transform, {"Mode": "given"}).outputs["Told"])
        assert told == {
            "region": "us-east-1",
            "accountId": macro.account.account,
            "transformId": f"{macro.account.account}::Mine",
            "params": {"Stage": "1"},
            "templateParameterValues": {"Mode": "given", "Names": ["a", "b"], "Count": "3"},
            "types": ["AWS::Serverless::SimpleTable"],
            "sections": ["Parameters", "Resources"],
        }

    def test_a_macro_behind_sam_sees_finished_resources(self, macro: Lab) -> None:
        told = json.loads(self.deploy(macro, ["AWS::Serverless-2016-10-31", "Mine"]).outputs["Told"])
        assert told["types"] == ["AWS::DynamoDB::Table"]

    @pytest.mark.parametrize(
        ("mode", "reason"),
        [
            ("fail", "Transform {account}::Mine failed with: this is why"),
            ("silent", "Transform {account}::Mine failed without an error message."),
            ("raise", "Received malformed response from transform {account}::Mine"),
        ],
    )
    def test_a_macro_that_fails_ends_the_change_set(self, macro: Lab, mode: str, reason: str) -> None:
        transform = ["Mine", "AWS::Serverless-2016-10-31"]
        self.deploy(macro, transform)
        with pytest.raises(stacks.StackFailed) as failed:
            self.deploy(macro, transform, {"Mode": mode})
        assert failed.value.reason == reason.format(account=macro.account.account)
        described = macro.client("cloudformation").describe_stacks(StackName="app")["Stacks"][0]
        assert described["StackStatus"] == "CREATE_COMPLETE"

    def test_an_unknown_macro_is_named(self, lab: Lab) -> None:
        with pytest.raises(stacks.StackFailed, match=f"No transform named {lab.account.account}::Other found"):
            self.deploy(lab, "Other")

    def test_the_stack_keeps_the_template_as_it_was_written(self, macro: Lab) -> None:
        self.deploy(macro, ["Mine", "AWS::Serverless-2016-10-31"])
        client = macro.client("cloudformation")
        written = client.get_template(StackName="app", TemplateStage="Original")["TemplateBody"]
        processed = client.get_template(StackName="app", TemplateStage="Processed")["TemplateBody"]
        assert written["Transform"] == ["Mine", "AWS::Serverless-2016-10-31"]
        assert "Transform" not in processed
        assert processed["Resources"]["Table"]["Type"] == "AWS::DynamoDB::Table"

    def test_a_name_belongs_to_one_macro(self, macro: Lab) -> None:
        second = {"Type": "AWS::CloudFormation::Macro", "Properties": {"Name": "Mine", "FunctionName": "x"}}
        with pytest.raises(stacks.StackFailed, match="already exists"):
            stacks.deploy(macro.account, "second", body({"Mine": second}))
        stacks.delete(macro.account, "macro")
        stacks.delete(macro.account, "second")
        stacks.deploy(macro.account, "second", body({"Mine": second}))
