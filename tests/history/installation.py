"""The functions of the installer on the account in memory: the real code, put together as wiring.py does it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

from replication.access import Access
from replication.adopt import Adoption
from replication.answer import Answers, Put
from replication.conclusion import Ending
from replication.crew import Crew
from replication.evidence import for_cutover
from replication.facts import Gatherer
from replication.gate import Gate
from replication.look import Look
from replication.mappings import Mappings
from replication.mirror import Mirror
from replication.pair import Side
from replication.policies import session_name
from replication.populating import Populating
from replication.population import Population
from replication.register import Register
from replication.segments import Segments
from replication.stacks import Stacks
from replication.state import State
from replication.stream import Streams
from replication.sweep import sweep
from replication.tables import Patience, Tables
from replication.waits import Waits
from replication.watchdog import Watchdog
from replication.worker import Means
from tests.history.account import Account
from tests.history.lanes import LANES, Lane
from tests.history.machines import Machines
from tests.replicator.control.aws import Table
from tests.replicator.control.iam import Caller
from tests.replicator.control.stack import CloudFormation, Metrics
from tests.replicator.control.world import PAIR_ID, ROLES, TWIN, Probes

WAITS = Waits(
    settle=6,
    settle_limit=40,
    quiet=2,
    spread=3,
    spread_limit=15,
    policy_interval=2,
    hold=5,
    lease=15,
    poll=1,
    another_turn=60,
    ready=20,
)


class Installation:
    """Everything that was installed. `waits`: the parameters it was installed with."""

    def __init__(self, account: Account, waits: Waits = WAITS) -> None:
        self.account, self.waits = account, waits
        timeline = account.timeline
        self.answered: dict[str, dict[str, Any]] = {}
        self.cloudformation = CloudFormation()
        state_client = cast("Any", account.state)
        self.state = State(state_client, "State", lingering=waits.settle)
        self.register = Register(state_client, "State", timeline.clock, waits.lag_limit)
        self.patience = Patience(timeline.clock, timeline.sleep, timeline.random.random)
        self.control = self._client("control", trusted=True)
        self.crew = self._crew()
        self.means = Means(
            self.state,
            self.register,
            Segments(state_client, "State", timeline.clock),
            self._tables("worker"),
            self.patience,
        )
        self.ending = Ending(
            self.state, self.crew.answers, self.control, self.gatherer.facts, timeline.clock, timeline.sleep
        )
        self.machines = Machines(account, self.crew, self.means, Population(self.means), self.ending)
        machines, stacks = cast("Any", self.machines), Stacks(cast("Any", self.cloudformation))
        self.gate = Gate(self.crew, stacks, self.gatherer, Adoption(self.crew, stacks, self.gatherer), machines)
        self.populating = Populating(self.crew, stacks, machines)
        self.watchdog = self._watchdog()
        self.lanes = [self._lane(side, number) for side in Side for number in range(LANES)]

    def start(self) -> None:
        """Whatever goes on by itself."""
        self._start_lanes()
        self.account.timeline.actor("watchdog", self._watch)

    def begin_anew(self) -> None:
        """Another twin, and mappings that begin at the oldest record; an invocation of before may still go on."""
        self.account.tables[TWIN] = Table(TWIN, table_id=f"id-of-{TWIN}-{self.account.now}")
        self.account.mappings.clear()
        self.lanes = [self._lane(side, number) for side in Side for number in range(LANES)]
        self._start_lanes()

    def _start_lanes(self) -> None:
        for lane in self.lanes:
            self.account.timeline.actor(f"lane {lane.side}-{lane.number}", lane.run)

    def _client(self, role: str, session: str = "session", *, trusted: bool = False) -> Any:
        return self.account.client(Caller(role, session, trusted=trusted))

    def _tables(self, role: str, session: str = "session", **options: Any) -> Tables:
        return Tables(self._client(role, session), self.patience, threads=1, **options)

    def _crew(self) -> Crew:
        account, timeline, waits = self.account, self.account.timeline, self.waits
        mappings = Mappings(self.control)
        self.gatherer = Gatherer(
            self.control,
            cast("Any", Metrics()),
            mappings,
            self.register,
            timeline.clock,
            "replicator",
            60,
            waits.lag_limit,
        )
        access = Access(
            self.control,
            self.state,
            ROLES,
            timeline.clock,
            timeline.sleep,
            interval=waits.policy_interval,
            patience=waits.spread_limit,
        )
        return Crew(
            state=self.state,
            access=access,
            streams=Streams(self.control, timeline.clock, timeline.sleep, refresh=2),
            probes=cast("Any", Probes(cast("Any", SimpleNamespace(account=account)))),
            look=self._look,
            mappings=mappings,
            register=self.register,
            answers=Answers(cast("Put", self._answered), timeline.sleep),
            evidence=lambda pair: for_cutover(pair, self.gatherer.facts(pair)),
            waits=waits,
            clock=timeline.clock,
            sleep=timeline.sleep,
            log=lambda message, fields: timeline.tell(f"{message} {fields}"),
        )

    def _look(self, token: int) -> Look:
        writer = self._tables("look", session_name(token), repeat_unanswered=False)
        return Look(self._tables("turn"), writer)

    def _watchdog(self) -> Watchdog:
        crew = self.crew
        return Watchdog(
            state=crew.state,
            register=crew.register,
            segments=self.means.segments,
            access=crew.access,
            answers=crew.answers,
            mappings=crew.mappings,
            machines=cast("Any", self.machines),
            sweep=lambda pair_id: sweep(self.means, pair_id),
            clock=crew.clock,
            log=crew.log,
            population_wait=120,
            calm=self.waits.settle,
        )

    def _lane(self, side: Side, number: int) -> Lane:
        mapping = "mapping" if side is Side.SOURCE else "reverse-mapping"
        return Lane(side, number, self.account, self.account.faults, self._mirror, mapping, self.waits.settle)

    def _mirror(self, lane: str) -> Mirror:
        clock = self.account.timeline.clock
        return Mirror(self.state, self.register, self._tables("replicator", lane), clock, self.waits.spread_limit)

    def _watch(self) -> None:
        while True:
            self.account.sleep(5.0)
            self.machines.survive("watchdog", self.watchdog.run, seconds=30.0, kill=0.02)

    def _answered(self, _url: str, body: bytes, _headers: Any) -> int:
        self.account.before("control", "answer")
        answer = json.loads(body)
        self.account.timeline.tell(f"answers {answer['RequestId']}: {answer['Status']} {answer.get('Reason', '')}")
        self.answered.setdefault(answer["RequestId"], answer)
        return 200

    @property
    def pair(self) -> Any:
        """The record, as it is at this moment, or None."""
        return self.quietly(partial(self.state.find, PAIR_ID))

    def quietly(self, look: Callable[[], Any]) -> Any:
        """What somebody sees who takes no time and whom nothing befalls."""
        before, self.account.before = self.account.before, lambda caller, operation: None
        try:
            return look()
        finally:
            self.account.before = before
