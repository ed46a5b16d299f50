"""Figures of several rounds, and what is made of them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table of the report. `note`: what has to be known to read it."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Target:
    """A figure that matters, and what it should be."""

    what: str
    measured: str
    wanted: str
    reached: bool


@dataclass(frozen=True)
class Part:
    """What one part of the bench has found."""

    name: str
    tables: Sequence[Table]
    targets: Sequence[Target] = ()


def median_ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    """The median of what each round's first is of its second: what disturbs one round disturbs both."""
    return statistics.median(one / other for one, other in zip(ones, others, strict=True))


def at_least(what: str, measured: float, wanted: float, unit: str = "") -> Target:
    """A target that is reached from a number on."""
    return Target(what, f"{measured:.3g}{unit}", f"at least {wanted:g}{unit}", measured >= wanted)


def at_most(what: str, measured: float, wanted: float, unit: str = "") -> Target:
    """A target that is reached up to a number."""
    return Target(what, f"{measured:.3g}{unit}", f"at most {wanted:g}{unit}", measured <= wanted)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown that can be read as it is, too."""
    widths = [max(len(row[place]) for row in (head, *rows)) for place in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return "\n".join([line(head), line(["-" * width for width in widths]), *map(line, rows)])
