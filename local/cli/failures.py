"""What a person reads when a command cannot do what was asked, and what the shell gets.

CommandFailed             base; has an exit code
  Refused                 1  asked and answered: no
  TemplateUnreadable      3  the file is no template
  TemplateRefused         3  the macro does not take it
  CloudUnreachable        4  AWS could not be asked, or refused to tell
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes; 2 is given by the command line library for wrong usage."""

    DONE = 0
    NO = 1
    USAGE = 2
    TEMPLATE = 3
    CLOUD = 4


class CommandFailed(Exception):
    """Base of everything a command ends with on purpose; `what` holds one line for each thing that is wrong, `way_on`
    what to do about it where they do not say so themselves."""

    exit = Exit.NO

    def __init__(self, *what: str, way_on: str = "") -> None:
        self.what = what
        self.way_on = way_on
        super().__init__("\n".join([*what, way_on]).rstrip())


class Refused(CommandFailed):
    """Asked and answered: no."""


class TemplateUnreadable(CommandFailed):
    """The file is no template."""

    exit = Exit.TEMPLATE


class TemplateRefused(CommandFailed):
    """The macro does not take the template."""

    exit = Exit.TEMPLATE


class CloudUnreachable(CommandFailed):
    """AWS could not be asked, or refused to tell."""

    exit = Exit.CLOUD
