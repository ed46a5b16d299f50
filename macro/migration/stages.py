"""The five stages, by name or number."""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class Stage(IntEnum):
    """A step of the migration; the order is the order of the steps."""

    OFF = 0
    REPLICATE = 1
    POPULATE = 2
    CUTOVER = 3
    CLEANUP = 4


STAGES = ", ".join(f"{stage.name.lower()} ({stage.value})" for stage in Stage)

_BY_TEXT = {
    **{str(stage.value): stage for stage in Stage},
    **{stage.name.lower(): stage for stage in Stage},
    # YAML 1.1 reads a bare `off` as a boolean, so this is what reaches the macro when somebody writes it.
    "false": Stage.OFF,
}


def parse_stage(value: Any) -> Stage | None:
    """The stage that `value` names (a name in any case, a number, or either as text), or None."""
    if isinstance(value, (str, int)):
        return _BY_TEXT.get(str(value).strip().lower())
    return None
