"""Puts the parts together. With handlers.py and client.py the only place that knows boto3, clock and network."""

from __future__ import annotations

import random
import time
from functools import cached_property
from typing import TYPE_CHECKING

import boto3
import urllib3
from botocore.config import Config

from replication.access import Access
from replication.adopt import Adoption
from replication.answer import Answers
from replication.client import items_client
from replication.conclusion import Ending
from replication.crew import Crew
from replication.evidence import for_cutover
from replication.facts import Gatherer
from replication.gate import Gate
from replication.look import Look
from replication.machines import Machines
from replication.mappings import Mappings
from replication.mirror import Mirror
from replication.policies import session_name
from replication.populating import Populating
from replication.population import Population
from replication.probe import Probes
from replication.register import Register
from replication.segments import Segments
from replication.stacks import Stacks
from replication.state import State
from replication.stream import Streams
from replication.sweep import sweep
from replication.tables import Patience, Tables
from replication.watchdog import Watchdog
from replication.worker import Means

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from replication.settings import Settings

_SESSION_SECONDS = 900  # the shortest that a role's session can have
_RENEW_BEFORE = 120  # seconds before a session's end in which it is not used any more
_AT_ONCE = 8  # batches of items on their way
# Calls that may be repeated at will.
_PATIENT = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "max_attempts": 5})
# The probe through the replicator waits for its start.
_INVOKING = Config(connect_timeout=3, read_timeout=70, retries={"mode": "standard", "max_attempts": 2})


class Wiring:
    """The parts, each made when it is first asked for. One for each function instance."""

    def __init__(self, settings: Settings, log: Callable[[str, dict[str, object]], None]) -> None:
        self._settings = settings
        self._log = log
        self._sessions: dict[str, tuple[DynamoDBClient, float]] = {}

    clock = staticmethod(time.time)
    sleep = staticmethod(time.sleep)

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """For records, policies and descriptions."""
        return boto3.client("dynamodb", config=_PATIENT)

    @cached_property
    def items(self) -> DynamoDBClient:
        """For items of users' tables, and for probes."""
        return items_client()

    @cached_property
    def patience(self) -> Patience:
        return Patience(time.time, time.sleep, random.random)

    @cached_property
    def state(self) -> State:
        return State(self.dynamodb, self._settings.state_table, lingering=self._settings.waits.settle)

    @cached_property
    def register(self) -> Register:
        return Register(self.dynamodb, self._settings.state_table, time.time, self._settings.waits.lag_limit)

    @cached_property
    def mappings(self) -> Mappings:
        return Mappings(boto3.client("lambda", config=_PATIENT))

    @cached_property
    def access(self) -> Access:
        waits = self._settings.waits
        return Access(
            self.dynamodb,
            self.state,
            self._settings.roles,
            time.time,
            time.sleep,
            interval=waits.policy_interval,
            patience=waits.spread_limit,
        )

    @cached_property
    def answers(self) -> Answers:
        return answers(self._settings.response_url_hosts)

    @cached_property
    def machines(self) -> Machines:
        client = boto3.client("stepfunctions", config=_PATIENT)
        return Machines(client, self._settings.turn_machine_arn, self._settings.population_machine_arn)

    @cached_property
    def gatherer(self) -> Gatherer:
        return Gatherer(
            self.dynamodb,
            boto3.client("cloudwatch", config=_PATIENT),
            self.mappings,
            self.register,
            time.time,
            self._settings.replicator_function,
            quiet_minutes=self._settings.writers_quiet_minutes,
            lag_limit=self._settings.waits.lag_limit,
        )

    @cached_property
    def probes(self) -> Probes:
        return Probes(
            self.items,
            lambda: self._as(self._settings.probe_role_arn, "probe"),
            self._as_look,
            boto3.client("lambda", config=_INVOKING),
            self._settings.replicator_function,
        )

    @cached_property
    def crew(self) -> Crew:
        return Crew(
            state=self.state,
            access=self.access,
            streams=Streams(boto3.client("dynamodbstreams", config=_PATIENT), time.time, time.sleep),
            probes=self.probes,
            look=self._look,
            mappings=self.mappings,
            register=self.register,
            answers=self.answers,
            evidence=lambda pair: for_cutover(pair, self.gatherer.facts(pair)),
            waits=self._settings.waits,
            clock=time.time,
            sleep=time.sleep,
            log=self._log,
        )

    @cached_property
    def stacks(self) -> Stacks:
        return Stacks(boto3.client("cloudformation", config=_PATIENT))

    @cached_property
    def gate(self) -> Gate:
        adoption = Adoption(self.crew, self.stacks, self.gatherer)
        return Gate(self.crew, self.stacks, self.gatherer, adoption, self.machines)

    @cached_property
    def populating(self) -> Populating:
        return Populating(self.crew, self.stacks, self.machines)

    @cached_property
    def means(self) -> Means:
        segments = Segments(self.dynamodb, self._settings.state_table, time.time)
        tables = Tables(self.items, self.patience, threads=_AT_ONCE)
        return Means(self.state, self.register, segments, tables, self.patience)

    @cached_property
    def population(self) -> Population:
        return Population(self.means)

    @cached_property
    def ending(self) -> Ending:
        return Ending(self.state, self.answers, self.dynamodb, self.gatherer.facts, time.time, time.sleep)

    @cached_property
    def mirror(self) -> Mirror:
        tables = Tables(self.items, self.patience, threads=_AT_ONCE)
        return Mirror(self.state, self.register, tables, time.time, self._settings.waits.spread_limit)

    @cached_property
    def watchdog(self) -> Watchdog:
        return Watchdog(
            state=self.state,
            register=self.register,
            segments=self.means.segments,
            access=self.access,
            answers=self.answers,
            mappings=self.mappings,
            machines=self.machines,
            sweep=lambda pair_id: sweep(self.means, pair_id),
            clock=time.time,
            log=self._log,
            population_wait=self._settings.population_wait_seconds,
            calm=self._settings.waits.settle,
        )

    def _look(self, token: int) -> Look:
        writer = Tables(self._as_look(token), self.patience, threads=_AT_ONCE, repeat_unanswered=False)
        return Look(Tables(self.items, self.patience, threads=_AT_ONCE), writer)

    def _as_look(self, token: int) -> DynamoDBClient:
        return self._as(self._settings.look_role_arn, session_name(token))

    def _as(self, role: str, session: str) -> DynamoDBClient:
        """A client in a session of a role, made anew before it runs out."""
        known = self._sessions.get(session)
        if known is not None and known[1] > time.time():
            return known[0]
        given = boto3.client("sts", config=_PATIENT).assume_role(
            RoleArn=role, RoleSessionName=session, DurationSeconds=_SESSION_SECONDS
        )["Credentials"]
        client = items_client(
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )
        self._sessions[session] = (client, time.time() + _SESSION_SECONDS - _RENEW_BEFORE)
        return client


def answers(hosts: frozenset[str]) -> Answers:
    """For whoever has nothing but an address; `hosts` as in Settings."""
    http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=3, read=10), retries=False)

    def put(url: str, body: bytes, headers: Mapping[str, str]) -> int:
        try:
            return int(http.request("PUT", url, body=body, headers=dict(headers)).status)
        except urllib3.exceptions.HTTPError as error:
            raise OSError(type(error).__name__) from error

    return Answers(put, time.sleep, hosts)
