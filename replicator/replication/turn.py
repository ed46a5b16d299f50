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
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replication.answer import Verdict
from replication.errors import (
    AccessRefused,
    NotSettled,
    NotSpread,
    OutOfTime,
    PolicyConflict,
    StreamLost,
    TableError,
    Throttled,
    TurnStopped,
    Unanswered,
)
from replication.order import Ended, Order, begin, close_failed, tell
from replication.pair import Pair, Phase, Side, Turn
from replication.policies import Mode
from replication.probe import Outcome
from replication.recover import recover, undo
from replication.register import WORKER, Standing
from replication.settle import read_everything, watch

if TYPE_CHECKING:
    from replication.crew import Crew
    from replication.register import Registered
    from replication.stream import Reader
    from replication.values import Item

# What ends a turn before step 6 by undoing it. Everything else (a bug, an AWS call that fails for no known reason) ends
# the invocation, and the state machine calls recover.
STOPPING = (TurnStopped, TableError, PolicyConflict, StreamLost)


@dataclass
class Steps:
    """The steps of one turn, for the holder of its token. `deadline`: when the invocation should have ended."""

    crew: Crew
    pair: Pair
    turn: Turn
    deadline: float

    def __post_init__(self) -> None:
        self.owner, self.other = self.pair.table(self.turn.to.other), self.pair.table(self.turn.to)
        self._renewed_at = self.crew.clock()
        self.marked_at = 0.0
        self.failed: list[Registered] = []

    # ------------------------------------------------------------------ 1
    def mark(self) -> Reader:
        """From now on the turn knows every key that is written to the owner."""
        if self.turn.must_be_empty:
            self._require_empty(self.crew.waits.spread_limit)
        reader = self.crew.streams.mark(self.owner.stream_arn)
        self.marked_at = self.crew.clock()
        return reader

    # ------------------------------------------------------------------ 2
    def settle(self, reader: Reader) -> Reader:
        """All that is older than the mark has been mirrored, and every invocation that did it is over (R2)."""
        try:
            watch(self, reader)
        except NotSettled as why:
            if self.turn.to is Side.TWIN:
                raise
            # On the way back a broken mirror must not keep the user: the turn brings along itself what the mirror owes.
            reader = read_everything(self, str(why))
            self.marked_at = 0.0
        self.enter(Phase.SETTLED, MarkedAt=self.marked_at)
        return reader

    # ------------------------------------------------------------------ 3
    def seal(self, reader: Reader) -> None:
        """Nobody writes the owner any more, and no write that has slipped through is still unknown (R1)."""
        crew, waits = self.crew, self.crew.waits
        self.enter(Phase.SEALING, SealedAt=crew.clock())
        self._place(self.turn.to.other, Mode.SEALED)
        began = last_write = crew.clock()
        while True:
            # R1: the probe shows that the policy has reached one caller, the quiet that it has reached those who write.
            refused = crew.probes.client(self.owner.name) is Outcome.REFUSED
            found = reader.read()
            now = crew.clock()
            if found.written:
                last_write = now
            if refused and found.complete and now - began >= waits.spread and now - last_write >= waits.quiet:
                break
            self._give_up_after(began, f"{self.owner.name} could not be closed to its clients")
            self.pause()
        self.enter(Phase.SEALED)

    # ------------------------------------------------------------------ 4
    def fence(self, reader: Reader) -> None:
        """Nobody but the turn writes the other table: what the mirror has not written yet never lands (R2, R3)."""
        crew = self.crew
        self.enter(Phase.FENCING)
        self._place(self.turn.to, Mode.FENCED)
        began = crew.clock()
        while not (
            crew.clock() - began >= crew.waits.spread
            and crew.probes.replicator(self.other.name) is Outcome.REFUSED
            and crew.probes.look(self.other.name, self.turn.token) is Outcome.ALLOWED
            and not self._still_writing(began)
        ):
            reader.read()
            self._give_up_after(began, f"{self.other.name} could not be closed to the mirror")
            self.pause()
        self.enter(Phase.FENCED)

    def _still_writing(self, since: float) -> bool:
        """Whether an invocation that began before the fence is not over: it may not have seen the fence (R2)."""
        now = self.crew.clock()
        work = self.crew.register.work(self.pair.pair_id)
        return any(
            one.standing is Standing.RUNNING and one.began < since and one.deadline > now
            for one in work
            if one.lane in (self.turn.to.other, WORKER)
        )

    # ------------------------------------------------------------------ 5
    def look(self, reader: Reader) -> None:
        """The other table holds of every key written since the mark what the sealed owner holds (R3)."""
        crew = self.crew
        while not self.all_read(reader):  # R1: the last that slipped through; R6: shards that appeared meanwhile
            self.alive()
        self._require_nothing_older()
        if self.turn.must_be_empty:
            self._require_empty(crew.waits.poll)
        keys: list[Item] = [*reader.keys.values(), *(key for batch in self.failed for key in batch.keys)]
        crew.look(self.turn.token).copy(self.owner.name, self.other.name, keys, self.deadline, self.alive)
        for batch in self.failed:
            crew.register.forget_attempt(batch)
        crew.log("Looked again at every key written since the mark.", {"keys": len(keys)})
        self.enter(Phase.LOOKED, LookedAt=crew.clock(), Positions=reader.place())

    def _require_nothing_older(self) -> None:
        """Raises NotSettled when the mirror was given records from before the mark after all, and put them off."""
        late = [
            one
            for one in self.crew.register.work(self.pair.pair_id, self.turn.to.other)
            if one.standing is Standing.PUT_OFF and 0 < one.oldest_at <= self.marked_at
        ]
        if late:
            raise NotSettled(
                f"Records of {self.owner.name} came to the mirror later than they may. Update the stack again."
            )

    # ------------------------------------------------------------------ 6
    def own(self) -> None:
        """The other table becomes the owner, in one conditional write (R4): before it all is undone, after it none."""
        self.pair = self.crew.state.change_owner(self.pair, self.turn, self.marked_at, self._lease())

    # ------------------------------------------------------------------ 7
    def open(self) -> None:
        """Clients write the new owner. The mirror cannot: what of its writes still lingers never lands there (R2)."""
        crew = self.crew
        self._place(self.turn.to, Mode.OPEN)
        began = crew.clock()
        while crew.probes.client(self.other.name) is not Outcome.ALLOWED:
            if crew.clock() - began >= crew.waits.spread_limit:
                # Nothing can be undone any more and clients will be let in when the policy has spread: tell, and go on.
                crew.log("The new owner does not answer the probe yet.", {"table": self.other.name})
                break
            self._renew()
            crew.sleep(crew.waits.poll)
        now = crew.clock()
        lease_until = now + crew.waits.hold + crew.waits.lease
        self.pair = crew.state.note_turn(
            self.pair.pair_id, self.turn.token, Phase=Phase.OPENED, OpenedAt=now, LeaseUntil=lease_until
        )

    # ------------------------------------------------------------------ what the steps share
    def enter(self, phase: Phase, **changes: object) -> None:
        """Writes the phase before its effect, and that the turn lives. Raises StaleTurn, OutOfTime."""
        self.alive()
        self.pair = self.crew.state.note_turn(
            self.pair.pair_id, self.turn.token, Phase=phase, LeaseUntil=self._lease(), **changes
        )
        self._renewed_at = self.crew.clock()

    def _place(self, side: Side, mode: Mode) -> None:
        self.pair = self.crew.access.place(self.pair, side, mode, self.turn.token)

    def all_read(self, reader: Reader) -> bool:
        """One round over every shard, new ones included; whether there was nothing left to read."""
        self.alive()
        found = reader.read(all_shards=True)
        if found.complete and not found.records:
            return True
        self.crew.sleep(self.crew.waits.reading)
        return False

    def _require_empty(self, patience: float) -> None:
        """Both tables hold nothing. Raises NotEmpty. Our right to read them may still be spreading."""
        until = self.crew.clock() + patience
        for table in (self.owner.name, self.other.name):
            while True:
                try:
                    self.crew.look(self.turn.token).require_empty(table, until)
                    break
                except (AccessRefused, Throttled):
                    if self.crew.clock() >= until:
                        raise
                    self.pause()

    def _give_up_after(self, began: float, what: str) -> None:
        limit = self.crew.waits.spread_limit
        if self.crew.clock() - began >= limit:
            raise NotSpread(f"{what} within {limit:.0f} s. Everything is as it was; update the stack again.")

    def pause(self) -> None:
        self.alive()
        self.crew.sleep(self.crew.waits.poll)

    def alive(self) -> None:
        """Says in the record that the turn lives, often enough for its lease. Raises StaleTurn, OutOfTime."""
        if self.crew.clock() > self.deadline:
            raise OutOfTime("The turn could not be made in the time that one invocation has. Update the stack again.")
        self._renew()

    def _renew(self) -> None:
        if self.crew.clock() - self._renewed_at >= self.crew.waits.lease / 4:
            self.crew.state.note_turn(self.pair.pair_id, self.turn.token, LeaseUntil=self._lease())
            self._renewed_at = self.crew.clock()

    def _lease(self) -> float:
        return self.crew.clock() + self.crew.waits.lease


def run(crew: Crew, order: Order, deadline: float, steps: type[Steps] = Steps) -> Ended:
    """Makes the turn that was ordered, or undoes what it has done of it, or finds that there is nothing to do.

    Raises Superseded when somebody else has taken it over; any other error means that recover must be called.
    """
    found = crew.state.find(order.pair)
    if found is not None and found.turn is not None and found.turn.request == order.request:
        return resume(crew, order.pair, deadline)  # R7: this very request has been here before
    pair = begin(crew, order)
    if pair is None or pair.turn is None:
        return Ended.DONE
    turn = steps(crew, pair, pair.turn, deadline)
    try:
        reader = turn.mark()
        reader = turn.settle(reader)
        turn.seal(reader)
        turn.fence(reader)
        turn.look(reader)
    except STOPPING as why:
        if isinstance(why, Unanswered):  # R5: undo waits until it cannot land; whether it has, only a comparison tells
            crew.state.note_failure(pair.pair_id, crew.clock())
        return undo(crew, turn.pair, turn.pair.turn or turn.turn, str(why))
    turn.own()
    return forward(turn)


def forward(turn: Steps) -> Ended:
    """From step 6 on."""
    if turn.turn.opened_at is None:
        turn.open()
    if not turn.turn.deleting:  # a removal is answered when the tables have been given back
        tell(turn.crew, turn.pair, Verdict(success=True))
    return Ended.OPENED


def resume(crew: Crew, pair_id: str, deadline: float, cause: str = "") -> Ended:
    """Ends an unfinished turn, whoever has left it. Raises like `run`."""
    return recover(crew, pair_id, lambda pair, turn: forward(Steps(crew, pair, turn, deadline)), cause)


def recovered(crew: Crew, order: Order, deadline: float, cause: str) -> Ended:
    """Ends what an invocation for this order that failed has left; also when it failed before its turn began."""
    ended = resume(crew, order.pair, deadline, cause)
    if ended is Ended.DONE:
        close_failed(crew, order, cause)
    return ended
