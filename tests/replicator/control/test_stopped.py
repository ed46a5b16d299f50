"""The turn's execution is stopped (by hand, say) at every state: the watchdog ends the turn, and nothing is lost.

The states are walked as the machine's definition has them, its tasks are the function's real handler, and it is started
as the gate and the watchdog start it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from replication import handlers
from replication.machines import Machines
from replication.order import Ended, Order
from replication.pair import Phase, Side
from replication.watchdog import Watchdog
from tests.replicator.control.aws import Killed
from tests.replicator.control.iam import refusal
from tests.replicator.control.machine import Execution
from tests.replicator.control.test_handlers import CONTEXT, wire
from tests.replicator.control.world import World

ENDS = ["Ended", "Hold", "Release", "Ended", "Done"]
# What happens to the task that turns, and the states that its execution then goes through.
DEATHS: dict[Phase | None, list[str]] = {
    None: ["Begin", "Turn", *ENDS],
    Phase.SETTLED: ["Begin", "Turn", "NamePair", "Recover", "Ended", "Done"],
    Phase.FENCING: ["Begin", "Turn", "NamePair", "Recover", "Ended", "Done"],
    Phase.OWNED: ["Begin", "Turn", "NamePair", "Recover", *ENDS],
}
TURNING = 2  # the number of the first state behind the task that turns


@dataclass
class StepFunctions:
    """boto3's client: executions wait until they are run; a name is taken once."""

    world: World
    status: dict[str, str] = field(default_factory=dict)
    waiting: list[tuple[str, Any]] = field(default_factory=list)

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> None:  # noqa: A002, N803
        if name in self.status:
            raise refusal("ExecutionAlreadyExists")
        self.status[name] = "RUNNING"
        self.waiting.append((name, json.loads(input)))

    def describe_execution(self, *, executionArn: str) -> dict[str, str]:  # noqa: N803
        return {"status": self.status[executionArn.rpartition(":")[2]]}

    def run(self, stop_at: int | None = None) -> list[str]:
        """The execution that was started; returns the states that it entered."""
        execution = Execution(lambda event: handlers.turn(event, CONTEXT), self.world.account.sleep, stop_at)
        name, given = self.waiting.pop()
        assert execution.run(given) is (stop_at is None)
        self.status[name] = "SUCCEEDED" if stop_at is None else "ABORTED"
        return execution.states


class Installation:
    """A world, the machine, the watchdog."""

    def __init__(self, to: Side) -> None:
        self.world = World(seed=7)
        if to is Side.SOURCE:
            self.world.turn(self.world.order(Side.TWIN, "before"))
        self.world.answers.clear()
        self.executions = StepFunctions(self.world)
        self.machines = Machines(cast("Any", self.executions), "turn", "population")
        self.order: Order = self.world.ordered(self.world.order(to))
        wire(crew=self.world.crew)

    def die(self, phase: Phase | None) -> None:
        """The task that turns dies over the first policy, or the first record of a phase, that it puts then."""

        def before(_caller: str, operation: str) -> None:
            turn = self.world.pair.turn
            writes = operation in ("put_resource_policy", "state.update_item")
            if writes and turn is not None and turn.phase is phase:
                self.world.account.before = lambda caller, operation: None
                raise Killed

        if phase is not None:
            self.world.account.before = before

    def minutes_pass(self, stop_at: int | None = None) -> None:
        """The watchdog looks each minute, and what it starts is run; the first such execution is stopped, if asked."""
        crew = self.world.crew
        watchdog = Watchdog(
            crew.state, crew.register, self.world.segments, crew.access, crew.answers, crew.mappings, self.machines,
            lambda pair_id: 0, crew.clock, crew.log, population_wait=3000, calm=1e9,
        )  # fmt: skip
        for _ in range(12):
            self.world.account.sleep(60)
            watchdog.run()
            self.world.traffic = bool(self.executions.waiting)  # minutes of waiting need none, and take long with it
            if self.executions.waiting:
                self.executions.run(stop_at)
                stop_at = None
            if self.world.pair.turn is None:
                return

    def check(self, *, owner: Side) -> None:
        """One table is open, nothing is lost, and CloudFormation knows."""
        self.world.check()
        assert self.world.pair.owner is owner
        assert self.world.pair.damage == ()
        expected = "SUCCESS" if owner is self.order.to else "FAILED"
        assert {(one["Status"], one["RequestId"]) for one in self.world.answers} == {(expected, self.order.request)}


@pytest.fixture(autouse=True)
def unwired() -> Iterator[None]:
    yield
    handlers._wired.clear()


def stops() -> Iterator[Any]:
    for died, states in DEATHS.items():
        for number in range(TURNING, len(states)):
            told = f"dies {died}" if died else "lives"
            yield pytest.param(died, number, id=f"{told}, stopped before {number} {states[number]}")


def turned_when(died: Phase | None) -> bool:
    return died in (None, Phase.OWNED)


@pytest.mark.parametrize("to", [Side.TWIN, Side.SOURCE])
@pytest.mark.parametrize("died", DEATHS)
def test_one_that_is_not_stopped_goes_through_these_states(died: Phase | None, to: Side) -> None:
    there = Installation(to)
    there.machines.turn(there.order)
    there.die(died)
    assert there.executions.run() == DEATHS[died]
    there.check(owner=to if turned_when(died) else to.other)


@pytest.mark.parametrize("to", [Side.TWIN, Side.SOURCE])
@pytest.mark.parametrize(("died", "number"), list(stops()))
def test_a_turn_is_undone_before_the_owner_has_changed_and_finished_after(
    died: Phase | None, number: int, to: Side
) -> None:
    there = Installation(to)
    there.machines.turn(there.order)
    there.die(died)
    there.executions.run(stop_at=number)
    there.minutes_pass()
    there.check(owner=to if turned_when(died) else to.other)


@pytest.mark.parametrize("to", [Side.TWIN, Side.SOURCE])
@pytest.mark.parametrize(
    ("died", "number"),
    [(died, number) for died, last in ((Phase.FENCING, 4), (Phase.OWNED, 7)) for number in range(last)],
)
def test_the_watchdogs_own_execution_is_stopped_too_and_made_again(died: Phase, number: int, to: Side) -> None:
    there = Installation(to)
    there.machines.turn(there.order)
    there.die(died)
    there.executions.run(stop_at=TURNING)
    there.minutes_pass(stop_at=number)
    there.check(owner=to if turned_when(died) else to.other)


@pytest.mark.parametrize("to", [Side.TWIN, Side.SOURCE])
@pytest.mark.parametrize("number", [0, 1])
def test_one_that_is_stopped_before_it_called_the_function_has_changed_nothing_and_the_watchdog_answers(
    number: int, to: Side
) -> None:
    there = Installation(to)
    there.machines.turn(there.order)
    there.executions.run(stop_at=number)
    there.minutes_pass()
    there.check(owner=to.other)
    assert "execution ended as ABORTED" in there.world.answers[0]["Reason"]
    there.minutes_pass()
    assert len(there.world.answers) == 1
    assert there.world.turn(there.world.ordered(there.world.order(to, "again"))) is Ended.RELEASED
