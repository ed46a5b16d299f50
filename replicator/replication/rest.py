"""The policies of a pair at rest: put where they are not in place, by whoever holds no turn.

Two do it: the gate for both tables when an update reaches it, and the watchdog's `close` for the table that is not the
owner, because every minute that it stays open costs writes. Neither can undo what a turn does meanwhile:

  - A turn begins before the claim: the claim is refused, and nothing is put.
  - A turn begins after the claim: the token is out of date. What the turn has put has another revision than the one
    that was seen when the pair was claimed; and where it has put nothing yet, the stranger's revision is not the one
    that is expected either, and the token is asked for before another is tried.
  - The turn puts first, after the same look at the stranger's policy: ours names a revision that is gone.
  - We put first: the turn finds a policy of ours with a lower token, and replaces it.
  - A removal of the pair claims it too: whichever claim comes second is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replication.order import Ended
from replication.pair import Pair, Side
from replication.policies import at_rest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from replication.crew import Crew


def restore(crew: Crew, pair: Pair, sides: Iterable[Side] = Side) -> Pair:
    """Puts the policies of a pair at rest where they are not in place. Raises StaleTurn when a turn begins."""
    modes = at_rest(pair.owner)
    amiss = [side for side in sides if crew.access.amiss(pair, side, modes[side])]
    if not amiss:
        return pair
    pair = crew.state.claim(pair)
    for side in sorted(amiss, key=lambda side: side is pair.owner):  # what must be closed is closed first
        pair = crew.access.place(pair, side, modes[side], pair.token)
    return pair


def close(crew: Crew, pair_id: str) -> Ended:
    """Closes the table that is not the owner again, where somebody has let its clients in. Raises StaleTurn."""
    pair = crew.state.find(pair_id)
    if pair is not None and pair.turn is None:
        restore(crew, pair, [pair.owner.other])
    return Ended.DONE
