"""A share of a table's capacity, so that a copy leaves the live service what it lives on.

Only where capacity is bounded: provisioned, or on demand with a maximum. DynamoDB tells of each call what it has
consumed, of the table and of each of its indexes; the next call waits until that much has come in again. So it is the
units themselves that are held to, whatever the sizes of the items, and a table is never taken more of than its share
for longer than one round of calls.
"""

from __future__ import annotations

import threading
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from replication.tables import Patience

# Clients live on the owner, and autoscaling keeps a table at 70 % by default: a quarter still fits beside that.
OF_OWNER = 0.25
# Of the other table nobody but the mirror takes anything, and what it writes is what clients write.
OF_OTHER = 0.5

_TABLE = ""  # the table itself, among the names of its indexes


class Kind(StrEnum):
    """What units are for."""

    READ = "Read"
    WRITE = "Write"


def allowed(described: Mapping[str, Any], kind: Kind, share: float) -> dict[str, float]:
    """Units per second of a table and its indexes, by name, as DescribeTable tells; what has no bound is left out."""
    parts = {_TABLE: described} | {index["IndexName"]: index for index in described.get("GlobalSecondaryIndexes", ())}
    units = {name: _capacity(part, kind) for name, part in parts.items()}
    return {name: found * share for name, found in units.items() if found * share > 0}


def _capacity(part: Mapping[str, Any], kind: Kind) -> float:
    provisioned = part.get("ProvisionedThroughput", {}).get(f"{kind}CapacityUnits", 0)
    return float(provisioned or part.get("OnDemandThroughput", {}).get(f"Max{kind}RequestUnits", 0))


class Share:
    """Holds the calls of one process to what is allowed. Nothing is held until something is allowed."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._rates: dict[tuple[str, Kind], Mapping[str, float]] = {}
        self._free_at: dict[tuple[str, Kind, str], float] = {}  # when what was consumed so far has come in again
        self._lock = threading.Lock()

    def allow(self, rates: Mapping[tuple[str, Kind], Mapping[str, float]]) -> None:
        """From now on these units per second, as `allowed` names them, and no bound on anything else."""
        self._rates = dict(rates)

    @property
    def slowest(self) -> float | None:
        """The fewest units per second of any kind; None when nothing is bounded."""
        return min((rate for units in self._rates.values() for rate in units.values()), default=None)

    def asked(self, table: str, kind: Kind) -> dict[str, Any]:
        """What a request says, so that its answer tells what it consumed."""
        return {"ReturnConsumedCapacity": "INDEXES"} if self._rates.get((table, kind)) else {}

    def wait(self, table: str, kind: Kind, deadline: float) -> bool:
        """Wait until the next call is due. False, without waiting, when that would pass the deadline."""
        due = max(
            (self._free_at.get((table, kind, name), 0.0) for name in self._rates.get((table, kind), ())), default=0
        )
        now = self._patience.clock()
        if due >= deadline:
            return False
        if due > now:
            self._patience.sleep(due - now)
        return True

    def spend(self, table: str, kind: Kind, answer: Mapping[str, Any]) -> None:
        """Count what an answer says that its call consumed."""
        rates = self._rates.get((table, kind))
        if not rates:
            return
        now = self._patience.clock()
        with self._lock:
            for name, units in _consumed(answer):
                if rate := rates.get(name):
                    place = (table, kind, name)
                    self._free_at[place] = max(self._free_at.get(place, 0.0), now) + units / rate


def _consumed(answer: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    """Units by table and index, of the one table that a call is about."""
    told = answer.get("ConsumedCapacity", ())
    for part in [told] if isinstance(told, dict) else told:
        yield _TABLE, part.get("Table", part).get("CapacityUnits", 0.0)
        for name, index in part.get("GlobalSecondaryIndexes", {}).items():
            yield name, index.get("CapacityUnits", 0.0)
