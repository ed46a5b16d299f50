"""Whether a table needs a new one at all: since 2019 most of what the twin has can be given to the table there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.cli.dump import to_yaml
from migration.tables import Table

REPLACING = {
    "LocalSecondaryIndexes": "a local secondary index can only be made with its table",
    "AttributeDefinitions": "the type of an attribute that a key or index uses cannot be changed",
    "TableName": "a table cannot be renamed",
}
"""Properties of a table that only a new table can have otherwise, and why (CloudFormation: "Replacement")."""


@dataclass(frozen=True)
class InPlace:
    """For one table: why it needs a new one, or what to write instead."""

    table: str
    reasons: tuple[str, ...]
    properties: Mapping[str, Any]
    """What to put into the table's own Properties when there is no reason for a new one."""

    @property
    def would_do(self) -> bool:
        """Whether a change in place would do."""
        return not self.reasons

    @property
    def text(self) -> str:
        """The properties as one would write them."""
        return to_yaml(dict(self.properties), flow=False)


def in_place(table: Table) -> InPlace:
    """What is new about a table's twin, by what CloudFormation can do to the table in place."""
    new = {name: value for name, value in table.options.properties.items() if value != table.properties.get(name)}
    return InPlace(table.id, tuple(_reasons(table, new)), {"SSESpecification": table.options.sse_specification, **new})


def _reasons(table: Table, new: Mapping[str, Any]) -> Iterator[str]:
    if table.options.twin_name is not None:
        yield f"TwinName: {REPLACING['TableName']}"
    if "LocalSecondaryIndexes" in new:
        yield f"LocalSecondaryIndexes: {REPLACING['LocalSecondaryIndexes']}"
    if "AttributeDefinitions" in new and _retyped(table.properties.get("AttributeDefinitions"), new):
        yield f"AttributeDefinitions: {REPLACING['AttributeDefinitions']}"


def _retyped(given: Any, new: Mapping[str, Any]) -> bool:
    return bool(_types(given).items() - _types(new["AttributeDefinitions"]).items()) and any(
        _types(new["AttributeDefinitions"]).get(name, kind) != kind for name, kind in _types(given).items()
    )


def _types(definitions: Any) -> dict[str, str]:
    if not isinstance(definitions, list):
        return {}
    return {
        str(each.get("AttributeName")): str(each.get("AttributeType")) for each in definitions if isinstance(each, dict)
    }
