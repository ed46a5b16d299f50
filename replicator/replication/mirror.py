"""One invocation of the mirror: a batch of stream records becomes writes to the other table.

Who owns the writes decides everything, and it is read anew each time: records of the owner's stream are mirrored, those
of the other table's stream are the echo of our own writes. A record that cannot be mirrored ends the batch: everything
before it is written, it is reported, and Lambda delivers again from there. Redelivery is harmless in order: a key goes
through values that it had before, and ends at its last.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from replication.errors import AccessRefused, ItemRejected, PoisonRecord, ReplicationError, UnknownPair
from replication.pair import Damage, Pair, Side
from replication.records import Batch, Change, by_key, keys_from, read, rounds
from replication.stream import FORGOTTEN_AFTER
from replication.values import identity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from replication.register import Register, Registered
    from replication.state import State
    from replication.tables import Tables

_ROUNDED = 1.0  # seconds: by as much a record can be older than its time, or our clock behind the stream's
_TIME_TO_REPORT = 5.0  # seconds, for whoever ran out of time to say so


@dataclass(frozen=True)
class Outcome:
    """What became of a batch, for Lambda, the log and the metrics."""

    records: int
    written: int = 0
    skipped: bool = False  # the echo of our own writes
    put_off: bool = False  # a turn has closed the table: it comes again
    failed: str | None = None  # the sequence number from which Lambda delivers again
    error: ReplicationError | None = None
    lag: float | None = None  # seconds

    def response(self) -> dict[str, list[dict[str, str]]]:
        """Lambda's partial batch response."""
        return {"batchItemFailures": [{"itemIdentifier": self.failed}] if self.failed else []}


@dataclass(frozen=True)
class Stop:
    """The first record of a batch that could not be mirrored; everything before it is written."""

    place: int
    sequence: str | None
    error: ReplicationError


class Mirror:
    """`refused_limit`: seconds that a policy may need to spread, in which being refused by it is no failure."""

    def __init__(
        self,
        state: State,
        register: Register,
        tables: Tables,
        clock: Callable[[], float],
        refused_limit: float = 120.0,
    ) -> None:
        self._state = state
        self._register = register
        self._tables = tables
        self._clock = clock
        self._refused_limit = refused_limit

    def run(self, event: object, invocation: str, deadline: float) -> Outcome:
        """Mirror the records of a Lambda event. `deadline`: when Lambda ends this invocation, by the clock given.

        Raises UnknownStream or NotUnderstood when the state table does not know the stream, PoisonRecord when a record
        cannot even be named: Lambda then delivers the whole batch again.
        """
        records, stream_arn = _records(event)
        if not records:
            return Outcome(0)
        batch = read(records, stream_arn)
        first = batch.changes[0].sequence if batch.changes else batch.poison.sequence if batch.poison else None
        if first is None:
            raise PoisonRecord("The first record of the batch has no SequenceNumber, so that it cannot be reported.")
        pair, side = self._state.pair_of_stream(stream_arn)
        born = pair.born
        if pair.owner is not side:
            return self._skip(pair, side, first, batch, len(records))
        # Registered before the owner is read for good: a turn that begins after this waits until it is signed off.
        oldest_at = min((change.at for change in batch.changes), default=0.0)
        held, died = self._register.begin(pair.pair_id, side, first, invocation, deadline, oldest_at, born)
        if died:  # a write of it may still land, behind newer ones
            self._state.note_failure(pair.pair_id, self._clock())
        try:
            pair = self._again(pair.pair_id, born)
        except UnknownPair:  # it was removed just now, and what stays registered would hold up a later migration
            self._register.end(held)
            raise
        if pair.owner is not side:
            return self._skip(pair, side, first, batch, len(records))
        if pair.closed_to_replicator:
            self._register.put_off(held)
            return Outcome(len(records), put_off=True, failed=first)
        return self._mirror(pair, side, held, _newer(batch, pair), records)

    def _again(self, pair_id: str, born: float | None) -> Pair:
        """The record as it is now. Raises UnknownPair when it is gone, or another one has taken its place."""
        pair = self._state.pair(pair_id)
        if pair.born != born:
            raise UnknownPair(f"The migration {pair_id} was removed and has begun anew: what is still due comes again.")
        return pair

    def _skip(self, pair: Pair, side: Side, first: str, batch: Batch, count: int) -> Outcome:
        """Nothing to do for the echo of our own writes.

        But what is older than the mark of the turn that made the other table the owner was to be mirrored before it.
        """
        if pair.marked_at:
            missed = [
                change for change in batch.changes if change.at <= pair.marked_at + _ROUNDED and not change.expired
            ]
            for change in missed:
                self._state.keep_stray(pair.pair_id, side, change.sequence, change.write.key, change.at)
            if missed:
                what = (
                    f"Records of {pair.table(side).name} came only after the turn that they were older than, "
                    f"{len(missed)} in all. Their keys are kept: look whether these writes are missing, then repair."
                )
                self._state.note_damage(pair.pair_id, Damage(self._clock(), what))
        self._register.forget(pair.pair_id, side, first)
        return Outcome(count, skipped=True)

    def _mirror(self, pair: Pair, side: Side, held: Registered, batch: Batch, records: Sequence[object]) -> Outcome:
        target = pair.table(side.other).name
        deadline = held.deadline - _TIME_TO_REPORT
        unanswered = self._tables.counts.unanswered
        if side.other is Side.SOURCE and pair.stream_consumers:
            written, stop = self._every_change(target, batch.changes, deadline)
        else:
            written, stop = self._last_changes(target, batch.changes, deadline)
        if stop is None and batch.poison is not None:
            stop = Stop(batch.poison.place, batch.poison.sequence, batch.poison.error)
        if self._tables.counts.unanswered > unanswered:  # it was repeated, and may still land behind newer ones
            self._state.note_failure(pair.pair_id, self._clock())
        if stop is None:
            lag = self._register.note_progress(held)
            if lag > FORGOTTEN_AFTER:
                self._note_forgotten(pair, side)
            self._register.end(held)
            return Outcome(len(records), written, lag=lag)
        if isinstance(stop.error, AccessRefused) and self._only_put_off(held):
            self._register.put_off(held)
            return Outcome(len(records), put_off=True, failed=held.name, error=stop.error)
        return self._fail(held, stop, records, written)

    def _note_forgotten(self, pair: Pair, side: Side) -> None:
        """Records that nearly expired before they came here tell of others, before them, that did."""
        what = (
            f"The mirror of {pair.table(side).name} was more than {FORGOTTEN_AFTER / 3600:.0f} hours behind, and its "
            "stream forgets what is older than 24: the other table may lack writes. A comparison follows; then repair "
            "what it finds."
        )
        compared_at = pair.comparison.started_at if pair.comparison else 0.0
        now = self._clock()
        if any(known.what == what and known.at > compared_at for known in pair.damage):
            self._state.note_failure(pair.pair_id, now)  # a comparison counts from when the mirror has caught up
        else:
            self._state.note_damage(pair.pair_id, Damage(now, what))

    def _only_put_off(self, held: Registered) -> bool:
        """Whether a refusal comes from a turn that has begun meanwhile, or from a policy that has yet to spread."""
        pair = self._state.pair(held.pair_id)
        return pair.turn is not None or self._clock() - self._register.refused(held) < self._refused_limit

    def _fail(self, held: Registered, stop: Stop, records: Sequence[object], written: int) -> Outcome:
        keys, known = keys_from(records, stop.place)
        self._register.failed(held, stop.sequence or held.name, stop.error, keys, keys_missing=not known)
        self._state.note_failure(held.pair_id, self._clock())
        if stop.sequence is None:
            raise stop.error
        return Outcome(len(records), written, failed=stop.sequence, error=stop.error)

    def _last_changes(self, table: str, changes: Sequence[Change], deadline: float) -> tuple[int, Stop | None]:
        """The last change of every key, in any order."""
        found = by_key(changes)
        writes = [of_key[-1].write for of_key in found.values()]
        failures = self._tables.write(table, writes, deadline, small=all(change.small for change in changes))
        stops = [
            self._stop_of_key(table, found[identity(failure.write.key)], failure.error, deadline)
            for failure in failures
        ]
        return len(writes) - len(failures), min(stops, key=lambda stop: stop.place, default=None)

    def _stop_of_key(self, table: str, changes: list[Change], error: ReplicationError, deadline: float) -> Stop:
        """Where to stop for a key whose last change could not be written.

        Every record before the stop must stand in the table, if need be in the shape of a later one of its key. So when
        the table rejects the last change, the last of the earlier ones that it takes stands for all before it.
        """
        for at in range(len(changes) - 1, 0, -1):
            if not isinstance(error, ItemRejected):
                break
            failures = self._tables.write(table, [changes[at - 1].write], deadline)
            if not failures:
                return Stop(changes[at].place, changes[at].sequence, error)
            error = failures[0].error
        return Stop(changes[0].place, changes[0].sequence, error)

    def _every_change(self, table: str, changes: Sequence[Change], deadline: float) -> tuple[int, Stop | None]:
        """Each change, for readers of the table's stream. They see items expire in that table by themselves."""
        stop: Stop | None = None
        written = 0
        for a_round in rounds(change for change in changes if not change.expired):
            due = {
                identity(change.write.key): change for change in a_round if stop is None or change.place < stop.place
            }
            failures = self._tables.write(table, [change.write for change in due.values()], deadline)
            written += len(due) - len(failures)
            for failure in failures:
                change = due[identity(failure.write.key)]
                if stop is None or change.place < stop.place:
                    stop = Stop(change.place, change.sequence, failure.error)
        return written, stop


def _newer(batch: Batch, pair: Pair) -> Batch:
    """The batch without what was on the owner's stream before a turn made it the owner: echoes, equal in both tables.

    Mirrored, they would take the other table back to older values for a moment. Times are rounded down, so that no
    write of a client, which comes after the look, is taken for one.
    """
    if not pair.looked_at:
        return batch
    since = math.floor(pair.looked_at)
    return replace(batch, changes=tuple(change for change in batch.changes if change.at >= since))


def _records(event: object) -> tuple[list[object], str]:
    """The records of a Lambda event and the stream that they come from."""
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list):
        raise PoisonRecord("The event is none of a stream: it has no list `Records`.")
    first: Any = records[0] if records else {}
    stream_arn = first.get("eventSourceARN") if isinstance(first, dict) else None
    if records and not isinstance(stream_arn, str):
        raise PoisonRecord("The first record of the event does not say which stream it is from (eventSourceARN).")
    return records, str(stream_arn)
