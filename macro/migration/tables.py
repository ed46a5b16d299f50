"""Which tables of a template migrate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from migration.errors import Problem
from migration.ids import gate_id, twin_id
from migration.intrinsics import is_mapping
from migration.options import KEY, Options, read_table_options, read_template_options
from migration.simple_table import SIMPLE_TABLE, as_table

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = "AWS::DynamoDB::Table"
GLOBAL_TABLE = "AWS::DynamoDB::GlobalTable"


@dataclass(frozen=True)
class Table:
    """A table that migrates: its resource as plain AWS::DynamoDB::Table, and what the user wants of its twin."""

    id: str
    resource: Mapping[str, Any]
    options: Options

    @property
    def properties(self) -> Mapping[str, Any]:
        """Properties of the source as the user wrote them."""
        found = self.resource.get("Properties")
        return found if is_mapping(found) else {}

    @property
    def twin(self) -> str:
        """Logical id of the twin."""
        return twin_id(self.id)

    @property
    def gate(self) -> str:
        """Logical id of the gate."""
        return gate_id(self.id)

    @property
    def condition(self) -> dict[str, Any]:
        """The source's Condition attribute, to be given to everything that exists only with it."""
        return {"Condition": self.resource["Condition"]} if "Condition" in self.resource else {}


def find_tables(template: Mapping[str, Any], problems: list[Problem]) -> list[Table]:
    """Every table that migrates, in the order of the template."""
    defaults, excluded = read_template_options(template.get("Metadata"), problems)
    resources = template["Resources"]
    problems.extend(
        Problem("Template", f"option Exclude names {unknown}, which is no resource", "Correct the id")
        for unknown in sorted(excluded - {str(name) for name in resources})
    )
    tables = []
    for table_id, resource in resources.items():
        if not is_mapping(resource) or resource.get("Type") not in (TABLE, SIMPLE_TABLE, GLOBAL_TABLE):
            continue
        options = read_table_options(defaults, table_id, resource.get("Metadata"), problems)
        if table_id in excluded or options.exclude:
            continue
        table = as_table(resource, template.get("Globals")) if resource["Type"] == SIMPLE_TABLE else resource
        if _encrypted(table):
            continue
        if resource["Type"] == GLOBAL_TABLE:
            problems.append(_global_table(table_id))
        else:
            tables.append(Table(table_id, table, options))
    return tables


def _encrypted(resource: Mapping[str, Any]) -> bool:
    properties = resource.get("Properties")
    sse = properties.get("SSESpecification") if is_mapping(properties) else None
    return is_mapping(sse) and sse.get("SSEEnabled") in (True, "true", "True")


def _global_table(table_id: str) -> Problem:
    return Problem(
        table_id,
        f"{GLOBAL_TABLE} is not supported yet",
        f"Exclude it: Metadata: {{{KEY}: {{Exclude: true}}}} on {table_id}",
    )
