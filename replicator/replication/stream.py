"""A turn's own reading of a table's stream.

The turn takes its place at the end of every open shard (the *mark*) and reads on from there, beside the mirror, so that
in the end it knows every key that was written since. A shard that appears later, because one was split or rolled over,
is read from its beginning: whatever it holds is newer than the mark, or was not far enough behind it to matter.

A shard takes two readers before it throttles. The mirror is one, a reader of the user's own may be the other, so the
turn reads gently: one call per shard and round, and a shard that throttles is simply asked again in the next round.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from replication.errors import StreamLost
from replication.values import Item, identity

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping

    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

# Seconds after which a stream may soon have forgotten a record: it keeps records for 24 hours.
FORGOTTEN_AFTER = 23 * 3600.0
_BUSY = {
    "InternalServerError",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
}
_LOST = {"ExpiredIteratorException", "ResourceNotFoundException", "TrimmedDataAccessException"}
_READ = ""  # the position of a shard that ended and was read to its end
# An iterator has some 300 characters and an item of the state table 400 KB.
_POSITIONS_KEPT = 300
_ATTEMPTS = 30


@dataclass(frozen=True)
class Seen:
    """A record that was read: its key in wire format, and when it was written (rounded down to the second)."""

    sequence: str
    key: Item
    at: float
    expired: bool  # TTL deleted the item, which no policy hinders


@dataclass(frozen=True)
class Round:
    """One round of reading. `complete`: every shard was asked, answered, and had no more."""

    records: list[Seen]
    complete: bool

    @property
    def written(self) -> list[Seen]:
        """The records that somebody's write has caused."""
        return [record for record in self.records if not record.expired]


class Streams:
    """Places in the streams of tables."""

    def __init__(
        self,
        client: DynamoDBStreamsClient,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        refresh: float = 5.0,
    ) -> None:
        """`refresh`: seconds after which a reader looks for new shards."""
        self._client = client
        self._clock = clock
        self._sleep = sleep
        self._refresh = refresh

    def mark(self, stream_arn: str) -> Reader:
        """A place at the end of every shard. Raises StreamLost; ClientError when the stream cannot be read at all."""
        for _ in range(_ATTEMPTS):
            try:
                return self._mark(stream_arn)
            except _NotNowError:
                self._sleep(1.0)
        raise StreamLost(f"The stream {stream_arn} throttles its readers: are there other readers than the mirror?")

    def _mark(self, stream_arn: str) -> Reader:
        reader = self._reader(stream_arn, {})
        for shard, ended in reader.shards():
            # A shard that ends between these two calls gives an iterator at its end; its children are new shards.
            reader.positions[shard] = _READ if ended else reader.iterator(shard, "LATEST")
        return reader

    def beginning(self, stream_arn: str) -> Reader:
        """A place before everything that the stream still holds (24 hours at most). Raises StreamLost."""
        return self._reader(stream_arn, {})

    def resume(self, stream_arn: str, positions: Mapping[str, str]) -> Reader:
        """A place that another reader had; without positions, the beginning."""
        return self._reader(stream_arn, positions)

    def _reader(self, stream_arn: str, positions: Mapping[str, str]) -> Reader:
        return Reader(self._client, stream_arn, dict(positions), self._clock, self._refresh)


@dataclass
class Reader:
    """Reads on from a place in a stream, and knows every key that it has read."""

    _client: DynamoDBStreamsClient
    _stream: str
    positions: dict[str, str]  # shard -> next iterator
    _clock: Callable[[], float]
    _refresh: float
    keys: dict[Hashable, Item] = field(default_factory=dict)
    newest_at: float = 0.0
    """When the newest record that was read was written (rounded down to the second)."""
    _refreshed_at: float | None = None

    def read(self, *, all_shards: bool = False) -> Round:
        """One call to every shard; `all_shards` looks for new ones first, however recently that was done.

        Raises StreamLost when the stream has forgotten what comes next.
        """
        records: list[Seen] = []
        complete = self._find_new_shards(at_once=all_shards)
        for shard, iterator in list(self.positions.items()):
            if iterator != _READ:
                found, exhausted = self._read_shard(shard, iterator)
                records += found
                complete &= exhausted
        self.keys.update({identity(record.key): record.key for record in records})
        self.newest_at = max([self.newest_at, *(record.at for record in records)])
        return Round(records, complete)

    def place(self) -> dict[str, str]:
        """Where this reader stands, to be kept in the record; empty when it is too long to be kept."""
        return dict(self.positions) if len(self.positions) <= _POSITIONS_KEPT else {}

    def shards(self) -> Iterator[tuple[str, bool]]:
        """Every shard of the stream, and whether it has ended."""
        start: dict[str, Any] = {}
        while True:
            described = self._call("describe_stream", StreamArn=self._stream, **start)["StreamDescription"]
            for shard in described["Shards"]:
                yield shard["ShardId"], "EndingSequenceNumber" in shard.get("SequenceNumberRange", {})
            last = described.get("LastEvaluatedShardId")
            if not last:
                return
            start = {"ExclusiveStartShardId": last}

    def iterator(self, shard: str, kind: str) -> str:
        """An iterator of a shard, at its end (LATEST) or its beginning (TRIM_HORIZON)."""
        found = self._call("get_shard_iterator", StreamArn=self._stream, ShardId=shard, ShardIteratorType=kind)
        return str(found["ShardIterator"])

    def _find_new_shards(self, *, at_once: bool) -> bool:
        """Takes up shards that were not there before. False when that could not be found out now."""
        now = self._clock()
        if not at_once and self._refreshed_at is not None and now - self._refreshed_at < self._refresh:
            return True
        try:
            for shard, _ in list(self.shards()):
                if shard not in self.positions:
                    self.positions[shard] = self.iterator(shard, "TRIM_HORIZON")
        except _NotNowError:
            return False
        self._refreshed_at = now
        return True

    def _read_shard(self, shard: str, iterator: str) -> tuple[list[Seen], bool]:
        """The next records of a shard, and whether there are no more for now."""
        try:
            answer = self._call("get_records", ShardIterator=iterator, Limit=1000)
        except _NotNowError:
            return [], False
        following = answer.get("NextShardIterator")
        self.positions[shard] = following or _READ
        if not following:
            self._refreshed_at = None  # the shard has ended: its children may hold the next records already
        records = [_seen(record) for record in answer["Records"]]
        return records, not records and bool(following)

    def _call(self, operation: str, **request: Any) -> Any:
        try:
            return getattr(self._client, operation)(**request)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _LOST:
                raise StreamLost(
                    f"The stream {self._stream} cannot be read on from where the turn stopped: {code}."
                ) from error
            if code in _BUSY:
                raise _NotNowError(code) from error
            raise
        except BotoCoreError as error:
            raise _NotNowError(type(error).__name__) from error


class _NotNowError(Exception):
    """The stream throttles or did not answer: ask again in the next round."""


def _seen(record: Mapping[str, Any]) -> Seen:
    change = record["dynamodb"]
    by = record.get("userIdentity") or {}
    return Seen(
        sequence=change["SequenceNumber"],
        key=change["Keys"],
        at=change["ApproximateCreationDateTime"].timestamp(),
        expired=(by.get("Type"), by.get("PrincipalId")) == ("Service", "dynamodb.amazonaws.com"),
    )
