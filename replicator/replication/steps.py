"""The steps of a turn, from the mark to the opening; turn.py tells what they are for, and numbers the races (R1 …)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replication.ahead import Ahead
from replication.errors import AccessRefused, NotSettled, NotSpread, OutOfTime, Throttled
from replication.pair import Pair, Phase, Side, Turn
from replication.policies import Mode
from replication.probe import Outcome
from replication.register import WORKER, Standing
from replication.settle import drained, read_everything, watch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replication.crew import Crew
    from replication.look import Look
    from replication.register import Registered
    from replication.stream import Reader
    from replication.values import Item

# What the log tells when a phase has been written. Read in order, it is the story of a turn.
_TOLD = {
    Phase.SETTLED: "The mirror has brought over all that is older than the mark.",
    Phase.SEALING: "The owner is being closed: writes of clients are refused from here on.",
    Phase.SEALED: "Nobody writes the owner any more.",
    Phase.FENCING: "The other table is being closed to the mirror.",
    Phase.FENCED: "Nobody but the turn writes the other table.",
    Phase.LOOKED: "Every key written since the mark is copied.",
}


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
        self.marked_at = self.looked_at = 0.0
        self.failed: list[Registered] = []
        self.ahead = Ahead()

    # ------------------------------------------------------------------ 1
    def mark(self) -> Reader:
        """From now on the turn knows every key that is written to the owner."""
        if self.turn.must_be_empty:
            self._require_empty(self.crew.waits.spread_limit)
        reader = self.crew.streams.mark(self.owner.stream_arn)
        self.marked_at = self.crew.clock()
        self._tell("A turn begins: the mark is set.")
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
        self._require_probes()
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
            spread = refused and found.complete and now - began >= waits.spread and now - last_write >= waits.quiet
            if spread and drained(self, reader, last_write):
                break
            self._give_up_after(began, f"{self.owner.name} could not be closed to its clients")
            self.pause()
        self.enter(Phase.SEALED)

    def _require_probes(self) -> None:
        """A probe that is refused only proves a seal or a fence if it was let in before."""
        began = self.crew.clock()
        while not (
            self.crew.probes.client(self.owner.name) is Outcome.ALLOWED
            and self.crew.probes.replicator(self.other.name) is Outcome.ALLOWED
        ):
            self._give_up_after(began, "The probes are not let in, so that nothing could be proved by them")
            self.pause()

    # ------------------------------------------------------------------ 4
    def fence(self, reader: Reader) -> None:
        """Nobody but the turn writes the other table: what the mirror has not written yet never lands (R2, R3)."""
        crew = self.crew
        self.enter(Phase.FENCING, FencedBy=self.turn.token)
        self._place(self.turn.to, Mode.FENCED)
        began = crew.clock()
        self.ahead, look = Ahead(reader.keys.values()), crew.look(self.turn.token)
        while not (
            crew.clock() - began >= crew.waits.spread
            and crew.probes.replicator(self.other.name) is Outcome.REFUSED
            and crew.probes.look(self.other.name, self.turn.token) is Outcome.ALLOWED
            and not self._still_writing(began)
        ):
            self.ahead.forget(reader.read().records)
            self._give_up_after(began, f"{self.other.name} could not be closed to the mirror")
            self._read_ahead(look)
        self.enter(Phase.FENCED)

    def _read_ahead(self, look: Look) -> None:
        """A pause, in which the sealed owner is read: nobody can change it any more. The other table is not, because
        what the mirror has sent may still change that (R2)."""
        crew = self.crew
        self.alive()
        until = crew.clock() + crew.waits.poll
        while crew.clock() < until and look.read_ahead(self.owner.name, self.ahead, until + crew.waits.spread):
            self.alive()
        crew.sleep(max(0.0, until - crew.clock()))

    def _still_writing(self, since: float) -> bool:
        """Whether an invocation that began before the fence is not over: it may not have seen the fence (R2)."""
        now = self.crew.clock()
        work = self.crew.register.work(self.pair.pair_id)
        return any(
            one.standing is Standing.RUNNING and one.began < since + 2 and one.deadline > now
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
        look = crew.look(self.turn.token)
        look.copy(self.owner.name, self.other.name, keys, self.ahead, self.deadline, self.alive)
        for batch in self.failed:
            crew.register.forget_attempt(batch)
        self.looked_at = crew.clock()
        self.enter(Phase.LOOKED, {"keys": len(keys)}, LookedAt=self.looked_at, Positions=reader.place())

    def _require_nothing_older(self) -> None:
        """Raises NotSettled when the mirror was given records from before the mark after all, and put them off."""
        late = [
            one
            for one in self.crew.register.work(self.pair.pair_id, self.turn.to.other)
            if one.standing is Standing.PUT_OFF and 0 < one.oldest_at <= self.marked_at + 1
        ]
        if late:
            raise NotSettled(
                f"Records of {self.owner.name} came to the mirror later than they may. Update the stack again."
            )

    # ------------------------------------------------------------------ 6
    def own(self) -> None:
        """The other table becomes the owner, in one conditional write (R4): before it all is undone, after it none."""
        self.pair = self.crew.state.change_owner(self.pair, self.turn, self.marked_at, self.looked_at, self._lease())
        self._tell("The other table is the owner now.")

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
        sealed_at = self.turn.sealed_at or (self.pair.turn.sealed_at if self.pair.turn else None)
        self._tell("The new owner is open to clients.", refused_seconds=now - sealed_at if sealed_at else None)

    # ------------------------------------------------------------------ what the steps share
    def enter(self, phase: Phase, told: Mapping[str, object] | None = None, /, **changes: object) -> None:
        """Writes the phase before its effect, and that the turn lives; `told` is for the log. Raises StaleTurn,
        OutOfTime."""
        self.alive()
        self.pair = self.crew.state.note_turn(
            self.pair.pair_id, self.turn.token, Phase=phase, LeaseUntil=self._lease(), **changes
        )
        self._renewed_at = self.crew.clock()
        self._tell(_TOLD[phase], **(told or {}))

    def _tell(self, message: str, **fields: object) -> None:
        self.crew.log(message, {"to": str(self.turn.to), "owner": self.owner.name, "other": self.other.name, **fields})

    def _place(self, side: Side, mode: Mode) -> None:
        self.pair = self.crew.access.place(self.pair, side, mode, self.turn.token)

    def all_read(self, reader: Reader) -> bool:
        """One round over every shard, new ones included; whether there was nothing left to read."""
        self.alive()
        found = reader.read(all_shards=True)
        self.ahead.forget(found.records)
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
            raise NotSpread(f"{what}, for {limit:.0f} s. Everything is as it was; update the stack again.")

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
