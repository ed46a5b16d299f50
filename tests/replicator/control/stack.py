"""A stack around the world: CloudFormation's side of the gate, and machines that only note what was started."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from botocore.exceptions import ClientError

from replication.adopt import Adoption
from replication.answer import Verdict
from replication.facts import Gatherer
from replication.gate import Gate
from replication.machines import PopulationJob
from replication.order import Ended, Order
from replication.pair import Comparison, Phase, Population, PopulationState, Side, Turn
from replication.populating import Populating
from replication.request import GATE, Request, read
from replication.stacks import Stacks
from replication.watchdog import Health
from tests.replicator.control.iam import Caller, refusal
from tests.replicator.control.world import PAIR_ID, SOURCE, STACK_ID, TWIN, World

QUIET = Health(
    PAIR_ID,
    Side.SOURCE,
    0,
    damaged=False,
    paused=False,
    unhealthy=0,
    turning_for=0,
    refusing_for=0,
    name="app/Users",
    progress=None,
)
"""What the watchdog says of a pair at rest that all is well with."""


DONE = Verdict(success=True)
MINE = {
    "Sid": "Mine",
    "Effect": "Allow",
    "Principal": {"AWS": ["arn:x"]},
    "Action": ["dynamodb:GetItem"],
    "Resource": "*",
}
OWN = {"Version": "2012-10-17", "Statement": [MINE]}


class CloudFormation:
    """boto3's client, for one stack."""

    def __init__(self) -> None:
        self.status = "UPDATE_IN_PROGRESS"
        self.tables = {"Users": SOURCE, "UsersEncrypted": TWIN}
        self.leaving: set[str] = set()
        self.importers: dict[str, list[str]] = {}
        self.fails: ClientError | None = None

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
        if self.fails is not None:
            raise self.fails
        return {"Stacks": [{"StackStatus": self.status}]}

    def describe_stack_resource(self, *, StackName: str, LogicalResourceId: str) -> dict[str, Any]:  # noqa: N803
        if LogicalResourceId in self.leaving:
            return {"StackResourceDetail": {"ResourceStatus": "DELETE_IN_PROGRESS"}}
        if StackName != STACK_ID or LogicalResourceId not in self.tables:
            raise refusal("ValidationError", message="does not exist")
        return {
            "StackResourceDetail": {
                "ResourceType": "AWS::DynamoDB::Table",
                "ResourceStatus": "CREATE_COMPLETE",
                "PhysicalResourceId": self.tables[LogicalResourceId],
            }
        }

    def get_paginator(self, _operation: str) -> Any:
        def paginate(*, ExportName: str) -> list[dict[str, Any]]:  # noqa: N803
            if ExportName not in self.importers:
                raise refusal("ValidationError", message="is not imported by any stack")
            return [{"Imports": self.importers[ExportName]}]

        return SimpleNamespace(paginate=paginate)


class Metrics:
    """boto3's CloudWatch client: what was counted, by metric."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}

    def get_metric_statistics(self, *, MetricName: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        return {"Datapoints": [{"Sum": self.sums[MetricName]}] if MetricName in self.sums else []}


@dataclass
class Started:
    """The machines, as far as the gate knows them."""

    turns: list[Order] = field(default_factory=list)
    recovered: list[tuple[str, int]] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    jobs: list[PopulationJob] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    status: dict[str, str] = field(default_factory=dict)

    def turn(self, order: Order) -> None:
        self.turns.append(order)

    def recover(self, pair_id: str, token: int, at: float) -> None:
        self.recovered.append((pair_id, token))

    def close(self, pair_id: str, at: float) -> None:
        self.closed.append(pair_id)

    def population(self, job: PopulationJob) -> None:
        self.jobs.append(job)

    def turn_status(self, request: str) -> str:
        return self.status.get(request, "RUNNING")

    def population_status(self, job: str) -> str:
        return self.status.get(job, "RUNNING")

    def stop_population(self, job: str) -> None:
        self.stopped.append(job)


def request_event(
    kind: str, stage: int, request: str = "request", resource: str = GATE, **properties: Any
) -> dict[str, Any]:
    """A request as CloudFormation sends it: every scalar is text."""
    written = {
        "ServiceToken": "arn:aws:lambda:us-east-1:123456789012:function:gate",
        "Version": "1",
        "Stage": str(stage),
        "SourceLogicalId": "Users",
        "TwinLogicalId": "UsersEncrypted",
        "Twin": TWIN,
    }
    if stage < 4:
        written |= {"Source": SOURCE, "Replication": "mapping", "ReverseReplication": "reverse-mapping"}
    return {
        "RequestType": kind,
        "ResponseURL": "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/answer",
        "StackId": STACK_ID,
        "RequestId": request,
        "LogicalResourceId": "UsersMigrationGate",
        "ResourceType": resource,
        "ResourceProperties": {name: value for name, value in (written | properties).items() if value is not None},
        **({} if kind == "Create" else {"PhysicalResourceId": PAIR_ID}),
    }


class Stack:
    """A stack with a table `Users`, its twin, and the macro's companions; nothing has been asked of the gate yet."""

    def __init__(self, **options: Any) -> None:
        self.world = World(**({"traffic": False} | options))
        self.world.state.remove(self.world.pair)
        for table in self.world.account.tables.values():
            table.policies.clear()
        self._asked = 0
        self.cloudformation = CloudFormation()
        self.metrics = Metrics()
        self.machines = Started()
        crew = self.world.crew
        stacks = Stacks(cast("Any", self.cloudformation))
        client = cast("Any", self.world.account.client(Caller("control", trusted=True)))
        gatherer = Gatherer(
            client, cast("Any", self.metrics), crew.mappings, crew.register, crew.clock, "replicator", 60, 10
        )
        machines = cast("Any", self.machines)
        self.gate = Gate(crew, stacks, gatherer, Adoption(crew, stacks, gatherer), machines)
        self.populating = Populating(crew, stacks, machines)

    def request(self, kind: str, stage: int, request: str = "request", **properties: Any) -> Request:
        return read(self.event(kind, stage, request, **properties))

    def event(self, kind: str, stage: int, request: str = "request", **properties: Any) -> dict[str, Any]:
        """A request as CloudFormation sends it to the gate."""
        return request_event(kind, stage, request, **properties)

    def ask(self, kind: str, stage: int, request: str = "", **properties: Any) -> Verdict | None:
        """A request to the gate, a new one unless it is named, and what it says at once."""
        self._asked += 1
        return self.gate.handle(self.request(kind, stage, request or f"request-{self._asked}", **properties))

    def follow(self) -> Ended:
        """The execution of the turn that was started last."""
        return self.world.turn(self.machines.turns.pop())

    def policies(self) -> dict[str, Any]:
        """The statements of both tables now, by table and Sid."""
        return {
            name: sorted(one["Sid"] for one in table.policies[-1].policy["Statement"])
            if table.policies and table.policies[-1].policy
            else []
            for name, table in self.world.account.tables.items()
        }

    def change_outside(self, table: str, *statements: dict[str, Any]) -> None:
        """Somebody replaces the policy of a table."""
        found = self.world.account.tables[table]
        client = self.world.account.client(Caller("somebody", trusted=True))
        client.put_resource_policy(
            ResourceArn=f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}",
            Policy=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}),
            ExpectedRevisionId=found.policies[-1].revision if found.policies else "NO_POLICY",
        )

    @property
    def last_answer(self) -> dict[str, Any]:
        return self.world.answers[-1]

    def put(self, key: str, value: int = 1) -> None:
        """An item that was there before."""
        self.world.account.write(SOURCE, {"id": {"S": key}}, {"id": {"S": key}, "value": {"N": str(value)}})


def populated(stack: Stack) -> None:
    """The copy is complete and the comparison clean."""
    pair, now = stack.world.pair, stack.world.account.now
    ids = (pair.source.table_id, pair.twin.table_id)
    stack.world.state.start_population(pair, Population("job", pair.epoch, *ids, PopulationState.COMPLETE, now))
    stack.world.state.note_comparison(PAIR_ID, Comparison(pair.epoch, *ids, now, PopulationState.COMPLETE))


def at_stage(stack: Stack, stage: int) -> Stack:
    """A stack that has come to this stage."""
    assert stack.ask("Create", 1) == DONE
    if stage >= 2:
        populated(stack)
        assert stack.ask("Update", 2) == DONE
    if stage >= 3:
        assert stack.ask("Update", 3, "cutover") is None
        assert stack.follow() is Ended.RELEASED
    return stack


def begin_turn(stack: Stack, to: Side, request: str = "other") -> None:
    stack.world.ordered(stack.world.order(to, request))
    pair, now = stack.world.pair, stack.world.account.now
    turn = Turn(request, pair.token + 1, to, Phase.MARKED, now + 30, now)
    stack.world.state.begin_turn(pair, turn)
