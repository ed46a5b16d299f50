"""Stacks deployed as `aws cloudformation deploy` does it: through a change set, watched to its end."""

import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from local.cloud.account import Tenant

CAPABILITIES = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Change:
    """One line of a change set. `action`: Add, Modify, Remove; `replacement`: True, False, Conditional, or empty."""

    action: str
    logical_id: str
    type: str
    replacement: str = ""


@dataclass(frozen=True)
class Event:
    """One line of a stack's history."""

    logical_id: str
    type: str
    status: str
    reason: str = ""


@dataclass(frozen=True)
class Result:
    """What a deployment did. `events` are those of this deployment, oldest first."""

    stack_id: str
    status: str
    changes: tuple[Change, ...] = ()
    reason: str = ""
    events: tuple[Event, ...] = ()
    outputs: "Mapping[str, str]" = field(default_factory=dict)


class StackFailed(RuntimeError):
    """The change set or the operation failed. `reason` is the first cause; `status` is the stack's, empty where there
    was no operation, because the change set failed."""

    def __init__(self, reason: str, status: str = "", events: "Iterable[Event]" = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.events = tuple(events)


def deploy(
    cloud: "Tenant",
    name: str,
    template_body: str,
    parameters: "Mapping[str, str] | None" = None,
    *,
    timeout: float = 900.0,
    sleep: "Callable[[float], None]" = time.sleep,
    on_changes: "Callable[[tuple[Change, ...]], None]" = lambda _: None,
) -> Result:
    """Creates or updates the stack; a change set without changes is a success that did nothing.

    Parameters that are not given keep their value, as `aws cloudformation deploy` does it. `on_changes` is called
    between change set and execution. Raises StackFailed, and TimeoutError after `timeout` seconds.
    """
    client = cloud.client("cloudformation")
    deadline = _Deadline(timeout, sleep)
    there = _describe(client, name)
    seen = _event_ids(client, name) if there else set()
    change_set = _create_change_set(client, name, template_body, parameters or {}, there)
    described = deadline.until(
        lambda: client.describe_change_set(ChangeSetName=change_set, StackName=name),
        lambda answer: answer["Status"] in ("CREATE_COMPLETE", "FAILED"),
    )
    if described["Status"] == "FAILED":
        reason = described.get("StatusReason", "")
        if there and any(part in reason for part in NO_CHANGES):
            client.delete_change_set(ChangeSetName=change_set, StackName=name)
            return Result(there["StackId"], there["StackStatus"], outputs=_outputs(there))
        raise StackFailed(reason)
    changes = tuple(_change(entry["ResourceChange"]) for entry in described["Changes"])
    on_changes(changes)
    client.execute_change_set(ChangeSetName=change_set, StackName=name)
    return _watched(client, described["StackId"], changes, seen, deadline)


def delete(
    cloud: "Tenant", name: str, *, timeout: float = 900.0, sleep: "Callable[[float], None]" = time.sleep
) -> Result:
    """Deletes the stack and waits for it. A stack that is not there is a success. Raises StackFailed."""
    client = cloud.client("cloudformation")
    there = _describe(client, name)
    if there is None:
        return Result("", "DELETE_COMPLETE")
    seen = _event_ids(client, name)
    client.delete_stack(StackName=name)
    return _watched(client, there["StackId"], (), seen, _Deadline(timeout, sleep), good=("DELETE_COMPLETE",))


def outputs(cloud: "Tenant", name: str) -> dict[str, str]:
    """The outputs of the stack, by key."""
    return _outputs(cloud.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0])


class _Deadline:
    def __init__(self, seconds: float, sleep: "Callable[[float], None]") -> None:
        self._left = seconds
        self._sleep = sleep

    def until(self, ask: "Callable[[], Any]", is_over: "Callable[[Any], bool]") -> Any:
        while not is_over(answer := ask()):
            if self._left <= 0:
                raise TimeoutError(f"still not over: {answer.get('StackStatus') or answer.get('Status')}")
            self._left -= POLL_SECONDS
            self._sleep(POLL_SECONDS)
        return answer


def _describe(client: Any, name: str) -> Any:
    """The stack, None where there is none; one that only waits for its first change set counts as none."""
    try:
        stack = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return None if stack["StackStatus"] in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE") else stack


def _create_change_set(client: Any, name: str, body: str, given: "Mapping[str, str]", there: Any) -> str:
    kept = {entry["ParameterKey"] for entry in (there or {}).get("Parameters", [])}
    declared = {entry["ParameterKey"] for entry in client.get_template_summary(TemplateBody=body)["Parameters"]}
    parameters: list[Any] = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
    parameters += [{"ParameterKey": key, "UsePreviousValue": True} for key in sorted(kept & declared - set(given))]
    change_set = f"deploy-{uuid.uuid4()}"
    try:
        client.create_change_set(
            StackName=name,
            ChangeSetName=change_set,
            ChangeSetType="UPDATE" if there else "CREATE",
            TemplateBody=body,
            Parameters=parameters,
            Capabilities=CAPABILITIES,
        )
    except client.exceptions.AlreadyExistsException as error:
        if change_set not in str(error):
            raise StackFailed(error.response["Error"]["Message"]) from error
        # Nobody else gives this name: the answer was lost, and the SDK has asked again.
    except ClientError as error:
        raise StackFailed(error.response["Error"]["Message"]) from error
    return change_set


def _watched(
    client: Any,
    stack_id: str,
    changes: tuple[Change, ...],
    seen: set[str],
    deadline: _Deadline,
    good: tuple[str, ...] = GOOD,
) -> Result:
    stack = deadline.until(
        lambda: client.describe_stacks(StackName=stack_id)["Stacks"][0],
        lambda stack: not stack["StackStatus"].endswith("_IN_PROGRESS"),
    )
    events = events_of(client, stack_id, seen)
    status = stack["StackStatus"]
    if status not in good:
        raise StackFailed(first_cause(events) or stack.get("StackStatusReason", status), status, events)
    return Result(stack_id, status, changes, stack.get("StackStatusReason", ""), events, _outputs(stack))


def events_of(client: Any, stack: str, seen: "Iterable[str]" = ()) -> tuple[Event, ...]:
    """The stack's events that are not in `seen` (ids), oldest first."""
    known = set(seen)
    pages = client.get_paginator("describe_stack_events").paginate(StackName=stack)
    entries = [entry for page in pages for entry in page["StackEvents"] if entry["EventId"] not in known]
    return tuple(
        Event(
            entry["LogicalResourceId"],
            entry["ResourceType"],
            entry["ResourceStatus"],
            entry.get("ResourceStatusReason", ""),
        )
        for entry in reversed(entries)
    )


def first_cause(events: "Iterable[Event]") -> str:
    """The reason of the first failure: the later ones are its consequences."""
    for event in events:
        if event.status.endswith("_FAILED") and event.reason:
            return f"{event.logical_id}: {event.reason}"
    return ""


def _event_ids(client: Any, stack: str) -> set[str]:
    pages = client.get_paginator("describe_stack_events").paginate(StackName=stack)
    return {entry["EventId"] for page in pages for entry in page["StackEvents"]}


def _outputs(stack: Any) -> dict[str, str]:
    return {entry["OutputKey"]: entry["OutputValue"] for entry in stack.get("Outputs", [])}


def _change(entry: Any) -> Change:
    return Change(entry["Action"], entry["LogicalResourceId"], entry["ResourceType"], entry.get("Replacement", ""))
