"""Outputs: plain ones follow rule Data; exports keep their value until cleanup.

Another stack that imports an export must never find it changed in the middle of an update. So the old export names
the source up to stage 3, and a second one, for the twin, exists from stage 1: importers move to it when it suits
them. At cleanup both name the twin, and the gate refuses while somebody still imports the one that changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from migration.errors import Problem
from migration.ids import twin_id
from migration.intrinsics import is_mapping
from migration.names import CannotRename, renamed
from migration.rules import Rule
from migration.stages import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from migration.references import Walk

EXPORT_NAME_LIMIT = 255


@dataclass(frozen=True)
class Export:
    """The name of an export, and the condition under which it exists."""

    name: Any
    condition: Any = None


@dataclass
class Outputs:
    """The Outputs section at one stage, and which exports change their value at it."""

    section: dict[str, Any] = field(default_factory=dict)
    changing: dict[str, list[Export]] = field(default_factory=dict)
    """Exports by the table whose gate must look after them."""
    problems: list[Problem] = field(default_factory=list)


def outputs(given: Any, new_walk: Callable[[], Walk]) -> Outputs:
    """The Outputs section rewritten."""
    found = Outputs()
    if not is_mapping(given):
        return found
    for output_id, output in given.items():
        walk = replace(new_walk(), condition=output.get("Condition")) if is_mapping(output) else new_walk()
        export = output.get("Export") if is_mapping(output) else None
        if not is_mapping(export):
            # What a Fn::ForEach makes may be exports; to change them last is right for both.
            found.section[output_id] = _output(walk, output_id, output, Rule.DATA if is_mapping(output) else Rule.LATE)
            continue
        found.section[output_id] = _output(walk, output_id, output, Rule.LATE)
        tables = _tables(output_id, output, new_walk())
        twin = _output(walk, output_id, output, Rule.TWIN)
        if not tables:
            continue
        _second(found, given, output_id, twin, export.get("Name"))
        if walk.stage is Stage.CLEANUP:
            for table in tables:
                found.changing.setdefault(table, []).append(Export(export.get("Name"), output.get("Condition")))
    return found


def _second(found: Outputs, given: dict[str, Any], output_id: str, output: dict[str, Any], name: Any) -> None:
    second = twin_id(output_id)
    if second in given:
        found.problems.append(
            Problem(f"Output {output_id}", f"the output id {second} is taken", f"Rename the output {second}")
        )
    try:
        found.section[second] = {**output, "Export": {"Name": renamed(name, EXPORT_NAME_LIMIT)}}
    except CannotRename as reason:
        found.problems.append(
            Problem(
                f"Output {output_id}", f"no second export can be named after it: {reason}", "Change its export's name"
            )
        )


def _output(walk: Walk, output_id: str, output: Any, rule: Rule) -> Any:
    """One output by a rule; its id is what its value stands under."""
    new = walk.rewrite(output, rule)
    if not is_mapping(new) or "Value" not in new or new["Value"] is not output["Value"]:
        return new
    value = walk.by_name({}, output_id, new["Value"], rule)
    return new if value is new["Value"] else {**new, "Value": value}


def _tables(output_id: str, output: dict[str, Any], walk: Walk) -> list[str]:
    """The tables that the value of an output names, in the order of the template."""
    _output(walk, output_id, {"Value": output.get("Value")}, Rule.TWIN)
    return [table for table, move in walk.moves.items() if move.is_table and table in walk.named]
