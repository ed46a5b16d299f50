"""Reads how migrations stand: from the state table, Step Functions and CloudFormation."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.cli.cloud import STACK, Cloud, Event, Installation, asking
from local.cli.failures import Refused
from local.cli.standing import Job, Refusal, Report, part_of
from replication.errors import NotUnderstood, StaleWorker
from replication.machines import PopulationJob, job_of
from replication.pair import Pair, Side
from replication.register import Register
from replication.segments import Part, Segments
from replication.state import State

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_stepfunctions import SFNClient

    from replication.values import Item

_OURS = ("Custom::MigrationGate", "Custom::MigrationPopulation", STACK)
_LATER = ("UPDATE_COMPLETE", "CREATE_COMPLETE")


@dataclass(frozen=True)
class Found:
    """The pairs that were asked for, and records that cannot be used, each with the reason."""

    pairs: tuple[Pair, ...]
    unusable: tuple[str, ...]


class Pairs:
    """All migrations of an installation. `clock` gives seconds since the epoch."""

    def __init__(self, cloud: Cloud, installation: Installation, clock: Callable[[], float]) -> None:
        self._cloud = cloud
        self._clock = clock
        self._machine = installation.population_machine
        self._table = installation.state_table
        self._dynamodb: DynamoDBClient = cloud.client("dynamodb")
        self._executions: SFNClient = cloud.client("stepfunctions")
        self._state = State(self._dynamodb, self._table)
        self._register = Register(self._dynamodb, self._table, clock)
        self._segments = Segments(self._dynamodb, self._table, clock)

    def find(self, stack: str | None) -> Found:
        """The pairs of a stack, by name or id, or of all stacks. Raises Refused, CloudUnreachable."""
        stack_id = None if stack is None else self._cloud.stack(stack).stack_id
        with asking():
            records = list(self._state.pairs())
        pairs = [one for one in records if isinstance(one, Pair) and stack_id in (None, one.stack_id)]
        unusable = tuple(str(one) for one in records if isinstance(one, NotUnderstood))
        if stack is not None and not pairs and not unusable:
            raise Refused(
                f"Nothing of stack {stack} is being migrated: that has not begun, or is over.",
                way_on="To begin, deploy it at stage replicate, with EncryptMigrate in its Transform.",
            )
        return Found(tuple(sorted(pairs, key=lambda pair: pair.pair_id)), unusable)

    def report(self, pair: Pair) -> Report:
        """Everything about one pair. Raises CloudUnreachable."""
        at = self._clock()
        name, status, events = self._stack(pair)
        with asking():
            return Report(
                at,
                name,
                status,
                pair,
                self._register.progress(pair.pair_id, pair.owner),
                tuple(self._register.work(pair.pair_id)),
                tuple(self._jobs(pair, at)),
                Counter(_table(pair, stray) for stray in self._strays(pair)),
                refusal(events, pair),
                deployment_seconds(events, pair),
            )

    def running(self, pair: Pair) -> list[PopulationJob]:
        """Jobs of a pair that are under way."""
        found = []
        with asking():
            pages = self._executions.get_paginator("list_executions").paginate(
                stateMachineArn=self._machine, statusFilter="RUNNING"
            )
            for page in pages:
                for execution in page["executions"]:
                    given = self._executions.describe_execution(executionArn=execution["executionArn"])["input"]
                    job = _job(given)
                    if job is not None and job.pair == pair.pair_id:
                        found.append(job)
        return found

    def _jobs(self, pair: Pair, at: float) -> list[Job]:
        jobs = []
        for job in self.running(pair):
            try:
                plan = self._segments.plan(pair.pair_id, job.job)
            except StaleWorker:  # it has begun and not planned yet
                jobs.append(Job(job.mode, job.job, ()))
                continue
            parts = tuple(
                part_of(part, plan, self._segments.positions(pair.pair_id, job.job, part), at)
                for part in plan.mode.parts
            )
            jobs.append(Job(job.mode, job.job, parts))
        return jobs

    def wrong(self, report: Report) -> list[tuple[str, Item]]:
        """The keys that something is known to be wrong with, as far as they are kept, each with what it is.

        Raises CloudUnreachable.
        """
        pair, found = report.pair, report.pair.comparison
        keys: list[tuple[str, Item]] = []
        with asking():
            if found is not None and found.differences and found.job is not None:
                for part in (Part.COMPARE_OWNER, Part.COMPARE_OTHER):
                    for position in self._segments.positions(pair.pair_id, found.job, part):
                        keys += [("different", key) for key in position.different]
            keys += [(f"stray in {_table(pair, stray)}", stray["Keys"]["M"]) for stray in self._strays(pair)]
        keys += [("failing", key) for one in report.failing for key in one.keys]
        return keys

    def _strays(self, pair: Pair) -> Iterator[Mapping[str, Any]]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="#pair = :pair AND begins_with(#item, :stray)",
            ExpressionAttributeNames={"#pair": "Pair", "#item": "Item"},
            ExpressionAttributeValues={":pair": {"S": pair.pair_id}, ":stray": {"S": "stray#"}},
        )
        for page in pages:
            yield from page["Items"]

    def _stack(self, pair: Pair) -> tuple[str, str, list[Event]]:
        try:
            found = self._cloud.stack(pair.stack_id)
            return found.name, found.status, self._cloud.events(pair.stack_id)
        except Refused:
            return pair.stack_id.split("/")[-2], "GONE", []


def _table(pair: Pair, stray: Mapping[str, Any]) -> str:
    """The table that a stray write reached; earlier versions did not say which."""
    if "Side" not in stray:
        return f"{pair.source.name} or {pair.twin.name}"
    return pair.table(Side(stray["Side"]["S"])).name


def refusal(events: Sequence[Event], pair: Pair) -> Refusal | None:
    """What the pair's gate said no with in the last update; None when it did not, or a later update went well."""
    gate = f"{pair.source_logical_id}MigrationGate"
    population = f"{pair.source_logical_id}Population"
    for event in events:
        if event.logical_id in (gate, population) and event.status.endswith("_FAILED"):
            reason = event.reason.partition("Message returned: ")[2] or event.reason
            return Refusal(event.at, event.logical_id, reason.partition(" (RequestId:")[0])
    return None


def deployment_seconds(events: Sequence[Event], pair: Pair) -> float | None:
    """From the gate's answer to the last resource of the update; None when nothing came after the gate."""
    answered = [
        event.at
        for event in events
        if event.logical_id == f"{pair.source_logical_id}MigrationGate" and event.status in _LATER
    ]
    after = [
        event.at
        for event in events
        if answered and event.at > answered[0] and event.status in _LATER and event.type not in _OURS
    ]
    return max(after) - answered[0] if after else None


def _job(given: str) -> PopulationJob | None:
    """The job in an execution's input; None for the children of a map, whose input is another."""
    found: Any = json.loads(given)
    return job_of(found["Job"]) if isinstance(found, dict) and list(found) == ["Job"] else None
