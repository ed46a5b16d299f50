"""The mirror as Lambda runs it: lanes of each stream, in the order of every key, at least once."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

from replication.errors import ReplicationError
from replication.mirror import Mirror, Outcome
from replication.pair import Side
from tests.history.account import Account
from tests.history.faults import Faults
from tests.replicator.control.aws import Killed, Record
from tests.replicator.control.world import NAMES, event

LANES = 2  # of each stream; the order across lanes is anybody's guess
SECONDS = 20.0  # that an invocation may take


@dataclass
class Lane:
    """The records of some keys of one stream, and how far Lambda's checkpoint has come in them."""

    side: Side
    number: int
    account: Account
    faults: Faults
    mirror: Callable[[str], Mirror]  # for the lane of this name
    mapping: str
    settle: float
    position: int = 0
    invocations: int = 0
    removed: bool = False  # with its mapping
    _mine: list[Record] = field(default_factory=list)
    _seen: int = 0

    def waiting(self) -> list[Record]:
        log = self.account.tables[NAMES[self.side]].log
        fresh, self._seen = log[self._seen :], len(log)
        self._mine += [record for record in fresh if zlib.crc32(str(record.key).encode()) % LANES == self.number]
        return self._mine[self.position :]

    def run(self) -> None:
        """A batch after the other."""
        chance = self.account.timeline.random
        while not self.removed:
            self.account.sleep(chance.uniform(0.2, 1.0))
            if batch := self.waiting()[: chance.randrange(1, 8)]:
                self._deliver(batch)

    def _deliver(self, batch: list[Record]) -> None:
        """Nothing that happens here may hold a record up for longer than the protocol assumes."""
        account, chance = self.account, self.account.timeline.random
        in_time = account.now - batch[0].at < self.settle / 3
        if in_time and self.faults.happens("delivery delayed", 0.1):
            account.sleep(chance.uniform(0, self.settle / 4))
        self.invocations += 1
        name = f"{self.side}-{self.number}"
        try:
            outcome = self.faults.invoke(
                "mirror",
                lambda: self._invoke(batch, name),
                seconds=SECONDS,
                kill=0.15 if in_time else 0,
            )
        except Killed:
            account.sleep(chance.uniform(0, 0.5))
            return
        except ReplicationError as why:  # the stream of a pair that has yet to be made, or is gone
            account.timeline.tell(f"the mirror failed: {why}")
            self._told("PROBLEM: failed")
            account.sleep(1.0)
            return
        assert isinstance(outcome, Outcome)
        self._checkpoint(batch, outcome)
        if outcome.failed is None and in_time and self.faults.happens("batch delivered twice", 0.05):
            self.position -= len(batch)

    def _checkpoint(self, batch: list[Record], outcome: Outcome) -> None:
        self._told("PROBLEM: Function call failed" if outcome.failed else "OK")
        if outcome.failed is None:
            self.position += len(batch)
            return
        self.position += next(at for at, record in enumerate(batch) if record.sequence == outcome.failed)
        self.account.sleep(self.account.timeline.random.uniform(0.3, 1.0))

    def _told(self, result: str) -> None:
        if not self.removed:  # else the mapping is another by now
            self.account.mappings[self.mapping] = {"State": "Enabled", "LastProcessingResult": result}

    def _invoke(self, batch: list[Record], name: str) -> Outcome:
        records = [event(NAMES[self.side], record) for record in batch]
        invocation = f"{name}-{self.invocations}"
        return self.mirror(name).run({"Records": records}, invocation, self.account.now + SECONDS)
