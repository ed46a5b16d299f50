"""Where a command's answer goes: for people with colour on a terminal, for machines as one JSON object."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import typer
from rich.console import Console, RenderableType
from rich.syntax import Syntax
from rich.text import Text

from local.cli.failures import CommandFailed, Exit

PIPED_WIDTH = 120


class Output:
    """One command's way to speak."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        terminal = sys.stdout.isatty()
        self.console = Console(file=sys.stdout, width=None if terminal else PIPED_WIDTH, highlight=False)
        self._errors = Console(file=sys.stderr, width=None if sys.stderr.isatty() else PIPED_WIDTH, highlight=False)

    def answer(self, data: Any, *shown: RenderableType) -> None:
        """The answer: `data` for a machine, or what is shown for a person."""
        if self.as_json:
            sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        else:
            for each in shown:
                self.console.print(each)

    def text(self, text: str) -> None:
        """A file or a piece of one, as it is: never wrapped, never coloured."""
        sys.stdout.write(text if text.endswith("\n") else text + "\n")

    def difference(self, lines: str) -> None:
        """A unified difference, coloured on a terminal."""
        if self.console.is_terminal:
            self.console.print(Syntax(lines, "diff", background_color="default"), soft_wrap=True)
        else:
            self.text(lines)

    def note(self, *lines: str) -> None:
        """What is worth knowing beside the answer; machines find it in the answer itself."""
        if not self.as_json:
            for line in lines:
                self._errors.print(Text(line, style="yellow"))

    def failed(self, why: CommandFailed) -> None:
        """Why there is no answer."""
        if self.as_json:
            said = [*why.what, *filter(None, [why.way_on])]
            self.answer({"error": type(why).__name__, "messages": said, "exit": int(why.exit)})
            return
        for line in why.what:
            self._errors.print(Text("✗ ", style="bold red").append(line, style="default"))
        if why.way_on:
            self._errors.print(Text(f"→ {why.way_on}", style="cyan"))


def run(as_json: bool, body: Callable[[Output], Exit | None]) -> None:
    """Runs a command's body; what it raises on purpose becomes plain words and an exit code."""
    output = Output(as_json=as_json)
    try:
        code = body(output) or Exit.DONE
    except CommandFailed as why:
        output.failed(why)
        code = why.exit
    raise typer.Exit(int(code))
