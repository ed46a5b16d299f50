"""What a stage changes in a template: the resources and outputs of two stages laid beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from migration.ids import companion_ids
from migration.intrinsics import function_of, mentioned
from migration.tables import Table

_NOTHING_HAPPENS = ("DependsOn", "Metadata")
"""Attributes of a resource whose change alone makes CloudFormation do nothing."""


class What(StrEnum):
    """What happens to it."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True)
class Change:
    """One resource or output, and where in it something changes."""

    what: What
    section: str
    logical_id: str
    type: str
    tables: tuple[str, ...]
    """Logical ids of the tables it is about."""
    places: tuple[str, ...] = ()


def changes(before: Mapping[str, Any], after: Mapping[str, Any], tables: Iterable[Table]) -> list[Change]:
    """Everything that CloudFormation would do in an update from one to the other, in the order of the template."""
    names = {name: table.id for table in tables for name in (table.id, *companion_ids(table.id))}
    return [change for section in ("Resources", "Outputs") for change in _of_section(section, before, after, names)]


def _of_section(
    section: str, before: Mapping[str, Any], after: Mapping[str, Any], names: Mapping[str, str]
) -> Iterator[Change]:
    old, new = before.get(section, {}), after.get(section, {})
    for logical_id in [*old, *(each for each in new if each not in old)]:
        one, other = old.get(logical_id), new.get(logical_id)
        what = What.ADDED if one is None else What.REMOVED if other is None else What.CHANGED
        places = tuple(_places(one, other)) if what is What.CHANGED else ()
        if what is What.CHANGED and not places:
            continue
        shown = one if other is None else other
        found = {logical_id, *mentioned([one, other])}
        tables = tuple(dict.fromkeys(names[name] for name in sorted(found) if name in names))
        kind = str(shown.get("Type", "")) if isinstance(shown, dict) else ""
        yield Change(what, section, logical_id, kind or section.removesuffix("s"), tables, places)


def _places(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Paths below which two values differ; a function is one place."""
    if one == other:
        return
    both = isinstance(one, dict) and isinstance(other, dict) and not (function_of(one) or function_of(other))
    if not both:
        yield path
        return
    for key in dict.fromkeys([*one, *other]):
        if not path and key in _NOTHING_HAPPENS:
            continue
        yield from _places(one.get(key), other.get(key), f"{path}.{key}" if path else str(key))
