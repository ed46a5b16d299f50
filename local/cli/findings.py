"""What `doctor` has found: one line for each thing it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How it is."""

    WELL = "well"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """What was found, and what to do about it."""

    level: Level
    about: str
    what: str
    remedy: str = ""


def well(about: str, what: str) -> Finding:
    """As it should be."""
    return Finding(Level.WELL, about, what)


def note(about: str, what: str, remedy: str = "") -> Finding:
    """Worth knowing."""
    return Finding(Level.NOTE, about, what, remedy)


def problem(about: str, what: str, remedy: str) -> Finding:
    """Needs a person."""
    return Finding(Level.PROBLEM, about, what, remedy)
