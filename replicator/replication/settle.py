"""Step 2 of a turn: watches the mirror until it has caught up, or reads what it owes. And once more before step 4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replication.errors import NotSettled
from replication.pair import Damage, Side
from replication.register import WORKER
from replication.settling import Settling, Sight

if TYPE_CHECKING:
    from replication.steps import Steps
    from replication.stream import Reader, Seen


def watch(turn: Steps, reader: Reader) -> None:
    """Returns when all that is older than the mark has been mirrored. Raises NotSettled when that does not come.

    The stream is read on meanwhile, so that its iterators do not expire and nothing piles up.
    """
    waits = turn.crew.waits
    settling = Settling(turn.marked_at, waits.settle, waits.settle_limit, waits.lag_limit)
    unmirrored: Seen | None = None
    while True:
        sight = _sight(turn, reader, unmirrored)
        if settling.done(sight):
            return
        unmirrored = sight.unmirrored
        turn.pause()


def _sight(turn: Steps, reader: Reader, unmirrored: Seen | None) -> Sight:
    crew, side = turn.crew, turn.turn.to.other
    records = reader.read().records
    progress = crew.register.progress(turn.pair.pair_id, side)
    # Progress is noted once a second and the stream rounds times down to the second: two seconds are no news.
    signed_off = progress.ended_at + 2 if progress else 0.0
    waiting = [unmirrored] if unmirrored else []
    pair = crew.state.pair(turn.pair.pair_id)
    return Sight(
        at=crew.clock(),
        work=[one for one in crew.register.work(pair.pair_id) if one.lane in (side, WORKER)],
        progress=progress,
        problems=crew.mappings.problems(pair),
        unmirrored=next((record for record in (*waiting, *records) if record.at > signed_off), None),
        sound=pair.failed_at is None or pair.compared,
        compared_since=pair.comparison.started_at if pair.comparison and pair.compared else 0.0,
    )


def read_everything(turn: Steps, why: str) -> Reader:
    """A reader that has read all that the owner's stream still holds; the keys of failed records come along too.

    Raises NotSettled when that is too much, StreamLost.
    """
    crew, pair_id = turn.crew, turn.pair.pair_id
    crew.log("The mirror does not settle: the turn reads the whole stream instead.", {"reason": why})
    # A comparison from before says nothing about what is brought along like this.
    crew.state.note_failure(pair_id, crew.clock())
    turn.failed = [one for one in crew.register.work(pair_id, turn.turn.to.other) if one.failing]
    if any(one.keys_missing for one in turn.failed):
        what = f"Not all keys of the records of {turn.owner.name} that failed are known: repair the pair."
        crew.state.note_damage(pair_id, Damage(crew.clock(), what))
    reader = crew.streams.beginning(turn.owner.stream_arn)
    until = crew.clock() + crew.waits.settle_limit
    while not turn.all_read(reader):
        if crew.clock() >= until:
            raise NotSettled(f"{why} The stream of {turn.owner.name} holds more than could be read instead.")
    return reader


def drained(turn: Steps, reader: Reader, last_write: float) -> bool:
    """Whether the mirror has brought over all that was written to the twin before it was sealed, or will not any more.

    The look brings along the last change of each key. That is enough for the table, but those who read the source's
    stream are owed all of them, and what the mirror has not written by the fence they never see.
    """
    crew, pair = turn.crew, turn.pair
    if turn.turn.to is Side.TWIN or not pair.stream_consumers or not turn.marked_at:
        return True
    now = crew.clock()
    if now - last_write >= crew.waits.quiet + crew.waits.settle:
        crew.log("The mirror is late: readers of the old table's stream miss changes.", {"table": turn.other.name})
        return True
    progress = crew.register.progress(pair.pair_id, Side.TWIN)
    ended_at = progress.ended_at if progress else 0.0
    # It notes its progress once a second, and while it has more to do it is always at work on something.
    behind = ended_at + 1 < reader.newest_at or bool(crew.register.work(pair.pair_id, Side.TWIN))
    return not behind and now - max(last_write, ended_at) >= crew.waits.quiet
