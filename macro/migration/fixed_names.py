"""Tables that a template names by what their TableName says, and not by a reference.

A table with a fixed name is often named by that name again: `TableName: users`, a parameter that holds the name, an
ARN in a policy. Where a place is certain to mean the table, it is a reference like any other:

    a member whose key, or whose `Name` beside it, speaks of a table, with exactly the value of TableName
    `table/NAME` in the ARN of a statement, or in the id of a scalable target

Anything else is text that nobody can be sure of; warnings.py tells about it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from migration.intrinsics import function_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class FixedName:
    """The name of a table and that of its twin, both as the template writes them."""

    table: str
    name: Any
    twin_name: Any
    condition: Any = None


@dataclass(frozen=True)
class FixedNames:
    """All tables of a template that have a fixed name."""

    names: tuple[FixedName, ...] = ()
    _arns: tuple[tuple[re.Pattern[str], str], ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        texts = [(_as_sub_text(each.name), _as_sub_text(each.twin_name)) for each in self.names]
        arns = tuple((_pattern(old), f"table/{new}") for old, new in texts if old and new)
        object.__setattr__(self, "_arns", arns)

    def named(self, value: Mapping[str, Any], key: object, member: Any) -> FixedName | None:
        """The table that `member`, standing under `key` of `value`, is certain to name, or None."""
        for each in self.names:
            if member == each.name and (_speaks_of_a_table(key) or _speaks_of_a_table(_sibling_name(value))):
                return each
        return None

    def in_text(self, text: str) -> Any:
        """A plain text with the twin's name in its ARNs; a Fn::Sub where that name is not plain."""
        new = self.in_sub(text)
        return {"Fn::Sub": new} if new is not text and "${" in new and "${" not in text else new

    def in_sub(self, text: str) -> str:
        """The text of a Fn::Sub with the twin's name in its ARNs."""
        for pattern, replacement in self._arns:
            if pattern.search(text):
                text = pattern.sub(_constant(replacement), text)
        return text

    def in_join(self, argument: Any) -> Any:
        """The argument of a Fn::Join, with the twin's name where the pieces make an ARN of the source's."""
        if not self.names or not (isinstance(argument, list) and len(argument) == 2 and isinstance(argument[1], list)):
            return argument
        delimiter, pieces = argument
        new = [self._piece(pieces, index, str(delimiter)) for index in range(len(pieces))]
        return argument if new == pieces else [delimiter, new]

    def _piece(self, pieces: list[Any], index: int, delimiter: str) -> Any:
        piece = pieces[index]
        before = str(pieces[index - 1]) + delimiter if index else ""
        last = index == len(pieces) - 1
        # What follows decides whether a name ends with its piece: `table/users` and `-archive` is another table.
        after = "" if last else delimiter + (pieces[index + 1] if isinstance(pieces[index + 1], str) else "x")
        if isinstance(piece, str):
            following = after[:1]
            new = self.in_text(piece + following)
            return new[: -len(following)] if following and isinstance(new, str) else new
        if before.endswith("table/") and after[:1] in ("", "/"):
            return next((each.twin_name for each in self.names if each.name == piece), piece)
        return piece


def _as_sub_text(name: Any) -> str | None:
    """The name as it would stand in a Fn::Sub, or None when it is made in another way."""
    if isinstance(name, str):
        return name
    function = function_of(name)
    if function == "Ref":
        return f"${{{name['Ref']}}}"
    if function == "Fn::Sub" and isinstance(name["Fn::Sub"], str):
        return str(name["Fn::Sub"])
    return None


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-])table/{re.escape(name)}(?![\w.$-])")


def _constant(text: str) -> Callable[[re.Match[str]], str]:
    return lambda _: text


def _speaks_of_a_table(text: object) -> bool:
    return isinstance(text, str) and "table" in text.lower()


def _sibling_name(value: Mapping[str, Any]) -> object:
    """`Name` beside a `Value`, as in the environment of a container or the dimension of an alarm."""
    return value.get("Name") if "Value" in value else None
