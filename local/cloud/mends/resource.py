"""One resource of a stack that is being created or updated: what it is asked, and what that came to.

Part of the `deployment` mend.
"""

import asyncio
import copy
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.cloud import emulator
from local.cloud.mends.providers import Abandoned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.cloud.mends.deployment import Operation

REPLACING = "Requested update requires the creation of a new physical resource; hence creating one."


@dataclass
class Predecessor:
    """What a replacement leaves to be deleted; `deletes` are calls that ministack's handlers put off."""

    physical_id: str
    properties: dict[str, Any]
    policy: str
    deletes: list[Any]


@dataclass
class Step:
    """The outcome for one resource. `record`: as the stack keeps it, None where nothing came of it. `failed`: why.

    `attempt`: for a resource that was there before and failed, what a rollback needs to send it back:
    (logical id, type, physical id, new properties, old properties, old attributes), the last three None where the
    update was refused before anything was done.
    """

    logical_id: str
    record: dict[str, Any] | None = None
    failed: str = ""
    attempt: tuple[Any, ...] | None = None
    predecessor: Predecessor | None = None


class Resource:
    def __init__(self, logical_id: str, operation: "Operation") -> None:
        self._stacks = emulator.module("services.cloudformation.stacks")
        self._logical_id = logical_id
        self._stack = operation.stack
        self._template = operation.template
        self._values = operation.values
        self._conditions = operation.conditions
        self._previous = previous = operation.previous
        self._definition = self._template["Resources"][logical_id]
        self._type = self._definition.get("Type", "AWS::CloudFormation::CustomResource")
        fault = operation.fault
        self._fault = fault if fault and fault.logical_id == logical_id else None
        self._before = (previous or {}).get("_resources", {}).get(logical_id)
        self._prefix = "CREATE" if previous is None else "UPDATE"
        self._touched = False

    async def run(self) -> Step:
        """Never raises: a failure is an outcome."""
        step = Step(self._logical_id)
        wanted: dict[str, Any] = {}
        try:
            wanted, dynamic = self._resolve()
            physical_id, attributes, seed = await (self._update(wanted, step) if self._before else self._create(wanted))
        except Abandoned:
            self._give_up(step, wanted)
        except Exception as error:  # noqa: BLE001  # any error of a handler is this resource's failure
            self._event("FAILED", str(error))
            step.failed = str(error) or type(error).__name__
            if self._before and step.attempt is None:
                step.attempt = (self._logical_id, self._type, self._before["PhysicalResourceId"], None, None, None)
        else:
            step.failed = await self._ordered_failure(late=True)
            outcome = "FAILED" if step.failed else "COMPLETE"
            step.record = self._record(physical_id, wanted, attributes, f"{self._prefix}_{outcome}")
            step.record |= {"_dynamic": dynamic} if dynamic else {}
            step.record |= {"_name_seed": seed} if seed else {}
            if self._touched:
                self._event(outcome, step.failed, physical_id)
        return step

    async def _ordered_failure(self, *, late: bool) -> str:
        """The reason with which this resource has to fail now; empty when nobody has ordered that."""
        fault = self._fault
        if fault is None or fault.late is not late or not self._touched:
            return ""
        await asyncio.sleep(fault.delay)
        return fault.reason

    def _resolve(self) -> tuple[dict[str, Any], Any]:
        """The properties with everything resolved, and the dynamic references in them."""
        stacks = self._stacks
        resolved = stacks._resolve_refs(
            copy.deepcopy(self._definition.get("Properties", {})),
            self._stack["_resources"],
            self._values,
            self._conditions,
            self._template.get("Mappings", {}),
            self._stack["StackName"],
            self._stack["StackId"],
        )
        wanted = {key: value for key, value in resolved.items() if value is not stacks._NO_VALUE}
        previous = self._previous or {}
        old_template = previous.get("_template", {})
        properties, dynamic = stacks._resolve_dynamic_references(
            wanted,
            (self._before or {}).get("_dynamic"),
            reuse_ssm=self._template == old_template and self._values == previous.get("_resolved_params"),
            reuse_secrets=old_template.get("Resources", {}).get(self._logical_id) == self._definition,
        )
        return properties, dynamic

    async def _create(self, wanted: dict[str, Any]) -> tuple[str, dict[str, Any], str]:
        await self._begin()
        tagged = self._tagged(wanted, self._stack.get("Tags"))
        arguments = (self._type, self._logical_id, tagged, self._stack["StackName"])
        (physical_id, attributes), seed = await self._call(self._stacks._provision_keeping_seed, *arguments)
        return physical_id, attributes, seed

    async def _update(self, wanted: dict[str, Any], step: Step) -> tuple[str, dict[str, Any], str]:
        stacks, before = self._stacks, self._before
        physical_id, attributes = before["PhysicalResourceId"], before.get("Attributes", {})
        old = self._tagged(before.get("Properties", {}), (self._previous or {}).get("Tags"))
        new = self._tagged(wanted, self._stack.get("Tags"))
        if old == new:
            return physical_id, attributes, before.get("_name_seed", "")
        await self._begin()
        if not stacks._custom_named_replacement_error(self._type, old, new):
            if stacks._replacing_change(self._type, old, new):
                self._event("IN_PROGRESS", REPLACING, physical_id)
            else:
                step.attempt = (self._logical_id, self._type, physical_id, new, old, attributes)
        policy = self._policy()
        with self._handler_context(policy) as deletes:
            arguments = (self._type, physical_id, old, new, self._stack["StackName"], self._logical_id, attributes)
            (new_id, found), seed = await self._call(stacks._update_keeping_seed, *arguments)
        if new_id != physical_id or deletes:
            step.predecessor = Predecessor(physical_id, before.get("Properties", {}), policy, deletes)
        step.attempt = None
        return new_id, found, seed

    @contextmanager
    def _handler_context(self, policy: str) -> "Iterator[list[Any]]":
        """What ministack's update handlers look up: what becomes of a predecessor, and what the name was drawn from."""
        stacks = self._stacks
        deletes: list[Any] = []
        retained = stacks._RETAIN_REPLACED.set(policy in stacks._RETAINING_POLICIES)
        deferred = stacks._DEFERRED_PREDECESSOR_DELETES.set(deletes)
        seed = stacks._NAME_SEED.set(self._before.get("_name_seed", ""))
        try:
            yield deletes
        finally:
            stacks._NAME_SEED.reset(seed)
            stacks._DEFERRED_PREDECESSOR_DELETES.reset(deferred)
            stacks._RETAIN_REPLACED.reset(retained)

    def _policy(self) -> str:
        policy: str = self._stacks._resource_policy(
            self._definition,
            "UpdateReplacePolicy",
            self._stack["_resources"],
            self._values,
            self._conditions,
            self._template.get("Mappings", {}),
            self._stack["StackName"],
            self._stack["StackId"],
        )
        return policy

    async def _call(self, function: Any, *arguments: Any) -> Any:
        if self._stacks._runs_on_worker_thread(self._type):
            return await self._stacks.run_reentrant(function, *arguments)
        return function(*arguments)

    def _give_up(self, step: Step, wanted: dict[str, Any]) -> None:
        """Another resource failed while this one was under way: the rollback treats it as done."""
        doing = "creation" if self._before is None else "update"
        self._event("FAILED", f"Resource {doing} cancelled")
        there = self._stack["_resources"].get(self._logical_id) or {}
        physical_id = there.get("PhysicalResourceId", self._logical_id)
        step.record = self._record(physical_id, wanted, there.get("Attributes", {}), f"{self._prefix}_FAILED")

    def _record(
        self, physical_id: str, properties: dict[str, Any], attributes: dict[str, Any], status: str
    ) -> dict[str, Any]:
        return {
            "PhysicalResourceId": physical_id,
            "ResourceType": self._type,
            "ResourceStatus": status,
            "LogicalResourceId": self._logical_id,
            "Properties": properties,
            "Attributes": attributes,
            "Timestamp": emulator.module("core.responses").now_iso(),
        }

    def _tagged(self, properties: dict[str, Any], tags: Any) -> dict[str, Any]:
        name, stack_id = self._stack["StackName"], self._stack["StackId"]
        tagged: dict[str, Any] = self._stacks._with_stack_tags(
            self._type, properties, tags or [], name, stack_id, self._logical_id
        )
        return tagged

    async def _begin(self) -> None:
        self._touched = True
        self._event("IN_PROGRESS")
        if reason := await self._ordered_failure(late=False):
            raise RuntimeError(reason)

    def _event(self, status: str, reason: str = "", physical_id: str = "") -> None:
        prefix = "CREATE" if self._before is None else "UPDATE"
        self._stacks._add_event(
            self._stack["StackId"],
            self._stack["StackName"],
            self._logical_id,
            self._type,
            f"{prefix}_{status}",
            reason,
            physical_id,
        )
