"""The engines that one suite of behaviours runs against, with table policies that hold for whoever calls.

moto and DynamoDB Local enforce none, so the guard stands before their clients; the local cloud's emulator enforces
policies itself, and its callers are sessions of real roles. A change of a policy spreads alike on all of them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
import pytest
from moto import mock_aws

from bench.engines import ACCOUNT as KEYS
from bench.engines import engine as started
from bench.workload import described
from local.cloud import Cloud, Settings
from replication.client import items_client
from tests.local.lab import Lab
from tests.replicator.control.iam import ACCOUNT, Caller
from tests.replicator.engines.guard import Guard

NAMES = ("moto", "ministack", "dynamodb-local")
SPREAD, INTERVAL = 0.4, 0.5  # seconds: within which a policy reaches everybody; between two changes of one


class Told:
    """The client of an engine that leaves out the id which every table of AWS has."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def describe_table(self, **request: Any) -> dict[str, Any]:
        return described(self._client, **request)


class Timed:
    """The streams of DynamoDB Local, whose records tell the minute alone: here they tell when they were first read."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._seen: dict[str, datetime] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_records(self, **request: Any) -> dict[str, Any]:
        found: dict[str, Any] = self._client.get_records(**request)
        for record in found["Records"]:
            at = self._seen.setdefault(record["eventID"], datetime.now(UTC))
            record["dynamodb"]["ApproximateCreationDateTime"] = at.replace(microsecond=0)
        return found


@dataclass(frozen=True)
class Engine:
    """A running engine: clients of DynamoDB as the replicator has them, of callers and of one who may everything; its
    streams' client."""

    name: str
    client: Callable[[Caller], Any]
    plain: Any
    streams: Any


@contextmanager
def running(name: str) -> Iterator[Engine]:
    """An engine by its name; the test is skipped where it is not there."""
    if name == "ministack":
        with Cloud(Settings(policy_spread=SPREAD, policy_interval=INTERVAL)) as cloud:
            yield _enforcing(name, cloud)
    elif name == "moto":
        with mock_aws():
            yield _guarded(name, None)
    elif "DYNAMODB_LOCAL" not in os.environ:
        pytest.skip("DYNAMODB_LOCAL does not name the folder of com.amazonaws:DynamoDBLocal and its libraries")
    else:
        with started(name) as found:
            yield _guarded(name, found.endpoint)


def _guarded(name: str, endpoint: str | None) -> Engine:
    guard = Guard(time.time, spread=SPREAD, interval=INTERVAL)

    @cache
    def client(caller: Caller) -> Any:
        client = items_client(endpoint_url=endpoint, **KEYS)
        guard.stand_before(client, caller)
        return Told(client)

    streams = boto3.client("dynamodbstreams", endpoint_url=endpoint, **KEYS)
    return Engine(
        name, client, Told(items_client(endpoint_url=endpoint, **KEYS)), streams if name == "moto" else Timed(streams)
    )


def _enforcing(name: str, cloud: Cloud) -> Engine:
    account = cloud.tenant(ACCOUNT)
    lab = Lab(account)

    @cache
    def role(name: str, trusted: bool) -> str:
        return lab.role(name, *[{"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}] * trusted)

    @cache
    def client(caller: Caller) -> Any:
        given = account.assume(role(caller.name, caller.trusted), caller.session)
        return items_client(
            endpoint_url=cloud.endpoint,
            region_name=cloud.region,
            aws_access_key_id=given.access_key,
            aws_secret_access_key=given.secret_key,
            aws_session_token=given.token,
        )

    return Engine(name, client, items_client(endpoint_url=cloud.endpoint, **KEYS), account.client("dynamodbstreams"))
