"""Gives the tables of a pair back and forgets it, when its resources leave the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replication.answer import Verdict
from replication.pair import Pair, Side

if TYPE_CHECKING:
    from replication.crew import Crew
    from replication.pair import Answer


def leave(crew: Crew, pair: Pair, answer: Answer | None) -> None:
    """Gives the owner the user's own policy and closes the other table for good, answers, removes the record.

    The other table is left closed because a client with an old configuration would otherwise go on writing a table that
    nobody reads any more, and be told that it succeeded. Nothing is lost by doing this again after a crash anywhere:
    the record goes last. The pair's token must be held (a turn's, or one that was claimed).
    """
    crew.access.leave(pair, pair.owner.other, pair.token, closed=True)
    crew.access.leave(pair, pair.owner, pair.token, closed=False)
    if answer is not None:
        crew.answers.send(answer, Verdict(success=True, reason=left_behind(pair)))
    crew.state.remove(pair)


def left_behind(pair: Pair) -> str:
    """What a person should know about the table that stays without being used."""
    other = pair.table(pair.owner.other).name
    if pair.owner is Side.SOURCE:
        return f"{pair.source.name} is as before; {other}, if it is kept, stays closed to writes and can be deleted."
    return f"{pair.twin.name} has taken the place of {other}."
