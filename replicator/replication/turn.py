"""The turn: moves the ownership of writes from one table of a pair to the other, in eight steps.

    1 mark     take a place at the end of the owner's stream                       nothing is changed
    2 settle   wait until the mirror has brought over all that is older            nothing is changed
    3 seal     close the owner to everybody                                        writes are refused from here on
    4 fence    close the other table to everybody but the turn
    5 look     copy every key written since the mark, from the sealed owner
    6 own      record the new owner                                                from here on only forward
    7 open     let clients write the other table                                   writes are accepted again
    8 hold     keep the old owner closed for a while, then let the mirror write it back    (in release.py)

Steps 1 to 7 are one invocation, because the keys read since the mark live in its memory. Every phase is written to the
record before its effect, under the turn's fencing token. So whoever finds an unfinished turn (recover.py) knows all
that may have been done, and the turn, should it wake up again, can write neither the record nor a policy.

Comments number the races that a line is there for:
  R1  a write of a client passes after the seal was put, because the policy has not reached all of DynamoDB
  R2  an invocation of the mirror that began before the turn lands its write after the look: an old value over a new one
  R3  a write of the mirror is refused or delayed by the fence, and its record is not mirrored any more after step 6
  R4  the turn itself hangs in a call, is given up for dead, undone, and wakes up
  R5  a write of the look hangs, the turn is undone, clients write again, and then it lands
  R6  a shard of the owner's stream is split while the turn reads it
  R7  the same request comes twice, or another one while a turn is under way
  R8  a turn is ordered, and before it begins a later request is answered: of a rollback, say (see ordered.py)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replication.answer import Verdict
from replication.errors import AlreadyBegun, PolicyConflict, StreamLost, TableError, TurnStopped, Unanswered
from replication.order import Ended, Order, begin, close_failed, tell
from replication.ordered import is_waiting
from replication.recover import recover, undo
from replication.steps import Steps

if TYPE_CHECKING:
    from replication.crew import Crew

_TRIED_FOR = 900.0  # seconds after its order in which a rollback's turn is begun again; one invocation has as many
# What ends a turn before step 6 by undoing it. Everything else (a bug, an AWS call that fails for no known reason) ends
# the invocation, and the state machine calls recover.
STOPPING = (TurnStopped, TableError, PolicyConflict, StreamLost)


def run(crew: Crew, order: Order, deadline: float, steps: type[Steps] = Steps) -> Ended:
    """Makes the turn that was ordered, or undoes what it has done of it, or finds that there is nothing to do.

    Raises Superseded when somebody else has taken it over; any other error means that recover must be called.
    """
    try:
        pair = begin(crew, order)
    except AlreadyBegun:  # R7: whoever began it is gone, or is told off by this
        return resume(crew, order.pair, deadline)
    if pair is None or pair.turn is None:
        return Ended.DONE
    turn = steps(crew, pair, pair.turn, deadline)
    try:
        reader = turn.mark()  # 1
        reader = turn.settle(reader)  # 2
        turn.seal(reader)  # 3
        turn.fence(reader)  # 4
        turn.look(reader)  # 5
    except STOPPING as why:
        if isinstance(why, Unanswered):  # R5: undo waits until it cannot land; whether it has, only a comparison tells
            crew.state.note_failure(pair.pair_id, crew.clock())
        return undo(crew, turn.pair, turn.pair.turn or turn.turn, str(why))
    turn.own()  # 6
    return forward(turn)


def forward(turn: Steps) -> Ended:
    """From step 6 on."""
    if turn.turn.opened_at is None:
        turn.open()  # 7; release is 8
    if not turn.turn.deleting:  # a removal is answered when the tables have been given back
        tell(turn.crew, turn.pair, Verdict(success=True))
    return Ended.OPENED


def resume(crew: Crew, pair_id: str, deadline: float, cause: str = "") -> Ended:
    """Ends an unfinished turn, whoever has left it. Raises like `run`."""
    return recover(crew, pair_id, lambda pair, turn: forward(Steps(crew, pair, turn, deadline)), cause)


def recovered(crew: Crew, order: Order, deadline: float, cause: str) -> Ended:
    """Ends what an invocation for this order that failed has left; also when it failed before its turn began.

    It may have died while it waited for another turn: that one is not its to end, but its own request wants an answer.
    A rollback's wants its turn, because the services follow it whatever is answered; so it is tried again for a while.
    """
    pair = crew.state.find(order.pair)
    if pair is not None and order.must_not_fail and is_waiting(pair, order.request, crew.clock() - _TRIED_FOR):
        return run(crew, order, deadline)
    if pair is not None and pair.turn is not None and pair.turn.request == order.request:
        ended = resume(crew, order.pair, deadline, cause)
        if ended is not Ended.DONE:
            return ended
    close_failed(crew, order, cause)
    return Ended.DONE
