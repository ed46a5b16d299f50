"""Requests of CloudFormation for our custom resources, understood or refused with everything that is wrong with them.

CloudFormation hands every scalar over as text. A request that cannot be understood can still be answered as long as it
says where to: `answer_to` is therefore separate from `read_gate` and `read_population`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from replication.errors import RequestError
from replication.pair import Answer, Side
from replication.policies import problems_of

VERSION = "1"
GATE = "Custom::MigrationGate"
POPULATION = "Custom::MigrationPopulation"


class Kind(StrEnum):
    """What CloudFormation does with the resource."""

    CREATE = "Create"
    UPDATE = "Update"
    DELETE = "Delete"


class Stage:
    """The stages as the gate knows them, in which the pair's resources exist."""

    REPLICATE, POPULATE, CUTOVER, CLEANUP = range(1, 5)


@dataclass(frozen=True)
class Request:
    """What every request says of itself."""

    kind: Kind
    resource_type: str
    answer: Answer
    properties: Mapping[str, Any]
    physical_id: str | None

    @property
    def stack_guid(self) -> str:
        """The part of the stack's id that no other stack ever has."""
        return self.answer.stack_id.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class GateProperties:
    """What the macro writes for a table's gate."""

    stage: int
    source_logical_id: str
    twin_logical_id: str
    twin: str
    source: str | None
    replication: str | None
    reverse_replication: str | None
    source_policy: str | None
    twin_policy: str | None
    stream_consumers: bool
    changing_exports: tuple[str, ...]
    writers_moved: bool

    @property
    def owner(self) -> Side:
        """The table that takes the writes of clients at this stage."""
        return Side.SOURCE if self.stage <= Stage.POPULATE else Side.TWIN


@dataclass(frozen=True)
class PopulationProperties:
    """What the macro writes for a table's population."""

    pair: str
    write_rate: int | None


def pair_id(stack_guid: str, source_logical_id: str) -> str:
    """The id of a pair: the same for every request about it. Records are found by it, so it must never change."""
    return f"{stack_guid}/{source_logical_id}"


def read(event: Any) -> Request:
    """The request of an event. Raises RequestError."""
    if not isinstance(event, Mapping):
        raise RequestError(["The event is no map."])
    found = _Fields(event, "the event")
    kind = found.text("RequestType", allowed=list(Kind))
    properties = event.get("ResourceProperties", {})
    if not isinstance(properties, Mapping):
        found.problems.append("ResourceProperties is no map.")
        properties = {}
    physical_id = event.get("PhysicalResourceId")
    resource_type = found.text("ResourceType")
    answer = answer_to(event)
    if answer is None:
        found.problems.append("ResponseURL, StackId, RequestId or LogicalResourceId is missing.")
    if found.problems or answer is None:
        raise RequestError(found.problems)
    return Request(Kind(kind), resource_type, answer, properties, physical_id if isinstance(physical_id, str) else None)


def answer_to(event: Any) -> Answer | None:
    """Where the answer to an event goes and what it must repeat; None when the event does not say."""
    if not isinstance(event, Mapping):
        return None
    names = ("ResponseURL", "StackId", "RequestId", "LogicalResourceId")
    values = [event.get(name) for name in names]
    if not all(isinstance(value, str) and value for value in values):
        return None
    url, stack_id, request_id, logical_id = map(str, values)
    return Answer(url, stack_id, request_id, logical_id, physical_id(event, stack_id, logical_id))


def physical_id(event: Mapping[str, Any], stack_id: str, logical_id: str) -> str:
    """The id that CloudFormation keeps for the resource. It is derived, so that a repeated Create gives it again."""
    properties = event.get("ResourceProperties")
    properties = properties if isinstance(properties, Mapping) else {}
    if event.get("ResourceType") == POPULATION and isinstance(properties.get("Pair"), str):
        return f"{properties['Pair']}/population"
    guid = stack_id.rsplit("/", 1)[-1]
    if isinstance(properties.get("SourceLogicalId"), str):
        return pair_id(guid, properties["SourceLogicalId"])
    given = event.get("PhysicalResourceId")
    return given if isinstance(given, str) and given else f"{guid}/{logical_id}"


def read_gate(properties: Mapping[str, Any]) -> GateProperties:
    """The properties of a gate. Raises RequestError with everything that is wrong."""
    found = _Fields(properties, "the gate's properties")
    found.version()
    stage = found.number("Stage", allowed=range(Stage.REPLICATE, Stage.CLEANUP + 1)) or 0
    before_cleanup = stage < Stage.CLEANUP
    read_properties = GateProperties(
        stage=stage,
        source_logical_id=found.text("SourceLogicalId"),
        twin_logical_id=found.text("TwinLogicalId"),
        twin=found.text("Twin"),
        source=found.text("Source") if before_cleanup else None,
        replication=found.text("Replication") if before_cleanup else None,
        reverse_replication=found.text("ReverseReplication") if before_cleanup else None,
        source_policy=found.policy("SourcePolicy"),
        twin_policy=found.policy("TwinPolicy"),
        stream_consumers=found.truth("StreamConsumers"),
        changing_exports=found.texts("ChangingExports"),
        writers_moved=found.truth("WritersMoved"),
    )
    if found.problems:
        raise RequestError(found.problems)
    return read_properties


def read_population(properties: Mapping[str, Any]) -> PopulationProperties:
    """The properties of a population. Raises RequestError with everything that is wrong."""
    found = _Fields(properties, "the population's properties")
    found.version()
    rate = found.number("WriteRate", allowed=range(1, 1_000_001)) if "WriteRate" in properties else None
    pair = found.text("Pair")
    if found.problems:
        raise RequestError(found.problems)
    return PopulationProperties(pair, rate)


class _Fields:
    """Reads values of a map and collects what is wrong with them."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self._values = values
        self._where = where
        self.problems: list[str] = []

    def version(self) -> None:
        """The contract between the macro that wrote this and the functions that read it."""
        found = self._values.get("Version")
        if str(found) != VERSION:
            self.problems.append(
                f"Version is {found!r} and this installation understands {VERSION}: macro and functions must come from "
                "one installation. Deploy the newest installer, then update this stack again."
            )

    def text(self, name: str, allowed: list[Any] | None = None) -> str:
        found = self._values.get(name)
        if not isinstance(found, str) or not found:
            self.problems.append(f"{name} is missing in {self._where}.")
            return ""
        if allowed is not None and found not in allowed:
            self.problems.append(f"{name} is {found!r}, not one of {', '.join(map(str, allowed))}.")
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        found = self._values.get(name, [])
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            self.problems.append(f"{name} is no list of texts.")
            return ()
        return tuple(found)

    def number(self, name: str, allowed: range) -> int | None:
        found = str(self._values.get(name, "")).strip()
        if not found.isdecimal() or int(found) not in allowed:
            self.problems.append(f"{name} is {found!r}, not a number from {allowed[0]} to {allowed[-1]}.")
            return None
        return int(found)

    def truth(self, name: str) -> bool:
        found = str(self._values.get(name, "false")).lower()
        if found not in ("true", "false"):
            self.problems.append(f"{name} is {found!r}, neither true nor false.")
        return found == "true"

    def policy(self, name: str) -> str | None:
        found = self._values.get(name)
        self.problems += problems_of(found, name)
        return None if found is None else json.dumps(found, sort_keys=True)
