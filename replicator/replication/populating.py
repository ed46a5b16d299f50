"""Requests for Custom::MigrationPopulation: starts the copy of what was there before, and stops it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replication.answer import Verdict
from replication.codec import to_map
from replication.errors import Refused, ReplicationError, RequestError, StaleOrder, StaleWorker
from replication.machines import PopulationJob
from replication.ordered import OVERTAKEN
from replication.pair import Answer, Pair, Population, PopulationState
from replication.request import Kind, PopulationProperties, Request, read_population
from replication.segments import Mode
from replication.stacks import rolling_back

if TYPE_CHECKING:
    from replication.crew import Crew
    from replication.machines import Machines
    from replication.stacks import Stacks


@dataclass(frozen=True)
class Populating:
    """Requests for Custom::MigrationPopulation."""

    crew: Crew
    stacks: Stacks
    machines: Machines

    def handle(self, request: Request) -> Verdict | None:
        """What CloudFormation is to be told; None when the population or the watchdog will tell it.

        Raises a ReplicationError when the copy cannot be started, but not in a rollback.
        """
        if request.kind is Kind.DELETE:
            return self._stop(request)
        going_back = rolling_back(self.stacks.status(request.answer.stack_id))
        try:
            return self._start(request, read_population(request.properties), wait=not going_back)
        except ReplicationError as why:
            if not going_back:
                raise
            return Verdict(success=True, reason=str(why))

    def _start(self, request: Request, wanted: PopulationProperties, *, wait: bool) -> Verdict | None:
        """A copy is started, unless it is running or has been made. A rollback does not wait for it."""
        state, answer = self.crew.state, request.answer if wait else None
        pair = self._at_rest(wanted.pair)
        if pair.stack_id != request.answer.stack_id:
            raise RequestError(
                [f"{wanted.pair} is a migration of another stack: Pair must name this stack's own gate."]
            )
        pair = state.change(pair.pair_id, WriteRate=wanted.write_rate)
        if pair.populated and not (pair.comparison and pair.comparison.differences):
            return Verdict(success=True)
        running = self._running(pair)
        if running is not None and answer is not None:
            state.note_population(pair.pair_id, running.execution, Answer=to_map(answer), Answered=False)
        elif running is None:
            self._begin(pair, request, answer)
        return None if wait else Verdict(success=True, reason="The copy goes on after the rollback.")

    def _begin(self, pair: Pair, request: Request, answer: Answer | None) -> None:
        """Raises StaleOrder when the stack has begun to roll back while this waited: its Delete found nothing to stop.

        A Delete that comes later finds what has been noted here; an execution that starts behind it copies nothing.
        """
        job = f"populate-{request.answer.request_id}"
        population = Population(
            execution=job,
            epoch=pair.epoch,
            source_id=pair.source.table_id,
            twin_id=pair.twin.table_id,
            state=PopulationState.RUNNING,
            started_at=self.crew.clock(),
            answer=answer,
        )
        # Noted first: an execution that nobody knows of would be taken for one that was stopped.
        self.crew.state.start_population(pair, population)
        if answer is not None and rolling_back(self.stacks.status(request.answer.stack_id)):
            self._note_stopped(pair.pair_id, job)
            raise StaleOrder(OVERTAKEN)
        self.machines.population(PopulationJob(pair.pair_id, job, Mode.POPULATE, answer))

    def _at_rest(self, pair_id: str) -> Pair:
        """The pair, once no turn of it is under way: while one is, no worker may write."""
        until = self.crew.clock() + self.crew.waits.another_turn
        while (pair := self.crew.state.pair(pair_id)).turn is not None:
            if self.crew.clock() >= until:
                raise Refused(
                    ["A turn of this pair is still under way: wait for its end, then update the stack again."]
                )
            self.crew.sleep(self.crew.waits.poll)
        return pair

    @staticmethod
    def _running(pair: Pair) -> Population | None:
        """The copy that is under way, if it is one of these tables from this owner."""
        found = pair.population
        is_this = found is not None and found.epoch == pair.epoch and pair.is_about(found.source_id, found.twin_id)
        return found if is_this and found is not None and found.state is PopulationState.RUNNING else None

    def _stop(self, request: Request) -> Verdict:
        """The record says so first: workers look there before each page."""
        pair_id = (request.physical_id or request.answer.physical_resource_id).removesuffix("/population")
        pair = self.crew.state.find(pair_id)
        # A stack whose request named another stack's pair, and was refused, comes by here on its way back.
        found = pair.population if pair and pair.stack_id == request.answer.stack_id else None
        if found is not None and found.state is PopulationState.RUNNING:
            try:
                self._note_stopped(pair_id, found.execution)
            except StaleWorker:  # another one has begun meanwhile: it is not ours to stop
                return Verdict(success=True)
            self.machines.stop_population(found.execution)
        return Verdict(success=True)

    def _note_stopped(self, pair_id: str, job: str) -> None:
        self.crew.state.note_population(pair_id, job, State=PopulationState.STOPPED, FinishedAt=self.crew.clock())
