"""A pair of tables on a real engine, with clients, the mirror both ways and turns: the project's code, in real time."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from botocore.exceptions import ClientError

from replication.access import Access
from replication.answer import Answers, Put
from replication.crew import Crew
from replication.look import Look
from replication.mappings import Mappings
from replication.mirror import Mirror, Outcome
from replication.order import Ended, Order
from replication.pair import Comparison, Pair, Population, PopulationState, Side, Table
from replication.policies import at_rest, session_name
from replication.register import Register
from replication.release import release
from replication.state import State
from replication.stream import Streams
from replication.tables import Patience, Tables
from replication.turn import run
from replication.values import equal
from replication.waits import Waits
from tests.replicator.control.iam import Caller
from tests.replicator.control.world import PAIR_ID, ROLES, STACK_ID, Probes, answer_to
from tests.replicator.data.engine import as_event
from tests.replicator.engines.engine import INTERVAL, SPREAD, Engine
from tests.replicator.engines.writes import KINDS
from tests.replicator.pairs import pair_of

WAITS = Waits(
    settle=1, settle_limit=60, quiet=1.5, spread=SPREAD + 0.1, spread_limit=60, policy_interval=INTERVAL + 0.1,
    hold=0.5, lease=60, poll=0.1, reading=0.05, another_turn=5,
)  # fmt: skip
CLIENTS = [Caller(f"client-{number}", trusted=True) for number in range(2)]
KEYS = "abcdef"


@dataclass
class Lane:
    """The mirror of one stream, as Lambda runs it: a place in the stream, and records that wait."""

    iterators: dict[str, str] = field(default_factory=dict)
    waiting: list[dict[str, Any]] = field(default_factory=list)


class Migration:
    """One pair, at stage 2 when it begins. `name` tells it from others on the same engine."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine = engine
        self.names = {Side.SOURCE: name, Side.TWIN: f"{name}Encrypted"}
        self.random = random.Random(name)
        self.acknowledged: dict[str, str | None] = {}
        self.refused = 0
        self.answers: list[dict[str, Any]] = []
        self.mirroring = self.traffic = False
        self.heard: Callable[[str], None] = lambda message: None  # what the turn says of itself
        self._busy = False
        state = f"{name}State"
        tables = {side: self._table(table) for side, table in self.names.items()}
        make(engine.plain, state, Pair="HASH", Item="RANGE")
        self.state = State(engine.plain, state)
        self.register = Register(engine.plain, state, time.time)
        self.patience = Patience(time.time, time.sleep, lambda: 0.5)
        replicator = Tables(engine.client(Caller("replicator")), self.patience, threads=1)
        self._mirror = Mirror(self.state, self.register, replicator, time.time)
        self.lanes = {side: Lane() for side in Side}
        self.crew = self._crew()
        self._begin(tables)

    def _table(self, name: str) -> Table:
        make(self.engine.plain, name, id="HASH")
        found = self.engine.plain.describe_table(TableName=name)["Table"]
        return Table(name, found["TableArn"], found["TableId"], found["LatestStreamArn"])

    def _begin(self, tables: dict[Side, Table]) -> None:
        ids, now = (tables[Side.SOURCE].table_id, tables[Side.TWIN].table_id), time.time()
        self.state.create(
            pair_of(
                PAIR_ID,
                STACK_ID,
                tables[Side.SOURCE],
                tables[Side.TWIN],
                population=Population("job", 0, *ids, PopulationState.COMPLETE, now - 100),
                comparison=Comparison(0, *ids, now - 50, PopulationState.COMPLETE),
            )
        )
        pair = self.state.claim(self.pair)
        for side, mode in at_rest(Side.SOURCE).items():
            pair = self.crew.access.place(pair, side, mode, pair.token)
        time.sleep(SPREAD)
        self.mirroring = self.traffic = True
        # DynamoDB Local takes the end of a stream that has never had a record for a place that it has forgotten.
        self.sleep(0.5)

    def _crew(self) -> Crew:
        control = self.engine.client(Caller("control", trusted=True))
        mapping = {"State": "Enabled", "LastProcessingResult": "OK"}
        return Crew(
            state=self.state,
            access=Access(
                control, self.state, ROLES, time.time, time.sleep, interval=WAITS.policy_interval, patience=30
            ),
            streams=Streams(self.engine.streams, time.time, time.sleep, refresh=1),
            probes=cast("Any", Probes(cast("Any", SimpleNamespace(account=self.engine)))),
            look=self._look,
            mappings=Mappings(cast("Any", SimpleNamespace(get_event_source_mapping=lambda UUID: mapping))),  # noqa: N803
            register=self.register,
            answers=Answers(cast("Put", self._answered), time.sleep),
            evidence=lambda pair: [],
            waits=WAITS,
            clock=time.time,
            sleep=self.sleep,
            log=lambda message, _fields: self.heard(message),
        )

    def _look(self, token: int) -> Look:
        reader, writer = (
            self.engine.client(caller) for caller in (Caller("turn"), Caller("look", session_name(token)))
        )
        return Look(
            Tables(reader, self.patience, threads=1),
            Tables(writer, self.patience, threads=1, repeat_unanswered=False),
        )

    def _answered(self, _url: str, body: bytes, _headers: Any) -> int:
        self.answers.append(json.loads(body))
        return 200

    @property
    def pair(self) -> Pair:
        return self.state.pair(PAIR_ID)

    # ---- what goes on while the turn waits ----
    def sleep(self, seconds: float) -> None:
        until = time.time() + seconds
        while True:
            if not self._busy:
                self._busy = True
                self.meanwhile()
                self._busy = False
            left = until - time.time()
            if left <= 0:
                return
            time.sleep(min(left, 0.1))

    def meanwhile(self) -> None:
        if self.traffic:
            for client in CLIENTS:
                self.write(client, self.random.choice(KEYS))
        if self.mirroring:
            for side in Side:
                self.mirror(side)

    def write(self, client: Caller, key: str) -> str | None:
        """A write of one kind or another; the client tries both tables. Returns the one that took it."""
        value = self.random.choice("0123")
        for side in self.random.sample(list(Side), 2):
            table = self.names[side]
            kinds = KINDS if self.acknowledged.get(key) is not None else KINDS[:-1]
            try:
                held = self.random.choice(kinds)(self.engine.client(client), table, key, value)
            except ClientError as error:
                if error.response["Error"]["Code"] != "AccessDeniedException":
                    raise
                self.refused += 1
                continue
            self.acknowledged[key] = held
            return table
        return None

    def mirror(self, side: Side) -> Outcome | None:
        """One batch of a stream, unless there is none."""
        lane, stream, client = self.lanes[side], self.pair.table(side).stream_arn, self.engine.streams
        for shard in client.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]:
            name = shard["ShardId"]
            if name not in lane.iterators:
                lane.iterators[name] = client.get_shard_iterator(
                    StreamArn=stream, ShardId=name, ShardIteratorType="TRIM_HORIZON"
                )["ShardIterator"]
            found = client.get_records(ShardIterator=lane.iterators[name], Limit=100)
            lane.iterators[name] = found.get("NextShardIterator") or lane.iterators[name]
            lane.waiting += [delivered(record, stream) for record in found["Records"]]
        if not lane.waiting:
            return None
        event = json.loads(json.dumps({"Records": lane.waiting}))
        outcome = self._mirror.run(event, f"{side}-{time.time()}", time.time() + 60)
        numbers = [record["dynamodb"]["SequenceNumber"] for record in lane.waiting]
        lane.waiting = lane.waiting[len(numbers) if outcome.failed is None else numbers.index(outcome.failed) :]
        return outcome

    # ---- turns ----
    def turn(self, to: Side) -> Ended:
        """A whole execution of the turn machine."""
        order = Order(PAIR_ID, f"to-{to}", to, stage=3 if to is Side.TWIN else 2, answer=answer_to(f"to-{to}"))
        ended = run(self.crew, order, time.time() + 300)
        while ended is Ended.OPENED:
            self.sleep(WAITS.hold)
            ended = release(self.crew, PAIR_ID)
        return ended

    def check(self) -> None:
        """Every acknowledged write is in the owner, and both tables become equal when the mirror has caught up."""
        self.traffic = False
        owner = self.items(self.pair.owner)
        assert {key: item["value"]["S"] for key, item in owner.items()} == {
            key: value for key, value in self.acknowledged.items() if value is not None
        }, "the owner does not hold what was acknowledged"
        until = time.time() + 30
        while not same(owner, self.items(self.pair.owner.other)):
            assert time.time() < until, "the mirror does not bring over what is missing"
            self.sleep(0.1)

    def items(self, side: Side) -> dict[str, Any]:
        found = self.engine.plain.scan(TableName=self.names[side], ConsistentRead=True)["Items"]
        return {item["id"]["S"]: item for item in found}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(equal(item, other[key]) for key, item in one.items())


def make(client: Any, name: str, **keys: Any) -> None:
    """A table with text keys; with a stream, unless it is for state."""
    stream = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}}
    client.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
        BillingMode="PAY_PER_REQUEST",
        **(stream if len(keys) == 1 else {}),
    )


def delivered(record: dict[str, Any], stream: str) -> dict[str, Any]:
    """A record of the streams' API as Lambda delivers it."""
    change = record["dynamodb"]
    images = {name: as_event(change[name]) for name in ("Keys", "NewImage", "OldImage") if name in change}
    at = float(int(change["ApproximateCreationDateTime"].timestamp()))
    who = {"userIdentity": record["userIdentity"]} if "userIdentity" in record else {}
    return {
        "eventName": record["eventName"],
        "eventSourceARN": stream,
        "dynamodb": {**change, **images, "ApproximateCreationDateTime": at},
        **who,
    }
