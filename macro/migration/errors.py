"""What a person reads in the CloudFormation console when a template cannot be expanded.

MigrationError            base; carries every problem found
  TemplateRefused         the template, its options or its stage are not what the macro can work with
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MESSAGE_LIMIT_BYTES = 1000
"""CloudFormation shows the message of a failed transform up to about 1 KB; the rest would be cut anywhere."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, what, and what to do about it."""

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. {self.remedy}."


class MigrationError(Exception):
    """Base of everything the macro raises on purpose."""


class TemplateRefused(MigrationError):
    """The template cannot be expanded; `problems` holds every reason."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(message(self.problems))


def message(problems: Iterable[Problem], limit: int = MESSAGE_LIMIT_BYTES) -> str:
    """All problems as one text of at most `limit` bytes; those that do not fit are counted at its end."""
    lines = [str(problem) for problem in problems]
    text = " | ".join(lines)
    if len(text.encode()) <= limit:
        return text
    shown = len(lines) - 1
    while shown > 0:
        text = " | ".join([*lines[:shown], f"... and {len(lines) - shown} more."])
        if len(text.encode()) <= limit:
            return text
        shown -= 1
    tail = "..." if len(lines) == 1 else f"... and {len(lines) - 1} more."
    return lines[0].encode()[: limit - len(tail)].decode(errors="ignore") + tail
