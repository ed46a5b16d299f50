"""Services that may use a table and are not told its name by the template: they have it from elsewhere, and keep it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.cli.changes import Change, What
from local.cli.writers import writer
from migration.intrinsics import mentioned, type_of

_ROLE = "AWS::IAM::Role"


@dataclass(frozen=True)
class Unnamed:
    """One service, and the tables that it may use."""

    logical_id: str
    type: str
    tables: tuple[str, ...]


def unnamed(permitted: Iterable[Change], named: Iterable[Change], template: Mapping[str, Any]) -> Iterator[Unnamed]:
    """Who may use a table by its own policies or those of its role (`permitted` is what gets permission for the twin),
    and does not get the twin's name (as `named` does)."""
    given = [change for change in permitted if change.section == "Resources" and change.what is What.CHANGED]
    known = {change.logical_id for change in named}
    resources: Mapping[str, Any] = template["Resources"]
    allowed = {change.logical_id: change.tables for change in given}
    for change in given:
        if change.type.startswith("AWS::IAM::"):
            roles = [name for name in mentioned(resources[change.logical_id]) if type_of(resources.get(name)) == _ROLE]
            allowed.update(dict.fromkeys(roles, change.tables))
    for logical_id, resource in resources.items():
        reasons = [logical_id, *(name for name in mentioned(resource) if type_of(resources.get(name)) == _ROLE)]
        tables = tuple(dict.fromkeys(table for name in reasons for table in allowed.get(name, ())))
        if tables and logical_id not in known and writer(type_of(resource)) is not None:
            yield Unnamed(logical_id, type_of(resource), tables)
