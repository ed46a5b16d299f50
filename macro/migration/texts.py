"""Texts that a template puts together, brought into one form, so that they can be compared and searched.

`users-${Stage}` can be written as Fn::Sub in two ways and as Fn::Join in many. All of them become the text of a
Fn::Sub; a function that cannot stand in one is kept in it, written out between two marks.
"""

from __future__ import annotations

import json
from typing import Any

from migration.intrinsics import function_of, reference, sub_parts, substitute, variables

MARK = "\0"
"""Stands before and after a function that is no part of a Fn::Sub; a text that holds it is not looked at."""


def as_text(value: Any) -> str | None:
    """`value` as the text of a Fn::Sub, or None when it is no text."""
    if isinstance(value, str):
        return None if MARK in value else value.replace("${", "${!")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    function = function_of(value)
    if function is None:
        return None
    found = reference(value)
    if found is not None:
        return "${" + ".".join(filter(None, found)) + "}"
    made = None
    if function == "Fn::Sub":
        made = _of_sub(value[function])
    elif function == "Fn::Join":
        made = _of_join(value[function])
    return _marked(value) if made is None else made


def from_text(text: str) -> Any:
    """What as_text made the text of, as a plain text where it is one, else as a Fn::Sub."""
    parts = text.split(MARK)
    local = {f"Part{index}": json.loads(bytes.fromhex(part)) for index, part in enumerate(parts) if index % 2}
    whole = "".join(f"${{Part{index}}}" if index % 2 else part for index, part in enumerate(parts))
    if local:
        return {"Fn::Sub": [whole, local]}
    return {"Fn::Sub": whole} if variables(whole) else whole.replace("${!", "${")


def _of_sub(argument: Any) -> str | None:
    parts = sub_parts(argument)
    if parts is None:
        return None
    text, local = parts
    values = {name: as_text(value) for name, value in local.items()}
    if None in values.values():
        return None
    return substitute(text, {name: str(value) for name, value in values.items()})


def _of_join(argument: Any) -> str | None:
    if not (isinstance(argument, list) and len(argument) == 2 and isinstance(argument[1], list)):
        return None
    delimiter, pieces = argument
    texts = [as_text(piece) for piece in pieces]
    if not isinstance(delimiter, str) or None in texts:
        return None
    return delimiter.join(map(str, texts))


def _marked(value: Any) -> str | None:
    try:
        # In digits, so that nothing inside of it is taken for a part of the text.
        return f"{MARK}{json.dumps(value, sort_keys=True).encode().hex()}{MARK}"
    except TypeError:  # keys of several types cannot be sorted: nobody writes that
        return None
