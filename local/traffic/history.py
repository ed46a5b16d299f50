"""What clients saw: one line per call and key, written as it happens.

The lines are the only thing that the checker believes. A call has an interval, not a moment: it took effect somewhere
between `start` (taken before the request leaves) and `end` (taken after the answer is here), both on one monotonic
clock.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO


class Op(StrEnum):
    """What a call means to the value of a key."""

    PUT = "put"
    DELETE = "delete"
    SWAP = "swap"  # a conditional write: `before` becomes `value`; None stands for an absent item on either side
    READ = "read"


class Outcome(StrEnum):
    """What the client knows after a call."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"  # no permission: certainly not written
    FAILED = "failed"  # another clear no: certainly not written
    UNKNOWN = "unknown"  # no answer: it may take effect at any time after its start, or never


# The answers that say that the condition of a swap did not hold; they are knowledge about the value.
CONDITION_REASONS = frozenset(
    {"ConditionalCheckFailedException", "ConditionalCheckFailed", "DuplicateItemException", "DuplicateItem"}
)


@dataclass(frozen=True, slots=True)
class Call:
    """One key of one call. A batch or a transaction is several of these with the same `number`, interval and table."""

    number: int
    client: str
    op: Op
    via: str  # the action of the API, for the reader of a finding
    key: str
    table: str
    start: float
    end: float
    outcome: Outcome
    value: str | None = None  # the label written or read; None is an absent item
    before: str | None = None  # of a swap
    reason: str = ""  # the error code

    @property
    def is_write(self) -> bool:
        return self.op is not Op.READ

    @property
    def took_effect(self) -> bool:
        """The write is certainly in the history of its key."""
        return self.is_write and self.outcome is Outcome.ACKNOWLEDGED

    @property
    def may_have_taken_effect(self) -> bool:
        return self.is_write and self.outcome in (Outcome.ACKNOWLEDGED, Outcome.UNKNOWN)

    @property
    def took_answer(self) -> bool:
        return self.outcome is Outcome.ACKNOWLEDGED

    @property
    def condition_failed(self) -> bool:
        return self.op is Op.SWAP and self.outcome is Outcome.FAILED and self.reason in CONDITION_REASONS

    @property
    def latest(self) -> float:
        """The last moment at which the call can have taken effect."""
        return float("inf") if self.outcome is Outcome.UNKNOWN else self.end


class History:
    """Appends calls to a JSON lines file and counts them; any number of threads may write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: Counter[tuple[bool, Outcome]] = Counter()
        self._lock = threading.Lock()
        self._numbers = 0
        self._file: IO[str] = path.open("a", encoding="utf-8")

    def number(self) -> int:
        """A number that no other call has."""
        with self._lock:
            self._numbers += 1
            return self._numbers

    def write(self, calls: Iterable[Call]) -> None:
        lines = list(calls)
        text = "".join(json.dumps(asdict(call)) + "\n" for call in lines)
        with self._lock:
            self._file.write(text)
            self.counts.update((call.is_write, call.outcome) for call in lines)

    def count(self, outcome: Outcome, *, writes: bool = True) -> int:
        return self.counts[writes, outcome]

    def flush(self) -> None:
        with self._lock:
            self._file.flush()

    def close(self) -> None:
        with self._lock:
            self._file.close()


def read_history(path: Path) -> Iterator[Call]:
    """The calls of a history file, in the order in which they ended."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            fields = json.loads(line)
            yield Call(**{**fields, "op": Op(fields["op"]), "outcome": Outcome(fields["outcome"])})
