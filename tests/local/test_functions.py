"""Functions: how they fail, and what a change of their configuration does to what is under way."""

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local.cloud import stacks
from tests.local.lab import PYTHON, Lab
from tests.waiting import eventually

CODE = """
import json, os, time
class Throttled(Exception): pass
count = 0
def handler(event, context):
    global count
    count += 1
    if event.get("raise"):
        raise Throttled("too much,\\nreally")
    time.sleep(event.get("sleep", 0))
    return {"count": count, "value": os.environ.get("VALUE"), "process": os.getpid()}
"""


def invoke(lab: Lab, **event: Any) -> Any:
    return lab.client("lambda").invoke(FunctionName="function", Payload=json.dumps(event))


def test_an_exception_is_reported_by_its_class(lab: Lab) -> None:
    lab.function("function", CODE)
    answer = invoke(lab, **{"raise": True})
    assert answer["FunctionError"] == "Unhandled"
    failure = json.loads(answer["Payload"].read())
    assert failure["errorType"] == "Throttled"
    assert failure["errorMessage"] == "too much,\nreally"


def test_an_exception_does_not_end_the_environment(lab: Lab) -> None:
    lab.function("function", CODE)
    invoke(lab, **{"raise": True})
    assert json.loads(invoke(lab)["Payload"].read())["count"] == 2


def test_an_exception_is_in_the_functions_log(lab: Lab) -> None:
    lab.function("function", CODE)
    invoke(lab, **{"raise": True})

    def messages() -> str:
        found = lab.client("logs").filter_log_events(logGroupName="/aws/lambda/function")["events"]
        return "".join(event["message"] for event in found)

    eventually(lambda: "Throttled: too much" in messages())


def test_an_invocation_under_way_survives_a_change_and_the_next_one_sees_it(lab: Lab) -> None:
    lab.function("function", CODE, Environment={"Variables": {"VALUE": "old"}})
    invoke(lab)
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(json.loads(invoke(lab, sleep=2)["Payload"].read())))
    thread.start()
    time.sleep(0.5)
    lab.client("lambda").update_function_configuration(
        FunctionName="function", Environment={"Variables": {"VALUE": "new"}}
    )
    assert json.loads(invoke(lab)["Payload"].read())["value"] == "new"
    thread.join()
    assert answers[0]["value"] == "old"


def test_an_environment_gives_way_to_the_emulator_that_it_waits_for(lab: Lab) -> None:
    code = """
import os
def handler(event, context):
    return [os.getpriority(os.PRIO_PROCESS, process) for process in (0, os.getppid())]
"""
    lab.function("function", code)
    own, emulators = json.loads(invoke(lab)["Payload"].read())
    assert own > emulators


def test_as_many_environments_start_at_once_as_there_are_processors(lab: Lab, tmp_path: Path) -> None:
    code = f"""
import time
began = time.time()
time.sleep(0.2)
with open({str(tmp_path / "starts")!r}, "a") as starts:
    starts.write(f"{{began}} {{time.time()}}\\n")
def handler(event, context):
    time.sleep(1)
"""
    lab.function("function", code)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: invoke(lab), range(6)))
    starts = [tuple(map(float, line.split())) for line in (tmp_path / "starts").read_text().splitlines()]
    assert len(starts) == 6
    assert max(sum(b <= at < e for b, e in starts) for at, _ in starts) <= (os.cpu_count() or 1)


def test_a_function_acts_with_its_role(lab: Lab) -> None:
    lab.table("Users")
    code = """
import boto3
def handler(event, context):
    boto3.client("dynamodb").put_item(TableName="Users", Item={"user": {"S": "ann"}})
"""
    lab.function("function", code)
    assert json.loads(invoke(lab)["Payload"].read())["errorType"] == "ClientError"
    allow = {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": "arn:aws:dynamodb:*:*:table/Users"}
    lab.client("iam").put_role_policy(
        RoleName="function-role",
        PolicyName="own",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
    )
    assert "FunctionError" not in invoke(lab)
    assert len(lab.items("Users")) == 1


def test_an_environment_is_made_of_a_package_that_is_unpacked_once(lab: Lab) -> None:
    code = """
import os
def handler(event, context):
    return {"folder": os.path.dirname(__file__), "package": os.path.dirname(os.path.realpath(__file__))}
"""
    folders = []
    for name in ("one", "other"):
        lab.function(name, code)
        folders.append(json.loads(lab.client("lambda").invoke(FunctionName=name)["Payload"].read()))
    assert folders[0]["package"] == folders[1]["package"]
    assert folders[0]["folder"] != folders[1]["folder"]


def test_what_a_template_reserves_is_the_most_that_runs_at_once(lab: Lab) -> None:
    code = {"ZipFile": CODE}
    properties = {
        "Runtime": PYTHON,
        "Handler": "index.handler",
        "Code": code,
        "Role": lab.role("reserved"),
        "Timeout": 9,
    }

    def deploy(**more: Any) -> str:
        resource = {"Type": "AWS::Lambda::Function", "Properties": {**properties, **more}}
        template = {"Resources": {"Function": resource}, "Outputs": {"Name": {"Value": {"Ref": "Function"}}}}
        return stacks.deploy(lab.account, "app", json.dumps(template)).outputs["Name"]

    def reserved() -> Any:
        return lab.client("lambda").get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")

    name = deploy(ReservedConcurrentExecutions=0)
    assert reserved() == 0
    with pytest.raises(lab.client("lambda").exceptions.TooManyRequestsException):
        lab.client("lambda").invoke(FunctionName=name)
    deploy(ReservedConcurrentExecutions=3)
    assert reserved() == 3
    deploy(MemorySize=256)
    assert reserved() is None
    assert "FunctionError" not in lab.client("lambda").invoke(FunctionName=name, Payload="{}")
