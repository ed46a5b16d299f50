"""The Resources and Globals of a template at one stage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from migration.companions import companions
from migration.errors import Problem
from migration.followers import as_twin
from migration.intrinsics import is_mapping, type_of
from migration.order import behind, chained, with_moved_order
from migration.places import kind_of
from migration.references import Walk
from migration.rules import Move, Rule
from migration.stages import Stage
from migration.twins import source, twin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from migration.fixed_names import FixedNames
    from migration.outputs import Export
    from migration.tables import Table

LOOP = "Fn::ForEach::"


@dataclass
class Resources:
    """One run over the resources of a template, and what it found on its way."""

    stage: Stage
    tables: Sequence[Table]
    moves: Mapping[str, Move]
    names: FixedNames
    chain: Mapping[str, list[Table]]
    gated: set[str] = field(default_factory=set)
    """Resources that come after a gate."""
    readers: dict[str, list[str]] = field(default_factory=dict)
    """Resources that read a table's stream, by table."""
    problems: list[Problem] = field(default_factory=list)
    configured: set[str] = field(default_factory=set)
    """Functions whose environment names a twin."""
    _configured_types: set[str] = field(default_factory=set)
    _gates: dict[str, tuple[str, Any]] = field(init=False)
    """The gate of each table, and the condition under which it exists; in the order of the template."""
    _global_tables: dict[str, set[str]] = field(default_factory=dict)
    """Tables that the Globals of a resource type name, by type."""

    def __post_init__(self) -> None:
        self._gates = {table.id: (table.gate, table.resource.get("Condition")) for table in self.tables}

    def globals(self, given: Any) -> dict[str, Any]:
        """The Globals section rewritten, if there is one; call it before `resources`."""
        if not is_mapping(given):
            return {}
        sections = {}
        for section, value in given.items():
            resource_type = f"AWS::Serverless::{section}"
            kind = kind_of(resource_type)
            walk = self._walk()
            sections[section] = walk.members({"Properties": value}, kind.rule, kind.places)["Properties"]
            self._global_tables[resource_type] = walk.touched
            if walk.configured:
                self._configured_types.add(resource_type)
        return {"Globals": sections}

    def resources(self, given: Mapping[str, Any], changing_exports: Mapping[str, list[Export]]) -> dict[str, Any]:
        """Every resource rewritten, with twins and companions behind their sources."""
        tables = {table.id: table for table in self.tables}
        found: dict[str, Any] = {}
        for logical_id, resource in given.items():
            if logical_id in tables:
                found.update(self._table(tables[logical_id], changing_exports.get(logical_id, [])))
            elif logical_id in self.moves:
                found.update(self._follower(logical_id, resource))
            else:
                found[logical_id] = self._any(logical_id, resource)
        return found

    def _walk(self, condition: Any = None) -> Walk:
        return Walk(self.stage, self.moves, self.names, condition)

    def _any(self, logical_id: str, resource: Any) -> Any:
        if str(logical_id).startswith(LOOP):
            return self._loop(resource)
        return self._resource(logical_id, resource) if is_mapping(resource) else resource

    def _loop(self, loop: Any) -> Any:
        """Fn::ForEach around resources: what it makes is rewritten where it is made."""
        if not isinstance(loop, list) or len(loop) != 3 or not is_mapping(loop[2]):
            return loop
        return [*loop[:2], {key: self._any(key, member) for key, member in loop[2].items()}]

    def _table(self, table: Table, changing_exports: list[Export]) -> dict[str, Any]:
        """Source, twin and companions of one table; what they say about other tables changes last."""
        walk = self._walk()
        rule = Rule.TWIN if self.stage >= Stage.CLEANUP else Rule.SOURCE
        found: dict[str, Any] = {}
        if self.stage < Stage.CLEANUP:
            found[table.id] = source(table)
        # The policy of the twin's stream speaks of the twin's stream at every stage.
        made = walk.members(twin(table, self.stage), rule, {"Properties": {"StreamSpecification": _of_the_twin}})
        if "DependsOn" in table.resource:
            made = with_moved_order({**made, "DependsOn": table.resource["DependsOn"]}, walk, Rule.TWIN)
        found[table.twin] = chained(made, self.chain.get(table.id, ()))
        for logical_id, companion in companions(table, self.stage, changing_exports).items():
            places = {"Properties": {"TwinPolicy": _of_the_twin}}
            found[logical_id] = walk.members(companion, Rule.SOURCE, places)
        return found

    def _follower(self, logical_id: str, resource: dict[str, Any]) -> dict[str, Any]:
        twins = {self.moves[logical_id].new: as_twin(self._walk(), resource)}
        return twins if self.stage >= Stage.CLEANUP else {logical_id: resource, **twins}

    def _resource(self, logical_id: str, resource: dict[str, Any]) -> dict[str, Any]:
        resource_type = type_of(resource)
        kind = kind_of(resource_type)
        walk = self._walk(resource.get("Condition"))
        new = walk.members(resource, kind.rule, kind.places)
        for each in walk.readers:
            self.readers.setdefault(each, []).append(logical_id)
        self.problems.extend(Problem(logical_id, reason, "Give it another name") for reason in walk.problems)
        ordered = with_moved_order(new, walk, kind.rule)
        if walk.touched:
            self.gated.add(logical_id)
        if walk.configured or resource_type in self._configured_types:
            self.configured.add(logical_id)
        after = walk.touched | self._global_tables.get(resource_type, set())
        return behind(ordered, [gate for table, gate in self._gates.items() if table in after]) if after else ordered


def _of_the_twin(walk: Walk, value: Any, _: Rule) -> Any:
    return walk.rewrite(value, Rule.TWIN)
