"""Entries and items between braces: where the commas go."""

from __future__ import annotations

from typing import Any

from local.cli.dump import to_json, to_yaml
from local.cli.text import Edit, indented, line_start

Span = tuple[int, int]


def flow_removals(spans: list[Span], stays: list[bool]) -> list[Edit]:
    """Take members out, each with the comma behind it; at the end with the comma before."""
    last_kept = max(index for index, stay in enumerate(stays) if stay)
    edits = [Edit(spans[index][0], spans[index + 1][0], "") for index in range(last_kept) if not stays[index]]
    if last_kept < len(spans) - 1:
        edits.append(Edit(spans[last_kept][1], spans[-1][1], ""))
    return edits


def flow_insertion(text: str, member: Any, behind: Span | None, kept: list[Span], *, as_json: bool) -> Edit:
    """Put one entry or item behind another, or before all; on a line of its own where the others have theirs."""
    first = kept[0][0]
    lead = text[line_start(text, first) : first]
    own_lines = not lead.strip()
    newline = "\r\n" if "\r\n" in text else "\n"
    if as_json:
        step = lead if own_lines and lead else None
        new = _json_member(member, _step(text) if step else None)
        new = indented(new, lead, newline) if own_lines else new
    else:
        new = to_yaml(member, flow=True)[1:-1]
    between = f",{newline}{lead}" if own_lines else ", "
    if behind is None:
        return Edit(first, first, new + between)
    return Edit(behind[1], behind[1], between + new)


def _json_member(member: Any, step: str | None) -> str:
    if isinstance(member, list):
        return to_json(member[0], step)
    ((key, value),) = member.items()
    return f"{to_json(key)}: {to_json(value, step)}"


def _step(text: str) -> str:
    """How deep the JSON text goes with each level."""
    return next(line[: len(line) - len(line.lstrip())] for line in text.split("\n")[1:] if line.strip())
