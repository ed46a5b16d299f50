"""What a template says once the migration is over: the macro's cleanup less what was there for the migration.

    gone   the transform, its parameter, its options, the gates and every reference to them, the outputs that say
           where the migration stands
    back   a table's own resource policy, which the gate had taken out of CloudFormation's hands

What stays must stay as it is deployed: the twin's logical id, name, stream and deletion policy, and a second export
that somebody may import by now. Deploying the result therefore changes nothing in the stack but the gates and those
outputs, which go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.cli.failures import Refused
from local.cli.rewrite import rewritten
from local.cli.template import Template
from migration.fixed_names import FixedNames
from migration.intrinsics import is_mapping, mentioned, replace_variables
from migration.options import KEY
from migration.references import Walk
from migration.rules import Move, Rule
from migration.stages import Stage
from migration.standings import standing_id
from migration.tables import Table
from migration.twins import fixed_name

_INTERFACE = "AWS::CloudFormation::Interface"


@dataclass(frozen=True)
class Finished:
    """A file's new text, and what is to be said about it."""

    text: str
    parameter: str | None
    """The parameter that is gone: whoever deploys must not pass it any more."""
    parameter_kept: bool
    """Whether it had to stay, because something else in the template uses it."""


def finish(template: Template) -> Finished:
    """The file after cleanup. Raises TemplateRefused, and Refused where the text cannot be edited."""
    want, kept = finished(template)
    renames = {table.id: table.twin for table in template.tables()}
    return Finished(rewritten(template.text, want, renames), template.stage_parameter, kept)


def finished(template: Template) -> tuple[dict[str, Any], bool]:
    """What the file is to say, and whether the stage's parameter is still used in it."""
    tables = template.tables()
    expanded = template.at(Stage.CLEANUP)
    gates = {table.gate for table in tables}
    found = {key: _untied(value, gates) for key, value in expanded.items() if key != "Transform"}
    found["Resources"] = _resources(found["Resources"], template, tables, gates)
    _drop_standings(found, template, tables)
    left = sorted(gates & mentioned(found).keys())
    if left:
        raise Refused(f"The template still needs {', '.join(left)}; it cannot be finished by this command.")
    if template.transforms:
        found["Transform"] = expanded["Transform"]
    _drop_options(found)
    kept = _drop_parameter(found, template.stage_parameter)
    return {key: found[key] for key in template.data if key in found}, kept


def _resources(
    resources: Mapping[str, Any], template: Template, tables: list[Table], gates: set[str]
) -> dict[str, Any]:
    ids = {table.twin: table.id for table in tables}
    found = {}
    for logical_id, resource in resources.items():
        if logical_id in gates:
            continue
        found[logical_id] = _released(resource, template.resources.get(ids.get(logical_id, logical_id)), gates)
    moves = {table.id: Move(table.id, table.twin, frozenset([table.id])) for table in tables}
    walk = Walk(Stage.CLEANUP, moves, _names(tables))
    for table in tables:
        policy = {**table.properties, **table.options.properties}.get("ResourcePolicy")
        if policy is not None:
            twin = found[table.twin]
            given = walk.rewrite(policy, Rule.TWIN)
            found[table.twin] = {**twin, "Properties": {**twin["Properties"], "ResourcePolicy": given}}
    return found


def _names(tables: list[Table]) -> FixedNames:
    return FixedNames(tuple(name for table in tables if (name := fixed_name(table))))


def _released(resource: Any, written: Any, gates: set[str]) -> Any:
    """A resource without waiting for gates, and with DependsOn in the form in which it was written."""
    if not is_mapping(resource):
        return resource
    metadata = {key: value for key, value in resource.get("Metadata", {}).items() if key != KEY}
    after = [each for each in _ids(resource.get("DependsOn")) if each not in gates]
    single = len(after) == 1 and is_mapping(written) and isinstance(written.get("DependsOn"), str)
    rest = {key: value for key, value in resource.items() if key not in ("DependsOn", "Metadata")}
    return {
        **rest,
        **({"DependsOn": after[0] if single else after} if after else {}),
        **({"Metadata": metadata} if metadata else {}),
    }


def _ids(depends_on: Any) -> list[Any]:
    if depends_on is None:
        return []
    return depends_on if isinstance(depends_on, list) else [depends_on]


def _untied(value: Any, gates: set[str]) -> Any:
    """A value without references to gates: the macro puts one beside a reference, so that it comes after the gate."""
    if isinstance(value, list):
        return [_untied(item, gates) for item in value]
    if not isinstance(value, dict):
        return value
    if list(value) == ["Fn::Select"] and isinstance(value["Fn::Select"], list) and len(value["Fn::Select"]) == 2:
        index, items = value["Fn::Select"]
        if index == 0 and isinstance(items, list) and len(items) == 2 and items[1] in [{"Ref": gate} for gate in gates]:
            return items[0]
    if list(value) == ["Fn::Sub"] and isinstance(value["Fn::Sub"], list) and len(value["Fn::Sub"]) == 2:
        text, given = value["Fn::Sub"]
        if is_mapping(given) and isinstance(text, str):
            return _untied_text(text, given, gates)
    return {key: _untied(member, gates) for key, member in value.items()}


def _untied_text(text: str, given: dict[str, Any], gates: set[str]) -> dict[str, Any]:
    """A Fn::Sub whose variables were tied: they stand in its text again."""
    names: dict[str, str] = {}
    rest: dict[str, Any] = {}
    for name, value in given.items():
        free = _untied(value, gates)
        if free != value and "Ref" in free:
            names[name] = free["Ref"]
        elif free != value and "Fn::GetAtt" in free:
            names[name] = ".".join(free["Fn::GetAtt"])
        else:
            rest[name] = free
    new = replace_variables(text, lambda name: names.get(name, name))
    return {"Fn::Sub": [new, rest] if rest else new}


def _drop_standings(found: dict[str, Any], template: Template, tables: list[Table]) -> None:
    """Take out the outputs that say where the migration stands: those that the file itself does not have."""
    if not is_mapping(found.get("Outputs")):
        return
    own = template.data.get("Outputs", {})
    standings = {standing_id(table.id) for table in tables} - own.keys()
    found["Outputs"] = {key: value for key, value in found["Outputs"].items() if key not in standings}


def _drop_options(found: dict[str, Any]) -> None:
    metadata = {key: value for key, value in found.get("Metadata", {}).items() if key != KEY}
    if metadata:
        found["Metadata"] = metadata
    else:
        found.pop("Metadata", None)


def _drop_parameter(found: dict[str, Any], name: str | None) -> bool:
    """Take the stage's parameter out, unless something uses it. Returns whether it stays."""
    if name is None:
        return False
    parameters = {key: value for key, value in found["Parameters"].items() if key != name}
    rest = {key: value for key, value in found.items() if key != "Parameters"}
    if name in mentioned(rest):
        return True
    if parameters:
        found["Parameters"] = parameters
    else:
        del found["Parameters"]
    interface = found.get("Metadata", {}).get(_INTERFACE)
    if is_mapping(interface):
        found["Metadata"] = {**found["Metadata"], _INTERFACE: _without(interface, name)}
    return False


def _without(interface: dict[str, Any], name: str) -> dict[str, Any]:
    """The console's groups and labels of parameters less one of them."""
    labels = interface.get("ParameterLabels")
    groups = interface.get("ParameterGroups")
    changed = dict(interface)
    if is_mapping(labels) and name in labels:
        changed["ParameterLabels"] = {key: value for key, value in labels.items() if key != name}
    if isinstance(groups, list):
        less = [
            {**group, "Parameters": [each for each in group["Parameters"] if each != name]}
            if is_mapping(group) and isinstance(group.get("Parameters"), list)
            else group
            for group in groups
        ]
        changed["ParameterGroups"] = [group for group in less if not is_mapping(group) or group.get("Parameters") != []]
    return {key: value for key, value in changed.items() if value not in ({}, [])}
