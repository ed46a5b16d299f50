"""The state table's plain access, and what is noted about a pair without holding its token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replication.codec import to_map, unpack_item
from replication.errors import ReplicationError, StaleTurn, StaleWorker, UnknownPair
from replication.pair import Comparison, Damage, Pair, Population, PopulationState
from replication.update import Update, apart

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class StateTable:
    """One conditional write or consistent read of one item."""

    def __init__(self, client: DynamoDBClient, table_name: str, lingering: float = 0.0) -> None:
        """`lingering`: seconds for which a write that failed without an answer may still land."""
        self._client = client
        self._table = table_name
        self._lingering = lingering

    def pair(self, pair_id: str) -> Pair:
        """The record of a pair. Raises UnknownPair, NotUnderstood."""
        found = self.find(pair_id)
        if found is None:
            raise UnknownPair(f"There is no migration {pair_id}.")
        return found

    def find(self, pair_id: str) -> Pair | None:
        """The record of a pair, or None. Raises NotUnderstood."""
        item = self._get(pair_id, "pair")
        return None if item is None else Pair.from_item(item)

    def _change(self, pair_id: str, update: Update) -> Pair:
        return self._update(pair_id, UnknownPair(f"There is no migration {pair_id}."), update)

    def _update(self, pair_id: str, refused: ReplicationError, update: Update) -> Pair:
        """One conditional write of the record; raises `refused` when its condition does not hold."""
        try:
            answer = self._client.update_item(
                TableName=self._table, Key=item_key(pair_id, "pair"), ReturnValues="ALL_NEW", **update.arguments()
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            raise refused from None
        return Pair.from_item(unpack_item(answer["Attributes"]))

    def _get(self, pair_id: str, item: str) -> dict[str, Any] | None:
        found = self._client.get_item(TableName=self._table, Key=item_key(pair_id, item), ConsistentRead=True).get(
            "Item"
        )
        return None if found is None else unpack_item(found)


class Notes(StateTable):
    """What mirror, population and watchdog note about a pair."""

    def start_population(self, pair: Pair, population: Population) -> Pair:
        """Makes `population` the one whose workers may write. Raises StaleTurn when the owner changed meanwhile."""
        return self._update(
            pair.pair_id,
            StaleTurn(f"The owner of {pair.pair_id} changed while its population was being started."),
            Update("#Epoch = :epoch", {":epoch": pair.epoch}, {"Population": to_map(population)}),
        )

    def note_population(self, pair_id: str, execution: str, **changes: Any) -> Pair:
        """Writes attributes of the population (`State=…, FinishedAt=…`) if it is still this execution's.

        Raises StaleWorker.
        """
        return self._update(
            pair_id,
            _replaced(pair_id, execution),
            Update(
                "#Population.#Execution = :execution",
                {":execution": execution},
                {f"Population.{name}": value for name, value in changes.items()},
            ),
        )

    def note_dead_population(self, pair_id: str, execution: str, at: float, reason: str) -> None:
        """Calls a population failed whose execution has ended, unless it has said or been told something meanwhile.

        Raises StaleWorker.
        """
        self._update(
            pair_id,
            _replaced(pair_id, execution),
            Update(
                "#Population.#Execution = :execution AND #Population.#State = :running",
                {":execution": execution, ":running": PopulationState.RUNNING},
                {"Population.State": PopulationState.FAILED, "Population.FinishedAt": at, "Population.Reason": reason},
            ),
        )

    def count_population(self, pair_id: str, execution: str, items: int, written: int) -> None:
        """Adds to a population's counters. They are for people to look at: a repeated page counts twice.

        Raises StaleWorker.
        """
        self._update(
            pair_id,
            _replaced(pair_id, execution),
            Update(
                "#Population.#Execution = :execution",
                {":execution": execution},
                add={"Population.Items": items, "Population.Written": written},
            ),
        )

    def note_comparison(self, pair_id: str, comparison: Comparison) -> Pair:
        """Keeps the outcome of a comparison if the owner is still the one it was made under. Raises StaleWorker."""
        return self._update(
            pair_id,
            StaleWorker(f"The owner of {pair_id} changed during the comparison."),
            Update("#Epoch = :epoch", {":epoch": comparison.epoch}, {"Comparison": to_map(comparison)}),
        )

    def note_failure(self, pair_id: str, at: float) -> None:
        """A write failed at this time: comparisons begun before it can last land are void. Raises UnknownPair."""
        try:
            self._update(
                pair_id,
                StaleTurn("a later failure is known"),
                Update(
                    "attribute_exists(#Pair) AND (attribute_not_exists(#FailedAt) OR #FailedAt < :at)",
                    {":at": at},
                    {"FailedAt": at, "VoidUntil": at + self._lingering},
                ),
            )
        except StaleTurn:
            self.pair(pair_id)  # it voids no more than the later failure does, unless there is no record at all

    def note_damage(self, pair_id: str, damage: Damage) -> None:
        """Adds a damage, which also voids comparisons begun before it. Raises UnknownPair."""
        self._change(pair_id, Update("attribute_exists(#Pair)", append={"Damage": [to_map(damage)]}))
        self.note_failure(pair_id, damage.at)

    def change(self, pair_id: str, **changes: Any) -> Pair:
        """Writes attributes of the record on which no race depends (`Stage=2`; None removes). Raises UnknownPair."""
        return self._change(pair_id, Update("attribute_exists(#Pair)", {}, *apart(changes)))


def item_key(pair_id: str, item: str) -> dict[str, Any]:
    """The key of an item of the state table in wire format."""
    return {"Pair": {"S": pair_id}, "Item": {"S": item}}


def _replaced(pair_id: str, execution: str) -> StaleWorker:
    return StaleWorker(f"Another population of {pair_id} has taken the place of {execution}.")
