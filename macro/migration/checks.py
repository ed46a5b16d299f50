"""What is looked at before a template is taken on, and before it is given back: an invalid one can hang a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migration.errors import Problem
from migration.graph import Graph
from migration.ids import companion_ids
from migration.intrinsics import is_mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from migration.rules import Move
    from migration.tables import Table

RESOURCE_LIMIT = 500
"""Resources in one template, a quota of CloudFormation."""


def taken_ids(tables: Iterable[Table], moves: Iterable[Move], template: Mapping[str, Any]) -> list[Problem]:
    """A problem for every id that the macro needs and the template has already."""
    parameters = template.get("Parameters")
    taken = {*template["Resources"], *(parameters if is_mapping(parameters) else ())}
    needed = [(table.id, each) for table in tables for each in companion_ids(table.id)]
    needed += [(move.old, move.new) for move in moves if not move.is_table]
    remedy = "Rename the one that is there, or exclude the table from the migration"
    return [Problem(owner, f"the logical id {each} is taken", remedy) for owner, each in needed if each in taken]


def result_problems(resources: dict[str, Any], before: int, tables: Iterable[Table]) -> list[Problem]:
    """What CloudFormation would stumble over in the rewritten resources; `before` is how many the user wrote."""
    problems = []
    if len(resources) > RESOURCE_LIMIT:
        added = len(resources) - before
        problems.append(
            Problem(
                "Template",
                f"{before} resources and the {added} of the migration are more than {RESOURCE_LIMIT}",
                "Exclude some tables and migrate them afterwards, or move resources to another stack",
            )
        )
    found = Graph(resources).circle_through(each for table in tables for each in (table.gate, table.twin))
    if found:
        problems.append(
            Problem(
                found[0],
                f"circular dependency {' -> '.join(found)}",
                "Take one of these references away; what a role may do can stand in an AWS::IAM::Policy of its own",
            )
        )
    return problems
