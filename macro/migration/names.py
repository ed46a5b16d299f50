"""Other names for what has a fixed one: a table's twin, a second export, a resource that is replaced under its name."""

from __future__ import annotations

from typing import Any

from migration.intrinsics import function_of, is_no_value, map_branches

SUFFIX = "-encrypted"
TABLE_NAME_LIMIT = 255


class CannotRename(Exception):
    """No other name can be made of this one; the text says why."""


def renamed(name: Any, limit: int = TABLE_NAME_LIMIT, suffix: str = SUFFIX) -> Any:
    """`name` with a suffix, whatever it is made of; never resolves an intrinsic.

    Raises CannotRename when the name is no text, grows too long or comes out of a macro.
    """
    return map_branches(name, lambda branch: _renamed(branch, limit, suffix))


def _renamed(name: Any, limit: int, suffix: str) -> Any:
    if is_no_value(name):
        return name
    if isinstance(name, (str, int)) and not isinstance(name, bool):
        text = f"{name}{suffix}"
        if len(text) > limit:
            raise CannotRename(f"with {suffix} it is longer than {limit} characters")
        return text
    function = function_of(name)
    if function is None or function == "Fn::Transform":
        raise CannotRename("it is not a text that a suffix can be put to")
    argument = name[function]
    if function == "Ref":
        return {"Fn::Sub": f"${{{argument}}}{suffix}"}
    if function == "Fn::Sub" and isinstance(argument, str):
        return {"Fn::Sub": argument + suffix}
    if function == "Fn::Sub" and isinstance(argument, list) and argument and isinstance(argument[0], str):
        return {"Fn::Sub": [argument[0] + suffix, *argument[1:]]}
    return {"Fn::Sub": [f"${{Name}}{suffix}", {"Name": name}]}
