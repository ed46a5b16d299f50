"""Edits of a text by offsets, and what a line is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """`text[start:end]` gives way to `new`."""

    start: int
    end: int
    new: str


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text with all edits made; where several stand at one place, in the order in which they are given."""
    parts = []
    behind = 0
    for edit in sorted(edits, key=lambda each: (each.start, each.end)):
        assert edit.start >= behind, "two edits of one place"  # noqa: S101  the rewriter's own promise
        parts += [text[behind : edit.start], edit.new]
        behind = edit.end
    return "".join([*parts, text[behind:]])


def line_start(text: str, at: int) -> int:
    """Where the line begins that `at` stands in."""
    return text.rfind("\n", 0, at) + 1


def next_line(text: str, at: int) -> int:
    """Where the line behind it begins, or the end of the text."""
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1


def column(text: str, at: int) -> int:
    """How many characters stand before `at` in its line."""
    return at - line_start(text, at)


def indented(lines: str, by: str, newline: str) -> str:
    """`lines` moved right, but for the first; empty lines stay empty."""
    first, *rest = lines.split("\n")
    return newline.join([first, *(by + line if line else "" for line in rest)])


def whole_lines(text: str, start: int, end: int) -> tuple[int, int]:
    """The lines from `start` to `end`, and of the empty lines around them those that would now stand twice."""
    first, last = line_start(text, start), next_line(text, end)
    if first == 0 or text[line_start(text, first - 1) : first].isspace():
        while last < len(text) and text[last : next_line(text, last)].isspace():
            last = next_line(text, last)
    while last == len(text) and first and text[line_start(text, first - 1) : first].isspace():
        first = line_start(text, first - 1)
    return first, last
