"""What depends on the table of `examples/dependents`, as it is seen from outside while the stage is raised."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

from local.cloud.account import Account
from local.cloud.stacks import Result, deploy
from local.demo.example import ROOT, Example, package, runtime
from local.traffic.history import Call
from local.traffic.labels import count_label
from local.traffic.seen import Note
from local.traffic.traffic import Traffic

FOLDER = ROOT / "examples" / "dependents"
EXPORT, SECOND_EXPORT = "{}-table", "{}-table-encrypted"


@dataclass(frozen=True, slots=True)
class Dependents:
    """The stack that owns the table, and in it what reads the table's index and its stream."""

    example: Example

    @property
    def account(self) -> Account:
        return self.example.account

    def search(self, label: str) -> set[str]:
        """The users that the function finds in the index. Raises AssertionError when it cannot."""
        answer = invoke(self.account, self.example.the("Search"), {"pathParameters": {"label": label}})
        assert answer.get("statusCode") == 200, answer
        return set(json.loads(answer["body"]))

    def notes(self, of: str) -> list[Note]:
        """What the reader of the stream has noted of the table with this physical id."""
        pages = self.account.client("dynamodb").get_paginator("scan").paginate(TableName=self.example.the("Changes"))
        items = [item for page in pages for item in page["Items"]]
        return [_note(item) for item in items if f":table/{of}/stream/" in item["change"]["S"]]

    def streams_read(self) -> list[str]:
        """The tables whose streams are read for it."""
        client = self.account.client("lambda")
        found = client.list_event_source_mappings(FunctionName=self.example.the("History"))["EventSourceMappings"]
        return [each["EventSourceArn"].split("/")[1] for each in found]

    def scaled(self) -> dict[str, list[str]]:
        """The scaling policies of this stack, by the table or index that they scale."""
        client = self.account.client("application-autoscaling")
        targets = client.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"]
        policies = client.describe_scaling_policies(ServiceNamespace="dynamodb")["ScalingPolicies"]
        return {
            target["ResourceId"]: [
                each["PolicyName"] for each in policies if each["ResourceId"] == target["ResourceId"]
            ]
            for target in targets
            if target["ResourceId"].split("/")[1].startswith(f"{self.example.name}-")
        }


@dataclass(slots=True)
class Importer:
    """The stack of the other team, which imports the table's name."""

    account: Account
    owner: str
    body: str = ""

    def __post_init__(self) -> None:
        self.body = package(self.account, FOLDER / "importer.yaml")

    @property
    def name(self) -> str:
        return f"importer-of-{self.owner}"

    @property
    def function(self) -> str:
        client = self.account.client("cloudformation")
        found = client.describe_stack_resource(StackName=self.name, LogicalResourceId="Api")["StackResourceDetail"]
        return str(found["PhysicalResourceId"])

    def use(self, export: str, *, also: str | None = None) -> Result:
        """Let the function use one export, and its role besides another."""
        exports = {"UsersExport": export, "AlsoAllowedExport": also or export}
        named = {name: each.format(self.owner) for name, each in exports.items()}
        return deploy(self.account, self.name, self.body, {**named, "Runtime": runtime()})

    def read(self, user: str) -> None:
        """Raises AssertionError when the function cannot read a user who is always there."""
        event = {"requestContext": {"http": {"method": "GET"}}, "pathParameters": {"user": user}}
        answer = invoke(self.account, self.function, event)
        assert answer.get("statusCode") == 200, answer


@dataclass(slots=True)
class Steadily:
    """Asks again and again in a thread of its own, as long as the `with` lasts, and keeps what went wrong."""

    ask: Callable[[], object]
    pause: float = 0.15
    asked: int = 0
    failures: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread = field(init=False)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="steadily", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self.pause):
            self.asked += 1
            try:
                self.ask()
            except Exception as error:  # noqa: BLE001  # whatever it is: the test shows it
                self.failures.append(repr(error))


def invoke(account: Account, function: str, event: dict[str, Any]) -> dict[str, Any]:
    answer = account.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    found: dict[str, Any] = json.loads(answer["Payload"].read())
    return found


def together(first: Traffic, second: Traffic) -> list[Call]:
    """Both histories as one; the numbers of calls stay unique."""
    calls = list(first.calls())
    above = max((call.number for call in calls), default=0)
    return calls + [replace(call, number=call.number + above) for call in second.calls()]


def _note(item: Any) -> Note:
    stream, _, place = item["change"]["S"].partition("#")
    key = item["user"]["S"]
    before, after = (_label(key, item[name]) for name in ("before", "after"))
    return Note(key, stream, int(place), before, after, int(item["first_seen"]["N"]))


def _label(key: str, value: Any) -> str | None:
    """The label of a noted state, as the history has it."""
    if "NULL" in value:
        return None
    return count_label(int(value["S"])) if key.startswith("visits-") else str(value["S"])
