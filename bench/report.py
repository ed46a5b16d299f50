"""Writes what was measured where people read it: docs/bench.md, and the part of the README that it marks."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Part, Target, markdown

ROOT = Path(__file__).parents[1]
DOCS, README = ROOT / "docs" / "bench.md", ROOT / "README.md"
BEGIN, END = "<!-- written by make bench -->", "<!-- until here -->"
WHY = ROOT / "bench" / "why.md"


def write(parts: Sequence[Part], minutes: float) -> None:
    """Both files, from one run of every part."""
    DOCS.write_text(report(parts, minutes))
    between = re.compile(f"(?<={re.escape(BEGIN)}\n).*(?={re.escape(END)})", re.DOTALL)
    README.write_text(between.sub(lambda _: f"\n{summary(parts)}\n\n", README.read_text()))


def summary(parts: Sequence[Part]) -> str:
    """The figures that matter, and what they should be."""
    return markdown(
        ["measured", "figure", "wanted", ""],
        [
            [target.what, target.measured, target.wanted, _mark(target)]
            for part in parts
            for target in part.targets
        ],
    )  # fmt: skip


def report(parts: Sequence[Part], minutes: float) -> str:
    """The whole page."""
    chapters = [
        (
            f"# Speed\n\nWritten by `make bench` in one run of {minutes:.0f} minutes, medians of several rounds, on "
            f"{os.cpu_count()} shared cores with Python {platform.python_version()}. Only ratios mean something: both "
            "sides of each were measured in turn, in the same rounds."
        ),
        f"## What matters\n\n{summary(parts)}",
        WHY.read_text().strip(),
    ]
    for part in parts:
        chapters.append(f"## {part.name}")
        for table in part.tables:
            chapters += [f"### {table.title}", markdown(table.head, table.rows), *([table.note] if table.note else [])]
    return "\n\n".join(chapters) + "\n"


def _mark(target: Target) -> str:
    return "reached" if target.reached else "not reached, see docs/bench.md"
