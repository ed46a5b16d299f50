"""Twins that would be called as another table of the template is: CloudFormation would stumble over the second one.

Only what is certain is refused: two names that come out the same, on tables that exist together. What parameters and
conditions decide is left to CloudFormation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migration.errors import Problem
from migration.intrinsics import is_mapping, is_no_value, type_of
from migration.options import KEY
from migration.simple_table import SIMPLE_TABLE
from migration.tables import GLOBAL_TABLE, TABLE
from migration.texts import MARK, as_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from migration.fixed_names import FixedName


def clashes(names: Iterable[FixedName], resources: Mapping[str, Any]) -> Iterator[Problem]:
    """A problem for each twin whose name another table or twin has."""
    tables = [(each, _name(resource), resource.get("Condition")) for each, resource in _tables(resources)]
    before: list[FixedName] = []
    for twin in names:
        text = _text(twin.twin_name)
        if text is None:
            continue
        for owner, name, condition in tables:
            if name == text and _together(condition, twin.condition):
                yield _clash(twin.table, text, owner)
        for other in before:
            # Where the sources have one name they never exist together, whatever their conditions are.
            same = _text(other.twin_name) == text and _text(other.name) != _text(twin.name)
            if same and _together(other.condition, twin.condition):
                yield _clash(twin.table, text, f"the twin of {other.table}")
        before.append(twin)


def _tables(resources: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for logical_id, resource in resources.items():
        if is_mapping(resource) and type_of(resource) in (TABLE, SIMPLE_TABLE, GLOBAL_TABLE):
            yield logical_id, resource


def _name(resource: Mapping[str, Any]) -> str | None:
    properties = resource.get("Properties")
    return _text(properties.get("TableName")) if is_mapping(properties) else None


def _text(name: Any) -> str | None:
    """The name as a text that can be compared, None where it is not known."""
    text = None if is_no_value(name) else as_text(name)
    return None if text is None or MARK in text else text


def _together(one: Any, other: Any) -> bool:
    """Whether both exist together, in some stack at least; of two conditions nobody knows."""
    return one is None or other is None or one == other


def _clash(table: str, name: str, owner: str) -> Problem:
    return Problem(
        table,
        f"its twin would have the name {name}, which {owner} has",
        f"Choose another name: Metadata: {{{KEY}: {{TwinName: ...}}}} on {table}",
    )
