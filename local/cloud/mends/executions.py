"""State machines: starting the same execution twice, and what the machine's role may do.

StartExecution of a Standard machine with the name and the input of a running execution answers with that execution;
ministack refuses it. A machine invokes functions, and starts the children of a distributed map, with its role;
ministack does so without asking.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
"""

import json
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from local.cloud import emulator
from local.cloud.mends.permissions import role_may

if TYPE_CHECKING:
    from local.cloud.settings import Settings

_role: ContextVar[str] = ContextVar("state_machine_role", default="")


def mend(_settings: "Settings") -> None:
    machines = emulator.module("services.stepfunctions")
    _mend_start(machines)
    _mend_tasks(machines)
    _mend_distributed_map(machines)


def _mend_start(machines: Any) -> None:
    start = machines._start_execution

    def start_or_find(request: dict[str, Any]) -> Any:
        answer = start(request)
        if answer[0] != 400 or "ExecutionAlreadyExists" not in str(answer[2]):
            return answer
        there = next(found for found in machines._executions.values() if _is_named(found, request))
        same = json.loads(there["input"]) == json.loads(request.get("input", "{}"))
        if there["status"] != "RUNNING" or not same:
            return answer
        return machines.json_response({"executionArn": there["executionArn"], "startDate": there["startDate"]})

    emulator.replace(machines, "_start_execution", start_or_find)


def _is_named(execution: dict[str, Any], request: dict[str, Any]) -> bool:
    machine = str(request.get("stateMachineArn", "")).split("#")[0]
    return bool(execution["name"] == request.get("name") and execution["stateMachineArn"] == machine)


def _mend_tasks(machines: Any) -> None:
    execute, call = machines._execute_task, machines._call_lambda

    def execute_as_role(state: Any, given: Any, execution: Any, context: Any) -> Any:
        token = _role.set(_role_of(machines, execution))
        try:
            return execute(state, given, execution, context)
        finally:
            _role.reset(token)

    def call_as_role(function: str, event: Any) -> Any:
        arn = function if function.startswith("arn:") else _function_arn(function)
        _require(machines, "lambda:InvokeFunction", arn, "Lambda.AWSLambdaException")
        return call(function, event)

    emulator.replace(machines, "_execute_task", execute_as_role)
    emulator.replace(machines, "_call_lambda", call_as_role)


def _mend_distributed_map(machines: Any) -> None:
    run = machines._run_distributed_map

    def run_as_role(state: Any, given: Any, effective: Any, iterator: Any, execution: Any, context: Any) -> Any:
        token = _role.set(_role_of(machines, execution))
        try:
            _require(machines, "states:StartExecution", _machine_arn(execution), "States.Runtime")
        finally:
            _role.reset(token)
        return run(state, given, effective, iterator, execution, context)

    emulator.replace(machines, "_run_distributed_map", run_as_role)


def _machine_arn(execution: dict[str, Any]) -> str:
    """A child of a distributed map runs as `machine/label`."""
    arn: str = execution["stateMachineArn"].split("/")[0]
    return arn


def _role_of(machines: Any, execution: dict[str, Any]) -> str:
    machine = machines._state_machines.get(_machine_arn(execution)) or {}
    return str(machine.get("roleArn", ""))


def _function_arn(name: str) -> str:
    responses = emulator.module("core.responses")
    return f"arn:aws:lambda:{responses.get_region()}:{responses.get_account_id()}:function:{name}"


def _require(machines: Any, action: str, resource: str, error: str) -> None:
    role = _role.get()
    if role and not role_may(role, action, resource):
        raise machines._ExecutionError(
            error,
            f"User: {role} is not authorized to perform: {action} on resource: {resource} "
            f"because no identity-based policy allows the {action} action",
        )
