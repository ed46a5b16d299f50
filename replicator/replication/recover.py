"""Ends a turn that was left unfinished: backwards before the owner has changed, forwards after it.

The same code serves a turn that gives up by itself, the state machine after an invocation that died, and the watchdog
after a machine that did. Whoever recovers takes the next fencing token first, and puts a new policy on every table that
the dead turn may have been changing, so that a call of it that is still on its way finds another revision (race R4 in
turn.py). Doing it twice, or dying in the middle and starting again, ends the same.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from replication.answer import Verdict
from replication.errors import NotSpread, TableGone
from replication.order import Ended, tell
from replication.pair import Pair, Phase, Turn
from replication.policies import Mode
from replication.probe import Outcome
from replication.release import release

if TYPE_CHECKING:
    from collections.abc import Callable

    from replication.crew import Crew


def recover(crew: Crew, pair_id: str, finish: Callable[[Pair, Turn], Ended], cause: str = "") -> Ended:
    """Takes an unfinished turn over and ends it. `finish` opens the new owner and answers; `cause` is for people.

    Raises Superseded when somebody else takes it over meanwhile; any other error means: call it again.
    """
    pair = crew.state.find(pair_id)
    if pair is None or pair.turn is None:
        return Ended.DONE
    pair = crew.state.take_over(pair, crew.clock() + crew.waits.lease)
    turn = pair.turn
    if turn is None:  # take_over has just seen one
        return Ended.DONE
    crew.log("An unfinished turn is taken over.", {"pair": pair_id, "phase": str(turn.phase)})
    if turn.phase in (Phase.OWNED, Phase.OPENED):
        return finish(pair, turn)
    if turn.phase is Phase.RELEASED:
        return release(crew, pair_id)
    interrupted = f"The turn was interrupted while {turn.phase}. {cause}".strip()
    return undo(crew, pair, turn, turn.reason or f"{interrupted} Update the stack again.")


def undo(crew: Crew, pair: Pair, turn: Turn, reason: str) -> Ended:
    """Brings both tables back to how they were before the turn, answers, and takes the turn out of the record.

    Raises StaleTurn; NotSpread when the turn's own role is still let in: then the owner stays closed, call it again.
    """
    came_to = turn.undo_from or turn.phase
    owner, other, token = turn.to.other, turn.to, turn.token
    pair = crew.state.note_turn(
        pair.pair_id, token, Phase=Phase.UNDOING, UndoFrom=came_to, Reason=reason, LeaseUntil=_lease(crew)
    )
    crew.log("The turn is undone.", {"pair": pair.pair_id, "phase": str(came_to), "reason": reason})
    if not came_to.before(Phase.FENCING):
        # R5: as long as the turn's role may write the other table, a write of the look can land there. The owner stays
        # sealed until then, so that what lands is still what the owner holds.
        with contextlib.suppress(TableGone):  # then nothing can land there any more
            pair = crew.access.place(pair, other, Mode.FOLLOWING, token)
            _until_refused(crew, pair, turn)
    if not came_to.before(Phase.SEALING):
        with contextlib.suppress(TableGone):  # then there is nothing to open
            pair = crew.access.place(pair, owner, Mode.OPEN, token)
            _until_allowed(crew, pair, turn)
    pair = crew.state.note_turn(pair.pair_id, token, Phase=Phase.UNDONE)
    tell(crew, pair, Verdict(success=False, reason=reason))
    crew.state.end_turn(pair.pair_id, token)
    return Ended.UNDONE


def _until_refused(crew: Crew, pair: Pair, turn: Turn) -> None:
    """Waits until the turn's role cannot write the other table any more. Raises NotSpread."""
    began, table = crew.clock(), pair.table(turn.to).name
    # The session that the fence let in is that of the turn which put it; whoever recovers has a later token.
    session = turn.fenced_by or turn.token
    while crew.clock() - began < crew.waits.spread or crew.probes.look(table, session) is not Outcome.REFUSED:
        if crew.clock() - began >= crew.waits.spread_limit:
            raise NotSpread(f"{table} still lets the turn write.")
        _rest(crew, pair, turn)


def _until_allowed(crew: Crew, pair: Pair, turn: Turn) -> None:
    """Waits until clients can write the owner again, so that the answer comes after the trouble, not before."""
    began, table = crew.clock(), pair.table(turn.to.other).name
    while crew.probes.client(table) is not Outcome.ALLOWED and crew.clock() - began < crew.waits.spread_limit:
        _rest(crew, pair, turn)


def _rest(crew: Crew, pair: Pair, turn: Turn) -> None:
    crew.state.note_turn(pair.pair_id, turn.token, LeaseUntil=_lease(crew))
    crew.sleep(crew.waits.poll)


def _lease(crew: Crew) -> float:
    return crew.clock() + crew.waits.lease
