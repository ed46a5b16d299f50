"""The state table: reads that decide are consistent, writes that matter carry a fencing token.

Items (partition key `Pair`, sort key `Item`):

    <pair id>     pair           the record, see pair.py
    <pair id>     stray#<seq>    a stray write that a turn has found
    stream#<arn>  stream         which pair and side a stream belongs to: {PairId, Side}

Others keep batch#, progress#, job and segment# items under the same pair id; `remove` takes them along.

A token is a number that only grows. Whoever wants to change a pair takes the next one, and every write names it, so
that a writer that was given up for dead and wakes up later is refused (StaleTurn). No two holders ever have the same
one: taking it says no when it is repeated after a lost answer, because nobody can tell then whose it is. Every other
write may be repeated and then still says yes: its condition accepts the state that the same write has left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replication.codec import pack, pack_item, to_map, unpack_item
from replication.errors import (
    NotUnderstood,
    RequestError,
    StaleTurn,
    UnknownStream,
)
from replication.notes import Notes, item_key
from replication.ordered import Orders
from replication.pair import OrderState, Pair, Phase, Placed, Side, Turn
from replication.update import Update

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class State(Notes, Orders):
    """The records of all migrations of this installation."""

    # ---- reading ----

    def pair_of_stream(self, stream_arn: str) -> tuple[Pair, Side]:
        """The pair that a stream belongs to, and which of its tables writes that stream.

        Raises UnknownStream, NotUnderstood.
        """
        pair_id = self.pair_id_of_stream(stream_arn)
        if pair_id is None:
            raise UnknownStream(
                f"No migration of this installation reads {stream_arn}. If its table is being migrated, "
                "the state table has lost the record: restore it."
            )
        pair = self.find(pair_id)
        if pair is None:
            raise UnknownStream(f"{stream_arn} belongs to {pair_id}, whose record is gone: restore the state table.")
        for side in Side:
            if pair.table(side).stream_arn == stream_arn:
                return pair, side
        raise NotUnderstood(f"{stream_arn} points to {pair_id}, which knows other streams: restore the state table.")

    def pair_id_of_stream(self, stream_arn: str) -> str | None:
        """The pair that has laid its hand on a stream, whether or not its record is there."""
        pointer = self._get(f"stream#{stream_arn}", "stream")
        return None if pointer is None else str(pointer.get("PairId"))

    def pairs(self) -> Iterator[Pair | NotUnderstood]:
        """Every record; one that cannot be used comes as the error that says why, so that it hides no other."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table,
            ConsistentRead=True,
            FilterExpression="#item = :pair",
            ExpressionAttributeNames={"#item": "Item"},
            ExpressionAttributeValues={":pair": {"S": "pair"}},
        )
        for page in pages:
            for item in page["Items"]:
                try:
                    yield Pair.from_item(unpack_item(item))
                except NotUnderstood as why:
                    yield why

    # ---- a pair's life ----

    def create(self, pair: Pair) -> None:
        """Writes a new record with its two pointers, all or nothing. Repeating it changes nothing.

        Raises RequestError when a record is there already or a table belongs to another migration.
        """
        record = {
            "TableName": self._table,
            "Item": pack_item(pair.to_item()),
            "ConditionExpression": "attribute_not_exists(Pair)",
        }
        pointers = [
            {
                "TableName": self._table,
                "Item": pack_item(_pointer(pair, side)),
                "ConditionExpression": "attribute_not_exists(Pair) OR PairId = :pair",
                "ExpressionAttributeValues": {":pair": pack(pair.pair_id)},
            }
            for side in Side
        ]
        puts: list[Any] = [{"Put": put} for put in (record, *pointers)]
        try:
            self._client.transact_write_items(TransactItems=puts)
        except self._client.exceptions.TransactionCanceledException as why:
            if self.find(pair.pair_id) == pair:
                return  # this very write, repeated after its answer was lost
            others = {self.pair_id_of_stream(pair.table(side).stream_arn) for side in Side} - {None, pair.pair_id}
            raise RequestError(
                [
                    f"The stream of {pair.source.name} or {pair.twin.name} already belongs to the migration {other}: a "
                    "table can only be in one."
                    for other in sorted(map(str, others))
                ]
                or [f"A record of {pair.pair_id} appeared while this one was made: update the stack again."]
            ) from why

    def remove(self, pair: Pair) -> None:
        """Takes away everything that is kept about a pair, the record and its pointers last. Repeating it is harmless.

        Race: CloudFormation has been told of the removal, this call hangs, and a migration of the same table has begun
        anew meanwhile. What is looked up is older than the record that is looked at then, and the record goes only if
        it is still the one that was meant: one that was begun anew keeps all that it has.
        """
        kept = self._kept(pair.pair_id)
        found = self.find(pair.pair_id)
        if found is not None and found.born != pair.born:
            return
        for item in kept:
            self._client.delete_item(TableName=self._table, Key=item_key(pair.pair_id, item))
        try:
            self._client.transact_write_items(TransactItems=self._removals(pair))
        except self._client.exceptions.TransactionCanceledException:
            found = self.find(pair.pair_id)
            if found is not None and found.born == pair.born:
                raise

    def _kept(self, pair_id: str) -> list[str]:
        """The sort keys of everything about a pair but its record."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="#pair = :pair",
            ProjectionExpression="#pair, #item",
            ExpressionAttributeNames={"#pair": "Pair", "#item": "Item"},
            ExpressionAttributeValues={":pair": pack(pair_id)},
        )
        found = [item["Item"]["S"] for page in pages for item in page["Items"]]
        return [item for item in found if item != "pair"]

    def _removals(self, pair: Pair) -> list[Any]:
        """The deletes of a record and its pointers, on the condition that they are this very migration's or gone."""
        if pair.born is None:
            record: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(Born)"}
        else:
            record = {
                "ConditionExpression": "attribute_not_exists(Pair) OR Born = :born",
                "ExpressionAttributeValues": {":born": pack(pair.born)},
            }
        pointer = {
            "ConditionExpression": "attribute_not_exists(Pair) OR PairId = :pair",
            "ExpressionAttributeValues": {":pair": pack(pair.pair_id)},
        }
        deletes = [{"Key": item_key(pair.pair_id, "pair"), **record}]
        deletes += [{"Key": item_key(f"stream#{pair.table(side).stream_arn}", "stream"), **pointer} for side in Side]
        return [{"Delete": {"TableName": self._table, **delete}} for delete in deletes]

    def claim(self, pair: Pair, **changes: Any) -> Pair:
        """Takes the next token for a change outside a turn, with attributes of the record that change with it.

        Raises StaleTurn when a turn is under way or somebody else has claimed the pair since `pair` was read.
        """
        return self._update(
            pair.pair_id,
            StaleTurn(f"{pair.pair_id} is being changed by somebody else: update the stack again."),
            Update(
                "attribute_not_exists(#Turn) AND #Token = :was",
                {":was": pair.token},
                {"Token": pair.token + 1, **changes},
            ),
        )

    # ---- a turn ----

    def begin_turn(self, pair: Pair, turn: Turn) -> Pair:
        """Starts a turn under the next token, if none is under way and nothing changed since `pair` was read.

        R8: only for the order that the record holds. Where `pair` holds none, it was ordered by an earlier version, and
        the gate has not been asked since.

        Raises StaleTurn.
        """
        condition = "#Epoch = :epoch AND attribute_not_exists(#Turn) AND #Token = :was"
        values: dict[str, Any] = {":epoch": pair.epoch, ":was": turn.token - 1}
        changes: dict[str, Any] = {"Token": turn.token, "Turn": to_map(turn)}
        if pair.ordered is None:
            condition += " AND attribute_not_exists(#Ordered)"
        else:
            condition += " AND #Ordered.#Request = :request AND #Ordered.#State = :waiting"
            values |= {":request": turn.request, ":waiting": OrderState.WAITING}
            changes |= {"Ordered.State": OrderState.ENDED}
        return self._update(
            pair.pair_id, StaleTurn(f"Another turn of {pair.pair_id} has begun."), Update(condition, values, changes)
        )

    def take_over(self, pair: Pair, lease_until: float) -> Pair:
        """Takes an unfinished turn away from whoever holds it, dead or alive. Raises StaleTurn."""
        token = pair.token + 1
        return self._update(
            pair.pair_id,
            StaleTurn(f"Somebody else has taken over the turn of {pair.pair_id}."),
            Update(
                "attribute_exists(#Turn) AND #Token = :was",
                {":was": pair.token},
                {"Token": token, "Turn.Token": token, "Turn.LeaseUntil": lease_until},
            ),
        )

    def note_turn(self, pair_id: str, token: int, **changes: Any) -> Pair:
        """Writes attributes of the turn (`Phase=Phase.SEALING`) for whoever holds the token. Raises StaleTurn."""
        return self._update(
            pair_id,
            _superseded(pair_id, token),
            Update(
                "attribute_exists(#Turn) AND #Token = :token",
                {":token": token},
                {f"Turn.{name}": value for name, value in changes.items()},
            ),
        )

    def change_owner(self, pair: Pair, turn: Turn, marked_at: float, looked_at: float, lease_until: float) -> Pair:
        """The one write that moves the ownership: owner, epoch and phase together. Raises StaleTurn."""
        return self._update(
            pair.pair_id,
            _superseded(pair.pair_id, turn.token),
            Update(
                "#Token = :token AND (#Epoch = :was AND #Turn.#Phase = :looked "
                "OR #Epoch = :is AND #Turn.#Phase = :owned)",
                {
                    ":token": turn.token,
                    ":was": pair.epoch,
                    ":is": pair.epoch + 1,
                    ":looked": Phase.LOOKED,
                    ":owned": Phase.OWNED,
                },
                {
                    "Owner": turn.to,
                    "Epoch": pair.epoch + 1,
                    "MarkedAt": marked_at,
                    "LookedAt": looked_at,
                    "Turn.Phase": Phase.OWNED,
                    "Turn.LeaseUntil": lease_until,
                },
            ),
        )

    def end_turn(self, pair_id: str, token: int, **changes: Any) -> Pair:
        """Takes the turn out of the record, with attributes of the record that change with it. Raises StaleTurn."""
        return self._update(
            pair_id,
            _superseded(pair_id, token),
            Update("#Token = :token", {":token": token}, changes, remove=("Turn",)),
        )

    def hold(self, pair_id: str, token: int) -> Pair:
        """Makes sure that the token still counts. Raises StaleTurn."""
        update = Update("#Token = :token", {":token": token}, {"Token": token})
        return self._update(pair_id, _superseded(pair_id, token), update)

    def note_policy(self, pair_id: str, token: int, side: Side, placed: Placed) -> Pair:
        """Remembers the policy that was put on a table. Raises StaleTurn."""
        return self._update(
            pair_id,
            _superseded(pair_id, token),
            Update("#Token = :token", {":token": token}, {f"Revisions.{side}": to_map(placed)}),
        )

    def keep_stray(self, pair_id: str, side: Side, sequence: str, keys: Mapping[str, Any], at: float) -> None:
        """Keeps the keys (wire format) of a write that came to a closed table: whoever repairs reads them."""
        item = {
            **pack_item({"Pair": pair_id, "Item": f"stray#{sequence}", "Side": str(side), "At": at}),
            "Keys": {"M": dict(keys)},
        }
        self._client.put_item(TableName=self._table, Item=item)


def _pointer(pair: Pair, side: Side) -> dict[str, str]:
    return {
        "Pair": f"stream#{pair.table(side).stream_arn}",
        "Item": "stream",
        "PairId": pair.pair_id,
        "Side": str(side),
    }


def _superseded(pair_id: str, token: int) -> StaleTurn:
    return StaleTurn(f"Somebody else holds {pair_id} now; token {token} is out of date.")
