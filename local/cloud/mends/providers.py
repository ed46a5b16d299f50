"""Custom resources: when CloudFormation calls a provider, how long it waits, and what becomes of a failure.

ministack waits for the function's end before it looks for an answer, words failures in its own way, and forgets a
resource whose creation failed. Here:

- the function is invoked asynchronously, with the retries of its event invoke config; whoever has the ResponseURL may
  answer, at any time up to ServiceTimeout;
- an answer is at most 4096 bytes;
- a resource whose creation failed gets its Delete when the stack rolls back, with the physical id that it answered
  with, or else with one that CloudFormation makes up;
- a Delete that fails in a clean-up is tried three times and then abandoned.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html
"""

import json
import logging
from typing import TYPE_CHECKING, Any

from local.cloud import emulator

if TYPE_CHECKING:
    from local.cloud.settings import Settings

LONGEST_ANSWER = 4096
CLEANUP_ATTEMPTS = 3
CLEANUPS = ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")

log = logging.getLogger("local.cloud.providers")


class ProviderFailed(RuntimeError):
    """The provider answered FAILED, badly, or not at all. `physical_id` is what it answered with, or empty."""

    def __init__(self, message: str, physical_id: str = "") -> None:
        super().__init__(message)
        self.physical_id = physical_id


class Abandoned(ProviderFailed):
    """Nobody waits for the answer any more: another resource of the stack failed meanwhile."""


# (stack id, token) of every answer that is being waited for.
_awaited: set[tuple[str, str]] = set()
ABANDONED = {"Status": "ABANDONED"}


def abandon(stack_id: str) -> None:
    """Ends the waiting for all providers of the stack, as CloudFormation does when a resource fails."""
    resources = emulator.module("services.cloudformation.custom_resource")
    for token in [token for stack, token in _awaited if stack == stack_id]:
        resources.deliver_response(token, ABANDONED)


def mend(_settings: "Settings") -> None:
    provisioners = emulator.module("services.cloudformation.provisioners")
    stacks = emulator.module("services.cloudformation.stacks")
    resources = emulator.module("services.cloudformation.custom_resource")
    emulator.replace(resources, "invoke_custom_resource", ask_provider)
    emulator.replace(provisioners, "_custom_resource_create", _create)
    _mend_delete(provisioners)
    _mend_rollback(stacks)


def ask_provider(  # the signature is ministack's
    request_type: str,
    logical_id: str,
    properties: dict[str, Any],
    _stack: str,
    stack_id: str,
    resource_type: str,
    physical_id: str | None = None,
    old_props: dict[str, Any] | None = None,
) -> tuple[str, dict[str, Any]]:
    """(physical id, data) that the provider answers with. Blocks; raises ProviderFailed."""
    resources = emulator.module("services.cloudformation.custom_resource")
    new_uuid = emulator.module("core.responses").new_uuid
    token, request_id = new_uuid(), new_uuid()
    event = {
        "RequestType": request_type,
        "RequestId": request_id,
        "StackId": stack_id,
        "ResponseURL": resources._response_url(token),
        "ServiceToken": properties.get("ServiceToken"),
        "ResourceType": resource_type,
        "LogicalResourceId": logical_id,
        "ResourceProperties": resources._normalise_resource_properties(properties),
    }
    if physical_id is not None:
        event["PhysicalResourceId"] = physical_id
    if old_props is not None:
        event["OldResourceProperties"] = resources._normalise_resource_properties(old_props)
    answered = resources.register_token(token)
    _invoke(str(properties.get("ServiceToken", "")), event)
    _awaited.add((stack_id, token))
    answered.wait(timeout=int(properties.get("ServiceTimeout") or 3600))
    _awaited.discard((stack_id, token))
    with resources._lock:
        answer = (resources._pending.pop(token, None) or {}).get("result")
    return _read(answer, request_id, physical_id)


def _invoke(service_token: str, event: dict[str, Any]) -> None:
    functions = emulator.module("services.lambda_svc")
    record, config, _ = functions._get_func_record_for_ref(service_token)
    if record is None or config is None:
        raise ProviderFailed(f"Invalid service token: {service_token} is no function of this account and region.")
    functions.invoke_async_with_retry(functions._execution_record_for_config(record, config), event)


def _read(answer: Any, request_id: str, physical_id: str | None) -> tuple[str, dict[str, Any]]:
    if answer is ABANDONED:
        raise Abandoned("cancelled")
    if answer is None:
        raise ProviderFailed(
            "CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId "
            f"[{request_id}]. If you are using the Python cfn-response module, you may need to update your Lambda "
            "function code so that CloudFormation can attach the updated version."
        )
    given = str(answer.get("PhysicalResourceId") or "")
    if len(json.dumps(answer)) > LONGEST_ANSWER:
        raise ProviderFailed("Response object is too long.", given)
    if answer.get("Status") != "SUCCESS":
        raise ProviderFailed(
            "Received response status [FAILED] from custom resource. Message returned: "
            f"{answer.get('Reason')} (RequestId: {request_id})",
            given,
        )
    if not given and physical_id is None:
        raise ProviderFailed("Invalid PhysicalResourceId")
    return given or str(physical_id), answer.get("Data") or {}


def _create(
    logical_id: str,
    properties: dict[str, Any],
    stack: str,
    resource_type: str = "AWS::CloudFormation::CustomResource",
) -> tuple[str, dict[str, Any]]:
    stack_id = emulator.module("services.cloudformation.provisioners")._cr_stack_id(stack)
    try:
        return ask_provider("Create", logical_id, properties, stack, stack_id, resource_type)
    except ProviderFailed as failure:
        _keep_for_rollback(stack, stack_id, logical_id, properties, resource_type, failure.physical_id)
        raise


def _keep_for_rollback(  # what a resource of a stack consists of
    stack: str, stack_id: str, logical_id: str, properties: dict[str, Any], resource_type: str, physical_id: str
) -> None:
    responses = emulator.module("core.responses")
    record = emulator.module("services.cloudformation")._stacks.get(stack)
    if record is None:
        return
    record["_resources"][logical_id] = {
        "PhysicalResourceId": physical_id or f"{stack}-{logical_id}-{stack_id.rsplit('/', 1)[-1][:12]}",
        "ResourceType": resource_type,
        "ResourceStatus": "CREATE_FAILED",
        "LogicalResourceId": logical_id,
        "Properties": properties,
        "Attributes": {},
        "Timestamp": responses.now_iso(),
    }


def _mend_rollback(stacks: Any) -> None:
    roll_back = stacks._roll_back_operation

    async def roll_back_failed(name: str, stack_id: str, stack: Any, operation: dict[str, Any], *rest: Any) -> None:
        failed = operation.get("failed_logical_id")
        record = stack.get("_resources", {}).get(failed) or {}
        if record.get("ResourceStatus") == "CREATE_FAILED" and failed not in operation["created"]:
            operation = {**operation, "created": [*operation["created"], failed]}
        await roll_back(name, stack_id, stack, operation, *rest)

    emulator.replace(stacks, "_roll_back_operation", roll_back_failed)


def _mend_delete(provisioners: Any) -> None:
    delete = provisioners._custom_resource_delete

    def delete_patiently(physical_id: str, properties: Any, stack_name: str | None = None, **more: Any) -> None:
        for attempt in range(1, CLEANUP_ATTEMPTS + 1):
            try:
                delete(physical_id, properties, stack_name=stack_name, **more)
                return
            except ProviderFailed as failure:
                if not _cleaning_up(stack_name) or attempt == CLEANUP_ATTEMPTS:
                    raise
                log.warning("Delete of %s failed, attempt %d: %s", more.get("logical_id"), attempt, failure)

    emulator.replace(provisioners, "_custom_resource_delete", delete_patiently)


def _cleaning_up(stack: str | None) -> bool:
    record = emulator.module("services.cloudformation")._stacks.get(stack) or {}
    return record.get("StackStatus") in CLEANUPS
