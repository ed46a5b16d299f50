"""The gate: decides what a stack update may do with a pair, from the record and the stack's status alone.

The same event comes from a user who goes back and from CloudFormation rolling back, and it may come twice, late or out
of order; so the old properties in it say nothing. Forward the gate may refuse, and a refusal changes nothing. In a
rollback it never refuses: it acts, waiting for evidence that comes with time, or it answers SUCCESS and leaves the pair
in a state with a name (`Paused`).
A request notes itself in the record first, and from then on nothing begins that was ordered before it (ordered.py).

    stage wants     owner is     what happens
    source          source       policies are asserted
    source          twin         a turn back
    twin            source       evidence, then a turn; both tables must be empty where there is no record yet
    twin            twin         policies are asserted
    cleanup         twin         the last check, in an execution of its own
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from replication.answer import Verdict
from replication.arrival import Arrival, behind_its_rollback, came_before, pair_of
from replication.errors import Refused, ReplicationError, RequestError, StaleOrder, TableGone
from replication.evidence import for_exports
from replication.leaving import leave, left_behind
from replication.machines import PopulationJob
from replication.order import Order
from replication.ordered import OVERTAKEN
from replication.pair import Ordered, OrderState, Pair, Side
from replication.policies import rewritten
from replication.request import GateProperties, Kind, Request, Stage, read_gate
from replication.rest import restore
from replication.segments import Mode as JobMode

if TYPE_CHECKING:
    from replication.adopt import Adoption
    from replication.crew import Crew
    from replication.facts import Gatherer
    from replication.machines import Machines
    from replication.pair import Table
    from replication.stacks import Stacks


@dataclass(frozen=True)
class Gate:
    """Requests for Custom::MigrationGate."""

    crew: Crew
    stacks: Stacks
    gatherer: Gatherer
    adoption: Adoption
    machines: Machines

    @property
    def arrival(self) -> Arrival:
        """Who takes requests in."""
        return Arrival(self.crew, self.stacks)

    def handle(self, request: Request) -> Verdict | None:
        """What CloudFormation is to be told; None when an execution that was started will tell it.

        Raises a ReplicationError when it cannot decide, which in a rollback never happens for want of evidence.
        """
        going_back = False
        try:
            pair, going_back = self.arrival.noted(request)
            if pair is not None and came_before(pair, request):
                # Lambda delivers at least once, and CloudFormation has gone on: what was right then may turn back.
                self.crew.log("A request came again.", {"pair": pair.pair_id, "request": request.answer.request_id})
                return None
            if pair is not None and going_back and behind_its_rollback(pair, request):
                return self.arrival.give_way(request, must_not_fail=True)
            if request.kind is Kind.DELETE:
                return self._delete(request, pair, must_not_fail=going_back)
            pair = self._after_removal(pair)
            return self._update(request, pair, read_gate(request.properties), must_not_fail=going_back)
        except StaleOrder:
            return self.arrival.give_way(request, must_not_fail=going_back)
        except ReplicationError as why:
            if request.kind is Kind.DELETE:
                raise
            verdict = self._pause(request, str(why)) if going_back else None
            with contextlib.suppress(ReplicationError):  # there is no record, or a later request in it
                self.crew.state.end(pair_of(request), request.answer.request_id)
            if verdict is None:
                raise
            return verdict

    def _update(
        self, request: Request, pair: Pair | None, wanted: GateProperties, *, must_not_fail: bool
    ) -> Verdict | None:
        if pair is None and self._removed(request):  # it must not take the tables in anew
            self.crew.log("A request came again, after its gate.", {"request": request.answer.request_id})
            return None
        if not must_not_fail and (pair is None or pair.stage != wanted.stage):
            self._require_no_importers(wanted)
        if wanted.stage == Stage.CLEANUP:
            return self._cleanup(request, wanted, pair)
        # A mapping that somebody switched off keeps nobody from going back: the turn brings along what it owes.
        going_back = must_not_fail or (pair is not None and (pair.owner, wanted.owner) == (Side.TWIN, Side.SOURCE))
        pair = self._taken_in(request, wanted, pair, mappings=not going_back, must_not_fail=must_not_fail)
        if pair.turn is None and pair.owner is wanted.owner:
            return self._stay(request, pair, wanted)
        never_granted = pair.stage == 0
        if pair.turn is None and never_granted:
            pair = restore(self.crew, pair)
        elif pair.turn is None and not must_not_fail and wanted.owner is Side.TWIN:  # a rollback's turn waits for it
            self._require_evidence(pair)
        self._turn(
            pair,
            Order(
                pair=pair.pair_id,
                request=request.answer.request_id,
                to=wanted.owner,
                stage=wanted.stage,
                must_not_fail=must_not_fail,
                must_be_empty=never_granted,
                answer=request.answer,
            ),
        )
        return None

    def _turn(self, pair: Pair, order: Order) -> None:
        """Noted before it is started: an execution that nobody knows of would begin nothing. Raises StaleOrder."""
        noted = Ordered(
            order.request,
            self.crew.clock(),
            OrderState.WAITING,
            order.to,
            order.must_not_fail,
            order.answer,
            stage=order.stage,
            returns=pair.ordered is not None and pair.ordered.returns,
        )
        self.crew.state.order(order.pair, noted)
        self.machines.turn(order)

    def _removed(self, request: Request) -> bool:
        """Whether the gate left the stack after CloudFormation asked to update it. One that comes back is created."""
        to = request.answer
        return request.kind is Kind.UPDATE and self.stacks.leaving(to.stack_id, to.logical_resource_id)

    def _taken_in(
        self, request: Request, wanted: GateProperties, pair: Pair | None, *, mappings: bool, must_not_fail: bool
    ) -> Pair:
        """The record of the pair, new or brought up to date with what the template says of it. Raises StaleOrder."""
        source, twin = self.adoption.tables(request, wanted, mappings=mappings)
        wanted = replace(
            wanted,
            source_policy=wanted.source_policy and rewritten(wanted.source_policy, {twin.arn: source.arn}),
            twin_policy=wanted.twin_policy and rewritten(wanted.twin_policy, {source.arn: twin.arn}),
        )
        if pair is None:
            return self._made(request, wanted, source, twin, must_not_fail=must_not_fail)
        if (source, twin) != (pair.source, pair.twin):
            over = self._forget_replaced(pair, wanted)
            pair = self._made(request, wanted, source, twin, must_not_fail=must_not_fail)
            self.crew.state.note_failure(pair.pair_id, over)
            return self.crew.state.pair(pair.pair_id)
        changes: dict[str, Any] = {
            "Replication": wanted.replication,
            "ReverseReplication": wanted.reverse_replication,
            "StreamConsumers": wanted.stream_consumers,
            "SourcePolicy": wanted.source_policy,
            "TwinPolicy": wanted.twin_policy,
        }
        return self.crew.state.keep(pair.pair_id, request.answer.request_id, **changes)

    def _made(
        self, request: Request, wanted: GateProperties, source: Table, twin: Table, *, must_not_fail: bool
    ) -> Pair:
        """A new record. R8: a rollback's Delete that came before there was one has found nothing to delete.

        So the status is looked at again once it is there: whoever comes later finds it. Raises StaleOrder.
        """
        ordered = self.arrival.ordered(request, None, going_back=must_not_fail)
        try:
            pair = self.adoption.make(request, wanted, source, twin, ordered)
        except RequestError as why:
            found = self.arrival.own(request)
            if found is not None and request.answer.request_id in found.answered:
                raise StaleOrder(OVERTAKEN) from why  # this very request, which came twice
            raise
        if not must_not_fail and self.arrival.going_back(request):
            self.crew.state.remove(pair)
            raise StaleOrder(OVERTAKEN)
        return pair

    def _forget_replaced(self, pair: Pair, wanted: GateProperties) -> float:
        """One of the tables, or its stream, was made anew. Raises RequestError when that may cost writes.

        Returns the time by which nothing is written any more on behalf of the record that is forgotten: the other table
        may be the same, and then it may still get an old value.
        """
        if pair.owner is Side.TWIN or pair.turn is not None or wanted.owner is Side.TWIN:
            why = (
                f"{pair.source.name} or {pair.twin.name}, or the stream of one, was replaced during the migration, "
                f"while {pair.table(pair.owner).name} takes the writes. Go back to populate, then forward again."
            )
            raise RequestError([why])
        under_way = [one.deadline for one in self.crew.register.work(pair.pair_id)]
        self.crew.state.remove(pair)
        return max(under_way, default=self.crew.clock())

    def _stay(self, request: Request, pair: Pair, wanted: GateProperties) -> Verdict:
        """The owner is as the stage wants it: policies are asserted, which is harmless when they are in place."""
        pair = restore(self.crew, pair)
        self.crew.state.end(pair.pair_id, request.answer.request_id, Stage=wanted.stage, Paused=None)
        return Verdict(success=True)

    def _require_evidence(self, pair: Pair) -> None:
        if reasons := self.crew.evidence(pair):
            raise Refused(reasons)

    def _require_no_importers(self, wanted: GateProperties) -> None:
        importers = {export: self.stacks.importers(export) for export in wanted.changing_exports}
        if reasons := for_exports(importers):
            raise Refused(reasons)

    def _cleanup(self, request: Request, wanted: GateProperties, pair: Pair | None) -> Verdict | None:
        if pair is None:
            source = self.stacks.table(request.answer.stack_id, wanted.source_logical_id)
            if source is None:  # a stack that was made directly at this stage
                return Verdict(success=True)
            why = (
                f"{source} has not been migrated as far as EncryptMigrate knows, and this stage removes it: set the "
                "stage to replicate, then populate, then cutover. If it was migrated, restore the state table."
            )
            raise Refused([why])
        pair = self._at_rest(pair)
        if pair.owner is Side.SOURCE:
            raise Refused([f"{pair.source.name} still takes the writes: set the stage to cutover first."])
        self.crew.state.end(pair.pair_id, request.answer.request_id)
        if pair.stage == Stage.CLEANUP:
            return Verdict(success=True)
        self.machines.population(
            PopulationJob(
                pair=pair.pair_id,
                job=f"cleanup-{request.answer.request_id}",
                mode=JobMode.CLEANUP,
                answer=request.answer,
                writers_moved=wanted.writers_moved,
            )
        )
        return None

    def _at_rest(self, pair: Pair) -> Pair:
        """The pair once no turn of it is under way: the cutover's holds the old table for a while after its update."""
        until = self.crew.clock() + self.crew.waits.another_turn
        while pair.turn is not None:
            self._wait(until)
            pair = self.crew.state.pair(pair.pair_id)
        return pair

    def _after_removal(self, pair: Pair | None) -> Pair | None:
        """What is there once the last steps of a removal are done, of which CloudFormation has been told already."""
        until = self.crew.clock() + self.crew.waits.another_turn
        while pair is not None and pair.turn is not None and pair.turn.deleting:
            self._wait(until)
            pair = self.crew.state.find(pair.pair_id)
        return pair

    def _wait(self, until: float) -> None:
        if self.crew.clock() >= until:
            raise Refused(["A turn of this pair is still under way: wait for its end, then update the stack again."])
        self.crew.sleep(self.crew.waits.poll)

    def _delete(self, request: Request, pair: Pair | None, *, must_not_fail: bool) -> Verdict | None:
        if pair is None:
            return Verdict(success=True)  # repeated, or there never was one
        must_turn_back = pair.owner is Side.TWIN and pair.stage < Stage.CLEANUP and self._still_there(pair, Side.SOURCE)
        if pair.turn is not None or must_turn_back:
            to = Side.SOURCE if pair.stage < Stage.CLEANUP else Side.TWIN
            self._turn(
                pair,
                Order(
                    pair=pair.pair_id,
                    request=request.answer.request_id,
                    to=to,
                    must_not_fail=must_not_fail,
                    deleting=True,
                    answer=request.answer,
                ),
            )
            return None
        leave(self.crew, self.crew.state.claim(pair), None)
        return Verdict(success=True, reason=left_behind(pair))

    def _still_there(self, pair: Pair, side: Side) -> bool:
        try:
            return bool(self.gatherer.describe(pair.table(side).name)["TableId"] == pair.table(side).table_id)
        except TableGone:
            return False

    def _pause(self, request: Request, reason: str) -> Verdict:
        """A rollback goes on without us: the pair stays as it is, and says why."""
        pair = pair_of(request)
        self.crew.log("A rollback could not be followed.", {"pair": pair, "reason": reason})
        try:
            if self.arrival.own(request) is not None:
                self.crew.state.pause(pair, request.answer.request_id, reason)
        except ReplicationError as why:  # the record itself is what cannot be used; the reason has been logged
            self.crew.log("The pause could not be noted.", {"pair": pair, "reason": str(why)})
        return Verdict(success=True, reason=reason)
