"""A pair under traffic: clients write, the mirror mirrors, a turn is made, in one thread and in made-up time."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

from botocore.exceptions import ClientError

from replication.access import Access
from replication.answer import Answers, Put
from replication.crew import Crew
from replication.look import Look
from replication.mappings import Mappings
from replication.mirror import Mirror, Outcome
from replication.order import Ended, Order
from replication.pair import Answer, Comparison, Ordered, OrderState, Pair, Population, PopulationState, Side
from replication.pair import Table as TableRecord
from replication.policies import Roles, at_rest, session_name
from replication.probe import Outcome as Probed
from replication.probe import attempt
from replication.register import Register
from replication.release import release
from replication.segments import Segments
from replication.state import State
from replication.steps import Steps
from replication.stream import Streams
from replication.tables import Patience, Tables
from replication.turn import recovered, run
from replication.values import identity
from replication.waits import Waits
from tests.replicator.control.aws import REGION, Account, Record, stream_arn, table_arn
from tests.replicator.control.iam import ACCOUNT, Caller, role
from tests.replicator.data.engine import as_event
from tests.replicator.pairs import pair_of

PAIR_ID = "guid/Users"
STACK_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/app/guid"
SOURCE, TWIN = "Users", "UsersEncrypted"
NAMES = {Side.SOURCE: SOURCE, Side.TWIN: TWIN}
ROLES = Roles(*(role(name) for name in ("replicator", "worker", "turn", "look", "probe")))
WAITS = Waits(
    settle=6,
    settle_limit=40,
    quiet=3,
    spread=4,
    spread_limit=20,
    policy_interval=2,
    hold=5,
    lease=30,
    poll=1,
    another_turn=60,
)
CLIENTS = [Caller(f"client-{number}", trusted=True) for number in range(3)]


def answer_to(request: str = "request") -> Answer:
    url = "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/answer"
    return Answer(url, STACK_ID, request, "UsersMigrationGate", PAIR_ID)


@dataclass
class Lane:
    """The mirror of one stream, as Lambda runs it: a checkpoint, and when it may go on."""

    side: Side
    position: int = 0
    busy_until: float = 0.0
    invocation: str | None = None  # of a batch that has begun and hangs


@dataclass
class World:
    """The account, the pair in it, and everything that goes on."""

    seed: int = 0
    waits: Waits = WAITS
    spread: float = 3.0
    traffic: bool = True
    account: Account = field(init=False)
    acknowledged: dict[str, list[tuple[float, int, str]]] = field(default_factory=dict)  # key -> (time, value, table)
    refused: int = 0
    answers: list[dict[str, Any]] = field(default_factory=list)
    logged: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.account = self._account()
        self.account.meanwhile = self.meanwhile
        state_client = cast("Any", self.account.state)
        self.state = State(state_client, "State")
        self.register = Register(state_client, "State", self.account.clock)
        self.segments = Segments(state_client, "State", self.account.clock)
        self.lanes = {side: Lane(side) for side in Side}
        self.mirroring = True
        self.probe_caller = Caller("probe")
        replicator = cast("Any", self.account.client(Caller("replicator")))
        patience = Patience(self.account.clock, self.account.sleep, lambda: 0.5)
        self._tables = Tables(replicator, patience, threads=1)
        self.reader = Tables(cast("Any", self.account.client(Caller("turn"))), patience, threads=1)
        self.crew_patience = patience
        self.crew = self._crew()
        self._start()

    def _account(self) -> Account:
        return Account(SOURCE, TWIN, spread=self.spread)

    def _crew(self) -> Crew:
        control = cast("Any", self.account.client(Caller("control", trusted=True)))
        account = self.account
        return Crew(
            state=self.state,
            access=Access(
                control,
                self.state,
                ROLES,
                account.clock,
                account.sleep,
                interval=self.waits.policy_interval,
                patience=self.waits.spread_limit,
            ),
            streams=Streams(control, account.clock, account.sleep, refresh=2),
            probes=cast("Any", Probes(self)),
            look=self._look,
            mappings=Mappings(control),
            register=self.register,
            answers=Answers(cast("Put", self._answered), account.sleep),
            evidence=lambda pair: list(self.evidence),
            waits=self.waits,
            clock=account.clock,
            sleep=account.sleep,
            log=lambda message, fields: self.logged.append((message, fields)),
        )

    def _look(self, token: int) -> Look:
        writer = cast("Any", self.account.client(Caller("look", session_name(token))))
        return Look(self.reader, Tables(writer, self.crew_patience, threads=1, repeat_unanswered=False))

    def _answered(self, url: str, body: bytes, headers: Any) -> int:
        self.account.before("control", "answer")
        self.answers.append(json.loads(body))
        return 200

    def _start(self) -> None:
        """A pair at stage 2: populated, compared, the source its owner."""
        tables = [TableRecord(name, table_arn(name), f"id-of-{name}", stream_arn(name)) for name in (SOURCE, TWIN)]
        ids = (tables[0].table_id, tables[1].table_id)
        now = self.account.now
        pair = pair_of(
            PAIR_ID,
            STACK_ID,
            *tables,
            population=Population("job", 0, *ids, PopulationState.COMPLETE, now - 100),
            comparison=Comparison(0, *ids, now - 50, PopulationState.COMPLETE),
        )
        self.state.create(pair)
        pair = self.state.claim(pair)
        for side, mode in at_rest(Side.SOURCE).items():
            pair = self.crew.access.place(pair, side, mode, pair.token)
        traffic, self.traffic = self.traffic, False
        self.account.sleep(10)
        self.traffic = traffic
        self.account.sleep(10)

    # ---- what goes on while somebody sleeps ----
    def meanwhile(self) -> None:
        if self.traffic:
            for client in CLIENTS:
                if self.random.random() < 0.3:
                    self.client_writes(client)
        if self.mirroring:
            for side in Side:
                self.mirror(side)

    def client_writes(
        self, client: Caller, key: str | None = None, value: int | None = None, table: str | None = None
    ) -> bool:
        """A client writes a repeated value, or deletes; it tries the table it knows, then the other."""
        key = key or self.random.choice("abcde")
        value = self.random.randrange(4) if value is None else value
        order = [table] if table else self.random.sample([SOURCE, TWIN], 2)
        for name in order:
            try:
                api = self.account.client(client)
                if value:
                    api.put_item(TableName=name, Item={"id": {"S": key}, "value": {"N": str(value)}})
                else:
                    if not self.account.allows(client, "dynamodb:DeleteItem", name):
                        raise PermissionError
                    self.account.write(name, {"id": {"S": key}}, None)
            except (ClientError, PermissionError):
                self.refused += 1
                continue
            self.acknowledged.setdefault(key, []).append((self.account.now, value, name))
            return True
        return False

    def mirror(self, side: Side, most: int = 3) -> Outcome | None:
        """One batch of a stream, unless there is none, or its lane waits."""
        lane, log = self.lanes[side], self.account.tables[NAMES[side]].log
        if lane.busy_until > self.account.now or lane.position >= len(log):
            return None
        batch = log[lane.position : lane.position + most]
        invocation = lane.invocation or f"invocation-{side}-{lane.position}-{self.account.now}"
        lane.invocation = None
        mirror = Mirror(self.state, self.register, self._tables, self.account.clock)
        before, self.account.before = self.account.before, lambda caller, operation: None
        try:
            outcome = mirror.run(
                {"Records": [event(NAMES[side], record) for record in batch]}, invocation, self.account.now + 60
            )
        finally:
            self.account.before = before
        if outcome.failed is None:
            lane.position += len(batch)
        else:
            lane.position = next(record.number for record in batch if record.sequence == outcome.failed)
            lane.busy_until = self.account.now + 1
        return outcome

    def hang(self, side: Side, seconds: float) -> None:
        """The next batch of a stream has begun and registered, but its writes only come after these seconds."""
        lane, log = self.lanes[side], self.account.tables[NAMES[side]].log
        record = log[lane.position]
        lane.invocation = "hanging"
        self.register.begin(PAIR_ID, side, record.sequence, "hanging", self.account.now + 60, float(int(record.at)))
        lane.busy_until = self.account.now + seconds

    # ---- turns ----
    @property
    def pair(self) -> Pair:
        before, self.account.before = self.account.before, lambda caller, operation: None
        try:
            return self.state.pair(PAIR_ID)
        finally:
            self.account.before = before

    def order(self, to: Side, request: str = "request", **options: Any) -> Order:
        return Order(PAIR_ID, request, to, stage=3 if to is Side.TWIN else 2, answer=answer_to(request), **options)

    def ordered(self, order: Order) -> Order:
        """The order, noted in the record as the gate does it: the newest request."""
        noted = Ordered(order.request, self.account.now, OrderState.DECIDING)
        self.state.come(self.pair, noted)
        waiting = replace(
            noted,
            state=OrderState.WAITING,
            to=order.to,
            must_not_fail=order.must_not_fail,
            answer=order.answer,
        )
        self.state.order(PAIR_ID, waiting)
        return order

    def turn(self, order: Order, steps: type[Steps] = Steps) -> Ended:
        """A whole execution of the turn machine."""
        return self.machine(lambda: run(self.crew, order, self.account.now + 800, steps), order)

    def machine(self, first: Callable[[], Ended], order: Order) -> Ended:
        """What the state machine does around a task: hold and release after a turn."""
        ended = first()
        while ended is Ended.OPENED:
            self.account.sleep(self.waits.hold + 1)
            ended = release(self.crew, PAIR_ID)
        return ended

    def recover(self, order: Order) -> Ended:
        return self.machine(lambda: recovered(self.crew, order, self.account.now + 800, "interrupted"), order)

    # ---- checks ----
    def drain(self) -> None:
        """Clients stop, the mirror catches up, policies reach everybody."""
        self.traffic, self.mirroring = False, True
        for lane in self.lanes.values():
            lane.busy_until = 0
        self.account.sleep(60)

    def owner(self) -> str:
        return NAMES[self.pair.owner]

    def open_tables(self) -> list[str]:
        """The tables that some client may write now."""
        return [
            name
            for name in (SOURCE, TWIN)
            if any(self.account.allows(client, "dynamodb:PutItem", name) for client in CLIENTS)
        ]

    def lost(self) -> list[str]:
        """Keys whose last acknowledged write is not what the owner holds."""
        items = self.account.tables[self.owner()].items
        wrong = []
        for key, history in self.acknowledged.items():
            found = items.get(identity({"id": {"S": key}}))
            if (int(found["value"]["N"]) if found else 0) != history[-1][1]:
                wrong.append(key)
        return sorted(wrong)

    def equal(self) -> bool:
        return self.account.tables[SOURCE].items == self.account.tables[TWIN].items

    def check(self) -> None:
        """The invariant: one table open, it is the owner, no acknowledged write lost, both tables equal at rest."""
        self.drain()
        assert self.pair.turn is None
        assert self.open_tables() == [self.owner()]
        assert self.lost() == []
        assert self.equal()


class Probes:
    """Probes with the rights of the callers that they stand for."""

    def __init__(self, world: World) -> None:
        self._world = world

    def client(self, table: str) -> Probed:
        return self._attempt(Caller("probe"), table)

    def replicator(self, table: str) -> Probed:
        return self._attempt(Caller("replicator"), table)

    def look(self, table: str, token: int) -> Probed:
        return self._attempt(Caller("look", session_name(token)), table)

    def _attempt(self, caller: Caller, table: str) -> Probed:
        return attempt(cast("Any", self._world.account.client(caller)), table, {"id": {"S": "nobody's"}})


def event(table: str, record: Record) -> dict[str, Any]:
    """A record as Lambda delivers it."""
    content: dict[str, Any] = {
        "Keys": as_event(record.key),
        "SequenceNumber": record.sequence,
        "ApproximateCreationDateTime": float(int(record.at)),
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    content |= {} if record.item is None else {"NewImage": as_event(record.item)}
    content |= {} if record.before is None else {"OldImage": as_event(record.before)}
    return {
        "eventName": "REMOVE" if record.item is None else "INSERT" if record.before is None else "MODIFY",
        "eventSourceARN": stream_arn(table),
        "dynamodb": content,
    }
