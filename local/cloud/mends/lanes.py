"""What one lane of an event source mapping does with its records, without a clock or a function of its own.

The rules are Lambda's for streams; `streams` runs them.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Self

Record = dict[str, Any]

PAYLOAD_LIMIT = 6_000_000
FIRST_PAUSE = 0.1


@dataclass(frozen=True)
class Batching:
    """A mapping's parameters, with Lambda's defaults; -1 means without end."""

    size: int
    window: float
    lanes: int
    retries: int
    age: int
    bisect: bool
    partial: bool

    @classmethod
    def of(cls, mapping: dict[str, Any]) -> Self:
        def number(name: str, default: int) -> int:
            return int(mapping[name]) if mapping.get(name) not in (None, "") else default

        return cls(
            size=number("BatchSize", 100),
            window=float(mapping.get("MaximumBatchingWindowInSeconds") or 0),
            lanes=number("ParallelizationFactor", 1),
            retries=number("MaximumRetryAttempts", -1),
            age=number("MaximumRecordAgeInSeconds", -1),
            bisect=str(mapping.get("BisectBatchOnFunctionError", False)).lower() == "true",
            partial="ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or []),
        )


@dataclass
class Lane:
    """The records that one lane has still to deliver, oldest first.

    `segments` are the lengths of the batches that a failed batch left to be tried again; `attempts` counts the failures
    of the first of them; `due` is the time before which it is not tried.
    """

    waiting: deque[tuple[Record, int]] = field(default_factory=deque)
    segments: list[int] = field(default_factory=list)
    since: float = 0.0
    due: float = 0.0
    attempts: int = 0
    running: bool = False

    def add(self, record: Record, size: int, now: float) -> None:
        """`size`: bytes of the record in the event."""
        if not self.waiting:
            self.since = now
        self.waiting.append((record, size))

    def wait(self, rules: Batching, now: float) -> float | None:
        """Seconds until the next invocation; 0 or less: now. None: there is nothing to deliver."""
        if not self.waiting:
            return None
        if self.segments:
            return self.due - now
        full = len(self.waiting) >= rules.size or self._fitting(rules.size) < min(len(self.waiting), rules.size)
        return 0.0 if full else self.since + rules.window - now

    def batch(self, rules: Batching) -> list[Record]:
        count = self.segments[0] if self.segments else self._fitting(rules.size)
        return [self.waiting[index][0] for index in range(count)]

    def _fitting(self, limit: int) -> int:
        """How many records, at least one, go into one event of 6 MB."""
        total = 0
        for count, (_, size) in enumerate(self.waiting):
            total += size
            if count == limit or (count and total > PAYLOAD_LIMIT):
                return count
        return len(self.waiting)

    def take_expired(self, rules: Batching, now: float) -> list[Record]:
        """Removes the records at the front that are too old to be tried (again)."""
        expired: list[Record] = []
        while rules.age > 0 and self.waiting and now - created(self.waiting[0][0]) > rules.age:
            expired += self._take(1, now)
        return expired

    def conclude(self, tried: int, done: int, rules: Batching, now: float, longest_pause: float) -> list[Record]:
        """Notes the outcome of an invocation with `tried` records of which the first `done` need not come again.

        Returns the records that are given up because their retries are used up.
        """
        if done:
            self._take(done, now)
            self.attempts = 0
        if done >= tried:
            return []
        left = tried - done
        self.segments = [left, *self.segments[1:]]
        self.attempts += 1
        if rules.bisect and not done and left > 1:
            # Splitting does not count as a retry.
            self.segments = [left // 2, left - left // 2, *self.segments[1:]]
            self.attempts -= 1
        elif 0 <= rules.retries < self.attempts:
            self.attempts = 0
            self.due = now
            return self._take(left, now)
        self.due = now + min(FIRST_PAUSE * 2**self.attempts, longest_pause)
        return []

    def _take(self, count: int, now: float) -> list[Record]:
        taken = [self.waiting.popleft()[0] for _ in range(count)]
        if self.segments:
            self.segments[0] -= count
            if self.segments[0] <= 0:
                del self.segments[0]
                self.attempts = 0
        self.since = now
        return taken


def created(record: Record) -> float:
    """When the change was made, in epoch seconds, rounded down by DynamoDB."""
    return float(record["dynamodb"]["ApproximateCreationDateTime"])


def sequence(record: Record) -> str:
    number: str = record["dynamodb"]["SequenceNumber"]
    return number


def succeeded(batch: list[Record], answer: Any) -> int:
    """How many records of the batch are done, by a function's answer to ReportBatchItemFailures.

    Nothing, null or an empty list: all. The lowest sequence number reported is where to begin again; one that is empty
    or not of this batch fails the whole batch.
    """
    failures = answer.get("batchItemFailures") if isinstance(answer, dict) else None
    if not failures:
        return len(batch)
    places = {sequence(record): place for place, record in enumerate(batch)}
    reported = [places.get(str(failure.get("itemIdentifier"))) for failure in failures if isinstance(failure, dict)]
    known = [place for place in reported if place is not None]
    return min(known) if len(known) == len(failures) else 0
