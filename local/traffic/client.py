"""One client of the service: it writes, tries again when it is refused, and reads back what it wrote.

Several clients share the same keys. Half of the values come from a short list, so that they repeat and a value says
little about which write it came from; half are the client's own.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Event

from local.traffic.caller import Caller, Change
from local.traffic.history import Op, Outcome
from local.traffic.labels import count_label, count_of
from local.traffic.service import Container

REPEATED = ("red", "green", "blue")
RETRY_SECONDS = 0.25
# A refused write is tried again for so long; then the history shows that it was given up, which is a finding.
PATIENCE_SECONDS = 300.0
_TRIES_TO_COUNT = 4


@dataclass(frozen=True, slots=True)
class Keys:
    """What clients write to. Counters are only counted up, the keys of a pair only written together."""

    items: Sequence[str]
    large: Sequence[str]
    counters: Sequence[str]
    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Signals:
    """Shared by all clients: they rest while `go` is not set, and end when `stop` is."""

    go: Event = field(default_factory=Event)
    stop: Event = field(default_factory=Event)


@dataclass(slots=True)
class Client:
    """`run` returns after `stop`, not before a write that is being refused has been let in. `pace` is in seconds."""

    caller: Caller
    container: Container
    keys: Keys
    signals: Signals
    chance: random.Random
    sleep: Callable[[float], None]
    pace: float
    resting: Event = field(default_factory=Event)
    _written: int = field(default=0, init=False)

    def run(self) -> None:
        acts: list[tuple[Callable[[], None], float]] = [
            (self._put, 22),
            (self._delete, 9),
            (self._create, 10),
            (self._update, 10),
            (self._count, 14),
            (self._write_batch, 6),
            (self._write_pair, 6),
            (self._put_large, 0.5),
            (self._look, 22),
        ]
        weights = [weight for _, weight in acts]
        while not self.signals.stop.is_set():
            if self.signals.go.is_set():
                self.resting.clear()
                act, _ = self.chance.choices(acts, weights)[0]
                act()
                self.sleep(self.chance.uniform(0.5, 1.5) * self.pace)
            else:
                self.resting.set()
                self.signals.go.wait(0.1)
        self.resting.set()

    def _insist(self, write: Callable[[str], Outcome]) -> Outcome:
        """Write until it is no longer refused, each time on the table that the configuration names then."""
        started = self.caller.clock()
        while (outcome := write(self.container.table())) is Outcome.REFUSED:
            if self.caller.clock() - started > PATIENCE_SECONDS:
                break
            self.sleep(RETRY_SECONDS)
        return outcome

    def _label(self) -> str:
        if self.chance.random() < 0.5:
            return self.chance.choice(REPEATED)
        self._written += 1
        return f"{self.caller.name}-{self._written}"

    def _key(self) -> str:
        """A few keys are written by everybody all the time, the others now and then."""
        among = self.keys.items[:8] if self.chance.random() < 0.5 else self.keys.items
        return self.chance.choice(among)

    def _read_back(self, key: str) -> None:
        if self.chance.random() < 0.5:
            self.caller.read(self.container.table(), key)

    def _put(self) -> None:
        key, label = self._key(), self._label()
        self._insist(lambda table: self.caller.put(table, key, label))
        self._read_back(key)

    def _put_large(self) -> None:
        key, label = self.chance.choice(self.keys.large), self._label()
        self._insist(lambda table: self.caller.put(table, key, label))
        self._read_back(key)

    def _delete(self) -> None:
        key = self._key()
        delete = self.chance.choice([self.caller.delete, self.caller.delete, self.caller.execute_delete])
        self._insist(lambda table: delete(table, key))
        self._read_back(key)

    def _create(self) -> None:
        key, label = self._key(), self._label()
        create = self.chance.choice([self.caller.create, self.caller.insert])
        self._insist(lambda table: create(table, key, label))
        self._read_back(key)

    def _update(self) -> None:
        key, label = self._key(), self._label()
        before = self.caller.read(self.container.table(), key)
        if before is None or before == label:
            return
        update = self.chance.choice([self.caller.update, self.caller.transact_update])
        self._insist(lambda table: update(table, key, before, label))
        self._read_back(key)

    def _count(self) -> None:
        """Count a counter up by one; when another client was faster, look and try again."""
        key = self.chance.choice(self.keys.counters)
        count = self.chance.choice([self.caller.update, self.caller.transact_update, self.caller.execute_count])
        for _ in range(_TRIES_TO_COUNT):
            before = self.caller.read(self.container.table(), key)
            stands = count_of(before)
            if before is None or stands is None:
                return  # the read failed or found something wrong; the history shows it
            step = key, before, count_label(stands + 1)
            if self._insist(partial(_apply, count, step)) is not Outcome.FAILED:
                return

    def _write_batch(self) -> None:
        changes = [
            Change(Op.DELETE, key) if self.chance.random() < 0.25 else Change(Op.PUT, key, self._label())
            for key in sorted({self._key() for _ in range(6)})  # a seed gives the same again
        ]
        self._insist(lambda table: self.caller.batch_write(table, changes))
        if self.chance.random() < 0.5:
            self.caller.batch_read(self.container.table(), [change.key for change in changes])

    def _write_pair(self) -> None:
        pair, label = self.chance.choice(self.keys.pairs), self._label()
        self._insist(lambda table: self.caller.transact_put(table, pair, label))
        if self.chance.random() < 0.5:
            self.caller.transact_read(self.container.table(), pair)

    def _look(self) -> None:
        if self.chance.random() < 0.2:
            self.caller.transact_read(self.container.table(), self.chance.choice(self.keys.pairs))
        else:
            self.caller.read(self.container.table(), self._key())


def _apply(count: Callable[[str, str, str, str], Outcome], step: tuple[str, str, str], table: str) -> Outcome:
    return count(table, *step)
