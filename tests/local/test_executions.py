"""State machines."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.lab import Lab
from tests.waiting import eventually

# Fails as many times as it is told to, with an error of the given class.
WORKER = """
class Throttled(Exception): pass
class Stale(Exception): pass
calls = {}
def handler(event, context):
    key = event.get("key", "")
    calls[key] = calls.get(key, 0) + 1
    if calls[key] <= event.get("failures", 0):
        raise {"Throttled": Throttled, "Stale": Stale}[event["error"]]("told to")
    return {"key": key, "calls": calls[key]}
"""


class Machine:
    def __init__(self, lab: Lab, definition: dict[str, Any], *actions: str) -> None:
        self.lab = lab
        self.client = lab.client("stepfunctions")
        allow = {"Effect": "Allow", "Action": list(actions) or "*", "Resource": "*"}
        self.arn = self.client.create_state_machine(
            name="machine",
            definition=json.dumps(definition),
            roleArn=lab.role("machine", allow, service="states"),
        )["stateMachineArn"]

    def start(self, given: Any, name: str | None = None) -> str:
        more = {"name": name} if name else {}
        arn: str = self.client.start_execution(stateMachineArn=self.arn, input=json.dumps(given), **more)[
            "executionArn"
        ]
        return arn

    def ended(self, execution: str) -> Any:
        def over() -> Any:
            described = self.client.describe_execution(executionArn=execution)
            return described if described["status"] != "RUNNING" else None

        return eventually(over)

    def run(self, given: Any) -> Any:
        return self.ended(self.start(given))


def task(function: str, **more: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": function, "End": True, **more}


def machine_of(function: str, **more: Any) -> dict[str, Any]:
    failed = {"Type": "Pass", "End": True}
    return {"StartAt": "Work", "States": {"Work": task(function, **more), "Caught": failed}}


def test_a_task_is_retried_by_the_name_of_its_error(lab: Lab) -> None:
    retry = [{"ErrorEquals": ["Throttled"], "IntervalSeconds": 0, "MaxAttempts": 2}]
    machine = Machine(lab, machine_of(lab.function("worker", WORKER), Retry=retry))
    done = machine.run({"key": "a", "failures": 2, "error": "Throttled"})
    assert json.loads(done["output"]) == {"key": "a", "calls": 3}
    assert machine.run({"key": "b", "failures": 2, "error": "Stale"})["status"] == "FAILED"
    assert machine.run({"key": "c", "failures": 3, "error": "Throttled"})["error"] == "Throttled"


def test_an_error_is_caught_with_its_name_and_cause(lab: Lab) -> None:
    catch = [{"ErrorEquals": ["Stale"], "ResultPath": "$.error", "Next": "Caught"}]
    machine = Machine(lab, machine_of(lab.function("worker", WORKER), Catch=catch))
    output = json.loads(machine.run({"key": "a", "failures": 1, "error": "Stale"})["output"])
    assert output["error"]["Error"] == "Stale"
    assert json.loads(output["error"]["Cause"])["errorMessage"] == "told to"


def test_a_wait_takes_its_seconds_from_the_input(lab: Lab) -> None:
    wait = {"Type": "Wait", "SecondsPath": "$.seconds", "End": True}
    machine = Machine(lab, {"StartAt": "Wait", "States": {"Wait": wait}})
    done = machine.run({"seconds": 1})
    assert (done["stopDate"] - done["startDate"]).total_seconds() >= 0.9


def test_a_distributed_map_runs_a_child_for_every_item(lab: Lab) -> None:
    function = lab.function("worker", WORKER)
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Work",
        "States": {"Work": task(function)},
    }
    mapped = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": processor, "MaxConcurrency": 2, "End": True}
    machine = Machine(lab, {"StartAt": "Map", "States": {"Map": mapped}})
    done = machine.run({"items": [{"key": "a"}, {"key": "b"}, {"key": "c"}]})
    assert [item["key"] for item in json.loads(done["output"])] == ["a", "b", "c"]
    failed = machine.run({"items": [{"key": "d", "failures": 9, "error": "Stale"}]})
    assert failed["error"] == "States.ExceedToleratedFailureThreshold"


def test_starting_the_same_execution_twice_gives_the_same_execution(lab: Lab) -> None:
    machine = Machine(lab, {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1, "End": True}}})
    first = machine.start({"a": 1}, "one")
    assert machine.start({"a": 1}, "one") == first
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        machine.start({"a": 2}, "one")
    machine.ended(first)
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        machine.start({"a": 1}, "one")


def test_a_machine_whose_role_may_not_invoke_the_function_fails(lab: Lab) -> None:
    machine = Machine(lab, machine_of(lab.function("worker", WORKER)), "states:*")
    done = machine.run({"key": "a"})
    assert done["error"] == "Lambda.AWSLambdaException"
    assert "is not authorized to perform: lambda:InvokeFunction" in done["cause"]


def test_a_distributed_map_needs_permission_to_start_its_own_machine(lab: Lab) -> None:
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Pass",
        "States": {"Pass": {"Type": "Pass", "End": True}},
    }
    mapped = {"Type": "Map", "ItemProcessor": processor, "End": True}
    machine = Machine(lab, {"StartAt": "Map", "States": {"Map": mapped}}, "lambda:InvokeFunction")
    assert "states:StartExecution" in machine.run([1])["cause"]
