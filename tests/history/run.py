"""One run of a seed: a table under traffic goes through its stages and back, while everything goes wrong that may.

The clients and the checker are those of the runs on the local cloud (`local/traffic`). Everything that a run does
follows from its seed: `python -m tests.history --seed N` tells it again, step by step.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from local.traffic import check
from local.traffic.caller import Caller as Traffic
from local.traffic.client import Client, Keys, Signals
from local.traffic.history import Call, History, Outcome
from local.traffic.items import KEY, label_of
from local.traffic.labels import count_label
from local.traffic.service import Container
from replication.pair import Side
from tests.history.account import Account
from tests.history.faults import Faults
from tests.history.installation import WAITS, Installation
from tests.history.stack import LONGEST_CONFIGURATION, Stack
from tests.history.timeline import Timeline
from tests.replicator.control.iam import Caller
from tests.replicator.control.world import NAMES, SOURCE, TWIN

KEYS = Keys(["a", "b", "c", "d"], ["e"], ["counter"], [("left", "right")])
CLIENTS = 3
JOURNEYS = ([3, 2, 3, 2], [3, 2, 3], [3, 2], [3])


class Kept(History):
    """A history in memory."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._last = 0

    def number(self) -> int:
        self._last += 1
        return self._last

    def write(self, calls: Iterable[Call]) -> None:
        self.calls += calls


@dataclass
class Result:
    """What a run has come to. `wrong`: what must not be; empty when all is well."""

    seed: int
    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)


class Run:
    """`beyond`: policies come to one client later than the protocol allows for."""

    def __init__(self, seed: int, *, beyond: bool = False, waits: Any = WAITS) -> None:
        self.seed, self.beyond, self.waits = seed, beyond, waits
        self.timeline = Timeline(seed)
        self.chance = self.timeline.random
        self.faults = Faults(self.timeline, lingers=waits.settle * 0.9, rate=self.chance.choice([0, 0.3, 1, 1]))
        spread = self.chance.uniform(0, waits.spread * 0.95)
        self.account = Account(
            SOURCE, TWIN, timeline=self.timeline, faults=self.faults, spread=spread, interval=waits.policy_interval
        )
        self.installed = Installation(self.account, waits)
        self.stack = Stack(self.installed)
        self.history = Kept()
        self.signals = Signals()
        self.signals.go.set()
        self.clients_done = 0
        if beyond:
            self.account.late["client-0/session"] = self.chance.uniform(
                waits.spread, waits.spread * 2 + waits.hold * 0.9
            )

    def result(self) -> Result:
        """The run, and what is wrong with it."""
        found = Result(self.seed, story=self.timeline.story)
        try:
            self._go()
            found.wrong = self._judge()
        except Exception as why:  # noqa: BLE001 - whatever it was, it belongs to this seed
            found.wrong = [f"{type(why).__name__}: {why}"]
        finally:
            with contextlib.suppress(Exception):
                self.timeline.end()
        found.faults = self.faults.counts
        found.counts = self._counts()
        return found

    # ---- what goes on ----
    def _go(self) -> None:
        self._fill()
        for number in range(CLIENTS):
            self.timeline.actor(f"client-{number}", self._client(number))
        self.timeline.actor("stranger", self._stranger)
        self.installed.start()
        self._migrate()
        if not self.beyond and self.chance.random() < 0.2:  # what is known of a pair goes with it
            self.stack.remove()
            if self.chance.random() < 0.7:
                self.stack.forget()
                self._migrate()
        self._come_to_rest()

    def _migrate(self) -> None:
        """Through the stages, there and perhaps back, with updates that fail on the way."""
        self.stack.create()
        for stage in self.chance.choice(JOURNEYS):
            if self.chance.random() < 0.2:
                self.stack.update(stage, fails=True)
                self.account.sleep(self.chance.uniform(0, 15))
                self.stack.check()
            if self.chance.random() < 0.2:
                self.account.split(self.chance.choice([SOURCE, TWIN]))
                self.faults.counts["shards split"] += 1
            self.stack.insist(stage)
            self.account.sleep(self.chance.uniform(0, 10))
            self.stack.check()

    def _fill(self) -> None:
        """What was there before any stream was."""
        loader = self._caller("loader")
        for key in (*KEYS.items, *KEYS.pairs[0]):
            if self.chance.random() < 0.7 or key in KEYS.pairs[0]:
                loader.put(SOURCE, key, "red")
        loader.put(SOURCE, "counter", count_label(0))
        self.account.tables[SOURCE].log.clear()
        self.account.tables[SOURCE].shards[0].records.clear()

    def _caller(self, name: str) -> Traffic:
        api = self.account.client(Caller(name, trusted=True))
        return Traffic(name, cast("Any", api), self.history, self.timeline.clock)

    def _client(self, number: int) -> Any:
        container = Container(
            cast("Any", self.stack), self.chance.uniform(0.2, LONGEST_CONFIGURATION), self.timeline.clock
        )
        client = Client(
            self._caller(f"client-{number}"),
            container,
            KEYS,
            self.signals,
            random.Random(self.chance.random()),
            self.timeline.sleep,
            pace=5.0 if self.beyond and not number else 2.0,  # a busy client would make the turn wait
        )

        def run() -> None:
            client.run()
            self.clients_done += 1

        return run

    def _stranger(self) -> None:
        """Somebody outside the stack who knows the old table alone: let in or refused, never told a lie."""
        me = self._caller("stranger")
        while not self.signals.stop.is_set():
            me.put(SOURCE, self.chance.choice(KEYS.items), "stranger")
            self.timeline.sleep(self.chance.uniform(2, 8))
        while me.put(self.stack.table(), "d", "moved") is Outcome.REFUSED:
            self.timeline.sleep(1.0)
        self.clients_done += 1

    def _come_to_rest(self) -> None:
        """Clients have had their last word, and the mirror has caught up."""
        self.signals.stop.set()
        self._until(lambda: self.clients_done == CLIENTS + 1, "the clients were never let in again")
        self._until(self._quiet, "the mirror never came to rest")

    def _quiet(self) -> bool:
        pair = self.installed.pair
        if pair is None:  # it was removed
            return True
        owner = pair.owner
        return pair.turn is None and not any(lane.waiting() for lane in self.installed.lanes if lane.side is owner)

    def _until(self, met: Any, complaint: str) -> None:
        until = self.timeline.now + 300
        while not met():
            if self.timeline.now > until:
                raise AssertionError(complaint)
            self.timeline.sleep(1.0)
        self.timeline.sleep(self.waits.settle)

    # ---- what is checked ----
    def _judge(self) -> list[str]:
        pair = self.installed.pair
        if pair is None:
            return self._accused(self._verdict(SOURCE, None, ()), ())
        wrong = []
        named = self._named()
        turns = None if self.stack.begun_anew else pair.epoch
        verdict = self._verdict(NAMES[pair.owner], turns, ())
        wrong += self._accused(verdict, named)
        if pair.damage and not self.beyond:
            wrong.append(f"damage was reported: {pair.damage[0].what}")
        source, twin = (self._contents(NAMES[side]) for side in Side)
        if source != twin:
            self.faults.counts["tables known to differ"] += 1
            if pair.compared and pair.comparison.started_at > self.signals_ended:
                wrong.append("a comparison found both tables equal and they are not")
            wrong += self._repaired()
        return wrong

    @property
    def signals_ended(self) -> float:
        """When the last record of the owner's stream was written: what was compared before may have changed since."""
        return max((table.log[-1].at for table in self.account.tables.values() if table.log), default=0.0)

    def _repaired(self) -> list[str]:
        """What a failure or a late policy left different is known, and one repair makes it good."""
        known = self.installed.pair
        if known.compared and not self._named():
            return ["both tables differ at rest, and nothing says so"]
        self.stack.mend()
        source, twin = (self._contents(NAMES[side]) for side in Side)
        return [] if source == twin else ["both tables differ at rest after a repair"]

    def _verdict(self, table: str, turns: int | None, at_rest: Any) -> check.Verdict:
        """While a rollback could not be followed, the service reads the table that follows: it may be a little late."""
        calls = [call for call in self.history.calls if call.is_write or not self._apart(call)]
        return check.check(calls, self._contents(table), turns=turns, at_rest=at_rest)

    def _apart(self, read: Call) -> bool:
        return any(since <= read.end and read.start <= until for since, until in self.stack.apart)

    def _accused(self, verdict: check.Verdict, named: Iterable[str]) -> list[str]:
        """Findings; beyond the bound without those of keys that the pair's record names."""
        return [
            f"{one.kind}: {one.key}: {one.text}"
            for one in verdict.findings
            if not (self.beyond and (set(one.key.split()) & set(named) or not one.key))
        ]

    def _named(self) -> list[str]:
        """The keys of writes that a closed table took all the same."""
        kept = self.account.state.items.items()
        return [item["Keys"]["M"][KEY]["S"] for (_, name), item in kept if name.startswith("stray#")]

    def _contents(self, table: str) -> dict[str, str]:
        items = self.account.tables[table].items.values()
        return {item[KEY]["S"]: str(label_of(item)) for item in items}

    def _counts(self) -> Counter[str]:
        acknowledged = [call for call in self.history.calls if call.took_effect]
        pair = self.installed.pair
        return Counter(
            {
                "runs": 1,
                "acknowledged writes": len(acknowledged),
                "refused writes": sum(call.outcome is Outcome.REFUSED for call in self.history.calls),
                "unanswered writes": sum(
                    call.is_write and call.outcome is Outcome.UNKNOWN for call in self.history.calls
                ),
                "reads": sum(not call.is_write for call in self.history.calls),
                "requests": self.stack.requests,
                "turns": pair.epoch if pair else 0,
                "strays named": len(self._named()),
            }
        )


def run(seed: int, *, beyond: bool = False) -> Result:
    """The run of a seed."""
    return Run(seed, beyond=beyond).result()
