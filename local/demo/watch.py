"""Looks at the record of a migration in the state table while it moves: progress, owner, turns."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from replication.pair import Side
from replication.register import Progress, Register

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Seen:
    """The record as it was at one look. Times are seconds since the epoch, 0 when not known yet."""

    owner: str = ""
    stage: int = 0
    phase: str = ""
    copied: int = 0
    compared: int = 0
    copying: str = ""  # the state of the population
    comparing: str = ""
    to_twin: Progress | None = None  # the mirror of the source's stream
    to_source: Progress | None = None


@dataclass(slots=True)
class Sealed:
    """One turn: when the owner was closed to clients, and when the new owner was open to them."""

    to: str
    sealed_at: float = 0.0
    opened_at: float = 0.0

    @property
    def seconds(self) -> float:
        return self.opened_at - self.sealed_at


@dataclass(slots=True)
class Watch:
    """Reads the record of `pair` again and again in a thread of its own, and hands it to `show`."""

    dynamodb: "DynamoDBClient"
    state_table: str
    pair: str
    show: Callable[[Seen], None]
    turns: dict[str, Sealed] = field(default_factory=dict)  # by request, in the order in which they were seen
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_SECONDS):
            self.look()

    def look(self) -> Seen:
        """Read the record once."""
        key = {"Pair": {"S": self.pair}, "Item": {"S": "pair"}}
        item = self.dynamodb.get_item(TableName=self.state_table, Key=key, ConsistentRead=True).get("Item", {})
        if turn := item.get("Turn", {}).get("M"):
            self._note_turn(turn)
        register = Register(self.dynamodb, self.state_table, time.time)
        population, comparison = item.get("Population", {}).get("M", {}), item.get("Comparison", {}).get("M", {})
        execution = _text(population, "Execution")
        seen = Seen(
            owner=_text(item, "Owner"),
            stage=int(_number(item, "Stage")),
            phase=_text(item.get("Turn", {}).get("M", {}), "Phase"),
            copied=self._done(execution, "copy"),
            # It goes through both tables.
            compared=self._done(execution, "compare") // 2,
            copying=_text(population, "State"),
            comparing=_text(comparison, "State"),
            to_twin=register.progress(self.pair, Side.SOURCE),
            to_source=register.progress(self.pair, Side.TWIN),
        )
        self.show(seen)
        return seen

    def _done(self, execution: str, part: str) -> int:
        """Items that a part of the last population has gone through."""
        if not execution:
            return 0
        found = self.dynamodb.query(
            TableName=self.state_table,
            KeyConditionExpression="#pair = :pair AND begins_with(#item, :segments)",
            ExpressionAttributeNames={"#pair": "Pair", "#item": "Item"},
            ExpressionAttributeValues={
                ":pair": {"S": self.pair},
                ":segments": {"S": f"segment#{execution}#{part}"},
            },
        )
        return int(sum(_number(segment, "Items") for segment in found["Items"]))

    def _note_turn(self, turn: Mapping[str, Any]) -> None:
        sealed = self.turns.setdefault(_text(turn, "Request"), Sealed(_text(turn, "To")))
        sealed.sealed_at = _number(turn, "SealedAt") or sealed.sealed_at
        sealed.opened_at = _number(turn, "OpenedAt") or sealed.opened_at

    def made(self) -> list[Sealed]:
        """The turns that were made, in order; those that were undone are left out."""
        return [turn for turn in self.turns.values() if turn.sealed_at and turn.opened_at]


def monotonic_of(epoch: float) -> float:
    """A time of the wall clock on the clock of the history."""
    return epoch - time.time() + time.monotonic()


def _text(item: Any, name: str) -> str:
    return str(item.get(name, {}).get("S", ""))


def _number(item: Any, name: str) -> float:
    return float(item.get(name, {}).get("N", 0))
