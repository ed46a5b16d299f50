"""Reading CloudFormation's intrinsic functions without ever resolving one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

NO_VALUE = {"Ref": "AWS::NoValue"}

# ${Name}, ${Name.Attribute}, ${AWS::Region}; ${!Literal} is text and is left alone.
_VARIABLE = re.compile(r"\$\{([^!${}][^${}]*)\}")


def is_mapping(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether `value` is a JSON object (hostile ones may hold other keys than strings)."""
    return isinstance(value, dict)


def type_of(resource: Any) -> str:
    """The Type of a resource; empty where it is none, or no text."""
    found = resource.get("Type") if isinstance(resource, dict) else None
    return found if isinstance(found, str) else ""


def function_of(value: Any) -> str | None:
    """The name of the intrinsic function that `value` is (`Ref`, `Fn::Sub`, ...), or None."""
    if isinstance(value, dict) and len(value) == 1:
        (key,) = value
        if isinstance(key, str) and (key == "Ref" or key.startswith("Fn::")):
            return key
    return None


def is_no_value(value: Any) -> bool:
    """Whether `value` is the pseudo parameter that removes a property."""
    return bool(value == NO_VALUE)


def reference(value: dict[str, Any]) -> tuple[str, str] | None:
    """(logical id, attribute) of a Ref or a GetAtt in either form; the attribute of a Ref is empty."""
    argument = value.get("Ref")
    if isinstance(argument, str):
        return argument, ""
    argument = value.get("Fn::GetAtt")
    if isinstance(argument, str):
        logical_id, _, attribute = argument.partition(".")
        return logical_id, attribute
    if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[0], str):
        return argument[0], argument[1] if isinstance(argument[1], str) else "?"
    return None


def sub_parts(argument: Any) -> tuple[str, dict[str, Any]] | None:
    """(text, local variables) of a Fn::Sub argument in either form, or None when it is neither."""
    if isinstance(argument, str):
        return argument, {}
    if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[0], str) and is_mapping(argument[1]):
        return argument[0], argument[1]
    return None


def variables(text: str) -> list[str]:
    """Names used in the text of a Fn::Sub, in order; white space around them does not count."""
    return [name.strip() for name in _VARIABLE.findall(text)]


def replace_variables(text: str, replacement: Callable[[str], str]) -> str:
    """`text` with the name inside each `${...}` replaced; everything else stays byte for byte."""

    def replaced(match: re.Match[str]) -> str:
        written = match.group(1)
        name = written.strip()
        new = replacement(name)
        return match.group(0) if new == name else "${" + written.replace(name, new) + "}"

    return _VARIABLE.sub(replaced, text)


def substitute(text: str, values: Mapping[str, str]) -> str:
    """`text` with each `${Name}` that has a value replaced by it, the others without white space."""
    return _VARIABLE.sub(lambda match: values.get(name := match.group(1).strip(), f"${{{name}}}"), text)


def map_branches(value: Any, function: Callable[[Any], Any]) -> Any:
    """`function` of a value, or of each branch of a Fn::If to any depth; `value` itself if nothing changes."""
    if function_of(value) == "Fn::If":
        argument = value["Fn::If"]
        if isinstance(argument, list) and len(argument) == 3:
            condition, then, otherwise = argument
            new_then, new_otherwise = map_branches(then, function), map_branches(otherwise, function)
            if new_then is then and new_otherwise is otherwise:
                return value
            return {"Fn::If": [condition, new_then, new_otherwise]}
    return function(value)


def mentioned(value: Any) -> dict[str, set[str]]:
    """Every logical id that a Ref, GetAtt or Sub in `value` names, with the attributes asked for (a Ref's is empty)."""
    found: dict[str, set[str]] = {}
    rest = [value]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            if len(value) == 1:
                for logical_id, attribute in _named_here(value):
                    found.setdefault(logical_id, set()).add(attribute)
            rest.extend(value.values())
        elif isinstance(value, list):
            rest.extend(value)
    return found


def _named_here(value: dict[str, Any]) -> Iterable[tuple[str, str]]:
    found = reference(value)
    if found is not None:
        return [found]
    parts = sub_parts(value["Fn::Sub"]) if "Fn::Sub" in value else None
    if parts is None:
        return ()
    text, local = parts
    dotted = (variable.partition(".") for variable in variables(text) if variable not in local)
    return [(logical_id, attribute) for logical_id, _, attribute in dotted]
