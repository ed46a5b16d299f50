"""Exports: ministack lets an update change or remove one that another stack imports, and two stacks export one name.

CloudFormation refuses both in the middle of the update, which then rolls back.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html
"""

from typing import TYPE_CHECKING, Any

from local.cloud import emulator

if TYPE_CHECKING:
    from local.cloud.settings import Settings


def mend(_settings: "Settings") -> None:
    stacks = emulator.module("services.cloudformation.stacks")
    service = emulator.module("services.cloudformation")
    resolve = stacks._resolve_stack_outputs

    def resolve_checked(*arguments: Any) -> Any:
        outputs, exports = resolve(*arguments)
        stack_id = arguments[-1]
        old = {key: export for key, export in service._exports.items() if export["StackId"] == stack_id}
        _refuse_foreign(service, exports, stack_id)
        _refuse_in_use(service, old, exports, stack_id)
        for gone in old.keys() - exports.keys():
            service._exports.pop(gone)
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
