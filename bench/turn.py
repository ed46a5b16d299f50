"""The turn: seconds from seal to open under live writes, with the waits as shipped, and what each of them is for.

The turn's own code runs in an account in memory whose policies spread and which refuses two changes of a table's
policy within 15 s, as DynamoDB does. What the turn waits for passes on the account's clock, and others go on meanwhile:
clients write, the mirror mirrors. To that are added the processor time of all that the turn does itself, its items
going through boto3 as they do in AWS, and the way to DynamoDB for each of its calls.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from bench import item_cost
from bench.figures import Part, Table, at_most
from bench.wire import over_the_wire
from replication.look import Look
from replication.order import Ended
from replication.pair import Side
from replication.policies import session_name
from replication.steps import Steps
from replication.tables import Tables
from replication.turn import run
from replication.waits import Waits
from tests.replicator.control.aws import Account
from tests.replicator.control.iam import Caller
from tests.replicator.control.world import CLIENTS, NAMES, SOURCE, TWIN, World

if TYPE_CHECKING:
    from replication.stream import Reader

RATES = (0, 10, 1000)
LATENCY = 0.005  # seconds that the way to DynamoDB takes
AT_ONCE = 8  # batches of the second look, as in replication.wiring
SPREAD = 3.0  # seconds that a policy takes at most to reach everybody, in the account
INTERVAL = 15.0  # seconds within which DynamoDB refuses a second change of a table's policy
_TICK = 0.25  # seconds between two moments at which others go on
_PER_INVOCATION = 1000  # as the macro sets up the mapping


class Clocked(Account):
    """Its time moves by what is waited, and by what the turn takes for its own work."""

    def __init__(self) -> None:
        super().__init__(SOURCE, TWIN, spread=SPREAD, interval=INTERVAL)
        self._seen = time.process_time()
        self._lock = threading.Lock()
        self.slept = 0.0

    def clock(self) -> float:
        if not self._busy:
            with self._lock:
                seen = time.process_time()
                self.now, self._seen = self.now + seen - self._seen, seen
        return self.now

    def sleep(self, seconds: float) -> None:
        self.clock()
        self.slept += seconds
        super().sleep(seconds)
        self._seen = time.process_time()  # what others have done meanwhile is not the turn's work

    def on_the_way(self, at_once: int, behind: float = 0.0) -> None:
        """A call of the turn, one of so many side by side; what was done behind the wire is not its work."""
        if not self._busy:
            with self._lock:
                self.now += LATENCY / at_once - behind


class Live(World):
    """Clients write so many items a second, each under another key: the most that a turn can have to look at again."""

    rate = 0
    written = 0
    _due = 0.0

    def _account(self) -> Account:
        return Clocked()

    def meanwhile(self) -> None:
        self._due += self.rate * _TICK
        while self._due >= len(CLIENTS):
            self._due -= len(CLIENTS)
            self._clients_write()
        for side in Side:
            while (outcome := self.mirror(side, _PER_INVOCATION)) is not None and outcome.failed is None:
                pass

    def _clients_write(self) -> None:
        """An item of each client, into the table that lets it in, if one does."""
        for client in CLIENTS:
            open_to = [name for name in (SOURCE, TWIN) if self.account.allows(client, "dynamodb:PutItem", name)]
            for table in open_to[:1]:
                key = {"id": {"S": f"user-{self.written:08}"}}
                self.account.write(table, key, {**key, **_REST})
                self.written += 1

    def __post_init__(self) -> None:
        super().__post_init__()
        # Made beforehand, as by the probes of a turn: making one takes longer than a thousand calls.
        self._reads = self._wired(lambda: Caller("turn"))
        self._writes = self._wired(lambda: Caller("look", self._session))

    def _wired(self, caller: Callable[[], Caller]) -> Any:
        account = cast("Clocked", self.account)
        return over_the_wire(lambda: account.client(caller()), lambda behind: account.on_the_way(AT_ONCE, behind))

    def _look(self, token: int) -> Look:
        self._session = session_name(token)
        reader, writer = (Tables(client, self.crew_patience, threads=AT_ONCE) for client in (self._reads, self._writes))
        return Look(reader, writer)


_REST = {
    "name": {"S": "x" * 100},
    "visits": {"N": "123456"},
    "address": {"M": {"street": {"S": "x" * 100}, "active": {"BOOL": True}}},
    "history": {"L": [{"S": f"event number {event:03} of many"} for event in range(6)]},
}


@dataclass(frozen=True)
class Step:
    """A step of a turn: how long it took, and how much of that was waited."""

    name: str
    seconds: float
    waited: float


def turned(rate: int) -> tuple[list[Step], int, float]:
    """The steps of one turn under so many writes a second, how many keys it looked at again, and seal to open."""
    live = Live(waits=Waits(), spread=SPREAD, traffic=False)
    live.rate = rate
    account = cast("Clocked", live.account)
    account.sleep(5)
    # The items' own calls come by the wire, which counts them itself.
    account.before = lambda _, operation: None if operation.startswith("batch") else account.on_the_way(1)
    found: list[Step] = []
    ended = run(live.crew, live.order(Side.TWIN), account.clock() + 840, _timed(account, found))
    gc.unfreeze()
    account.before = lambda _caller, _operation: None
    turn = live.pair.turn
    assert ended is Ended.OPENED
    assert turn is not None
    assert turn.opened_at is not None
    assert turn.sealed_at is not None
    keys = next(fields["keys"] for _, fields in live.logged if "keys" in fields)
    sealed, opened = (account.tables[NAMES[side]].items for side in Side)
    assert all(opened.get(key) == item for key, item in sealed.items()), "the turn has lost a write"
    return found, cast("int", keys), turn.opened_at - turn.sealed_at


def _timed(account: Clocked, found: list[Step]) -> type[Steps]:
    def timed(name: str, action: Callable[[], Any]) -> Any:
        gc.freeze()  # the account's own tables: no collector of a turn would have to walk through them
        began, slept = account.clock(), account.slept
        answer = action()
        found.append(Step(name, account.clock() - began, account.slept - slept))
        return answer

    class Timed(Steps):
        def settle(self, reader: Reader) -> Reader:
            return cast("Reader", timed("settle", lambda: super(Timed, self).settle(reader)))

        def seal(self, reader: Reader) -> None:
            timed("seal", lambda: super(Timed, self).seal(reader))

        def fence(self, reader: Reader) -> None:
            timed("fence", lambda: super(Timed, self).fence(reader))

        def look(self, reader: Reader) -> None:
            timed("look again", lambda: super(Timed, self).look(reader))

        def open(self) -> None:
            timed("open", super().open)

    return Timed


def measure() -> Part:
    """A turn for each rate."""
    rows, targets, summary = [], [], []
    for rate in RATES:
        steps, keys, seconds = turned(rate)
        refused = [step for step in steps if step.name != "settle"]
        waited = sum(step.waited for step in refused)
        listed = sum(_listed(steps).values())
        rows += [[str(rate), step.name, f"{step.seconds:.1f}", f"{step.waited:.1f}"] for step in steps]
        summary.append([str(rate), f"{keys:,}", f"{seconds:.1f}", f"{waited:.1f}", f"{listed:.1f}"])
        targets.append(at_most(f"turn: seconds from seal to open at {rate:,} writes/s", seconds, 60, " s"))
        targets.append(
            at_most(f"turn: seconds beyond the sum of its listed waits at {rate:,} writes/s", seconds - listed, 5, " s")
        )
    waits = Waits()
    listed_rows = [
        ["seal", "the policy spreads", f"here up to {SPREAD:g} s", f"{waits.spread_limit:g} s, then all is undone"],
        ["seal", "no record of the sealed table for QuietSeconds", f"{waits.quiet:g} s", "as long as the seal"],
        ["fence", "SpreadSeconds, while invocations that began before end", f"{waits.spread:g} s", "as the seal"],
        [
            "look again",
            "none: keys written since the mark are copied",
            "as many as there are",
            "the invocation's 14 min",
        ],
        [
            "open",
            "DynamoDB takes the next policy of a table only PolicyIntervalSeconds after the last",
            f"{waits.policy_interval:g} s from the fence, of which {waits.spread:g} s are over",
            f"{waits.spread_limit:g} s",
        ],
        ["open", "the policy spreads until a probe is let in", f"here up to {SPREAD:g} s", f"{waits.spread_limit:g} s"],
    ]
    return Part(
        "Turn",
        [
            Table(
                "Seal to open, waits as shipped",
                ["writes/s", "keys looked at again", "seconds", "waited", "sum of the listed waits"],
                summary,
                "An account in memory with policies that spread. Waits pass on its clock, and so do the processor time "
                f"of the turn's own work and {LATENCY * 1000:g} ms for the way of each call. Every write is of another "
                "key, which is the most that there can be to look at again. The services' own deployment comes after.",
            ),
            Table("The same by step", ["writes/s", "step", "seconds", "of which waited"], rows),
            item_cost.measure(_REST, rounds=50),
            Table("Every wait between seal and open", ["step", "what for", "how long", "at most"], listed_rows),
        ],
        targets,
    )


def _listed(steps: list[Step]) -> dict[str, float]:
    """The waits of the table, as long as they were bound to be in this turn."""
    waits = Waits()
    look = next(step.seconds for step in steps if step.name == "look again")
    return {
        "spreading of the seal": SPREAD,
        "quiet": max(waits.quiet, waits.spread),
        "spread of the fence": waits.spread,
        "interval": max(0.0, waits.policy_interval - waits.spread - look),
        "spreading of the opening": SPREAD,
    }
