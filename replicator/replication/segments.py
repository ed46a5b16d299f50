"""How a job (a copy, a comparison) is divided, and how far each part of it has come.

A job is named by its execution. Items of the state table, under a pair's id:

    job                            the job that was planned last
    segment#<job>#plan             what the job is bound to: epoch, tables, owner; and what it expects
    segment#<job>#<part>-<nnnnn>   the position of a segment: the last key done, and counts for whoever watches

A position is written when its page is done, so a worker that dies loses a page's work, which is done again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping  # noqa: TC003 - from_map resolves the types of Position when it runs
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from replication.codec import from_map, pack_item, to_map, unpack_item
from replication.errors import NotUnderstood, StaleWorker
from replication.notes import item_key
from replication.pair import Side  # noqa: TC001 - from_map resolves Plan's types when it runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from replication.pair import Pair
    from replication.values import Item

WORKERS_AT_ONCE = 20  # the MaxConcurrency of the population machine's maps
MOST_SEGMENTS = 2000  # the list of them passes through the machine, which carries 256 KB
ITEMS_PER_SEGMENT = 200_000  # a minute or two of one worker
BYTES_PER_SEGMENT = 200_000_000
FIRST_LIMIT = 1000  # items of a segment's first page; it grows and shrinks with the time that pages take
_KEPT = 30 * 24 * 3600  # seconds after which a finished job's items may go


class Mode(StrEnum):
    """What a job is for."""

    POPULATE = "populate"  # copy every item of the owner, compare, take away what the owner does not have
    COMPARE = "compare"
    REPAIR = "repair"  # compare, and bring over every key that differs
    CLEANUP = "cleanup"  # compare, before the old table goes

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of such a job, in order."""
        compare = (Part.COMPARE_OWNER, Part.COMPARE_OTHER)
        return (Part.COPY, *compare) if self is Mode.POPULATE else compare


class Part(StrEnum):
    """The kinds of segments a job can have."""

    COPY = "copy"
    COMPARE_OWNER = "compare-owner"  # every item of the owner against the other table
    COMPARE_OTHER = "compare-other"  # every key of the other table against the owner


@dataclass(frozen=True)
class Plan:
    """What a job is bound to. A job of another epoch or of other tables must not touch anything."""

    epoch: int
    owner: Side
    source_id: str
    twin_id: str
    mode: Mode
    planned_at: float
    segments: int
    expected: int  # items; what DescribeTable said, up to six hours old

    def check(self, pair: Pair) -> None:
        """Raises StaleWorker when the pair is not any more what the job was planned for, or is being turned."""
        if pair.turn is not None:
            raise StaleWorker(f"A turn of {pair.pair_id} is under way: nothing else may write.")
        if pair.epoch != self.epoch or pair.owner is not self.owner:
            raise StaleWorker(f"The owner of {pair.pair_id} has changed since this job was planned.")
        if not pair.is_about(self.source_id, self.twin_id):
            raise StaleWorker(f"A table of {pair.pair_id} is not the one that this job was planned for.")


@dataclass(frozen=True)
class Position:
    """How far a segment has come. Counts are of whole pages; a page that is done again counts once."""

    number: int
    of: int
    started_at: float
    updated_at: float
    done: bool = False
    items: int = 0  # scanned
    written: int = 0  # by a copy: more than items, when some changed meanwhile
    size: int = 0  # bytes of JSON scanned
    differences: int = 0  # by a comparison
    different: tuple[Mapping[str, Any], ...] = ()  # the first keys that differ, in wire format
    limit: int = FIRST_LIMIT


def how_many(items: int, size: int, rate: int | None) -> int:
    """Into how many segments a table of so many items and bytes is divided; 4 when its size is not known yet.

    `rate`: how many items or units per second all workers together may take, if that is bounded.
    """
    if not items:
        return 4
    wanted = max(math.ceil(items / ITEMS_PER_SEGMENT), math.ceil(size / BYTES_PER_SEGMENT))
    if rate is not None:  # each worker's share must still be worth an invocation
        wanted = min(wanted, max(1, rate // 25))
    return min(wanted, MOST_SEGMENTS)


class Segments:
    """Plans and positions of all jobs, in the state table."""

    def __init__(self, client: DynamoDBClient, table_name: str, clock: Callable[[], float]) -> None:
        self._client = client
        self._table = table_name
        self._clock = clock

    def plan(self, pair_id: str, job: str) -> Plan:
        """The plan of a job. Raises StaleWorker when there is none."""
        item = self._get(pair_id, job, "plan")
        if item is None:
            raise StaleWorker(f"No job {job} of {pair_id} has been planned.")
        return from_map(Plan, unpack_item(item))

    def keep_plan(self, pair_id: str, job: str, plan: Plan) -> Plan:
        """Keep the plan of a job, unless it has one: planned again, it goes on as it was planned first."""
        named = {**item_key(pair_id, "job"), **pack_item({"Job": job}), **self._expiry()}
        self._client.put_item(TableName=self._table, Item=named)
        item = {**item_key(pair_id, f"segment#{job}#plan"), **pack_item(to_map(plan)), **self._expiry()}
        try:
            self._client.put_item(TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(Pair)")
        except self._client.exceptions.ConditionalCheckFailedException:
            return self.plan(pair_id, job)
        return plan

    def latest(self, pair_id: str) -> str | None:
        """The job of a pair that was planned last, whether it is over or not."""
        answer = self._client.get_item(TableName=self._table, Key=item_key(pair_id, "job"), ConsistentRead=True)
        found = answer.get("Item")
        return found["Job"]["S"] if found else None

    def position(self, pair_id: str, job: str, part: Part, number: int, of: int) -> tuple[Position, Item | None]:
        """How far a segment has come, and the key after which it goes on; None at its begin."""
        item = self._get(pair_id, job, f"{part}-{number:05}")
        if item is None:
            now = self._clock()
            return Position(number, of, started_at=now, updated_at=now), None
        after = item.pop("After", None)
        found = from_map(Position, unpack_item(item))
        if (found.number, found.of) != (number, of):
            raise NotUnderstood(f"Segment {number} of {of} of job {job} was begun as {found.number} of {found.of}.")
        return found, after["M"] if after else None

    def keep(self, pair_id: str, job: str, part: Part, position: Position, after: Item | None) -> Position:
        """Keep a position, and the key after which the segment goes on; None at its begin and at its end."""
        kept = replace(position, updated_at=self._clock())
        item: dict[str, Any] = {
            **item_key(pair_id, f"segment#{job}#{part}-{position.number:05}"),
            **pack_item(to_map(kept)),
            **self._expiry(),
        }
        if after is not None:
            item["After"] = {"M": dict(after)}
        self._client.put_item(TableName=self._table, Item=item)
        return kept

    def positions(self, pair_id: str, job: str, part: Part) -> list[Position]:
        """Every segment of a job's part that has been begun."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="#pair = :pair AND begins_with(#item, :prefix)",
            ExpressionAttributeNames={"#pair": "Pair", "#item": "Item"},
            ExpressionAttributeValues={":pair": {"S": pair_id}, ":prefix": {"S": f"segment#{job}#{part}-"}},
        )
        return [from_map(Position, unpack_item(item)) for page in pages for item in page["Items"]]

    def _get(self, pair_id: str, job: str, name: str) -> dict[str, Any] | None:
        answer = self._client.get_item(
            TableName=self._table, Key=item_key(pair_id, f"segment#{job}#{name}"), ConsistentRead=True
        )
        found: dict[str, Any] | None = answer.get("Item")
        return found

    def _expiry(self) -> dict[str, Any]:
        return pack_item({"ExpiresAt": int(self._clock()) + _KEPT})
