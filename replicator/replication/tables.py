"""Reads and writes items of user tables: the only code that does.

Batches are filled as far as DynamoDB lets them (25 writes or 100 reads, 16 MB) and sent a few at a time. What comes
back unprocessed, throttled or unanswered is sent again after a growing, jittered wait until the caller's deadline; then
it is an error, never a silence. Sending again is safe because every write here is a whole item or a delete. Nothing is
known here of migrations, records or streams.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ParamValidationError
from botocore.exceptions import ConnectionError as NoConnection

from replication.errors import AccessRefused, ItemRejected, TableError, TableGone, Throttled, Unanswered
from replication.share import Kind, Share
from replication.values import Item, Write, identity, wire_size

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WRITES_PER_BATCH = 25
READS_PER_BATCH = 100
BYTES_PER_BATCH = 15_000_000  # DynamoDB's 16 MB less room for the request around the items

_FIRST_WAIT = 0.05
_LONGEST_WAIT = 5.0
_AGAIN = frozenset({
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
})  # fmt: skip
_OF_THE_ITEM = frozenset({"ItemCollectionSizeLimitExceededException", "ValidationException"})
# What DynamoDB's messages quote of an item: numbers that are none, sets with duplicates.
_QUOTED = re.compile(r"(?<=numeric value: ).+|(?<=Input collection )\[.*]", re.DOTALL)

_Given = TypeVar("_Given")
_Done = TypeVar("_Done")


@dataclass(frozen=True)
class Patience:
    """How the edge lets us wait: a clock in seconds, a sleep, and a random number in [0, 1) for the jitter."""

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    random: Callable[[], float]

    def pause(self, attempt: int, deadline: float) -> bool:
        """Wait after failed attempt `attempt` (from 1). False, without waiting, when that would pass the deadline."""
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(attempt, 10)) * (0.5 + self.random() / 2)
        if self.clock() + wait >= deadline:
            return False
        self.sleep(wait)
        return True


@dataclass
class Counts:
    """What the calls of this process met. Threads count without a lock: a lost count costs nothing."""

    calls: int = 0
    throttled: int = 0
    unanswered: int = 0  # writes: such a one may land at any time


@dataclass(frozen=True)
class Failure:
    """A write that is not known to have been done, and why."""

    write: Write
    error: TableError


@dataclass(frozen=True)
class Page:
    """One page of a scan; `after` is where the next one starts, None at the end. `size`: bytes of its JSON."""

    items: list[dict[str, Any]]
    after: Item | None
    size: int


class Tables:
    """Item calls on any table, through one client. `threads` = 1 sends one batch after the other."""

    def __init__(
        self, client: DynamoDBClient, patience: Patience, *, threads: int, repeat_unanswered: bool = True
    ) -> None:
        self._client = client
        self._patience = patience
        self._worker = threading.local()
        self._pool = (
            ThreadPoolExecutor(threads, initializer=lambda: setattr(self._worker, "is_one", True))
            if threads > 1
            else None
        )
        self._repeat_unanswered = repeat_unanswered
        self.counts = Counts()
        self.share = Share(patience)

    def write(self, table: str, writes: Sequence[Write], deadline: float, *, small: bool = False) -> list[Failure]:
        """Write each in no order; no key may come twice. Returns the writes that are not known to be done.

        `small`: any 25 of them are known to stay under 16 MB. Measuring costs nearly as much as sending.

        When the table rejects a batch for one of its items, they are sent one by one, so that a failure with
        ItemRejected is that very item's. Raises Unanswered where an unanswered write must not be repeated.
        """
        closed: list[TableError] = []  # what one batch met, all others would meet

        def send(batch: list[Write]) -> list[Failure]:
            if closed:
                return [Failure(write, closed[0]) for write in batch]
            failures = self._write_batch(table, batch, deadline)
            closed.extend(failure.error for failure in failures if not isinstance(failure.error, ItemRejected))
            return failures

        return [
            failure for failures in self.parallel(send, list(_batches(writes, small=small))) for failure in failures
        ]

    def get(self, table: str, keys: Sequence[Item], deadline: float, *, consistent: bool) -> dict[Hashable, Item]:
        """The items of these keys by the identity of their key; a key without an item is left out.

        Raises a TableError.
        """
        names = list(keys[0]) if keys else []
        chunks = [keys[at : at + READS_PER_BATCH] for at in range(0, len(keys), READS_PER_BATCH)]

        def fetch(chunk: Sequence[Item]) -> list[Item]:
            return self._get_batch(table, chunk, deadline, consistent=consistent)

        found = (item for items in self.parallel(fetch, chunks) for item in items)
        return {identity({name: item[name] for name in names}): item for item in found}

    def scan(self, table: str, deadline: float, *, segment: tuple[int, int], after: Item | None, limit: int) -> Page:
        """One page, eventually consistent, of segment (number, of how many): at most `limit` items and 1 MB.

        Raises a TableError.
        """
        request: dict[str, Any] = {"Segment": segment[0], "TotalSegments": segment[1], "Limit": limit}
        if after:
            request["ExclusiveStartKey"] = after
        pages: list[Page] = []

        def send(requests: list[Any]) -> list[Any]:
            answer = self._metered(table, Kind.READ, "scan", TableName=table, **requests[0])
            pages.append(Page(answer["Items"], answer.get("LastEvaluatedKey"), _length(answer)))
            return []

        self._until_done(table, [request], send, deadline, Kind.READ)
        return pages[0]

    def describe(self, table: str, deadline: float) -> Mapping[str, Any]:
        """What DescribeTable says; its ItemCount and TableSizeBytes are up to six hours old. Raises a TableError."""
        described: Mapping[str, Any] = self._once(table, "describe_table", deadline)["Table"]
        return described

    def expiry_attribute(self, table: str, deadline: float) -> str | None:
        """The attribute by which the table's items expire, None when they do not. Raises a TableError."""
        found = self._once(table, "describe_time_to_live", deadline).get("TimeToLiveDescription", {})
        attribute: str | None = found.get("AttributeName") if found.get("TimeToLiveStatus") == "ENABLED" else None
        return attribute

    def parallel(self, function: Callable[[_Given], _Done], given: Sequence[_Given]) -> list[_Done]:
        """The function of each, a few at a time. After an error all that was begun ends before it is raised.

        Called from inside itself it goes one by one: threads that wait for threads of one pool can wait for ever.
        """
        if self._pool is None or len(given) < 2 or getattr(self._worker, "is_one", False):
            return [function(one) for one in given]
        futures = [self._pool.submit(function, one) for one in given]
        for future in futures:
            future.exception()
        return [future.result() for future in futures]

    def ahead(self, function: Callable[[], _Done]) -> Callable[[], _Done]:
        """Start the function beside what follows; call what is returned for its outcome."""
        return self._pool.submit(function).result if self._pool else function

    def _write_batch(self, table: str, batch: list[Write], deadline: float) -> list[Failure]:
        def send(requests: list[Any]) -> list[Any]:
            answer = self._metered(table, Kind.WRITE, "batch_write_item", RequestItems={table: requests})
            return _left(answer, "UnprocessedItems", table)

        requests = [_request(write) for write in batch]
        try:
            self._until_done(table, requests, send, deadline, Kind.WRITE)
        except ItemRejected as error:
            if len(batch) == 1:
                return [Failure(batch[0], error)]
            return [failure for write in batch for failure in self._write_batch(table, [write], deadline)]
        except TableError as error:
            return [Failure(write, error) for write in batch]
        return []

    def _get_batch(self, table: str, keys: Sequence[Item], deadline: float, *, consistent: bool) -> list[Item]:
        found: list[Item] = []

        def send(keys: list[Any]) -> list[Any]:
            wanted = {table: {"Keys": keys, "ConsistentRead": consistent}}
            answer = self._metered(table, Kind.READ, "batch_get_item", RequestItems=wanted)
            found.extend(answer.get("Responses", {}).get(table, []))
            return _left(answer, "UnprocessedKeys", table)

        self._until_done(table, list(keys), send, deadline, Kind.READ)
        return found

    def _once(self, table: str, operation: str, deadline: float) -> Mapping[str, Any]:
        answers: list[Mapping[str, Any]] = []

        def send(_: list[Any]) -> list[Any]:
            answers.append(self._call(table, operation, TableName=table))
            return []

        self._until_done(table, [operation], send, deadline)
        return answers[0]

    def _until_done(
        self,
        table: str,
        requests: list[Any],
        send: Callable[[list[Any]], list[Any]],
        deadline: float,
        kind: Kind | None = None,
    ) -> None:
        """Send the requests, then those that it returns as left over, until there are none. Raises a TableError.

        `kind`: the units that this takes of the table; None for what takes none.
        """
        attempt = 0
        reason = "it was not asked in time"
        while requests:
            before = len(requests)
            if self._patience.clock() >= deadline:
                raise _out_of_time(table, reason)
            if kind is not None and not self.share.wait(table, kind, deadline):
                raise _out_of_time(table, "our share of its capacity was used up")
            try:
                requests, reason = send(requests), "some were left unprocessed"
            except _Transient as error:
                reason = str(error)
            if requests:
                self.counts.throttled += 1
                attempt = attempt + 1 if len(requests) == before else 1
                if not self._patience.pause(attempt, deadline):
                    raise _out_of_time(table, reason)

    def _metered(self, table: str, kind: Kind, operation: str, **request: Any) -> Any:
        answer = self._call(table, operation, **request, **self.share.asked(table, kind))
        self.share.spend(table, kind, answer)
        return answer

    def _call(self, table: str, operation: str, **request: Any) -> Any:
        """One call. Raises _Transient, or the TableError that every further attempt would meet as well."""
        self.counts.calls += 1
        try:
            return getattr(self._client, operation)(**request)
        except NoConnection as error:  # it was never sent
            raise _Transient(type(error).__name__) from error
        except HTTPClientError as error:
            if operation == "batch_write_item":
                self.counts.unanswered += 1
                if not self._repeat_unanswered:
                    raise Unanswered(f"A write to table {table} got no answer ({type(error).__name__}).") from error
            raise _Transient(type(error).__name__) from error
        except ClientError as error:
            raise _told_apart(table, operation, error) from None  # what it quotes would be in every traceback
        except ParamValidationError:  # likewise
            raise ItemRejected(f"{operation} on table {table}: the client refuses to send the request.") from None
        except BotoCoreError as error:
            raise TableError(f"{operation} on table {table}: {type(error).__name__}: {error}") from error


class _Transient(Exception):
    """A call that may well succeed when it is repeated."""


def _told_apart(table: str, operation: str, error: ClientError) -> Exception:
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _AGAIN or status >= 500:
        return _Transient(code)
    said = _QUOTED.sub("…", error.response.get("Error", {}).get("Message", ""))
    message = f"{operation} on table {table}: {code}: {said[:300]}"
    if code == "AccessDeniedException":
        return AccessRefused(message)
    if code == "ResourceNotFoundException":
        return TableGone(message)
    return ItemRejected(message) if code in _OF_THE_ITEM else TableError(message)


def _out_of_time(table: str, reason: str) -> Throttled:
    return Throttled(
        f"Table {table} did not answer everything before time was up ({reason}). If this goes on, give the table more "
        "capacity or set a lower WriteRate."
    )


def _left(answer: Mapping[str, Any], name: str, table: str) -> list[Any]:
    """What the table has left over of a batch: write requests, or the keys of a read."""
    left = answer.get(name, {}).get(table, [])
    return list(left["Keys"] if isinstance(left, Mapping) else left)


def _length(answer: Mapping[str, Any]) -> int:
    """Bytes of a page's JSON: DynamoDB tells, engines that stand in for it may not."""
    told = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("content-length")
    return int(told) if told else sum(map(wire_size, answer["Items"]))


def _request(write: Write) -> dict[str, Any]:
    if write.item is None:
        return {"DeleteRequest": {"Key": write.key}}
    return {"PutRequest": {"Item": write.item}}


def _batches(writes: Sequence[Write], *, small: bool) -> Iterator[list[Write]]:
    batch: list[Write] = []
    size = 0
    for write in writes:
        added = 0 if small else wire_size(write.item or write.key)
        if batch and (len(batch) == WRITES_PER_BATCH or size + added > BYTES_PER_BATCH):
            yield batch
            batch, size = [], 0
        batch.append(write)
        size += added
    if batch:
        yield batch
