"""Figures of several rounds, and how they are shown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def median_ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    """The median of what each round's first is of its second: what disturbs one round disturbs both."""
    return statistics.median(one / other for one, other in zip(ones, others, strict=True))


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table that can be pasted into Markdown."""
    widths = [max(len(row[place]) for row in (head, *rows)) for place in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    print(f"{title}\n")
    print("\n".join([line(head), line(["-" * width for width in widths]), *map(line, rows)]))
    print()
