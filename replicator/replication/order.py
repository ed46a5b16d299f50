"""What a turn is ordered to do, how it begins, and how CloudFormation hears of its end."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from replication.answer import Verdict
from replication.errors import AlreadyBegun, AnswerError, Refused, StaleOrder, StaleTurn
from replication.leaving import leave
from replication.ordered import OVERTAKEN, is_newest, may_begin
from replication.pair import Answer, Pair, Phase, Side, Turn

if TYPE_CHECKING:
    from replication.crew import Crew
    from replication.state import State


class Ended(StrEnum):
    """How an invocation of the turn's machine has ended; the machine goes on from there."""

    OPENED = "opened"  # the new owner takes writes: hold, then release
    RELEASED = "released"
    UNDONE = "undone"
    DONE = "done"  # there was nothing to turn
    SUPERSEDED = "superseded"  # somebody else goes on with it


@dataclass(frozen=True)
class Order:
    """One request to make `to` the owner of a pair; `request` is CloudFormation's id of it."""

    pair: str
    request: str
    to: Side
    stage: int | None = None
    must_not_fail: bool = False
    deleting: bool = False
    must_be_empty: bool = False
    answer: Answer | None = None


def begin(crew: Crew, order: Order) -> Pair | None:
    """The pair with its new turn; None when there is nothing to turn, and then CloudFormation has been answered.

    R7: another turn of the pair is waited for, and then everything is decided anew from the record.
    R8: all the while, the order must be the one that the record holds.
    A rollback cannot be refused, and a turn back that has just been held leaves the mirror late: so evidence that is
    missing is waited for, as long as for another turn.
    Raises AlreadyBegun when the turn under way is of this very request, StaleOrder when a later request has come: then
    nobody listens for the answer to this one any more, and it is given all the same.
    """
    until = crew.clock() + crew.waits.another_turn
    while True:
        late = crew.clock() >= until
        pair = crew.state.find(order.pair)
        if pair is None:
            _answer(crew, order, _unknown(order))
            return None
        if pair.turn is not None and pair.turn.request == order.request:
            raise AlreadyBegun(f"The turn of {order.pair} for {order.request} has begun before.")
        if not is_newest(pair, order.request):
            _answer_overtaken(crew, order)
            raise StaleOrder(OVERTAKEN)
        if pair.turn is None:
            missing = _missing(crew, order, pair)
            verdict = _decided(order, pair, [] if order.must_not_fail and not late else missing)
            if verdict is not None:
                _close(crew, order, pair, verdict)
                return None
            if not missing:
                try:
                    return crew.state.begin_turn(pair, _turn(crew, order, pair))
                except StaleTurn:
                    continue  # somebody was faster, or this was done and its answer lost: look again
        elif late:
            reason = f"Another turn of {order.pair} has not ended yet. Wait for it, then update the stack again."
            _close(crew, order, pair, Verdict(success=False, reason=reason))
            return None
        crew.sleep(crew.waits.poll)


def _missing(crew: Crew, order: Order, pair: Pair) -> list[str]:
    """The evidence that an order's turn has to wait for."""
    needs_none = pair.owner is order.to or order.to is Side.SOURCE or order.must_be_empty
    return [] if needs_none else crew.evidence(pair)


def _decided(order: Order, pair: Pair, missing: list[str]) -> Verdict | None:
    """How an order ends without a turn, of a pair that is at rest; None when it is to be turned."""
    if pair.owner is order.to:
        return Verdict(success=True)
    if not may_begin(pair, order.request):
        why = "This request has been turned for before, or was given up. Update the stack again."
        return Verdict(success=False, reason=why)
    return Verdict(success=False, reason=str(Refused(missing))) if missing else None


def close_failed(crew: Crew, order: Order, cause: str) -> None:
    """Ends an order of which nothing is under way (any more), and of which nobody knows whether it was answered."""
    pair = crew.state.find(order.pair)
    if pair is None:
        _answer(crew, order, _unknown(order))
        return
    if not is_newest(pair, order.request):
        _answer_overtaken(crew, order)
        return
    _close(crew, order, pair, Verdict(success=pair.turn is None and pair.owner is order.to, reason=cause))


def _unknown(order: Order) -> Verdict:
    """The pair has gone: for a removal that is all that was wanted."""
    return Verdict(success=order.deleting, reason=f"There is no migration {order.pair} any more.")


def _answer(crew: Crew, order: Order, verdict: Verdict) -> None:
    if order.answer:
        crew.answers.send(order.answer, softened(verdict, must_not_fail=order.must_not_fail))


def _answer_overtaken(crew: Crew, order: Order) -> None:
    """The record is a later request's by now. CloudFormation does not listen, unless something is as nobody thought."""
    try:
        _answer(crew, order, Verdict(success=False, reason=OVERTAKEN))
    except AnswerError as why:
        crew.log("CloudFormation could not be answered.", {"pair": order.pair, "reason": str(why)})


def _turn(crew: Crew, order: Order, pair: Pair) -> Turn:
    now = crew.clock()
    return Turn(
        request=order.request,
        token=pair.token + 1,
        to=order.to,
        phase=Phase.MARKED,
        lease_until=now + crew.waits.lease,
        started_at=now,
        must_not_fail=order.must_not_fail,
        deleting=order.deleting,
        must_be_empty=order.must_be_empty,
        stage=order.stage,
        answer=order.answer,
    )


def _close(crew: Crew, order: Order, pair: Pair, verdict: Verdict) -> None:
    """Ends an order without a turn."""
    if verdict.success and order.deleting:
        leave(crew, crew.state.claim(pair), order.answer)
        return
    if verdict.success and order.stage is not None:
        with contextlib.suppress(StaleOrder):  # then nobody listens to what is answered
            crew.state.keep(pair.pair_id, order.request, Stage=order.stage)
    note_verdict(crew.state, pair.pair_id, order.request, verdict, must_not_fail=order.must_not_fail)
    _answer(crew, order, verdict)
    crew.state.close(pair.pair_id, order.request)


def note_verdict(state: State, pair_id: str, request: str, verdict: Verdict, *, must_not_fail: bool) -> None:
    """Names in the record the state in which a rollback leaves the pair, or that it is in none."""
    if verdict.success:
        state.pause(pair_id, request, None)
    elif must_not_fail:
        state.pause(pair_id, request, verdict.reason)


def softened(verdict: Verdict, *, must_not_fail: bool) -> Verdict:
    """A rollback is never refused: CloudFormation is told what is the case, and goes on."""
    return Verdict(success=True, reason=verdict.reason) if must_not_fail else verdict


def tell(crew: Crew, pair: Pair, verdict: Verdict) -> None:
    """Answers CloudFormation for the turn of a pair, once, and remembers it.

    An answer that cannot be delivered holds nothing up: CloudFormation gives up waiting by itself, and the tables must
    not stay closed for it.
    """
    turn = pair.turn
    if turn is None or turn.answered or turn.answer is None:
        return
    note_verdict(crew.state, pair.pair_id, turn.request, verdict, must_not_fail=turn.must_not_fail)
    try:
        crew.answers.send(turn.answer, softened(verdict, must_not_fail=turn.must_not_fail))
    except AnswerError as why:
        crew.log("CloudFormation could not be answered.", {"pair": pair.pair_id, "reason": str(why)})
        return
    crew.state.note_turn(pair.pair_id, turn.token, Answered=True)
