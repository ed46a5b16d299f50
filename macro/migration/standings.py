"""Outputs that say where the migration of each table stands, for whoever looks at the stack.

Outputs change when an update is complete, and not before. So each text holds for every completed update to its stage,
whatever came before it: it names the stage, whom clients use, and the ways on and back. It asks the gate for nothing:
a gate that an update does not call answers with the attributes that an earlier version of it gave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migration.errors import Problem
from migration.stages import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from migration.tables import Table

OUTPUT_LIMIT = 200
"""Outputs in one template, a quota of CloudFormation."""


def standing_id(table_id: str) -> str:
    """Logical id of the output; nothing hangs on it, it may change."""
    return f"EncryptMigrate{table_id}"


def with_standings(
    section: Mapping[str, Any], tables: Sequence[Table], stage: Stage, problems: list[Problem]
) -> dict[str, Any]:
    """The outputs with one more for each table; a problem for every id that is taken.

    Where they would be more than CloudFormation takes they are left out: nobody's migration fails for a text to read.
    """
    if len(section) + len(tables) > OUTPUT_LIMIT:
        return dict(section)
    problems.extend(_taken(table.id) for table in tables if standing_id(table.id) in section)
    return {**section, **{standing_id(table.id): _standing(table, stage) for table in tables}}


def _standing(table: Table, stage: Stage) -> dict[str, Any]:
    return {
        **table.condition,
        "Description": f"Where the migration of {table.id} stands",
        "Value": {"Fn::Sub": f"{stage.value} {stage.name.lower()}: {_text(table, stage)}"},
    }


def _text(table: Table, stage: Stage) -> str:
    source, twin = f"${{{table.id}}}", f"${{{table.twin}}}"
    match stage:
        case Stage.REPLICATE:
            return f"clients use {source}, its changes are mirrored into {twin}. Next: populate; back: off"
        case Stage.POPULATE:
            return f"clients use {source}, what it holds is copied into {twin}. Next: cutover; back: replicate"
        case Stage.CUTOVER:
            return f"clients use {twin}, its changes are mirrored into {source}. Next: cleanup; back: populate"
        case _:
            return f"clients use {twin} alone. Next: encrypt-migrate finish; no way back"


def _taken(table_id: str) -> Problem:
    output_id = standing_id(table_id)
    return Problem(table_id, f"the output id {output_id} is taken", f"Rename the output {output_id}")
