"""Custom resources: what their providers are asked, when, and what follows from the answers."""

import json
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from local.cloud import Cloud, Settings, stacks
from tests.local.lab import Lab
from tests.waiting import eventually

# Notes every event with the stack's status at that moment; answers as the properties say.
PROVIDER = """
import json, os, time, urllib.request
import boto3
def handler(event, context):
    properties = event["ResourceProperties"]
    stacks = boto3.client("cloudformation").describe_stacks(StackName=event["StackId"])["Stacks"]
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(json.dumps({**event, "status": stacks[0]["StackStatus"]}) + "\\n")
    how = properties.get("On" + event["RequestType"], "succeed")
    if how == "raise":
        raise ValueError("no answer")
    if how == "later":
        return
    answer = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    answer["PhysicalResourceId"] = properties.get("Id") or event.get("PhysicalResourceId", "made")
    answer["Status"] = "FAILED" if how == "fail" else "SUCCESS"
    answer["Reason"] = "because of the test"
    answer["Data"] = {"Value": "x" * int(properties.get("Size", "3"))}
    request = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), method="PUT")
    urllib.request.urlopen(request).read()
    time.sleep(float(properties.get("Linger", "0")))
"""
DESCRIBE = {"Effect": "Allow", "Action": "cloudformation:DescribeStacks", "Resource": "*"}


class Provider:
    def __init__(self, lab: Lab, notes: Path) -> None:
        self.lab = lab
        self.notes = notes
        self.arn = lab.function(
            "provider",
            PROVIDER,
            lab.role("provider", DESCRIBE),
            Environment={"Variables": {"NOTES": str(notes)}},
        )
        lab.client("lambda").put_function_event_invoke_config(FunctionName="provider", MaximumRetryAttempts=0)

    def resource(self, **properties: Any) -> dict[str, Any]:
        return {"Type": "Custom::Thing", "Properties": {"ServiceToken": self.arn, "ServiceTimeout": 20, **properties}}

    def deploy(self, resources: dict[str, Any], **sections: Any) -> stacks.Result:
        return stacks.deploy(self.lab.account, "app", json.dumps({"Resources": resources, **sections}))

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.notes.read_text().splitlines()] if self.notes.exists() else []

    def asked(self) -> list[tuple[str, str]]:
        return [(event["RequestType"], event["status"]) for event in self.events()]


@pytest.fixture
def provider(lab: Lab, tmp_path: Path) -> Provider:
    return Provider(lab, tmp_path / "notes")


def parameter(value: str) -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}}


def broken() -> dict[str, Any]:
    return {**parameter("x"), "Properties": {"Type": "No such type", "Value": {"Fn::GetAtt": ["Thing", "None"]}}}


def test_properties_arrive_as_text_and_data_can_be_used(provider: Provider) -> None:
    outputs = {"Value": {"Value": {"Fn::GetAtt": "Thing.Value"}}, "Id": {"Value": {"Ref": "Thing"}}}
    result = provider.deploy({"Thing": provider.resource(Number=1, Flag=True, Deep={"A": [1]})}, Outputs=outputs)
    assert result.outputs == {"Value": "xxx", "Id": "made"}
    event = provider.events()[0]
    assert event["ResourceProperties"]["Number"] == "1"
    assert event["ResourceProperties"]["Flag"] == "true"
    assert event["ResourceProperties"]["Deep"] == {"A": ["1"]}
    assert event["ServiceToken"] == provider.arn


def test_an_update_carries_the_old_properties_and_comes_only_when_one_changes(provider: Provider) -> None:
    provider.deploy({"Thing": provider.resource(A="1")})
    provider.deploy({"Thing": provider.resource(A="1"), "Other": parameter("x")})
    provider.deploy({"Thing": provider.resource(A="2"), "Other": parameter("x")})
    assert provider.asked() == [("Create", "CREATE_IN_PROGRESS"), ("Update", "UPDATE_IN_PROGRESS")]
    event = provider.events()[1]
    assert event["OldResourceProperties"]["A"] == "1"
    assert event["PhysicalResourceId"] == "made"


def test_a_failed_update_rolls_back_with_its_reason_and_is_updated_back(provider: Provider) -> None:
    provider.deploy({"Thing": provider.resource(A="1")})
    with pytest.raises(stacks.StackFailed) as failed:
        provider.deploy({"Thing": provider.resource(A="2", OnUpdate="fail")})
    assert failed.value.status == "UPDATE_ROLLBACK_COMPLETE"
    assert "Received response status [FAILED] from custom resource. Message returned: because of the test" in (
        failed.value.reason
    )
    assert provider.asked()[1:] == [("Update", "UPDATE_IN_PROGRESS"), ("Update", "UPDATE_ROLLBACK_IN_PROGRESS")]
    back = provider.events()[2]
    assert back["ResourceProperties"]["A"] == "1"
    assert back["OldResourceProperties"]["A"] == "2"


def test_a_failure_behind_it_updates_it_back_too(provider: Provider) -> None:
    provider.deploy({"Thing": provider.resource(A="1")})
    with pytest.raises(stacks.StackFailed):
        provider.deploy({"Thing": provider.resource(A="2"), "Broken": broken()})
    assert provider.asked()[1:] == [("Update", "UPDATE_IN_PROGRESS"), ("Update", "UPDATE_ROLLBACK_IN_PROGRESS")]
    assert provider.events()[2]["ResourceProperties"]["A"] == "1"


def test_a_failed_creation_gets_its_delete_in_the_rollback(provider: Provider) -> None:
    with pytest.raises(stacks.StackFailed) as failed:
        provider.deploy({"Thing": provider.resource(Id="half", OnCreate="fail")})
    assert failed.value.status == "ROLLBACK_COMPLETE"
    assert provider.asked() == [("Create", "CREATE_IN_PROGRESS"), ("Delete", "ROLLBACK_IN_PROGRESS")]
    assert provider.events()[1]["PhysicalResourceId"] == "half"


def test_a_failed_creation_in_an_update_gets_its_delete_in_the_clean_up(provider: Provider) -> None:
    provider.deploy({"One": parameter("1")})
    with pytest.raises(stacks.StackFailed):
        provider.deploy({"One": parameter("2"), "Thing": provider.resource(OnCreate="fail")})
    assert provider.asked() == [
        ("Create", "UPDATE_IN_PROGRESS"),
        ("Delete", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"),
    ]


def test_a_resource_that_is_taken_out_is_deleted_in_the_clean_up(provider: Provider) -> None:
    provider.deploy({"One": parameter("1"), "Thing": provider.resource()})
    provider.deploy({"One": parameter("1")})
    assert provider.asked()[1:] == [("Delete", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")]


def test_a_delete_that_fails_in_the_clean_up_is_tried_three_times_and_abandoned(provider: Provider) -> None:
    provider.deploy({"One": parameter("1"), "Thing": provider.resource(OnDelete="fail")})
    result = provider.deploy({"One": parameter("1")})
    assert result.status == "UPDATE_COMPLETE"
    assert [kind for kind, _ in provider.asked()] == ["Create", "Delete", "Delete", "Delete"]


def test_a_delete_that_fails_fails_the_deletion_of_the_stack(provider: Provider) -> None:
    provider.deploy({"Thing": provider.resource(OnDelete="fail")})
    with pytest.raises(stacks.StackFailed, match="because of the test"):
        stacks.delete(provider.lab.account, "app")
    assert [kind for kind, _ in provider.asked()] == ["Create", "Delete"]


def test_another_physical_id_is_a_replacement_whose_predecessor_is_deleted_last(provider: Provider) -> None:
    provider.deploy({"Thing": provider.resource(Id="one")})
    provider.deploy({"Thing": provider.resource(Id="two")})
    assert [(event["RequestType"], event.get("PhysicalResourceId")) for event in provider.events()] == [
        ("Create", None),
        ("Update", "one"),
        ("Delete", "one"),
    ]


def test_somebody_else_may_answer_later(provider: Provider) -> None:
    def answer() -> None:
        event = eventually(provider.events)[0]
        time.sleep(1)
        put(event["ResponseURL"], {"Status": "SUCCESS", "PhysicalResourceId": "late", "Data": {}})

    thread = threading.Thread(target=answer)
    thread.start()
    outputs = {"Id": {"Value": {"Ref": "Thing"}}}
    assert provider.deploy({"Thing": provider.resource(OnCreate="later")}, Outputs=outputs).outputs == {"Id": "late"}
    thread.join()


def test_an_answer_counts_at_once_while_the_function_goes_on(provider: Provider) -> None:
    began = time.monotonic()
    provider.deploy({"Thing": provider.resource(Linger="25")})
    assert time.monotonic() - began < 25


def test_without_an_answer_the_resource_fails_after_its_time(provider: Provider) -> None:
    resource = provider.resource(OnCreate="raise", ServiceTimeout="1")
    with pytest.raises(stacks.StackFailed, match="did not receive a response from your Custom Resource"):
        provider.deploy({"Thing": resource})


def test_an_answer_after_that_changes_nothing(provider: Provider) -> None:
    with pytest.raises(stacks.StackFailed):
        provider.deploy({"Thing": provider.resource(OnCreate="later", ServiceTimeout="1")})
    assert put(provider.events()[0]["ResponseURL"], {"Status": "SUCCESS", "PhysicalResourceId": "x"}) == 200


def test_an_answer_that_is_too_long_fails(provider: Provider) -> None:
    with pytest.raises(stacks.StackFailed, match="Response object is too long"):
        provider.deploy({"Thing": provider.resource(Size="5000")})


def test_an_asynchronous_invocation_that_fails_is_repeated_as_its_configuration_says(provider: Provider) -> None:
    client = provider.lab.client("lambda")
    client.put_function_event_invoke_config(FunctionName="provider", MaximumRetryAttempts=1)
    with pytest.raises(stacks.StackFailed):
        provider.deploy({"Thing": provider.resource(OnCreate="raise", ServiceTimeout="8")})
    creations = [event for event in provider.events() if event["RequestType"] == "Create"]
    assert len(creations) == 2
    assert creations[0]["RequestId"] == creations[1]["RequestId"]


class TestOrder:
    def test_resources_that_do_not_depend_on_each_other_are_updated_at_once(self, provider: Provider) -> None:
        slow = provider.resource(OnCreate="later", ServiceTimeout="5")
        with pytest.raises(stacks.StackFailed):
            provider.deploy({"Thing": slow, "Other": slow})
        assert {event["LogicalResourceId"] for event in provider.events() if event["RequestType"] == "Create"} == {
            "Thing",
            "Other",
        }

    def test_a_dependent_waits(self, provider: Provider) -> None:
        first = provider.resource(Linger="0")
        provider.deploy({"B": first, "A": {**provider.resource(), "DependsOn": "B"}})
        assert [event["LogicalResourceId"] for event in provider.events()] == ["B", "A"]

    def test_a_failure_cancels_what_is_under_way_and_asks_its_provider_to_undo_it(self, provider: Provider) -> None:
        provider.deploy({"Thing": provider.resource(A="1"), "Other": provider.resource(A="1")})
        slow = provider.resource(A="2", OnUpdate="later", ServiceTimeout="60")
        began = time.monotonic()
        with pytest.raises(stacks.StackFailed) as failed:
            provider.deploy({"Thing": slow, "Other": provider.resource(A="2", OnUpdate="fail")})
        assert time.monotonic() - began < 60
        assert "because of the test" in failed.value.reason
        cancelled = [event for event in failed.value.events if event.reason == "Resource update cancelled"]
        assert [event.logical_id for event in cancelled] == ["Thing"]
        updates = [event for event in provider.events() if event["RequestType"] == "Update"]
        undone = [event["LogicalResourceId"] for event in updates if event["ResourceProperties"]["A"] == "1"]
        assert sorted(undone) == ["Other", "Thing"]

    def test_a_cancelled_creation_is_deleted(self, provider: Provider) -> None:
        slow = provider.resource(OnCreate="later", ServiceTimeout="60")
        with pytest.raises(stacks.StackFailed) as failed:
            provider.deploy({"Thing": slow, "Other": provider.resource(OnCreate="fail")})
        assert failed.value.status == "ROLLBACK_COMPLETE"
        deleted = [event["LogicalResourceId"] for event in provider.events() if event["RequestType"] == "Delete"]
        assert sorted(deleted) == ["Other", "Thing"]

    def test_what_does_not_change_is_not_touched(self, provider: Provider) -> None:
        provider.deploy({"One": parameter("1"), "Two": parameter("1")})
        events = provider.deploy({"One": parameter("1"), "Two": parameter("2"), "Three": parameter("3")}).events
        assert [(event.logical_id, event.status) for event in events if "SSM" in event.type] == [
            ("Three", "CREATE_IN_PROGRESS"),
            ("Three", "CREATE_COMPLETE"),
            ("Two", "UPDATE_IN_PROGRESS"),
            ("Two", "UPDATE_COMPLETE"),
        ]

    def test_an_update_can_be_cancelled(self, provider: Provider) -> None:
        provider.deploy({"Thing": provider.resource(A="1")})
        slow = provider.resource(A="2", OnUpdate="later", ServiceTimeout="60")

        def cancel() -> None:
            eventually(lambda: len(provider.events()) == 2)
            provider.lab.client("cloudformation").cancel_update_stack(StackName="app")

        thread = threading.Thread(target=cancel)
        thread.start()
        with pytest.raises(stacks.StackFailed) as failed:
            provider.deploy({"Thing": slow})
        thread.join()
        assert failed.value.status == "UPDATE_ROLLBACK_COMPLETE"
        assert provider.asked()[1:] == [("Update", "UPDATE_IN_PROGRESS"), ("Update", "UPDATE_ROLLBACK_IN_PROGRESS")]

    def test_the_order_can_be_shuffled_repeatably(self) -> None:
        names = [f"P{number}" for number in range(8)]
        orders = []
        for seed in (0, 1, 1, 2):
            with Cloud(Settings(shuffle=seed)) as cloud:
                resources = {name: parameter("x") for name in names}
                events = stacks.deploy(cloud, "app", json.dumps({"Resources": resources})).events
                orders.append([event.logical_id for event in events if event.status == "CREATE_COMPLETE"][:-1])
        assert orders[0] == names
        assert orders[1] == orders[2]
        assert len({tuple(order) for order in orders}) == 3
        assert all(sorted(order) == names for order in orders)


def put(url: str, answer: dict[str, Any]) -> int:
    request = urllib.request.Request(url, json.dumps(answer).encode(), method="PUT")
    with urllib.request.urlopen(request) as response:
        status: int = response.status
    return status
