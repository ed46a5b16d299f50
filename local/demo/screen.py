"""What is shown while the demo runs: lines that stay, and below them bars that move. Plain lines without a terminal."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from local.cloud.stacks import Change
from local.demo.watch import Seen

_SIGNS = {"Add": "[green]+[/]", "Modify": "[yellow]~[/]", "Remove": "[red]-[/]"}
_REPLACED = {"True": " [red](replaced)[/]", "Conditional": " [dim](perhaps replaced)[/]"}
# Without a terminal nothing moves: a line says now and then how it stands.
_PLAIN_SECONDS = 10.0


@dataclass(slots=True)
class Screen:
    console: Console
    items: int
    _stage: str = field(default="set-up", init=False)
    _started: float = field(default_factory=time.monotonic, init=False)
    _said: float = field(default=0.0, init=False)
    _progress: Progress = field(init=False)
    _bars: dict[str, TaskID] = field(default_factory=dict, init=False)

    def __enter__(self) -> Self:
        title, note = TextColumn("{task.description:>12}"), TextColumn("{task.fields[note]}")
        columns = title, BarColumn(40), MofNCompleteColumn(), note
        self._progress = Progress(*columns, console=self.console, disable=not self.console.is_terminal)
        for name in ("population", "compare", "writes"):
            self._bars[name] = self._progress.add_task(name, total=None if name == "writes" else self.items, note="")
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """A line that stays, with the time since the start."""
        self.console.print(f"[dim]{time.monotonic() - self._started:6.1f} s[/]  {text}", highlight=False)

    def stage(self, title: str) -> None:
        self._stage = title
        self.say(f"[bold]{escape(title)}[/]")

    def changes(self, changes: Iterable[Change]) -> None:
        """What CloudFormation is about to do."""
        for change in sorted(changes, key=lambda change: (change.action, change.logical_id)):
            note = _REPLACED.get(change.replacement, "")
            self.say(f"  {_SIGNS.get(change.action, '?')} {change.logical_id}{note} [dim]{change.type}[/]")

    def seen(self, seen: Seen) -> None:
        """How the migration stands."""
        turn = f"turn: {seen.phase}" if seen.phase else ""
        owner = f"owner: {seen.owner}" if seen.owner else ""
        self._progress.update(self._bars["population"], completed=min(seen.copied, self.items), note=seen.copying)
        self._progress.update(self._bars["compare"], completed=min(seen.compared, self.items), note=seen.comparing)
        self._progress.update(self._bars["writes"], note=f"{self._stage}  {owner}  {turn}")

    def writes(self, acknowledged: int, refused: int) -> None:
        self._progress.update(self._bars["writes"], completed=acknowledged)
        if not self.console.is_terminal and time.monotonic() - self._said > _PLAIN_SECONDS:
            self._said = time.monotonic()
            self.say(f"  {acknowledged} writes acknowledged, {refused} refused and tried again")
