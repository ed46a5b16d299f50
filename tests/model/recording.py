"""Records a run of the real code as the steps that the model knows.

The code runs in an account in memory; what it did is read off that account between any two of its calls: phases of the
record, policies on the tables, what the look wrote. What goes on beside it (clients, the mirror) is the recording's own
doing. Everything happens to one key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from replication.errors import AccessRefused
from replication.pair import Phase, Side
from replication.policies import put_by_us
from replication.values import identity
from tests.model.world import NAME, SOURCE, TWIN
from tests.replicator.control.world import CLIENTS, NAMES
from tests.replicator.control.world import World as Account

KEY = "a"
SIDES = (Side.SOURCE, Side.TWIN)


class Seen(NamedTuple):
    """What of an account can be compared with a world of the model. Pairs are (source, twin)."""

    value: tuple[int, int]
    owner: int
    waiting: tuple[int, int]  # records that the mirror has not checkpointed
    mode: tuple[str, str]


class Event(NamedTuple):
    """Something that happened, in the model's words, and what the account looked like after it."""

    what: str
    seen: Seen


class Held(NamedTuple):
    """What the record says about a turn."""

    phase: Phase | None
    token: int
    owner: Side


@dataclass
class Recording:
    """An account with its events. `busy`: how often, of a quarter of a second each, a client writes."""

    seed: int
    busy: float = 0.02
    events: list[Event] = field(default_factory=list)
    who: str = "turn"  # whose effects are read off now
    after_effects: list[int] = field(default_factory=list)  # numbers of the calls that follow an effect

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.account = Account(self.seed, traffic=False)
        self.account.mirroring = False
        self._interrupt: Callable[[], None] | None = None
        self._calls = 0
        self._at = 0
        for value in (1, 1):  # the second changes nothing
            self.account.client_writes(CLIENTS[0], KEY, value, NAMES[Side.SOURCE])
        for side in SIDES:
            self.account.mirror(side)
        self._record, self._puts, self._values = self._held(), self._policies(), self.seen().value
        self.account.account.meanwhile = self._meanwhile
        self.account.account.before = self._before

    # ---- interrupting the code

    def at_call(self, number: int, then: Callable[[], None]) -> None:
        """Do this ahead of the code's call of this number, counted from now, once; 0 for never."""
        self._calls, self._at, self._interrupt = 0, number, then
        self.after_effects.clear()

    def _before(self, _caller: str, _operation: str) -> None:
        events = len(self.events)
        self._calls += 1
        self.note()
        if len(self.events) > events:
            self.after_effects.append(self._calls)
        if self._interrupt and self._calls == self._at:
            interrupt, self._interrupt = self._interrupt, None
            interrupt()

    # ---- what the code has done

    def note(self) -> None:
        """Read off what has changed since the last time: at most one thing, as the code makes one call at a time."""
        before, self._record = self._record, self._held()
        self._note_record(before, self._record)
        puts, self._puts = self._puts, self._policies()
        for side in (SOURCE, TWIN):
            if puts[side] != self._puts[side]:
                self._add(f"puts {NAME[side]} {self.seen().mode[side]}")
        values, self._values = self._values, self.seen().value
        for side in (SOURCE, TWIN):
            if values[side] != self._values[side]:
                self._add(f"copies {NAME[side]}:={self._values[side]}")

    def _note_record(self, before: Held, now: Held) -> None:
        if now.phase is None and before.phase is not None:
            self._add("ended")
        elif now.token != before.token and before.phase is not None:
            self._add("taken over")
        elif now.phase is not before.phase:
            self._add(str(now.phase))

    def _add(self, what: str) -> None:
        self.events.append(Event(f"{self.who}: {what}", self.seen()))

    def _held(self) -> Held:
        pair = self.account.pair
        return Held(pair.turn.phase if pair.turn else None, pair.token, pair.owner)

    def _policies(self) -> tuple[int, int]:
        source, twin = (len(self.account.account.tables[NAMES[side]].policies) for side in SIDES)
        return source, twin

    def seen(self) -> Seen:
        """The account as it is."""
        account = self.account
        tables = [account.account.tables[NAMES[side]] for side in SIDES]
        place = identity({"id": {"S": KEY}})
        values = [int(table.items[place]["value"]["N"]) if place in table.items else 0 for table in tables]
        waiting = [len(table.log) - account.lanes[side].position for side, table in zip(SIDES, tables, strict=True)]
        placed = [put_by_us(table.policies[-1].policy or {}) for table in tables]
        modes = [str(one[0]) if one else "" for one in placed]
        return Seen(
            (values[0], values[1]), SIDES.index(account.pair.owner), (waiting[0], waiting[1]), (modes[0], modes[1])
        )

    # ---- what goes on beside it

    def _meanwhile(self) -> None:
        if self.random.random() < self.busy:
            self.client(self.random.choice(SIDES), self.random.randrange(3))
        for side in SIDES:
            if self.random.random() < 0.7:
                self.mirror(side)

    def client(self, side: Side, value: int) -> None:
        """A client writes one of the tables, if that lets it."""
        at = SIDES.index(side)
        if self.seen().waiting[at] < 3 and self.seen().value[at] != value:
            self._aside(
                lambda: (
                    self.account.client_writes(CLIENTS[0], KEY, value, NAMES[side]) and f"client {NAME[at]}:={value}"
                )
            )

    def mirror(self, side: Side) -> None:
        """Lambda gives the mirror a batch."""
        at = SIDES.index(side)
        before = self.seen()

        def run() -> str | None:
            outcome = self.account.mirror(side)
            if outcome is None:
                return None
            count, other = min(outcome.records, before.waiting[at]), NAME[1 - at]
            if outcome.skipped:
                return f"skip {count} of {NAME[at]}"
            if outcome.put_off:
                refused = isinstance(outcome.error, AccessRefused)
                return f"{other} refuses {count}" if refused else f"put off {NAME[at]}"
            return f"mirror {count} to {other}:={self.seen().value[1 - at]}"

        self._aside(run)

    def _aside(self, act: Callable[[], str | bool | None]) -> None:
        self.note()
        what = act()
        self._record, self._puts, self._values = self._held(), self._policies(), self.seen().value
        if isinstance(what, str):
            self.events.append(Event(what, self.seen()))
