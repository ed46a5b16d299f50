"""Application Auto Scaling: the targets and policies of a stack's tables and indexes."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cloud import stacks
from tests.local.lab import Lab

UNITS = {"ReadCapacityUnits": 2, "WriteCapacityUnits": 2}
INDEX = {
    "IndexName": "by-mail",
    "KeySchema": [{"AttributeName": "mail", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
    "ProvisionedThroughput": UNITS,
}
TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "KeySchema": [{"AttributeName": "user", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("user", "mail")],
        "ProvisionedThroughput": UNITS,
        "GlobalSecondaryIndexes": [INDEX],
    },
}


def target(resource: Any, kind: str = "table", **properties: Any) -> dict[str, Any]:
    place = {"ServiceNamespace": "dynamodb", "ScalableDimension": f"dynamodb:{kind}:WriteCapacityUnits"}
    bounds = {"MinCapacity": 1, "MaxCapacity": 10}
    return {
        "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
        "Properties": {"ResourceId": resource, **place, **bounds, **properties},
    }


def policy(**properties: Any) -> dict[str, Any]:
    metric = {"PredefinedMetricType": "DynamoDBWriteCapacityUtilization"}
    tracking = {"PredefinedMetricSpecification": metric, "TargetValue": 70}
    return {
        "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
        "Properties": {
            "PolicyName": "writes",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": tracking,
            **properties,
        },
    }


ON_TABLE = {"Fn::Sub": "table/${Users}"}
ON_INDEX = {"Fn::Sub": "table/${Users}/index/by-mail"}


def deploy(lab: Lab, **resources: Any) -> stacks.Result:
    return stacks.deploy(lab.account, "app", json.dumps({"Resources": resources}))


def targets(lab: Lab) -> list[Any]:
    found: list[Any] = lab.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="dynamodb")[
        "ScalableTargets"
    ]
    return found


def policies(lab: Lab) -> list[Any]:
    found: list[Any] = lab.client("application-autoscaling").describe_scaling_policies(ServiceNamespace="dynamodb")[
        "ScalingPolicies"
    ]
    return found


def table(lab: Lab) -> Any:
    (name,) = lab.client("dynamodb").list_tables()["TableNames"]
    return lab.client("dynamodb").describe_table(TableName=name)["Table"]


class TestTarget:
    def test_is_there_with_its_stack_and_goes_with_it(self, lab: Lab) -> None:
        deploy(lab, Users=TABLE, OnTable=target(ON_TABLE), OnIndex=target(ON_INDEX, "index"))
        name = table(lab)["TableName"]
        assert {one["ResourceId"] for one in targets(lab)} == {f"table/{name}", f"table/{name}/index/by-mail"}
        deploy(lab, Users=TABLE)
        assert targets(lab) == []

    def test_changes_its_bounds_in_place_and_is_replaced_when_it_is_for_something_else(self, lab: Lab) -> None:
        deploy(lab, Users=TABLE, Target=target(ON_TABLE))
        wider = deploy(lab, Users=TABLE, Target=target(ON_TABLE, MaxCapacity=20))
        assert [(change.logical_id, change.replacement) for change in wider.changes] == [("Target", "False")]
        assert [one["MaxCapacity"] for one in targets(lab)] == [20]
        moved = deploy(lab, Users=TABLE, Target=target(ON_INDEX, "index"))
        assert [(change.logical_id, change.replacement) for change in moved.changes] == [("Target", "True")]
        assert [one["ScalableDimension"] for one in targets(lab)] == ["dynamodb:index:WriteCapacityUnits"]

    def test_brings_a_capacity_that_is_out_of_its_bounds_inside(self, lab: Lab) -> None:
        deploy(lab, Users=TABLE, Table=target(ON_TABLE), Index=target(ON_INDEX, "index", MinCapacity=5))
        assert table(lab)["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"]["WriteCapacityUnits"] == 5
        assert table(lab)["ProvisionedThroughput"]["WriteCapacityUnits"] == 2
        place = {
            "ResourceId": f"table/{table(lab)['TableName']}",
            "ScalableDimension": "dynamodb:table:WriteCapacityUnits",
        }
        lab.client("application-autoscaling").register_scalable_target(
            ServiceNamespace="dynamodb", **place, MinCapacity=7
        )
        assert table(lab)["ProvisionedThroughput"]["WriteCapacityUnits"] == 7
        assert table(lab)["ProvisionedThroughput"]["ReadCapacityUnits"] == 2
        assert [one["MaxCapacity"] for one in targets(lab)] == [10, 10]

    @pytest.mark.parametrize("resource", ["table/nothing", "table/Users/index/nothing"])
    def test_needs_what_it_is_for(self, lab: Lab, resource: str) -> None:
        lab.table("Users")
        with pytest.raises(stacks.StackFailed, match="does not exist"):
            deploy(lab, Target=target(resource))

    def test_needs_bounds(self, lab: Lab) -> None:
        lab.table("Users")
        place = {"ServiceNamespace": "dynamodb", "ScalableDimension": "dynamodb:table:WriteCapacityUnits"}
        with pytest.raises(ClientError, match="bounds"):
            lab.client("application-autoscaling").register_scalable_target(ResourceId="table/Users", **place)


class TestPolicy:
    def test_belongs_to_the_target_that_it_refers_to(self, lab: Lab) -> None:
        deploy(lab, Users=TABLE, Target=target(ON_TABLE), Policy=policy(ScalingTargetId={"Ref": "Target"}))
        (found,) = policies(lab)
        assert found["ResourceId"] == f"table/{table(lab)['TableName']}"
        assert found["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 70
        deploy(lab, Users=TABLE, Target=target(ON_TABLE))
        assert policies(lab) == []

    def test_belongs_to_the_target_that_it_describes(self, lab: Lab) -> None:
        place = {key: value for key, value in target(ON_TABLE)["Properties"].items() if "Capacity" not in key}
        deploy(lab, Users=TABLE, Target=target(ON_TABLE), Policy={**policy(**place), "DependsOn": "Target"})
        assert [one["ScalableDimension"] for one in policies(lab)] == ["dynamodb:table:WriteCapacityUnits"]

    def test_needs_its_target(self, lab: Lab) -> None:
        missing = "table/Users|dynamodb:table:WriteCapacityUnits|dynamodb"
        with pytest.raises(stacks.StackFailed, match="No scalable target registered"):
            deploy(lab, Policy=policy(ScalingTargetId=missing))


def test_one_account_sees_nothing_of_another(lab: Lab, cloud: Any) -> None:
    deploy(lab, Users=TABLE, Target=target(ON_TABLE))
    assert targets(Lab(cloud.tenant("999999999999"))) == []
