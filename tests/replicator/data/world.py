"""A pair of tables with its state, as the data plane meets it: user tables in the engine, the state table in moto."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from moto import mock_aws

from replication.codec import pack_item
from replication.mirror import Mirror, Outcome
from replication.pair import Pair, Phase, Population, PopulationState, Side, Table, Turn
from replication.population import Population as Jobs
from replication.register import Register
from replication.segments import Mode, Part, Segments
from replication.state import State
from replication.tables import Tables
from replication.worker import Means, Task, Worker
from tests.replicator.data.engine import Engine, Time, stream_arn
from tests.replicator.pairs import pair_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAIR_ID = "guid/Users"
SOURCE, TWIN = "Users", "UsersEncrypted"


def pair(**changes: Any) -> Pair:
    """A pair whose source owns the writes, nothing under way."""

    def table(name: str) -> Table:
        return Table(name, f"arn:aws:dynamodb:us-east-1:123456789012:table/{name}", f"id-of-{name}", stream_arn(name))

    stack_id = "arn:aws:cloudformation:us-east-1:123456789012:stack/app/guid"
    return pair_of(PAIR_ID, stack_id, table(SOURCE), table(TWIN), **changes)


def turn(phase: Phase, to: Side = Side.TWIN) -> Turn:
    """A turn that has come to this phase."""
    return Turn(request="r", token=0, to=to, phase=phase, lease_until=2e9, started_at=1e6)


@cache
def _client() -> DynamoDBClient:
    return boto3.client("dynamodb")  # made once, inside mock_aws: making one takes longer than most tests


def state_client() -> DynamoDBClient:
    """A new state table in moto."""
    client = _client()
    client.create_table(
        TableName="State",
        AttributeDefinitions=[
            {"AttributeName": "Pair", "AttributeType": "S"},
            {"AttributeName": "Item", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "Pair", "KeyType": "HASH"}, {"AttributeName": "Item", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return client


class Watched:
    """A client that tells of each call before it makes it."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client
        self.before: Callable[[str, dict[str, Any]], None] = lambda operation, request: None

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name == "exceptions":
            return found

        def call(*given: Any, **request: Any) -> Any:
            self.before(name, request)
            return found(*given, **request)

        return call


@dataclass
class World:
    """Everything that an invocation needs, and what a test does to it."""

    client: Watched
    engine: Engine
    time: Time = field(default_factory=Time)
    invocations: int = 0

    def __post_init__(self) -> None:
        client: Any = self.client
        self.state = State(client, "State")
        self.register = Register(client, "State", self.time.clock)
        self.segments = Segments(client, "State", self.time.clock)
        self.tables = Tables(self.engine, self.time.patience(), threads=1)  # type: ignore[arg-type]
        self.means = Means(self.state, self.register, self.segments, self.tables, self.time.patience())
        self.jobs = Jobs(self.means)

    def is_now(self, found: Pair) -> None:
        """Write this record over whatever there is."""
        self.client.put_item(TableName="State", Item=pack_item(found.to_item()))

    def mirror(self, *records: Any, seconds: float = 900) -> Outcome:
        """One invocation with these records."""
        self.invocations += 1
        mirror = Mirror(self.state, self.register, self.tables, self.time.clock)
        return mirror.run({"Records": list(records)}, f"invocation-{self.invocations}", self.time.now + seconds)

    def plan(self, mode: Mode = Mode.POPULATE, job: str = "job") -> None:
        """Start a job as the gate does."""
        found = self.state.pair(PAIR_ID)
        if mode is Mode.POPULATE and (found.population is None or found.population.execution != job):
            ids = (found.source.table_id, found.twin.table_id)
            population = Population(job, found.epoch, *ids, PopulationState.RUNNING, self.time.now)
            self.is_now(replace(found, population=population))
        self.jobs.plan(PAIR_ID, job, mode, self.time.now + 60)

    def work(self, part: Part, number: int = 0, job: str = "job", seconds: float = 900) -> bool:
        """One invocation of a worker on a segment."""
        self.invocations += 1
        of = self.segments.plan(PAIR_ID, job).segments
        task = Task(PAIR_ID, job, part, number, of)
        return Worker(self.means, task, f"invocation-{self.invocations}", self.time.now + seconds).run()

    def work_all(self, part: Part, job: str = "job") -> None:
        """All segments of a part, until they are done."""
        for number in range(self.segments.plan(PAIR_ID, job).segments):
            while not self.work(part, number, job):
                pass


@contextmanager
def world(keys: tuple[str, ...] = ("id",), page: int = 1000, **changes: Any) -> Iterator[World]:
    """A world with a pair in it."""
    with mock_aws():
        made = World(Watched(state_client()), Engine(SOURCE, TWIN, keys=keys, page=page))
        made.state.create(pair(**changes))
        yield made
