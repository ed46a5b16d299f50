"""The world of ONE key: its value in two tables, two streams, two policies, and everybody who writes.

Keys are independent (a stream keeps the order of each item's records), so one key is the whole problem. Nothing is
counted and nothing grows: a log holds only what is not checkpointed yet, a policy only the versions that are still in
effect somewhere. So the number of writes, turns, deaths and recoveries is not bounded, only how much is under way at
the same time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

SOURCE, TWIN = 0, 1
NAME = ("source", "twin")

ABSENT, PRESENT, EXPIRING = 0, 1, 2
"""Values repeat. EXPIRING is an item past its TTL: DynamoDB may delete it at any moment, in either table."""
TTL_DELETE = -1
"""The record of a delete by TTL: absent, and marked in the stream."""

# What a table's policy lets write: clients; the replicator and copy workers; nobody; one turn.
OPEN, FOLLOWING, SEALED, FENCED = "open", "following", "sealed", "fenced"
FENCED_BEFORE = "fenced for an earlier holder"  # who may still be alive

# A lane is the replicator on one stream. Positive: an invocation has so many records in hand.
IDLE, DIED, PUT_OFF, FAILED = 0, -1, -2, -3

# What is known about the tables being equal.
VOID, BEGUN, EQUAL, CLEAN = range(4)

# A write that was accepted where it does not count; kept apart from the key's history until somebody has found it.
NO_STRAY, LOST, FOUND = range(3)


class Process(NamedTuple):
    """A process on its way through a turn. Before each of its steps anything may happen, also its own death."""

    at: str  # the step that it takes next, see turn.py
    mine: int  # the owner when its turn began
    fence: str = FENCED  # the fence that lets its token through
    ahead: int | None = None  # what the owner holds, read ahead of the look; a newer record takes it away
    held: int | None = None  # what the look has read and not written yet
    revision: str | None = None  # of the policy that it is to change, from before it last proved its token

    @property
    def reads(self) -> bool:
        """Whether a record that comes now is known to the look."""
        return self.at in _READING

    @property
    def has_looked(self) -> bool:
        """Whether a write to the old owner comes too late for the look."""
        return self.at in _LOOKED

    def closes(self, at: int) -> bool:
        """Whether the recorded phase says that this table is closed to the replicator."""
        return self.at in (_CLOSES_MINE if at == self.mine else _CLOSES_OTHER)


_READING = frozenset(("settle", "settled", "seal", "sealing", "sealed", "fence", "fencing", "look"))
_LOOKED = frozenset(("copy", "copied", "looked", "release at once", "open", "opening", "hold"))
_UNDOING = frozenset(("close", "closing", "reopen", "reopened", "unseal", "unsealed"))
_CLOSES_OTHER = frozenset(("fence", "fencing", "look", "copy", "copied", "looked")) | _UNDOING
_CLOSES_MINE = frozenset(("open", "opening", "hold"))


class Worker(NamedTuple):
    """A copy worker with a page in hand."""

    at: str  # scan, write, look
    mine: int  # the table that it copies from
    held: int | None = None
    wrote: bool = False


class World(NamedTuple):
    """One state. Pairs are (source, twin)."""

    value: tuple[int, int]
    last: int  # what the clients' history says that the key holds
    owner: int  # whose stream is mirrored into the other table
    log: tuple[tuple[int, ...], tuple[int, ...]]  # new images, from each stream's checkpoint on
    lane: tuple[int, int]
    policy: tuple[tuple[str, ...], tuple[str, ...]]  # every version in effect somewhere, the newest last
    turn: Process | None = None  # whoever holds the token
    zombie: Process | None = None  # somebody who held it and does not know that it is gone
    older: int = 0  # records at the head of the log of the turn's old owner that are older than its mark
    touched: bool = False  # has the turn seen a record of the key since its mark
    young: bool = False  # the old owner's invocation began after the mark; kept only where a variant asks
    lingering: tuple[int, int, bool] | None = None  # table, value, may it be older than the mark
    worker: Worker | None = None
    evidence: int = CLEAN
    stray: int = NO_STRAY
    patience: int = 0  # how often something may still come later than the protocol assumes


@dataclass(frozen=True)
class Bounds:
    """What may happen beside the protocol's own steps: each at any time, and any number of times."""

    name: str
    values: tuple[int, ...] = (ABSENT, PRESENT)
    log: int = 2  # records of one stream that are not checkpointed; whoever would write one more waits
    deaths: bool = False  # invocations of the replicator die between their write and its checkpoint
    lingering: bool = False  # requests get no answer, and land later or never
    poison: bool = False  # a record is refused for good, and given up after its age limit
    zombies: bool = False  # turns hang before any step, and wake up after somebody else has recovered them
    reassert: bool = False  # the gate writes the policies again at an update of the same stage
    workers: bool = False  # copy workers
    ttl: bool = False
    consumers: bool = False  # the source's stream has consumers of its own, who are owed every change
    late_clients: int = 0  # beyond the bound: so often a seal seems to have spread and has not
    late_replicator: int = 0  # ... a fence
    late_delivery: int = 0  # ... a record is delivered to the mirror after the turn has settled
    late_stream: int = 0  # ... a record is shown to the turn's own reader after it has looked

    @property
    def beyond(self) -> bool:
        """Whether what the protocol assumes is broken: then a write may be lost, and must be found."""
        return bool(self.lateness)

    @property
    def lateness(self) -> int:
        """How often in all."""
        return self.late_clients + self.late_replicator + self.late_delivery + self.late_stream


def first(bounds: Bounds) -> World:
    """Both tables hold the item, the source owns it, all is quiet."""
    return World(
        value=(PRESENT, PRESENT),
        last=PRESENT,
        owner=SOURCE,
        log=((), ()),
        lane=(IDLE, IDLE),
        policy=((OPEN,), (FOLLOWING,)),
        patience=bounds.lateness,
    )
