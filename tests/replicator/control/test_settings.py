"""What a function is told by its environment, and what the state machines call it with."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

import pytest

from replication.errors import SettingsError
from replication.machines import Machines, PopulationJob, job_of, order_of
from replication.order import Order
from replication.pair import Side
from replication.segments import WORKERS_AT_ONCE, Mode
from replication.settings import Settings
from replication.waits import Waits
from tests.replicator.control.iam import refusal
from tests.replicator.control.world import answer_to

ROOT = Path(__file__).parents[3]
NEEDED = (
    "STATE_TABLE", "REPLICATOR_ROLE_ARN", "WORKER_ROLE_ARN", "TURN_ROLE_ARN", "LOOK_ROLE_ARN", "PROBE_ROLE_ARN",
    "REPLICATOR_FUNCTION", "TURN_MACHINE_ARN", "POPULATION_MACHINE_ARN",
)  # fmt: skip
COMPLETE = {name: name.lower() for name in NEEDED}


class TestSettings:
    def test_waits_have_defaults_and_can_be_set(self) -> None:
        found = Settings.read(COMPLETE | {"SETTLE_SECONDS": "3", "HOLD_SECONDS": "0.5"})
        assert (found.waits.settle, found.waits.hold, found.waits.quiet) == (3, 0.5, Waits().quiet)
        assert found.roles.look == "look_role_arn"

    def test_everything_that_is_missing_or_wrong_is_told_at_once(self) -> None:
        with pytest.raises(SettingsError) as told:
            Settings.read({"QUIET_SECONDS": "soon", "STATE_TABLE": "t"})
        assert "QUIET_SECONDS is 'soon', not a number" in str(told.value)
        assert all(f"{name} is not set" in str(told.value) for name in NEEDED[1:])

    def test_in_aws_no_host_but_cloudformations_is_allowed(self) -> None:
        assert Settings.read(COMPLETE).response_url_hosts == frozenset()

    def test_an_emulators_host_is_allowed(self) -> None:
        environment = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "RESPONSE_URL_HOSTS": "a:1,b:2"}
        assert Settings.read(COMPLETE | environment).response_url_hosts == {"127.0.0.1:4566", "a:1", "b:2"}


class Executions:
    """boto3's client for Step Functions."""

    def __init__(self, **raises: Exception) -> None:
        self.started: list[dict[str, Any]] = []
        self.raises = raises

    def start_execution(self, **request: Any) -> None:
        self.started.append(request)
        if "start" in self.raises:
            raise self.raises["start"]

    def describe_execution(self, **request: Any) -> dict[str, Any]:
        self.started.append(request)
        if "describe" in self.raises:
            raise self.raises["describe"]
        return {"status": "RUNNING"}

    def stop_execution(self, **request: Any) -> None:
        self.started.append(request)
        if "stop" in self.raises:
            raise self.raises["stop"]


TURN = "arn:aws:states:us-east-1:1:stateMachine:em-Turn"
POPULATION = "arn:aws:states:us-east-1:1:stateMachine:em-Population"


def machines(executions: Executions) -> Machines:
    return Machines(cast("Any", executions), TURN, POPULATION)


class TestMachines:
    def test_an_order_arrives_as_it_was_sent(self) -> None:
        executions = Executions()
        order = Order("guid/Users", "request", Side.TWIN, stage=3, must_be_empty=True, answer=answer_to())
        machines(executions).turn(order)
        (started,) = executions.started
        assert (started["stateMachineArn"], started["name"]) == (TURN, "request")
        assert order_of(json.loads(started["input"])["Order"]) == order

    def test_a_job_arrives_as_it_was_sent(self) -> None:
        executions = Executions()
        job = PopulationJob("guid/Users", "cleanup-request", Mode.CLEANUP, answer_to(), writers_moved=True)
        machines(executions).population(job)
        assert job_of(json.loads(executions.started[0]["input"])["Job"]) == job

    def test_an_execution_that_was_started_before_is_not_started_again(self) -> None:
        machines(Executions(start=refusal("ExecutionAlreadyExists"))).turn(Order("p", "r", Side.TWIN))
        with pytest.raises(Exception, match="AccessDenied"):
            machines(Executions(start=refusal("AccessDeniedException"))).turn(Order("p", "r", Side.TWIN))

    def test_a_recovery_is_started_once_for_each_holder_and_again_when_nothing_came_of_it(self) -> None:
        executions = Executions()
        for token, at in ((1, 0.0), (1, 60.0), (2, 60.0), (2, 400.0)):
            machines(executions).recover("guid/Users", token, at)
        names = [started["name"] for started in executions.started]
        assert names[0] == names[1]
        assert len(set(names)) == 3
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,80}", name) for name in names)

    def test_an_execution_that_nobody_knows_is_gone(self) -> None:
        unknown = refusal("ExecutionDoesNotExist")
        assert machines(Executions(describe=unknown)).population_status("job") == "GONE"
        assert machines(Executions(describe=unknown)).turn_status("request") == "GONE"
        machines(Executions(stop=unknown)).stop_population("job")

    def test_a_turn_is_asked_for_by_the_arn_of_its_execution(self) -> None:
        executions = Executions()
        machines(executions).turn_status("the request")
        assert executions.started[0]["executionArn"] == "arn:aws:states:us-east-1:1:execution:em-Turn:the-request"

    def test_a_job_is_stopped_by_the_arn_of_its_execution(self) -> None:
        executions = Executions()
        machines(executions).stop_population("populate-1")
        assert executions.started[0]["executionArn"] == "arn:aws:states:us-east-1:1:execution:em-Population:populate-1"


@pytest.mark.parametrize("name", ["turn", "population"])
class TestDefinitions:
    def states(self, name: str) -> dict[str, Any]:
        text = (ROOT / f"replicator/statemachines/{name}.asl.json").read_text()
        return cast("dict[str, Any]", json.loads(text))

    def test_every_state_is_reached_and_leads_somewhere(self, name: str) -> None:
        def check(machine: dict[str, Any]) -> None:
            states = machine["States"]
            reached = {machine["StartAt"]}
            for state in states.values():
                following = [state.get("Next"), state.get("Default")]
                following += [one["Next"] for key in ("Choices", "Catch") for one in state.get(key, [])]
                reached |= {one for one in following if one}
                assert any(following) or state.get("End") or state["Type"] in ("Succeed", "Fail")
                if "ItemProcessor" in state:
                    check(state["ItemProcessor"])
            assert reached == set(states)

        check(self.states(name))

    def test_every_task_may_fail_without_leaving_cloudformation_unanswered(self, name: str) -> None:
        """Each is either retried for long, or caught by what answers."""
        for title, state in self.states(name)["States"].items():
            if state["Type"] in ("Task", "Map"):
                retried = any(one["ErrorEquals"] == ["States.ALL"] for one in state.get("Retry", []))
                assert "Catch" in state or retried, title

    def test_workers_at_once_are_as_many_as_the_rate_is_divided_by(self, name: str) -> None:
        maps = [state for state in self.states(name)["States"].values() if state["Type"] == "Map"]
        assert all(state["MaxConcurrency"] == WORKERS_AT_ONCE for state in maps)
