"""Tables that a template names by what their TableName says, and not by a reference.

A table with a fixed name is often named by that name again: `TableName: users`, a parameter that holds the name, an
ARN in a policy. Where a place is certain to mean the table, it is a reference like any other:

    a member whose key, or whose `Name` beside it, speaks of a table, with exactly the value of TableName
    `table/NAME` in the ARN of a statement, or in the id of a scalable target
    `table/NAME` in the ARN of DynamoDB in this account and region, anywhere

Texts are the same when they come out the same, by Fn::Sub or Fn::Join (see texts.py). Anything else is text that nobody
can be sure of; warnings.py tells about it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from migration.texts import MARK, as_text, from_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_SPEAKS_OF_A_TABLE = re.compile("table|dynamo|ddb", re.IGNORECASE)
_HERE = r"(:dynamodb:(?:\*|\$\{AWS::Region\}|):(?:\*|\$\{AWS::AccountId\}|):)"
_IN_STATEMENTS = r"((?<![\w.-]))table/%s(?![\w.$\0-])"
_IN_ARNS = _HERE + r"table/%s(?![\w.$\0*-])"


@dataclass(frozen=True)
class FixedName:
    """The name of a table and that of its twin, both as the template writes them."""

    table: str
    name: Any
    twin_name: Any
    condition: Any = None

    @cached_property
    def text(self) -> str:
        """The name as the text of a Fn::Sub; a mark where it is none."""
        return as_text(self.name) or MARK

    @cached_property
    def in_statements(self) -> re.Pattern[str]:
        """`table/NAME`, and nothing that only begins with it."""
        return re.compile(_IN_STATEMENTS % re.escape(self.text))

    @cached_property
    def in_arns(self) -> re.Pattern[str]:
        """The same in an ARN, which can be of no other account or region and of no other table."""
        return re.compile(_IN_ARNS % re.escape(self.text))

    def twin_in(self, value: Any, pattern: re.Pattern[str]) -> Any:
        """`value` with the twin's name where `pattern` finds the source's."""
        text, twin = as_text(value), as_text(self.twin_name)
        if text is None or twin is None or not pattern.search(text):
            return value
        return from_text(pattern.sub(lambda match: f"{match[1]}table/{twin}", text))


@dataclass(frozen=True)
class FixedNames:
    """All tables of a template that have a fixed name."""

    names: tuple[FixedName, ...] = ()
    _whole: bool = True
    """Whether a text that is seen is a whole one, and no piece that another one is put together of."""

    @property
    def of_pieces(self) -> FixedNames:
        """The same for the pieces of a text: only the whole text tells where a name in it ends."""
        return replace(self, _whole=False)

    def named(self, value: Mapping[str, Any], key: object, member: Any) -> FixedName | None:
        """The table that `member`, standing under `key` of `value`, is certain to name, or None."""
        if not (_speaks_of_a_table(key) or _speaks_of_a_table(_sibling_name(value))):
            return None
        text = as_text(member)
        return next((each for each in self.names if each.text == text), None)

    def in_text(self, value: Any, *, in_statement: bool) -> list[tuple[FixedName, re.Pattern[str]]]:
        """The tables whose `table/NAME` stands in `value`, each with the pattern that finds it there."""
        text = as_text(value) if self.names and self._whole else None
        if text is None or "table/" not in text:
            return []
        patterns = ((each, each.in_statements if in_statement else each.in_arns) for each in self.names)
        return [(each, pattern) for each, pattern in patterns if pattern.search(text)]

    def may_mean_another(self, value: Any) -> bool:
        """Whether `value` names a table in words that fit others too: a wildcard, or an account written out."""
        found = self.in_text(value, in_statement=True)
        return bool(found) and len(self.in_text(value, in_statement=False)) < len(found)


def _speaks_of_a_table(text: object) -> bool:
    return isinstance(text, str) and _SPEAKS_OF_A_TABLE.search(text) is not None


def _sibling_name(value: Mapping[str, Any]) -> object:
    """`Name` beside a `Value`, as in the environment of a container or the dimension of an alarm."""
    return value.get("Name") if "Value" in value else None
