"""The order in which a stack's resources are created and updated, which in ministack is by name, one after the other.

CloudFormation begins with every resource as soon as those that it depends on are done, many at once; when one fails,
it cancels what is under way, without telling a custom resource's provider, and rolls back: a provider can be asked to
undo what it has not finished. Here too; `shuffle` mixes, repeatably for each stack, what could begin at the same moment
and what a rollback could take back next. A failure that was ordered (`faults`) is one of its resource.
Removed and replaced resources are deleted in UPDATE_COMPLETE_CLEANUP_IN_PROGRESS, one after the other.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-failure-options.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html

The rollback itself is ministack's. Not so here: resources imported into a stack go the old way; resources are stable as
soon as they are there.
"""

import asyncio
import inspect
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.cloud import emulator, faults
from local.cloud.mends import cleanup, providers
from local.cloud.mends.resource import Resource, Step

if TYPE_CHECKING:
    from local.cloud.settings import Settings

CANCEL_POLL = 0.2


def mend(settings: "Settings") -> None:
    stacks = emulator.module("services.cloudformation.stacks")
    deploy_in_order = stacks._deploy_stack_async
    begun: Counter[str] = Counter()
    folder = Path.cwd()

    def chance(name: str, stack_id: str) -> random.Random | None:
        """For each operation its own, so that its order does not hang on what other stacks do meanwhile."""
        begun[stack_id] += 1
        seed = f"{settings.shuffle} {name} {begun[stack_id]}"
        return random.Random(seed) if settings.shuffle else None  # noqa: S311  # repeatable, not secret

    async def deploy(*arguments: Any, **more: Any) -> None:
        given = inspect.signature(deploy_in_order).bind(*arguments, **more)
        given.apply_defaults()
        request = given.arguments
        template, values = request["template"], request["param_values"]
        if request["imports"] or not _can_be_ordered(stacks, template, values):
            await deploy_in_order(*arguments, **more)
            return
        stack = emulator.module("services.cloudformation")._stacks[request["stack_name"]]
        stack.pop("_failed_operation", None)
        previous = (request["previous_stack"] or {}) if request["is_update"] else None
        name, stack_id = stack["StackName"], stack["StackId"]
        fault = faults.take(folder, stack_id.split(":")[4], name)
        operation = Operation(stack, template, values, previous, chance(name, stack_id), fault)
        if operation.is_valid(disable_rollback=request["disable_rollback"]):
            failure = await operation.run()
            if failure is None:
                await operation.complete()
            else:
                await operation.fail(failure, request["disable_rollback"], request["retain_except_on_create"])

    emulator.replace(stacks, "_deploy_stack_async", deploy)


def _can_be_ordered(stacks: Any, template: dict[str, Any], values: dict[str, Any]) -> bool:
    try:
        stacks._topological_sort(template.get("Resources", {}), stacks._evaluate_conditions(template, values))
    except ValueError:
        return False
    return True


@dataclass
class Failure:
    """Why an operation cannot go on. `step` is what the resource that failed had done by then."""

    reason: str
    step: Step | None = None
    cancelled: bool = False


@dataclass
class Operation:
    """One creation (`previous` is None) or update of a stack."""

    stack: dict[str, Any]
    template: dict[str, Any]
    values: dict[str, Any]
    previous: dict[str, Any] | None
    chance: random.Random | None
    fault: faults.Fault | None
    done: list[Step] = field(default_factory=list)
    outputs: Any = None

    def __post_init__(self) -> None:
        self._stacks = emulator.module("services.cloudformation.stacks")
        self.conditions = self._stacks._evaluate_conditions(self.template, self.values)
        self._prefix = "CREATE" if self.previous is None else "UPDATE"
        self.stack.setdefault("_resources", {})
        for request in ("_cancel_requested", "_cancel_token"):
            self.stack.pop(request, None)

    def is_valid(self, *, disable_rollback: bool) -> bool:
        """Whether the template passes CloudFormation's early validation; if not, the operation is over."""
        definitions, mappings = self.template.get("Resources", {}), self.template.get("Mappings", {})
        return bool(self.stack.get("_disable_validation")) or not self._stacks._fail_property_validation(
            self.stack,
            self.stack["StackId"],
            self.stack["StackName"],
            definitions,
            self._stacks._topological_sort(definitions, self.conditions),
            self.values,
            self.conditions,
            mappings,
            disable_rollback,
            previous_stack=self.previous,
        )

    async def run(self) -> Failure | None:
        """Creates and updates everything, and resolves the outputs."""
        failure = await self._all_resources()
        return failure or self._resolve_outputs()

    async def _all_resources(self) -> Failure | None:
        definitions = self.template.get("Resources", {})
        order = self._stacks._topological_sort(definitions, self.conditions)
        waiting = {each: self._stacks._extract_deps(definitions[each], set(order)) - {each} for each in order}
        running: dict[asyncio.Task[Step], str] = {}
        failure: Failure | None = None
        while waiting or running:
            if failure is None:
                for each in self._ready(waiting, set(running.values())):
                    del waiting[each]
                    running[asyncio.create_task(Resource(each, self).run())] = each
            elif not running:
                break
            finished, _ = await asyncio.wait(running, timeout=CANCEL_POLL, return_when=asyncio.FIRST_COMPLETED)
            for task in finished:
                del running[task]
                step = task.result()
                self._note(step)
                if step.failed and failure is None:
                    failure = Failure(f"Resource {step.logical_id} failed: {step.failed}", step)
            if failure is None and self.stack.pop("_cancel_requested", False):
                self._stacks.CLIENT_REQUEST_TOKEN.set(self.stack.pop("_cancel_token", ""))
                failure = Failure("User Initiated", cancelled=True)
            if failure is not None:
                providers.abandon(self.stack["StackId"])
        return failure

    def _ready(self, waiting: dict[str, set[str]], running: set[str]) -> list[str]:
        """What can begin now, in the order in which it begins."""
        there = waiting.keys() | running
        ready = sorted(each for each, needed in waiting.items() if not needed & there)
        if self.chance:
            self.chance.shuffle(ready)
        return ready

    def _note(self, step: Step) -> None:
        if step.record is not None:
            self.stack["_resources"][step.logical_id] = step.record
            self.done.append(step)

    def _resolve_outputs(self) -> Failure | None:
        removed = self._removed()
        kept = {key: value for key, value in self.stack["_resources"].items() if key not in removed}
        name, stack_id = self.stack["StackName"], self.stack["StackId"]
        try:
            self.outputs = self._stacks._resolve_stack_outputs(
                self.template.get("Outputs", {}),
                self.conditions,
                kept,
                self.values,
                self.template.get("Mappings", {}),
                name,
                stack_id,
            )
        except Exception as error:  # noqa: BLE001  # whatever is wrong with an output: the stack rolls back with it
            self._event(f"{self._prefix}_FAILED", str(error))
            return Failure(str(error))
        return None

    def _removed(self) -> set[str]:
        if self.previous is None:
            return set()
        wanted = self._stacks._topological_sort(self.template.get("Resources", {}), self.conditions)
        return set(self.previous.get("_resources", {})) - set(wanted)

    async def complete(self) -> None:
        if self.previous is not None:
            self._event(cleanup.STATUS)
            replaced = [step for step in self.done if step.predecessor is not None]
            await cleanup.delete_replaced(self.stack, replaced)
            await cleanup.delete_removed(self.stack, self.previous, self._removed())
        self.stack.update(_template=self.template, _resolved_params=self.values, Outputs=self.outputs[0])
        emulator.module("services.cloudformation")._exports.update(self.outputs[1])
        self._event(f"{self._prefix}_COMPLETE")

    async def fail(self, failure: Failure, disable_rollback: bool, retain: bool) -> None:
        name, stack_id = self.stack["StackName"], self.stack["StackId"]
        step = failure.step
        record = self._stacks._failed_operation(
            self.previous is not None,
            self.previous,
            self._taken_back(),
            step.attempt if step else None,
            step.logical_id if step else None,
            [each.logical_id for each in self.done if each.predecessor is not None],
            failure.cancelled,
            self.template,
            self.values,
            retain,
            self.stack.get("Tags") or [],
            (self.previous or {}).get("Tags") or [],
        )
        if not disable_rollback:
            await self._stacks._roll_back_operation(name, stack_id, self.stack, record)
            return
        self.stack["StackStatusReason"] = failure.reason
        self.stack["_failed_operation"] = record
        self._event(f"{self._prefix}_FAILED", failure.reason)

    def _taken_back(self) -> list[str]:
        """What a rollback takes back, in its order: as it was done, or with a seed any that dependencies allow."""
        done = [step.logical_id for step in self.done]
        if not self.chance:
            return done
        definitions = self.template.get("Resources", {})
        waiting = {each: self._stacks._extract_deps(definitions[each], set(done)) - {each} for each in done}
        order: list[str] = []
        while waiting:
            ready = [each for each, needed in waiting.items() if not needed & waiting.keys()]
            order.append(self.chance.choice(ready))
            del waiting[order[-1]]
        return order

    def _event(self, status: str, reason: str = "") -> None:
        name, stack_id = self.stack["StackName"], self.stack["StackId"]
        self.stack["StackStatus"] = status
        self._stacks._add_event(stack_id, name, name, "AWS::CloudFormation::Stack", status, reason, stack_id)
