"""Outputs: plain ones follow rule Data; exports keep their value until cleanup.

Another stack that imports an export must never find it changed in the middle of an update. So the old export names
the source up to stage 3, and a second one, for the twin, exists from stage 1: importers move to it when it suits
them. At cleanup both name the twin, and the gate refuses while somebody still imports the one that changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from migration.errors import Problem
from migration.ids import twin_id
from migration.intrinsics import is_mapping, mentioned
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
        walk = new_walk()
        export = output.get("Export") if is_mapping(output) else None
        if not is_mapping(export):
            # What a Fn::ForEach makes may be exports; to change them last is right for both.
            found.section[output_id] = walk.rewrite(output, Rule.DATA if is_mapping(output) else Rule.LATE)
            continue
        found.section[output_id] = walk.rewrite(output, Rule.LATE)
        tables = _tables(output.get("Value"), walk)
        if not tables:
            continue
        _second(found, given, output_id, walk.rewrite(output, Rule.TWIN), export.get("Name"))
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


def _tables(value: Any, walk: Walk) -> list[str]:
    named = mentioned(value)
    return [move.old for move in walk.moves.values() if move.is_table and move.old in named]
