"""The end of an update: what was replaced or taken out of the template is deleted. That this fails is no failure.

Part of the `deployment` mend.
"""

from typing import TYPE_CHECKING, Any

from local.cloud import emulator

if TYPE_CHECKING:
    from local.cloud.mends.resource import Step

STATUS = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"


async def delete_replaced(stack: dict[str, Any], steps: "list[Step]") -> None:
    """Deletes the predecessors of these resources, dependents first."""
    stacks = emulator.module("services.cloudformation.stacks")
    for step in reversed(steps):
        old, record = step.predecessor, step.record
        if old is None or record is None:
            continue
        kind, moved = record["ResourceType"], record["PhysicalResourceId"] != old.physical_id
        if old.policy in stacks._RETAINING_POLICIES:
            if moved:
                _event(stack, step.logical_id, kind, "DELETE_SKIPPED", old.physical_id)
            continue
        try:
            for delete, arguments, more in old.deletes:
                delete(*arguments, **more)
            if moved:
                await _delete(stack, step.logical_id, kind, old.physical_id, old.properties)
        except Exception as error:  # noqa: BLE001  # any handler's error: CloudFormation reports it and goes on
            _event(stack, step.logical_id, kind, "DELETE_FAILED", old.physical_id, str(error))


async def delete_removed(stack: dict[str, Any], previous: dict[str, Any], removed: set[str]) -> None:
    """Deletes what the new template does not have, dependents first."""
    template, records = previous.get("_template", {}), previous.get("_resources", {})
    for logical_id in reversed(_in_order(template, previous, removed)):
        record = records[logical_id]
        kind, physical_id = record["ResourceType"], record["PhysicalResourceId"]
        policy = _deletion_policy(stack, previous, logical_id)
        if policy in emulator.module("services.cloudformation.stacks")._RETAINING_POLICIES:
            _event(stack, logical_id, kind, "DELETE_SKIPPED", physical_id)
        else:
            properties = record.get("Properties", {})
            try:
                if policy == "Snapshot":
                    emulator.module("services.cloudformation.stacks")._snapshot_resource(kind, physical_id, properties)
                await _delete(stack, logical_id, kind, physical_id, properties)
            except Exception as error:  # noqa: BLE001  # any handler's error: CloudFormation reports it and goes on
                _event(stack, logical_id, kind, "DELETE_FAILED", physical_id, str(error))
        stack["_resources"].pop(logical_id, None)


def _in_order(template: dict[str, Any], previous: dict[str, Any], wanted: set[str]) -> list[str]:
    sort = emulator.module("services.cloudformation.stacks")._topological_sort
    known = [each for each in sort(template.get("Resources", {}), previous.get("_conditions", {})) if each in wanted]
    return known + sorted(wanted - set(known))


def _deletion_policy(stack: dict[str, Any], previous: dict[str, Any], logical_id: str) -> str:
    template = previous.get("_template", {})
    policy: str = emulator.module("services.cloudformation.stacks")._resource_policy(
        template.get("Resources", {}).get(logical_id),
        "DeletionPolicy",
        previous.get("_resources", {}),
        previous.get("_resolved_params", {}),
        previous.get("_conditions", {}),
        template.get("Mappings", {}),
        stack["StackName"],
        stack["StackId"],
    )
    return policy


async def _delete(
    stack: dict[str, Any], logical_id: str, kind: str, physical_id: str, properties: dict[str, Any]
) -> None:
    stacks = emulator.module("services.cloudformation.stacks")
    _event(stack, logical_id, kind, "DELETE_IN_PROGRESS", physical_id)
    arguments = (kind, physical_id, properties, stack["StackName"], logical_id)
    if stacks._runs_on_worker_thread(kind):
        await stacks.run_reentrant(stacks._delete_resource, *arguments)
    else:
        stacks._delete_resource(*arguments)
    _event(stack, logical_id, kind, "DELETE_COMPLETE", physical_id)


def _event(  # what an event consists of
    stack: dict[str, Any], logical_id: str, kind: str, status: str, physical_id: str, reason: str = ""
) -> None:
    add = emulator.module("services.cloudformation.stacks")._add_event
    add(stack["StackId"], stack["StackName"], logical_id, kind, status, reason, physical_id)
