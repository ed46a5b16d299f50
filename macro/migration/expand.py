"""The pipeline: from a template and a stage to the template that CloudFormation works on.

    find the tables -> which ids give way to which -> rewrite every resource, global and output by the rules
    -> put in twins and companions -> check the result

`expand` is a pure function. Its result shares what did not change with the template it was given, and never changes
that. All problems are collected and raised at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migration.checks import result_problems
from migration.companions import companions
from migration.errors import Problem, TemplateRefused
from migration.intrinsics import is_mapping
from migration.order import chained, with_order
from migration.outputs import Outputs, outputs
from migration.places import kind_of
from migration.references import Walk
from migration.rules import Move, Rule
from migration.stages import Stage
from migration.streams import reader_problems
from migration.tables import Table, find_tables, taken_ids
from migration.twins import source, table_problems, twin

if TYPE_CHECKING:
    from collections.abc import Mapping


def expand(template: dict[str, Any], stage: Stage) -> dict[str, Any]:
    """The template at `stage`; raises TemplateRefused with every reason."""
    if stage is Stage.OFF:
        return template
    problems: list[Problem] = []
    tables = find_tables(template, problems)
    if not tables and not problems:
        problems.append(_no_table())
    problems.extend(taken_ids(tables, template))
    for table in tables:
        problems.extend(table_problems(table))
    if problems:
        raise TemplateRefused(problems)
    expanded, problems = _Expansion(template, stage, tables).result()
    if problems:
        raise TemplateRefused(problems)
    return expanded


class _Expansion:
    """One run: what is known about the template, and the sections made of it."""

    def __init__(self, template: dict[str, Any], stage: Stage, tables: list[Table]) -> None:
        self.template = template
        self.stage = stage
        self.tables = {table.id: table for table in tables}
        self.chain = chained(tables)
        self.moves: Mapping[str, Move] = {table.id: Move(table.id, table.twin) for table in tables}
        self.readers: dict[str, list[str]] = {}
        self.global_gates: dict[str, set[str]] = {}

    def result(self) -> tuple[dict[str, Any], list[Problem]]:
        changed: dict[str, Any] = {}
        found = self._outputs()
        if self.template.get("Outputs"):
            changed["Outputs"] = found.section
        if is_mapping(self.template.get("Globals")):
            changed["Globals"] = self._globals(self.template["Globals"])
        changed["Resources"] = resources = self._resources(found.changing)
        problems = [
            *found.problems,
            *reader_problems(self.readers),
            *result_problems(resources, len(self.template["Resources"])),
        ]
        return {**self.template, **changed}, problems

    def _walk(self) -> Walk:
        return Walk(self.stage, self.moves)

    def _outputs(self) -> Outputs:
        given = self.template.get("Outputs")
        return outputs(given if is_mapping(given) else {}, self._walk)

    def _globals(self, given: dict[str, Any]) -> dict[str, Any]:
        """Globals rewritten; every resource of a type whose Globals name a table comes after its gate."""
        sections = {}
        for section, value in given.items():
            walk = self._walk()
            resource_type = f"AWS::Serverless::{section}"
            kind = kind_of(resource_type)
            sections[section] = walk.rewrite({"Properties": value}, kind.rule, kind.places)["Properties"]
            self.global_gates[resource_type] = walk.touched
        return sections

    def _resources(self, changing_exports: Mapping[str, list[Any]]) -> dict[str, Any]:
        resources: dict[str, Any] = {}
        for logical_id, resource in self.template["Resources"].items():
            table = self.tables.get(logical_id)
            if table is not None:
                resources.update(self._table(table, changing_exports.get(table.id, [])))
            elif is_mapping(resource):
                resources[logical_id] = self._resource(logical_id, resource)
            else:
                resources[logical_id] = resource
        return resources

    def _table(self, table: Table, changing_exports: list[Any]) -> dict[str, Any]:
        """Source, twin and companions of one table; what they say about other tables changes last."""
        walk = self._walk()
        found: dict[str, Any] = {}
        if self.stage < Stage.CLEANUP:
            found[table.id] = walk.rewrite(source(table), Rule.LATE)
        made = walk.rewrite(twin(table, self.stage), Rule.LATE)
        given = {"DependsOn": table.resource["DependsOn"]} if "DependsOn" in table.resource else {}
        found[table.twin] = with_order({**given, **made}, walk, Rule.TWIN, self.chain[table.id])
        for logical_id, companion in companions(table, self.stage, changing_exports).items():
            policies = {
                name: walk.rewrite(companion["Properties"][name], Rule.LATE)
                for name in ("SourcePolicy", "TwinPolicy")
                if name in companion["Properties"]
            }
            found[logical_id] = {**companion, "Properties": {**companion["Properties"], **policies}}
        return found

    def _resource(self, logical_id: str, resource: dict[str, Any]) -> dict[str, Any]:
        walk = self._walk()
        resource_type = resource.get("Type")
        kind = kind_of(resource_type)
        new = walk.members(resource, kind.rule, kind.places)
        for each in walk.readers:
            self.readers.setdefault(each, []).append(logical_id)
        return self._ordered(new, walk, kind.rule, resource_type)

    def _ordered(self, resource: dict[str, Any], walk: Walk, rule: Rule, resource_type: object) -> dict[str, Any]:
        bare = with_order(resource, walk, rule, ())
        touched = walk.touched | self.global_gates.get(str(resource_type), set())
        gates = [table.gate for table in self.tables.values() if table.id in touched]
        return with_order(bare, Walk(self.stage, {}), rule, gates)


def _no_table() -> Problem:
    return Problem(
        "Template",
        "no table to migrate: every DynamoDB table in it is encrypted already, or excluded",
        "Add a table without SSESpecification, or take EncryptMigrate out of Transform",
    )
