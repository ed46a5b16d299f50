"""Stacks: change sets, tables, exports, generated names."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cloud import stacks
from local.cloud.mends.changes import as_written
from tests.local.lab import Lab, document

KEY = {
    "KeySchema": [{"AttributeName": "user", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "user", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def table(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::DynamoDB::Table", "Properties": {**KEY, **properties}}


def parameter(value: Any) -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}}


def body(resources: dict[str, Any], **sections: Any) -> str:
    return json.dumps({"Resources": resources, **sections})


class TestDeploy:
    def test_creates_updates_and_deletes(self, lab: Lab) -> None:
        created = stacks.deploy(lab.account, "app", body({"One": parameter("1")}))
        assert created.status == "CREATE_COMPLETE"
        assert created.changes == (stacks.Change("Add", "One", "AWS::SSM::Parameter"),)
        updated = stacks.deploy(lab.account, "app", body({"One": parameter("2"), "Two": parameter("2")}))
        assert updated.status == "UPDATE_COMPLETE"
        assert [(change.action, change.logical_id, change.replacement) for change in updated.changes] == [
            ("Modify", "One", "False"),
            ("Add", "Two", ""),
        ]
        assert stacks.delete(lab.account, "app").status == "DELETE_COMPLETE"
        assert stacks.delete(lab.account, "app").status == "DELETE_COMPLETE"

    def test_without_changes_does_nothing(self, lab: Lab) -> None:
        stacks.deploy(lab.account, "app", body({"One": parameter("1")}, Outputs={"Name": {"Value": "x"}}))
        again = stacks.deploy(lab.account, "app", body({"One": parameter("1")}, Outputs={"Name": {"Value": "x"}}))
        assert again.changes == ()
        assert again.outputs == {"Name": "x"}

    def test_keeps_the_parameters_that_are_not_given(self, lab: Lab) -> None:
        template = body(
            {"One": parameter({"Ref": "A"})},
            Parameters={"A": {"Type": "String", "Default": "a"}, "B": {"Type": "String", "Default": "b"}},
            Outputs={"A": {"Value": {"Ref": "A"}}},
        )
        stacks.deploy(lab.account, "app", template, {"A": "given"})
        assert stacks.deploy(lab.account, "app", template, {"B": "other"}).outputs == {"A": "given"}

    def test_raises_with_the_first_cause_when_the_stack_rolls_back(self, lab: Lab) -> None:
        lab.table("Taken")
        stacks.deploy(lab.account, "app", body({"One": parameter("1")}))
        with pytest.raises(stacks.StackFailed) as failed:
            stacks.deploy(lab.account, "app", body({"One": parameter("2"), "Two": table(TableName="Taken")}))
        assert failed.value.status == "UPDATE_ROLLBACK_COMPLETE"
        assert "Two: Resource of type 'AWS::DynamoDB::Table' with identifier 'Taken'" in failed.value.reason
        assert failed.value.events[-1].status == "UPDATE_ROLLBACK_COMPLETE"
        value = lab.client("ssm").get_parameter(Name=_physical(lab, "app", "One"))["Parameter"]["Value"]
        assert value == "1"

    def test_a_change_set_whose_answer_was_lost_is_found_by_the_repetition(self, lab: Lab) -> None:
        class Repeating:
            """An SDK that waits in vain for the answer, and asks again."""

            def client(self, service: str) -> Any:
                client = lab.client(service)
                once = client.create_change_set

                def twice(**request: Any) -> Any:
                    once(**request)
                    return once(**request)

                client.create_change_set = twice
                return client

        cloud: Any = Repeating()
        assert stacks.deploy(cloud, "app", body({"One": parameter("1")})).status == "CREATE_COMPLETE"
        assert stacks.deploy(cloud, "app", body({"One": parameter("2")})).status == "UPDATE_COMPLETE"

    def test_tells_the_changes_before_it_makes_them(self, lab: Lab) -> None:
        told: list[Any] = []
        stacks.deploy(lab.account, "app", body({"One": parameter("1")}), on_changes=told.append)
        assert [change.logical_id for change in told[0]] == ["One"]

    def test_a_template_that_is_none_is_refused(self, lab: Lab) -> None:
        with pytest.raises(stacks.StackFailed, match="Template"):
            stacks.deploy(lab.account, "app", body({"One": {"Type": "AWS::No::Such"}}))


class TestChangeSets:
    def test_another_attribute_of_a_resource_is_a_change(self, lab: Lab) -> None:
        resources = {"A": table(), "B": table()}
        stacks.deploy(lab.account, "app", body({**resources, "P": parameter({"Fn::GetAtt": ["A", "Arn"]})}))
        for target in ({"Fn::GetAtt": ["B", "Arn"]}, {"Fn::Sub": "${A.Arn}"}, {"Ref": "B"}, {"Fn::Sub": "${B}"}):
            result = stacks.deploy(lab.account, "app", body({**resources, "P": parameter(target)}))
            assert [change.logical_id for change in result.changes] == ["P"]

    def test_the_two_forms_of_the_same_reference_are_no_change(self) -> None:
        assert as_written({"Fn::GetAtt": ["A", "Arn"]}) == as_written({"Fn::GetAtt": "A.Arn"})

    def test_changed_outputs_alone_can_be_deployed(self, lab: Lab) -> None:
        stacks.deploy(lab.account, "app", body({"One": parameter("1")}))
        result = stacks.deploy(lab.account, "app", body({"One": parameter("1")}, Outputs={"New": {"Value": "x"}}))
        assert result.outputs == {"New": "x"}

    def test_a_change_of_depends_on_alone_is_none(self, lab: Lab) -> None:
        first = {"One": parameter("1"), "Two": parameter("2")}
        stacks.deploy(lab.account, "app", body(first))
        after = {"One": parameter("1"), "Two": {**parameter("2"), "DependsOn": "One"}}
        assert stacks.deploy(lab.account, "app", body(after)).changes == ()


class TestTables:
    def test_everything_that_the_template_says_of_a_table_takes_effect(self, lab: Lab) -> None:
        deny = {"Effect": "Deny", "Principal": "*", "Action": "dynamodb:PutItem", "Resource": "*"}
        result = stacks.deploy(
            lab.account,
            "app",
            body(
                {
                    "Users": table(
                        SSESpecification={"SSEEnabled": "true", "SSEType": "KMS"},
                        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
                        TimeToLiveSpecification={"AttributeName": "expires", "Enabled": True},
                        StreamSpecification={"StreamViewType": "NEW_AND_OLD_IMAGES"},
                        DeletionProtectionEnabled="true",
                        ResourcePolicy={"PolicyDocument": document(deny)},
                        Tags=[{"Key": "team", "Value": "a"}],
                    )
                },
                Outputs={"Name": {"Value": {"Ref": "Users"}}, "Stream": {"Value": {"Fn::GetAtt": "Users.StreamArn"}}},
            ),
        )
        client, name = lab.client("dynamodb"), result.outputs["Name"]
        found = client.describe_table(TableName=name)["Table"]
        assert found["SSEDescription"]["Status"] == "ENABLED"
        assert found["DeletionProtectionEnabled"] is True
        assert found["LatestStreamArn"] == result.outputs["Stream"]
        backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
        assert client.describe_time_to_live(TableName=name)["TimeToLiveDescription"] == {
            "TimeToLiveStatus": "ENABLED",
            "AttributeName": "expires",
        }
        tags = client.list_tags_of_resource(ResourceArn=found["TableArn"])["Tags"]
        assert {"Key": "team", "Value": "a"} in tags
        with pytest.raises(ClientError, match="AccessDeniedException"):
            client.put_item(TableName=name, Item={"user": {"S": "ann"}})

    def test_an_update_keeps_the_items_and_turns_things_on_and_off(self, lab: Lab) -> None:
        outputs = {"Name": {"Value": {"Ref": "Users"}}}
        name = stacks.deploy(lab.account, "app", body({"Users": table()}, Outputs=outputs)).outputs["Name"]
        client = lab.client("dynamodb")
        client.put_item(TableName=name, Item={"user": {"S": "ann"}})
        on = table(
            SSESpecification={"SSEEnabled": True},
            StreamSpecification={"StreamViewType": "NEW_IMAGE"},
            TimeToLiveSpecification={"AttributeName": "expires", "Enabled": True},
        )
        stacks.deploy(lab.account, "app", body({"Users": on}, Outputs=outputs))
        found = client.describe_table(TableName=name)["Table"]
        assert found["SSEDescription"]["Status"] == "ENABLED"
        assert found["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"
        off = table(SSESpecification={"SSEEnabled": False})
        stacks.deploy(lab.account, "app", body({"Users": off}, Outputs=outputs))
        found = client.describe_table(TableName=name)["Table"]
        assert found["SSEDescription"]["Status"] == "DISABLED"
        assert not found.get("StreamSpecification", {}).get("StreamEnabled")
        assert client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED"
        assert lab.items(name) == [{"user": {"S": "ann"}}]

    def test_a_name_that_is_taken_is_refused_and_its_table_untouched(self, lab: Lab) -> None:
        lab.table("Users")
        lab.client("dynamodb").put_item(TableName="Users", Item={"user": {"S": "ann"}})
        with pytest.raises(stacks.StackFailed, match="already exists"):
            stacks.deploy(lab.account, "app", body({"Users": table(TableName="Users")}))
        assert len(lab.items("Users")) == 1

    def test_a_protected_table_is_not_deleted(self, lab: Lab) -> None:
        stacks.deploy(lab.account, "app", body({"Users": table(DeletionProtectionEnabled=True)}))
        with pytest.raises(stacks.StackFailed, match="protected against deletion"):
            stacks.delete(lab.account, "app")
        assert len(lab.client("dynamodb").list_tables()["TableNames"]) == 1


class TestNames:
    def test_a_resource_that_is_made_again_gets_another_name(self, lab: Lab) -> None:
        retained = {**table(), "DeletionPolicy": "Retain"}
        outputs = {"Name": {"Value": {"Ref": "Users"}}}
        names = []
        for _ in range(2):
            template = body({"One": parameter("1"), "Users": retained}, Outputs=outputs)
            names.append(stacks.deploy(lab.account, "app", template).outputs["Name"])
            stacks.deploy(lab.account, "app", body({"One": parameter("1")}))
        assert names[0] != names[1]
        assert set(lab.client("dynamodb").list_tables()["TableNames"]) == set(names)

    def test_updates_keep_the_name(self, lab: Lab) -> None:
        outputs = {"Name": {"Value": {"Ref": "Users"}}}
        names = {
            stacks.deploy(lab.account, "app", body({"Users": users}, Outputs=outputs)).outputs["Name"]
            for users in (table(), table(SSESpecification={"SSEEnabled": True}), table())
        }
        assert len(names) == 1


class TestExports:
    EXPORTER = staticmethod(
        lambda value: body({"One": parameter("1")}, Outputs={"E": {"Value": value, "Export": {"Name": "shared"}}})
    )

    def test_an_export_in_use_is_not_changed_or_removed(self, lab: Lab) -> None:
        stacks.deploy(lab.account, "exporter", self.EXPORTER("a"))
        importer = body({"Two": parameter({"Fn::ImportValue": "shared"})})
        stacks.deploy(lab.account, "importer", importer)
        assert lab.client("cloudformation").list_imports(ExportName="shared")["Imports"] == ["importer"]
        with pytest.raises(stacks.StackFailed, match="Export shared cannot be updated as it is in use by importer"):
            stacks.deploy(lab.account, "exporter", self.EXPORTER("b"))
        with pytest.raises(stacks.StackFailed, match="Export shared cannot be deleted as it is in use by importer"):
            stacks.deploy(lab.account, "exporter", body({"One": parameter("1")}))
        exports = lab.client("cloudformation").list_exports()["Exports"]
        assert [(export["Name"], export["Value"]) for export in exports] == [("shared", "a")]
        stacks.delete(lab.account, "importer")
        stacks.deploy(lab.account, "exporter", self.EXPORTER("b"))

    def test_two_stacks_cannot_export_the_same_name(self, lab: Lab) -> None:
        stacks.deploy(lab.account, "exporter", self.EXPORTER("a"))
        with pytest.raises(stacks.StackFailed, match="already exported by stack exporter"):
            stacks.deploy(lab.account, "other", self.EXPORTER("a"))

    def test_nobody_imports_an_unused_export(self, lab: Lab) -> None:
        stacks.deploy(lab.account, "exporter", self.EXPORTER("a"))
        with pytest.raises(ClientError, match="not imported by any stack"):
            lab.client("cloudformation").list_imports(ExportName="shared")


def _physical(lab: Lab, stack: str, logical_id: str) -> str:
    described = lab.client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
    physical: str = described["StackResourceDetail"]["PhysicalResourceId"]
    return physical
