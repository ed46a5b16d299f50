"""Starts the two state machines. An execution is named by its request, so that a repeated request starts nothing."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from replication.codec import from_map, to_map
from replication.order import Order
from replication.pair import Answer  # noqa: TC001 - codec reads the types at run time
from replication.segments import Mode  # noqa: TC001 - codec reads the types at run time

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


@dataclass(frozen=True)
class PopulationJob:
    """One execution of the population machine. `job` names it, and its segments in the state table."""

    pair: str
    job: str
    mode: Mode
    answer: Answer | None = None
    writers_moved: bool = False


class Machines:
    """The machines of the installation."""

    def __init__(self, client: SFNClient, turn_arn: str, population_arn: str) -> None:
        self._client = client
        self._turn = turn_arn
        self._population = population_arn

    def turn(self, order: Order) -> None:
        """Starts the turn that is ordered."""
        self._start(self._turn, order.request, {"Action": "turn", "Order": to_map(order)})

    def recover(self, pair_id: str, token: int, at: float) -> None:
        """Starts the recovery of an unfinished turn: once for each holder that died, again when nothing came of it."""
        self._start(self._turn, f"recover-{pair_id}-{token}-{at // 300:.0f}", {"Action": "recover", "Pair": pair_id})

    def close(self, pair_id: str, at: float) -> None:
        """Has the table that is not the owner closed again: once a minute, until that has come to something."""
        self._start(self._turn, f"close-{pair_id}-{at // 60:.0f}", {"Action": "close", "Pair": pair_id})

    def population(self, job: PopulationJob) -> None:
        """Starts a copy, a comparison, a repair or the last check."""
        self._start(self._population, job.job, {"Job": to_map(job)})

    def turn_status(self, request: str) -> str:
        """How the turn's execution for a request stands, like `population_status`."""
        return self._status(self._turn, request)

    def population_status(self, job: str) -> str:
        """RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED; GONE when Step Functions does not know it (any more)."""
        return self._status(self._population, job)

    def _status(self, machine: str, name: str) -> str:
        try:
            return str(self._client.describe_execution(executionArn=_execution(machine, name))["status"])
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ExecutionDoesNotExist":
                return "GONE"
            raise

    def stop_population(self, job: str) -> None:
        """Stops an execution, if it is still running; its workers stop by themselves at their next page."""
        try:
            self._client.stop_execution(
                executionArn=_execution(self._population, job), cause="The population was removed from its stack."
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ExecutionDoesNotExist":
                raise

    def _start(self, machine: str, name: str, given: dict[str, Any]) -> None:
        try:
            self._client.start_execution(stateMachineArn=machine, name=_named(name), input=json.dumps(given))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ExecutionAlreadyExists":
                raise


def order_of(given: Any) -> Order:
    """The order in the input of the turn machine. Raises NotUnderstood."""
    return from_map(Order, given)


def job_of(given: Any) -> PopulationJob:
    """The job in the input of the population machine. Raises NotUnderstood."""
    return from_map(PopulationJob, given)


def _execution(machine: str, name: str) -> str:
    return machine.replace(":stateMachine:", ":execution:") + f":{_named(name)}"


def _named(name: str) -> str:
    """A name that Step Functions takes: 80 characters, and not all of them."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)[-80:]
