"""An execution of a state machine, as its definition says it: as much of the states language as ours is written in.

A state, a field or an error that is not known here is an error of the test, never passed over. Executions can be
stopped, as StopExecution does it: what the state under way has begun goes on, and nothing comes after it.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.replicator.control.aws import Killed

_LONGEST = 50
TURN = Path(__file__).parents[3] / "replicator/statemachines/turn.asl.json"
_KNOWN = {
    "Choice": {"Choices", "Default"},
    "Pass": {"Parameters", "Next"},
    "Succeed": set(),
    "Task": {"Resource", "Parameters", "TimeoutSeconds", "ResultPath", "Retry", "Catch", "Next"},
    "Wait": {"SecondsPath", "Next"},
}


@dataclass
class Execution:
    """One execution. `call` is the function of its tasks; `stop_at`: the number of the state that is not entered."""

    call: Callable[[Any], Any]
    sleep: Callable[[float], None]
    stop_at: int | None = None
    states: list[str] = field(default_factory=list)

    def run(self, given: Any, definition: Path = TURN) -> bool:
        """Goes through the states; False when it was stopped. Raises what a task raises that nothing catches."""
        machine = json.loads(definition.read_text())
        name: str | None = machine["StartAt"]
        while name is not None:
            if len(self.states) == self.stop_at:
                return False
            self.states.append(name)
            assert len(self.states) < _LONGEST, "it goes round in a circle"
            name, given = self._enter(machine["States"][name], given)
        return True

    def _enter(self, state: Mapping[str, Any], given: Any) -> tuple[str | None, Any]:
        """The next state and its input."""
        kind = state["Type"]
        if unknown := state.keys() - _KNOWN[kind] - {"Type", "Comment"}:
            raise NotImplementedError(f"{kind} with {unknown}")
        if kind == "Choice":
            return _chosen(state, given), given
        if kind == "Pass":
            return state["Next"], _filled(state["Parameters"], given)
        if kind == "Wait":
            self.sleep(_at(state["SecondsPath"], given))
            return state["Next"], given
        return self._task(state, given) if kind == "Task" else (None, given)

    def _task(self, state: Mapping[str, Any], given: Any) -> tuple[str, Any]:
        retries = [
            (one["IntervalSeconds"] * one["BackoffRate"] ** attempt, one["ErrorEquals"])
            for one in state.get("Retry", [])
            for attempt in range(one["MaxAttempts"])
        ]
        parameters = _filled(state["Parameters"], given) if "Parameters" in state else given
        while True:
            try:
                return state["Next"], {**given, _field(state["ResultPath"]): self.call(parameters)}
            except (Killed, Exception) as why:
                matching = [one for one in retries if "States.ALL" in one[1]]
                if matching:
                    retries.remove(matching[0])
                    self.sleep(matching[0][0])
                    continue
                for one in state.get("Catch", []):
                    if "States.ALL" in one["ErrorEquals"]:
                        error = {"Error": type(why).__name__, "Cause": json.dumps({"errorMessage": str(why)})}
                        return one["Next"], {**given, _field(one["ResultPath"]): error}
                raise


def _chosen(state: Mapping[str, Any], given: Any) -> str:
    for one in state["Choices"]:
        if _at(one["Variable"], given) == one["StringEquals"]:
            return str(one["Next"])
    return str(state["Default"])


def _filled(parameters: Mapping[str, Any], given: Any) -> dict[str, Any]:
    return {
        name.removesuffix(".$"): _at(value, given) if name.endswith(".$") else value
        for name, value in parameters.items()
    }


def _at(path: str, given: Any) -> Any:
    """What a path like `$.Result.Ended` leads to."""
    found = given
    for name in path.removeprefix("$.").split("."):
        found = found[name]
    return found


def _field(path: str) -> str:
    """The one field that a ResultPath names."""
    return path.removeprefix("$.")
