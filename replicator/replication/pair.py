"""The record of one migration: a pair of tables, who owns the writes, and what has been proved so far.

Everything that decides is in this one item of the state table, so that one conditional write decides it. Times are
seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - codec reads the types at run time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from replication.codec import from_map, to_map
from replication.errors import NotUnderstood

VERSION = 1


class Side(StrEnum):
    """One of the two tables of a pair, and the stream of that table."""

    SOURCE = "source"
    TWIN = "twin"

    @property
    def other(self) -> Side:
        """The table on the other side."""
        return Side.TWIN if self is Side.SOURCE else Side.SOURCE


class Phase(StrEnum):
    """How far a turn has come; written before the effect it names, in this order."""

    MARKED = "marked"  # nothing is changed yet
    SETTLED = "settled"
    SEALING = "sealing"  # from here on the owner may be closed to clients
    SEALED = "sealed"
    FENCING = "fencing"  # from here on the other table may be closed to the replicator
    FENCED = "fenced"
    LOOKED = "looked"
    OWNED = "owned"  # the owner has changed: from here on a turn only goes forward
    OPENED = "opened"  # clients write the new owner; the old one is held closed
    RELEASED = "released"  # the replicator may write the old owner
    UNDOING = "undoing"  # on the way back to how it was
    UNDONE = "undone"  # everything is as it was; CloudFormation is still to be told

    def before(self, other: Phase) -> bool:
        """Whether this phase comes earlier in a turn than the other."""
        order = list(Phase)
        return order.index(self) < order.index(other)


# From `fencing` until `released` the target of the mirror may be closed to it; an undo lifts the same fence.
_CLOSED = frozenset({Phase.FENCING, Phase.FENCED, Phase.LOOKED, Phase.OWNED, Phase.OPENED, Phase.UNDOING})


@dataclass(frozen=True)
class Table:
    """A table of the user as it was when the pair was accepted."""

    name: str
    arn: str
    table_id: Annotated[str, "Id"]
    stream_arn: Annotated[str, "StreamArn"]


@dataclass(frozen=True)
class Answer:
    """To whom CloudFormation's answer goes, and how it has to be addressed."""

    response_url: Annotated[str, "ResponseURL"]
    stack_id: str
    request_id: str
    logical_resource_id: str
    physical_resource_id: str


class OrderState(StrEnum):
    """How far a request of CloudFormation has come that the gate was asked."""

    DECIDING = "deciding"  # the gate has it in hand
    WAITING = "waiting"  # ordered: an execution is to begin its turn, or to answer
    GIVEN_UP = "given up"  # that execution has ended before it did either; CloudFormation is still to be told
    ENDED = "ended"  # its turn has begun, or it was answered


@dataclass(frozen=True)
class Ordered:
    """The newest request of CloudFormation: what was asked before it begins no turn any more. See ordered.py."""

    request: str
    at: float
    state: OrderState
    to: Side | None = None  # the owner that was ordered
    must_not_fail: bool = False
    answer: Answer | None = None
    reason: str | None = None  # why it was given up
    stage: int | None = None  # that the request wants; None of a removal, and in records of 0.1
    returns: bool = False  # in a rollback, to the very stage that the request before wanted


@dataclass(frozen=True)
class Placed:
    """The policy that we last put on a table."""

    revision: str
    mode: str
    token: int
    at: float
    digest: str  # of what it says, see policies.digest


@dataclass(frozen=True)
class Turn:
    """A turn under way. `token` is the fencing token under which its holder may write this record."""

    request: str
    token: int
    to: Side
    phase: Phase
    lease_until: float
    started_at: float
    must_not_fail: bool = False  # CloudFormation is rolling back: it is told what is the case, never FAILED
    deleting: bool = False  # the pair's resources are being removed: give the policies back afterwards
    must_be_empty: bool = False  # a stack created directly at this stage: both tables must hold nothing
    stage: int | None = None  # the stage that is granted when the turn has been made
    reason: str | None = None  # why it is being undone
    undo_from: Phase | None = None  # how far it had come when the undoing began
    answer: Answer | None = None
    answered: bool = False
    marked_at: float | None = None  # what is older was mirrored; 0 when the whole stream was read instead
    fenced_by: int | None = None  # the token whose session the fence lets in; a recovery has another
    sealed_at: float | None = None  # when the owner's seal was put: how long writes were refused
    looked_at: float | None = None  # when the keys had been copied: a later record on the old owner's stream is a stray
    opened_at: float | None = None
    positions: Mapping[str, str] = field(default_factory=dict)  # shard -> iterator from which strays are read


class PopulationState(StrEnum):
    """How a population stands."""

    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Population:
    """The copy of what was there before; bound to one pair of tables and one owner."""

    execution: str
    epoch: int
    source_id: str
    twin_id: str
    state: PopulationState
    started_at: float
    mode: str = "populate"
    finished_at: float | None = None
    items: int = 0
    written: int = 0
    reason: str | None = None
    answer: Answer | None = None
    answered: bool = False


@dataclass(frozen=True)
class Comparison:
    """The last comparison of both tables."""

    epoch: int
    source_id: str
    twin_id: str
    started_at: float
    state: PopulationState
    finished_at: float | None = None
    checked: int = 0
    differences: int = 0
    job: str | None = None  # whose segments in the state table name the first keys that differ


@dataclass(frozen=True)
class Damage:
    """Something that may have cost or may still cost a write, kept until a person or a repair has dealt with it."""

    at: float
    what: str


@dataclass(frozen=True)
class Pair:
    """A source, its twin, and how their migration stands."""

    pair_id: Annotated[str, "Pair"]
    stack_id: str
    source_logical_id: str
    twin_logical_id: str
    source: Table
    twin: Table
    replication: str  # UUID of the mapping that reads the source's stream
    reverse_replication: str  # UUID of the mapping that reads the twin's stream
    owner: Side
    epoch: int
    stage: int
    token: int
    version: int = VERSION
    born: float | None = None  # when this record was made: an id comes back when a migration is begun anew
    stream_consumers: bool = False
    write_rate: int | None = None
    source_policy: str | None = None  # the user's own policies, JSON text
    twin_policy: str | None = None
    revisions: Mapping[Side, Placed] = field(default_factory=dict)
    turn: Turn | None = None
    population: Population | None = None
    comparison: Comparison | None = None
    comparing: str | None = None  # the execution of a comparison that the watchdog has begun
    failed_at: float | None = None
    void_until: float | None = None  # comparisons that began before are void: what failed may still have landed
    damage: tuple[Damage, ...] = ()
    ordered: Ordered | None = None  # None in a record of an earlier version, until the gate is asked again
    answered: tuple[str, ...] = ()  # requests that the gate was asked, the newest last
    paused: str | None = None
    marked_at: float | None = None  # of the turn that made the owner the owner: see Turn
    looked_at: float | None = None  # likewise: what is older on the owner's stream is in both tables
    unread_since: Mapping[Side, float] = field(default_factory=dict)  # since when a side's stream may not be read
    altered: Mapping[Side, float] = field(default_factory=dict)  # since when a side's policy is somebody else's

    def table(self, side: Side) -> Table:
        """The table of a side."""
        return self.source if side is Side.SOURCE else self.twin

    def mapping(self, side: Side) -> str:
        """The UUID of the event source mapping that reads the stream of a side."""
        return self.replication if side is Side.SOURCE else self.reverse_replication

    def policy(self, side: Side) -> str | None:
        """The user's own policy for the table of a side, JSON text."""
        return self.source_policy if side is Side.SOURCE else self.twin_policy

    @property
    def closed_to_replicator(self) -> bool:
        """Whether a turn may have closed the table that is mirrored into: what is refused now is only put off."""
        return self.turn is not None and self.turn.phase in _CLOSED

    def is_about(self, source_id: str, twin_id: str) -> bool:
        """Whether these are the ids of this pair's very tables (a table made anew under its name has another)."""
        return (self.source.table_id, self.twin.table_id) == (source_id, twin_id)

    @property
    def populated(self) -> bool:
        """Whether the copy of what was there before is complete, for these very tables."""
        found = self.population
        return (
            found is not None
            and found.state is PopulationState.COMPLETE
            and self.is_about(found.source_id, found.twin_id)
        )

    @property
    def compared(self) -> bool:
        """Whether both tables were found equal, these very tables, after the last failure."""
        found = self.comparison
        return (
            found is not None
            and found.state is PopulationState.COMPLETE
            and not found.differences
            and self.is_about(found.source_id, found.twin_id)
            and found.started_at > (self.failed_at or 0)
            and found.started_at >= (self.void_until or 0)
        )

    def to_item(self) -> dict[str, Any]:
        """The record as a plain item of the state table."""
        return {**to_map(self), "Item": "pair"}

    @staticmethod
    def from_item(item: Mapping[str, Any]) -> Pair:
        """The record of a plain item.

        Raises NotUnderstood when a later version wrote it, when something is missing, or when it contradicts itself.
        """
        version = item.get("Version")
        if not isinstance(version, int) or version > VERSION:
            raise NotUnderstood(
                f"The record of {item.get('Pair')} has version {version!r} and this installation understands "
                f"{VERSION}. Install the version of EncryptMigrate that wrote it, or a newer one."
            )
        try:
            pair = from_map(Pair, item)
        except NotUnderstood as why:
            raise NotUnderstood(
                f"{item.get('Pair')}: {why} Restore the state table to a point before it was damaged; "
                "nothing is mirrored, turned or removed until then."
            ) from why
        if problems := _contradictions(pair):
            raise NotUnderstood(
                f"The record of {pair.pair_id} contradicts itself: {'; '.join(problems)}. Restore the "
                "state table to a point before it was damaged."
            )
        return pair


def _contradictions(pair: Pair) -> list[str]:
    """What can never be true of a record that only this program has written."""
    problems = []
    if pair.source.arn == pair.twin.arn:
        problems.append("source and twin are the same table")
    if (pair.owner is Side.TWIN) != bool(pair.epoch % 2):
        problems.append(f"the {pair.owner} cannot own the writes at epoch {pair.epoch}")
    turn = pair.turn
    if turn is not None:
        if turn.token > pair.token:
            problems.append(f"the turn's token {turn.token} was never given out")
        done = turn.phase in (Phase.OWNED, Phase.OPENED, Phase.RELEASED)
        if done != (turn.to is pair.owner):
            problems.append(f"a turn to the {turn.to} is {turn.phase} and the owner is the {pair.owner}")
    return problems
