"""A SimpleTable becomes exactly the table that SAM makes of it: any difference could replace it, with all its items."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migration.simple_table import as_table
from tests.macro.sam import SAM, after_sam

properties = st.fixed_dictionaries(
    {},
    optional={
        "PrimaryKey": st.fixed_dictionaries(
            {"Name": st.just("key"), "Type": st.sampled_from(["String", "Number", "Binary"])}
        ),
        "ProvisionedThroughput": st.just({"ReadCapacityUnits": 5, "WriteCapacityUnits": {"Ref": "Units"}}),
        "TableName": st.sampled_from(["users", {"Fn::Sub": "${AWS::StackName}-users"}]),
        "Tags": st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from(["x", "y"])),
        "SSESpecification": st.sampled_from([{"SSEEnabled": False}, {"SSEEnabled": {"Ref": "Sse"}}]),
        "PointInTimeRecoverySpecification": st.just({"PointInTimeRecoveryEnabled": True}),
    },
)
attributes: Any = st.fixed_dictionaries(
    {},
    optional={
        "DeletionPolicy": st.just("Retain"),
        "UpdateReplacePolicy": st.just("Retain"),
        "DependsOn": st.just("Topic"),
        "Condition": st.just("Is"),
        "Metadata": st.just({"a": 1}),
        "IgnoreGlobals": st.sampled_from(["*", ["SSESpecification"]]),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.none() | properties, attributes, st.booleans())
def test_a_simple_table_becomes_what_sam_makes_of_it(given_: Any, others: dict[str, Any], with_globals: bool) -> None:
    resource = {
        "Type": "AWS::Serverless::SimpleTable",
        **({"Properties": given_} if given_ is not None else {}),
        **others,
    }
    template: dict[str, Any] = {
        "Transform": SAM,
        "Parameters": {"Units": {"Type": "Number"}, "Sse": {"Type": "String"}},
        "Conditions": {"Is": {"Fn::Equals": ["a", "b"]}},
        "Resources": {"Users": resource, "Topic": {"Type": "AWS::SNS::Topic"}},
    }
    if with_globals:
        template["Globals"] = {"SimpleTable": {"SSESpecification": {"SSEEnabled": False, "SSEType": "KMS"}}}
    assert as_table(resource, template.get("Globals")) == after_sam(template)["Resources"]["Users"]


@pytest.mark.parametrize("template_globals", [None, [], {}, {"SimpleTable": None}, {"Function": {"Timeout": 5}}])
def test_globals_of_any_shape_are_taken(template_globals: Any) -> None:
    table = as_table({"Type": "AWS::Serverless::SimpleTable"}, template_globals)
    assert table["Properties"]["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
