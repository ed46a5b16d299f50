"""Runs a command as the shell does, in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner

from local.cli.app import app
from local.cli.cloud import Cloud


@dataclass(frozen=True)
class Ran:
    """What came of it."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The answer for machines."""
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """Everything a person sees, line breaks of the screen taken out."""
        return " ".join((self.out + " " + self.err).split())


def encrypt_migrate(*arguments: object, answers: str = "", cloud: Cloud | None = None) -> Ran:
    """One call of `encrypt-migrate`; `answers` is what is typed, `cloud` the account it is called in."""
    connect = None if cloud is None else lambda region, profile: cloud
    found = CliRunner().invoke(app, [str(each) for each in arguments], input=answers, obj=connect)
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return Ran(found.exit_code, found.stdout, found.stderr)
