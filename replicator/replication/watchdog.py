"""Once a minute: ends what died, answers what takes long, and says how every pair is doing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from replication.answer import Verdict
from replication.conclusion import waiting_answer
from replication.errors import AnswerError, NotUnderstood, ReplicationError, StaleOrder, StaleWorker, TableGone
from replication.machines import PopulationJob
from replication.order import note_verdict, softened
from replication.pair import Damage, OrderState, Pair, PopulationState, Side
from replication.progress import progress
from replication.segments import Mode
from replication.stream import FORGOTTEN_AFTER

if TYPE_CHECKING:
    from collections.abc import Callable

    from replication.access import Access
    from replication.answer import Answers
    from replication.machines import Machines
    from replication.mappings import Health as MappingHealth
    from replication.mappings import Mappings
    from replication.pair import Answer
    from replication.progress import Progress
    from replication.register import Register
    from replication.segments import Segments
    from replication.state import State

_RUNNING = "RUNNING"
_STARTED_AFTER = 60.0  # seconds in which whoever ordered a turn has started its execution, or never will
_READ_BACK_AFTER = 60.0  # seconds after which a policy that was put must be what is read


@dataclass(frozen=True)
class Health:
    """How a pair is doing, for metrics and alarms."""

    pair_id: str
    owner: Side
    failing: int  # batches of the mirror that fail
    damaged: bool
    paused: bool
    unhealthy: int  # mappings that are not as they should be
    turning_for: float  # seconds since the turn under way began, 0 without one
    refusing_for: float  # seconds for which clients have been refused by it
    name: str  # stack and table, for people
    progress: Progress | None = None  # of a copy or comparison


@dataclass(frozen=True)
class Watchdog:
    """Looks after all pairs. `sweep` settles what dead workers of a pair left in the register."""

    state: State
    register: Register
    segments: Segments
    access: Access
    answers: Answers
    mappings: Mappings
    machines: Machines
    sweep: Callable[[str], int]
    clock: Callable[[], float]
    log: Callable[[str, dict[str, object]], None]
    population_wait: float
    calm: float  # seconds without a failure after which a comparison is worth beginning

    def run(self) -> list[Health]:
        """One round over all pairs. What goes wrong with one is logged and hinders no other."""
        found = []
        for pair in self.state.pairs():
            if isinstance(pair, NotUnderstood):
                self.log("A record cannot be used.", {"reason": str(pair)})
                continue
            try:
                found.append(self._look_after(pair))
            except (ReplicationError, BotoCoreError, ClientError) as why:
                self.log("A pair could not be looked after.", {"pair": pair.pair_id, "reason": str(why)})
        return found

    def _look_after(self, pair: Pair) -> Health:
        now = self.clock()
        mappings = self.mappings.health(pair)
        if pair.turn is not None and pair.turn.lease_until < now:
            self.log("A turn has not said that it lives.", {"pair": pair.pair_id, "phase": str(pair.turn.phase)})
            self.machines.recover(pair.pair_id, pair.token, now)
        self.sweep(pair.pair_id)
        self._end_dead_order(pair, now)
        self._end_dead_population(pair)
        self._answer_late(pair, now)
        if pair.turn is None:
            self._look_at_policies(pair, now)
            self._look_at_streams(pair, mappings, now)
            self._compare_again(pair, mappings, now)
        return self._health(pair, mappings, now)

    def _end_dead_order(self, pair: Pair, now: float) -> None:
        """An order whose execution ended before it called its function, so that nobody else can answer for it.

        First no turn may begin for it any more, then CloudFormation is told, then it is closed: whoever dies in between
        is followed by the next minute, and CloudFormation takes the first answer.
        """
        noted = pair.ordered
        if noted is None or now - noted.at < _STARTED_AFTER or (pair.turn and pair.turn.request == noted.request):
            return
        if noted.state is OrderState.WAITING:
            status = self.machines.turn_status(noted.request)
            if status in (_RUNNING, "SUCCEEDED"):
                return
            try:
                pair = self.state.give_up(pair, noted, f"The turn's execution ended as {status}, before it began.")
            except StaleOrder:  # race: its function has been called after all, or a later request has come
                return
            noted = pair.ordered or noted
        if noted.state is not OrderState.GIVEN_UP:
            return
        self.log("An order is given up.", {"pair": pair.pair_id, "reason": noted.reason})
        turned = pair.turn is None and pair.owner is noted.to
        verdict = Verdict(success=turned, reason=f"{noted.reason} Update the stack again.")
        note_verdict(self.state, pair.pair_id, noted.request, verdict, must_not_fail=noted.must_not_fail)
        if noted.answer is not None:
            self._tell(pair, noted.answer, softened(verdict, must_not_fail=noted.must_not_fail))
        self.state.close(pair.pair_id, noted.request)

    def _tell(self, pair: Pair, answer: Answer, verdict: Verdict) -> None:
        """Whoever does not listen any more will not do so in a minute either."""
        try:
            self.answers.send(answer, verdict)
        except AnswerError as why:
            self.log("CloudFormation could not be answered.", {"pair": pair.pair_id, "reason": str(why)})

    def _answer_late(self, pair: Pair, now: float) -> None:
        """CloudFormation waits for an hour at most; a longer copy goes on behind an update that has succeeded."""
        found, answer = pair.population, waiting_answer(pair)
        if found is None or answer is None or now - found.started_at < self.population_wait:
            return
        verdict = Verdict(
            success=True, reason=f"The copy goes on, {found.items} items so far; cutover waits for its end."
        )
        self._tell(pair, answer, verdict)
        self.state.note_population(pair.pair_id, found.execution, Answered=True)

    def _end_dead_population(self, pair: Pair) -> None:
        """An execution that ended without a word (aborted by hand, timed out) is noted as failed."""
        found = pair.population
        if found is None or found.state is not PopulationState.RUNNING:
            return
        status = self.machines.population_status(found.execution)
        if status in (_RUNNING, "SUCCEEDED") or self.clock() - found.started_at < _READ_BACK_AFTER:
            return
        reason = f"Its execution ended as {status}."
        try:
            self.state.note_dead_population(pair.pair_id, found.execution, self.clock(), reason)
        except StaleWorker:  # race: it was stopped, or came to its end, after the record was read
            return
        if (answer := waiting_answer(pair)) is not None:
            self.answers.send(
                answer, Verdict(success=False, reason=f"The copy failed. {reason} Update the stack again.")
            )
            self.state.note_population(pair.pair_id, found.execution, Answered=True)

    def _look_at_policies(self, pair: Pair, now: float) -> None:
        """A policy that somebody else changed may have let clients write both tables.

        The table that must be closed is closed again. The owner's policy keeps nobody off, and is left to a person: it
        may be how somebody stops an application.
        """
        altered = {side: pair.altered.get(side, now) for side in Side if self._is_altered(pair, side, now)}
        # Race: gate or turn has put the policy that was read, later than the record was. Both take a token first.
        if altered and self.state.pair(pair.pair_id).token != pair.token:
            return
        if altered != pair.altered:
            self.state.change(pair.pair_id, Altered=altered)
        for side in altered:
            self.log("A policy was changed from outside.", {"pair": pair.pair_id, "table": pair.table(side).name})
            self.access.note_altered(pair, side)
        if pair.owner.other in altered:
            self.machines.close(pair.pair_id, now)

    def _is_altered(self, pair: Pair, side: Side, now: float) -> bool:
        placed = pair.revisions.get(side)
        if placed is None or now - placed.at < _READ_BACK_AFTER:
            return False
        try:
            return self.access.altered(pair, side)
        except TableGone:
            return False  # CloudFormation removes it, or the next request will say so

    def _look_at_streams(self, pair: Pair, mappings: MappingHealth, now: float) -> None:
        """What nobody reads for a day is gone from a stream, and the mirror never hears of it."""
        unwell = mappings.not_enabled.keys() | mappings.last_results.keys()
        since = {side: pair.unread_since.get(side, now) for side in unwell}
        if since != pair.unread_since:
            self.state.change(pair.pair_id, UnreadSince=since)
        if now - since.get(pair.owner, now) < FORGOTTEN_AFTER:
            return
        what = (
            f"The stream of {pair.table(pair.owner).name} may not have been read for {FORGOTTEN_AFTER / 3600:.0f} "
            "hours, and it forgets what is older than 24: the other table may lack writes. Get the mapping going; a "
            "comparison follows, then repair what it finds."
        )
        if not any(known.what == what and known.at > since[pair.owner] for known in pair.damage):
            self.state.note_damage(pair.pair_id, Damage(now, what))

    def _compare_again(self, pair: Pair, mappings: MappingHealth, now: float) -> None:
        """A comparison that failures have made void is made again, once nothing fails any more."""
        if not pair.populated or pair.compared or pair.owner in mappings.not_enabled:
            return
        last, failed_at = pair.comparison, pair.failed_at or 0.0
        if last is not None and last.differences and last.started_at > failed_at:
            return  # comparing again would find the same: a person has to look, and to repair
        if now - failed_at < self.calm or self._failing(pair):
            return
        if pair.comparing is not None and self.machines.population_status(pair.comparing) == _RUNNING:
            return
        job = f"compare-{pair.pair_id}-{now:.0f}"
        self.state.change(pair.pair_id, Comparing=job)
        self.machines.population(PopulationJob(pair.pair_id, job, Mode.COMPARE))

    def _failing(self, pair: Pair) -> int:
        return sum(one.failing for one in self.register.work(pair.pair_id))

    def _health(self, pair: Pair, mappings: MappingHealth, now: float) -> Health:
        turn = pair.turn
        refusing = turn is not None and turn.sealed_at is not None and turn.opened_at is None
        return Health(
            pair_id=pair.pair_id,
            owner=pair.owner,
            failing=self._failing(pair),
            damaged=bool(pair.altered)
            or any(known.at >= (pair.comparison.started_at if pair.comparison else 0) for known in pair.damage),
            paused=pair.paused is not None,
            unhealthy=len(mappings.problems) if pair.turn is None and pair.stage < 4 else 0,
            turning_for=now - turn.started_at if turn else 0.0,
            refusing_for=now - turn.sealed_at if refusing and turn and turn.sealed_at else 0.0,
            name=f"{pair.stack_id.split('/')[-2]}/{pair.source_logical_id}",
            progress=self._progress(pair, now),
        )

    def _progress(self, pair: Pair, now: float) -> Progress | None:
        try:
            return progress(self.segments, pair.pair_id, now)
        except ReplicationError:  # its items expire one by one; a line on a dashboard must hide no pair from alarms
            return None
