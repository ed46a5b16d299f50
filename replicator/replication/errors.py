"""Every error this package raises, in one tree.

    ReplicationError
      SettingsError           the function's environment is incomplete
      RequestError            a request of CloudFormation that cannot be understood
      AnswerError             CloudFormation could not be told the outcome
      RecordError             a record of the state table that cannot be used
        UnknownPair             there is none
        UnknownStream           no migration reads this stream
        NotUnderstood           half-written, contradictory, or written by a later version
        Contradiction           the record says one thing and the policies on the tables another
      Superseded              somebody else has taken over: stop without touching anything more
        StaleTurn               another turn, or whoever recovers this one, holds the pair now
        StaleOrder              a later request of the stack has taken the place of this one
        AlreadyBegun            this very request has a turn already
        StaleWorker             the owner, a table or the population has changed since this worker began
      Refused                 the evidence for a stage is missing; nothing was changed
      TurnStopped             a turn cannot go on in time; what it did is undone
        NotSettled              the mirror has not caught up
        NotSpread               a policy has not reached its callers
        Unanswered              a write whose fate is unknown: it may still land
        OutOfTime               the invocation ends before the rest could be done
        NotCopied               a key could not be brought along to the new owner
        NotEmpty                a stack made directly at a late stage has tables that hold something
      TableError              a call on a table of the user failed
        AccessRefused           its policy does not let us
        Throttled               it had no capacity until the deadline
        TableGone               it is not there any more
        ItemRejected            it does not take this item, whatever is tried
      PolicyConflict          a table's policy was changed by somebody else while ours was being written
      PoisonRecord            a stream record that cannot be mirrored
      StreamLost              records of a stream can no longer be read where we stopped

Messages are written for whoever reads them in the CloudFormation console: which resource, what is wrong, what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class ReplicationError(Exception):
    """Base of all errors of this package."""


class SettingsError(ReplicationError):
    """The function's environment is incomplete or holds a value that cannot be used."""


class _Several(ReplicationError):
    """An error with several reasons, all told at once."""

    def __init__(self, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__(
            " ".join(f"({number}) {reason}" for number, reason in enumerate(self.reasons, 1))
            if len(self.reasons) > 1
            else "".join(self.reasons)
        )


class RequestError(_Several):
    """A request of CloudFormation that cannot be understood; carries every problem found."""


class AnswerError(ReplicationError):
    """CloudFormation could not be told the outcome."""


class RecordError(ReplicationError):
    """A record of the state table that cannot be used."""


class UnknownPair(RecordError):
    """There is no record of this pair."""


class UnknownStream(RecordError):
    """No migration reads this stream."""


class NotUnderstood(RecordError):
    """A record that is half-written, contradictory, or written by a later version."""


class Contradiction(RecordError):
    """The record says one thing and the policies on the tables another: a person has to look."""


class Superseded(ReplicationError):
    """Somebody else has taken over: stop without touching anything more."""


class StaleTurn(Superseded):
    """Another turn, or whoever recovers this one, holds the pair now."""


class StaleOrder(Superseded):
    """A later request of the stack has taken the place of this one, which begins no turn any more."""


class AlreadyBegun(Superseded):
    """This very request has a turn already: an invocation for it came before this one."""


class StaleWorker(Superseded):
    """The owner, a table or the population has changed since this worker began."""


class Refused(_Several):
    """The evidence for a stage is missing; carries every reason with the way on. Nothing was changed."""


class TurnStopped(ReplicationError):
    """A turn cannot go on in time; what it did is undone."""


class NotSettled(TurnStopped):
    """The mirror has not caught up with what is older than the turn."""


class NotSpread(TurnStopped):
    """A policy has not reached its callers within the limit."""


class Unanswered(TurnStopped):
    """A write whose fate is unknown: it may still land, so it is never repeated."""


class OutOfTime(TurnStopped):
    """The invocation would end before the rest of the turn could be done."""


class NotCopied(TurnStopped):
    """A key could not be brought along to the new owner."""


class NotEmpty(TurnStopped):
    """A stack was made directly at a late stage, but its tables are not empty."""


class TableError(ReplicationError):
    """A call on a table of the user failed."""


class AccessRefused(TableError):
    """The table's policy does not let us."""


class Throttled(TableError):
    """The table had no capacity until the deadline."""


class TableGone(TableError):
    """The table is not there any more."""


class ItemRejected(TableError):
    """The table does not take this item, whatever is tried: too large for it, or of a type that an index refuses."""


class PolicyConflict(ReplicationError):
    """A table's policy was changed by somebody else while ours was being written."""


class PoisonRecord(ReplicationError):
    """A stream record that cannot be mirrored, whatever is tried."""


class StreamLost(ReplicationError):
    """Records of a stream can no longer be read where we stopped."""
