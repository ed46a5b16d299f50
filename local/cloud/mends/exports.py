"""Exports in use, and the phase of an update in which what is no longer needed is deleted.

ministack lets an update change or remove an export that another stack imports, lets two stacks export the same name,
and stays in UPDATE_IN_PROGRESS until everything is deleted; CloudFormation refuses the first two in the middle of the
update, which then rolls back, and is in UPDATE_COMPLETE_CLEANUP_IN_PROGRESS while it deletes.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

from typing import TYPE_CHECKING, Any

from local.cloud import emulator

if TYPE_CHECKING:
    from local.cloud.settings import Settings

CLEANUP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"


def mend(_settings: "Settings") -> None:
    stacks = emulator.module("services.cloudformation.stacks")
    service = emulator.module("services.cloudformation")
    resolve = stacks._resolve_stack_outputs

    def resolve_checked(*arguments: Any) -> Any:
        outputs, exports = resolve(*arguments)
        name, stack_id = arguments[-2:]
        old = {key: export for key, export in service._exports.items() if export["StackId"] == stack_id}
        _refuse_foreign(service, exports, stack_id)
        _refuse_in_use(service, old, exports, stack_id)
        for gone in old.keys() - exports.keys():
            service._exports.pop(gone)
        _begin_cleanup(stacks, service._stacks.get(name), stack_id)
        return outputs, exports

    emulator.replace(stacks, "_resolve_stack_outputs", resolve_checked)


def _refuse_foreign(service: Any, exports: dict[str, Any], stack_id: str) -> None:
    for name in exports:
        there = service._exports.get(name)
        if there and there["StackId"] != stack_id:
            raise ValueError(f"Export with name {name} is already exported by stack {there['StackId'].split('/')[1]}")


def _refuse_in_use(service: Any, old: dict[str, Any], new: dict[str, Any], stack_id: str) -> None:
    imported = emulator.module("services.cloudformation.handlers")._imported_export_names
    for name, export in old.items():
        if name in new and new[name]["Value"] == export["Value"]:
            continue
        users = [
            stack["StackName"]
            for stack in service._stacks.values()
            if stack["StackId"] != stack_id
            and stack.get("StackStatus") != "DELETE_COMPLETE"
            and name in imported(stack, stack["StackName"])
        ]
        if users:
            done = "updated" if name in new else "deleted"
            raise ValueError(f"Export {name} cannot be {done} as it is in use by {' and '.join(sorted(users))}")


def _begin_cleanup(stacks: Any, stack: Any, stack_id: str) -> None:
    if stack and stack.get("StackStatus") == "UPDATE_IN_PROGRESS":
        stack["StackStatus"] = CLEANUP
        name = stack["StackName"]
        stacks._add_event(stack_id, name, name, "AWS::CloudFormation::Stack", CLEANUP, physical_id=stack_id)
