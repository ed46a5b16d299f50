"""The pipeline: from a template and a stage to the template that CloudFormation works on.

    find the tables -> which ids give way to which -> rewrite globals, resources and outputs by the rules, putting in
    twins and companions -> take new snapshots of what has changed -> check the result

`expand` is a pure function. Its result shares what did not change with the template it was given, and never changes
that. All problems are collected and raised at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migration.checks import result_problems, taken_ids
from migration.clashes import clashes
from migration.errors import Problem, TemplateRefused
from migration.fixed_names import FixedNames
from migration.followers import followers
from migration.intrinsics import is_mapping
from migration.order import chain, with_moved_order
from migration.outputs import outputs
from migration.references import Walk
from migration.resources import Resources
from migration.rules import Move, Rule
from migration.snapshots import deployments, published
from migration.stages import Stage
from migration.standings import with_standings
from migration.streams import reader_problems
from migration.tables import Table, find_tables
from migration.twins import fixed_name, table_problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def expand(template: dict[str, Any], stage: Stage) -> dict[str, Any]:
    """The template (with its Resources a mapping) at `stage`; raises TemplateRefused with every reason."""
    if stage is Stage.OFF:
        return template
    try:
        return _expanded(template, stage)
    except RecursionError:
        raise TemplateRefused([_TOO_DEEP]) from None


def _expanded(template: dict[str, Any], stage: Stage) -> dict[str, Any]:
    tables = migrating(template)
    given = template["Resources"]
    names = FixedNames(tuple(name for table in tables if (name := fixed_name(table))))
    moves = followers(given, {each.id: Move(each.id, each.twin, frozenset([each.id])) for each in tables}, names)
    _refuse([*taken_ids(tables, moves.values(), template), *clashes(names.names, given)])

    rewriting = Resources(stage, tables, moves, names, chain(tables, given))
    changed = rewriting.globals(template.get("Globals"))
    made = outputs(template.get("Outputs"), lambda: Walk(stage, moves, names))
    resources = rewriting.resources(given, made.changing)
    if stage >= Stage.CUTOVER:
        resources |= published(resources, rewriting.configured, changed.get("Globals"))
    again = deployments(given, rewriting.gated)
    resources, section = _renamed(resources, made.section, stage, again)
    if is_mapping(template.get("Outputs", {})):
        changed["Outputs"] = with_standings(section, tables, stage, made.problems)
    _refuse(
        [
            *made.problems,
            *rewriting.problems,
            *taken_ids((), again.values(), template),
            *reader_problems(rewriting.readers),
            *result_problems(resources, len(given), tables),
        ]
    )
    return {**template, **changed, "Resources": resources}


def migrating(template: Mapping[str, Any]) -> list[Table]:
    """The tables that migrate; raises TemplateRefused where one of them cannot, or where there is none."""
    problems: list[Problem] = []
    tables = find_tables(template, problems)
    if not tables and not problems:
        problems.append(_NO_TABLE)
    ids = {table.id for table in tables}
    for table in tables:
        problems.extend(table_problems(table, ids))
    _refuse(problems)
    return tables


def _renamed(
    resources: dict[str, Any], section: dict[str, Any], stage: Stage, moves: Mapping[str, Move]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Resources and outputs with the logical ids of `moves` changed, definitions and references."""
    if not moves or stage < Stage.CUTOVER:
        return resources, section
    walk = Walk(stage, moves)
    renamed = {
        walk.name(each, "", Rule.SOURCE): with_moved_order(walk.members(resource, Rule.SOURCE), walk, Rule.SOURCE)
        if is_mapping(resource)
        else resource
        for each, resource in resources.items()
    }
    return renamed, walk.members(section, Rule.SOURCE)


def _refuse(problems: Iterable[Problem]) -> None:
    found = list(problems)
    if found:
        raise TemplateRefused(found)


_TOO_DEEP = Problem("Template", "it is nested deeper than any template that CloudFormation takes", "Make it flatter")
_NO_TABLE = Problem(
    "Template",
    "no table to migrate: every DynamoDB table in it is encrypted already, or excluded",
    "Add a table without SSESpecification, or take EncryptMigrate out of Transform",
)
