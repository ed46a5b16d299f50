"""Step 8 of a turn: looks for stray writes, then lets the mirror write the old owner.

The old owner was closed and quiet when the turn looked at it for the last time, so any record on its stream since is a
write that a policy's spreading has let through after all: a client was told that it succeeded, and the new owner does
not hold it. It is kept and reported before the mirror may overwrite it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from replication.answer import Verdict
from replication.errors import StreamLost
from replication.leaving import leave
from replication.order import Ended, tell
from replication.pair import Damage, Pair, Phase, Turn
from replication.policies import Mode
from replication.probe import Outcome

if TYPE_CHECKING:
    from replication.crew import Crew
    from replication.stream import Seen

_EMPTY_ROUNDS = 2  # a shard may answer once with nothing and yet have more


def release(crew: Crew, pair_id: str) -> Ended:
    """Ends a turn that has been held for long enough. Doing it again after a crash ends the same.

    Raises StaleTurn when somebody else has taken the turn over.
    """
    pair = crew.state.find(pair_id)
    turn = pair.turn if pair else None
    if pair is None or turn is None or turn.phase not in (Phase.OPENED, Phase.RELEASED):
        return Ended.DONE
    if turn.phase is Phase.OPENED:
        if turn.opened_at is not None and crew.clock() < turn.opened_at + crew.waits.hold:
            return Ended.OPENED  # called too early: the machine holds again
        _report(crew, pair, turn, _strays(crew, pair, turn))
        pair = crew.state.note_turn(
            pair_id, turn.token, Phase=Phase.RELEASED, LeaseUntil=crew.clock() + crew.waits.lease
        )
    if turn.deleting:
        leave(crew, pair, turn.answer)
        return Ended.RELEASED
    # Only now: what the mirror writes from here on would hide a stray.
    pair = crew.access.place(pair, turn.to.other, Mode.FOLLOWING, turn.token)
    _until_let_in(crew, pair, turn)
    tell(crew, pair, Verdict(success=True))
    crew.state.end_turn(pair_id, turn.token, **({} if turn.stage is None else {"Stage": turn.stage}))
    crew.log("The old owner follows: the turn has ended.", {"owner": pair.table(turn.to).name})
    return Ended.RELEASED


def _until_let_in(crew: Crew, pair: Pair, turn: Turn) -> None:
    """Waits for the mirror to be let in: being refused is no failure of it only while a turn is under way."""
    began, table = crew.clock(), pair.table(turn.to.other).name
    while crew.probes.replicator(table) is not Outcome.ALLOWED and crew.clock() - began < crew.waits.spread_limit:
        crew.state.note_turn(pair.pair_id, turn.token, LeaseUntil=crew.clock() + crew.waits.lease)
        crew.sleep(crew.waits.poll)


def _strays(crew: Crew, pair: Pair, turn: Turn) -> list[Seen] | None:
    """The writes on the old owner's stream since the look; None when that cannot be found out any more."""
    # Without kept positions, or when they have expired, the whole stream is read; its times are whole seconds.
    since = math.floor(turn.looked_at) if turn.looked_at is not None else 0
    stream = pair.table(turn.to.other).stream_arn
    for positions in (turn.positions, {}) if turn.positions else ({},):
        reader, found, empty = crew.streams.resume(stream, positions), [], 0
        try:
            while empty < _EMPTY_ROUNDS:
                read = reader.read(all_shards=True)
                found += [record for record in read.written if positions or record.at >= since]
                empty = empty + 1 if read.complete and not read.records else 0
                crew.state.note_turn(pair.pair_id, turn.token, LeaseUntil=crew.clock() + crew.waits.lease)
                crew.sleep(crew.waits.reading)
        except StreamLost:
            continue
        return found
    return None


def _report(crew: Crew, pair: Pair, turn: Turn, strays: list[Seen] | None) -> None:
    old, new = pair.table(turn.to.other).name, pair.table(turn.to).name
    if strays is None:
        what = f"The stream of {old} could not be read after the turn: writes that came late to it would not be known."
        crew.state.note_damage(pair.pair_id, Damage(crew.clock(), what))
    elif strays:
        for stray in strays:
            crew.state.keep_stray(pair.pair_id, turn.to.other, stray.sequence, stray.key, stray.at)
        what = (
            f"Writes reached {old} after it was closed and are not in {new}, {len(strays)} in all: "
            "`encrypt-migrate repair --keys` shows under which keys."
        )
        crew.state.note_damage(pair.pair_id, Damage(crew.clock(), what))
        crew.log("Stray writes were found.", {"pair": pair.pair_id, "count": len(strays)})
