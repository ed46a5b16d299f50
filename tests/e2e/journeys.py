"""Journeys of one stack through the stages, with failures on the way; everything about one follows from its seed.

Each run fails at other resources. Ten seeds that follow each other fail, at each leg, at every resource that changes
there: before anything is done for it, or when that has been done and CloudFormation hears of a failure all the same.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.cloud import Fault
from tests.e2e.conftest import changed

# The resources that an update to a stage creates or changes. `Early` depends on nothing, `Late` on the gate.
BACK = "back"  # to populate
CHANGED: Mapping[str, Sequence[str]] = {
    "replicate": (
        *("Users", "UsersEncrypted", "UsersReplication", "UsersReverseReplication", "UsersMigrationGate"),
        *("OrdersEncrypted", "OrdersReplication", "OrdersMigrationGate", "ApiRole", "Early"),
    ),
    "populate": ("UsersMigrationGate", "UsersPopulation", "OrdersMigrationGate", "OrdersPopulation", "Early"),
    "cutover": ("UsersMigrationGate", "OrdersMigrationGate", "Api", "Late", "Early"),
    BACK: ("UsersMigrationGate", "OrdersMigrationGate", "Api", "Late", "Early"),
    "cleanup": ("UsersMigrationGate", "OrdersMigrationGate", "ApiRole", "Early"),
}
_LONGEST_DELAY = 12.0  # seconds: about what a turn takes here


@dataclass(frozen=True)
class Leg:
    """One update to `stage`; with a fault it fails and rolls back."""

    stage: str
    fault: Fault | None = None

    def __str__(self) -> str:
        if self.fault is None:
            return self.stage
        when = "after" if self.fault.late else "before"
        return f"{self.stage} failing {when} {self.fault.logical_id} (+{self.fault.delay:.0f} s)"


def journey(seed: int) -> list[Leg]:
    """From off to cleanup: odd seeds fail on the way there, even ones go back and forward again."""
    chance = random.Random(seed)
    failing = ("replicate", "replicate", "populate", "cutover") if seed % 2 else (BACK, "cutover", "cleanup")
    way = ("replicate", "populate", "cutover", *(() if seed % 2 else (BACK, "cutover")), "cleanup")
    legs: list[Leg] = []
    left = list(failing)
    for place, leg in enumerate(way):
        stage = "populate" if leg == BACK else leg
        if leg in left and leg not in way[place + 1 :]:  # the last of its kind
            times = left.count(leg)
            legs += [Leg(stage, _fault(leg, seed, turn, times, chance)) for turn in range(times)]
        legs.append(Leg(stage))
    return legs


def _fault(leg: str, seed: int, turn: int, times: int, chance: random.Random) -> Fault:
    among = CHANGED[leg]
    victim = among[(seed // 2 * times + turn) % len(among)]
    late = chance.random() < 0.5 if leg != "cutover" else bool(seed % 2)
    # What nothing waits for fails while others are at work: in the middle of a copy or of a turn.
    return Fault(victim, late, chance.uniform(0, _LONGEST_DELAY) if victim == "Early" else 0.0)


def template(body: str) -> str:
    """The example with a second table, and with resources that come before and behind the gates."""

    def add(template: Any) -> None:
        resources = template["Resources"]
        resources["Orders"] = {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "AttributeDefinitions": [{"AttributeName": "order", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "order", "KeyType": "HASH"}],
                "BillingMode": "PAY_PER_REQUEST",
            },
        }
        api = resources["Api"]["Properties"]
        api["Environment"]["Variables"]["ORDERS_TABLE"] = {"Ref": "Orders"}
        api["Policies"].append({"DynamoDBCrudPolicy": {"TableName": {"Ref": "Orders"}}})
        resources["Early"] = _parameter({"Ref": "EncryptMigrateStage"})
        resources["Late"] = _parameter({"Ref": "Users"})

    return changed(body, add)


def _parameter(value: object) -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}}
