"""AWS::CloudFormation::Macro, which ministack records without doing anything.

A macro's name is unique in an account and region; its function is called by the `transforms` mend.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-macro.html
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.cloud import emulator

if TYPE_CHECKING:
    from local.cloud.settings import Settings


@dataclass(frozen=True)
class Macro:
    function: str
    stack: str
    logical_id: str


def mend(_settings: "Settings") -> None:
    provisioners = emulator.module("services.cloudformation.provisioners")
    provisioners._RESOURCE_HANDLERS["AWS::CloudFormation::Macro"] = {
        "create": _create,
        "update": _update,
        "update_with_logical_id": True,
        "delete": _delete,
    }


_macros: dict[tuple[str, str, str], Macro] = {}


def function_of(name: str) -> str | None:
    """The function that the macro of this name calls, None where the account has no such macro."""
    found = _macros.get(_key(name))
    return found.function if found else None


def _key(name: str) -> tuple[str, str, str]:
    responses = emulator.module("core.responses")
    return responses.get_account_id(), responses.get_region(), name


def _create(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
    name = properties["Name"]
    macro = Macro(properties["FunctionName"], stack, logical_id)
    there = _macros.get(_key(name))
    if there and (there.stack, there.logical_id) != (stack, logical_id):
        raise ValueError(f"{name} already exists in stack {there.stack}")
    _macros[_key(name)] = macro
    return name, {}


def _update(
    physical_id: str, _old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str
) -> tuple[str, dict[str, Any]]:
    # A new name is a replacement: the old macro goes in the clean-up, by _delete.
    if new["Name"] == physical_id:
        _macros.pop(_key(physical_id), None)
    return _create(logical_id, new, stack)


def _delete(physical_id: str, _properties: dict[str, Any]) -> None:
    _macros.pop(_key(physical_id), None)
