"""The user's stack: its updates ask the gate, its service is configured with one of the tables, and updates fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from replication.answer import Verdict
from replication.errors import ReplicationError
from replication.pair import Side
from replication.request import GATE, POPULATION, Stage, read
from tests.history.installation import Installation
from tests.replicator.control.stack import request_event
from tests.replicator.control.world import NAMES, PAIR_ID

_TRIES = 30  # faults are frequent enough to spoil several in a row
_EVER = float("inf")
LONGEST_CONFIGURATION = 2.0  # seconds for which a client goes on with the configuration that it has
_PATIENCE = 240.0  # seconds until CloudFormation gives a resource up


class NeverDone(AssertionError):
    """A request that ought to succeed in the end did not."""


@dataclass
class Stack:
    """Updates are made by the first actor. `table`: what the service's configuration names."""

    installed: Installation
    stage: int = 0
    requests: int = 0
    table_name: str = NAMES[Side.SOURCE]
    begun_anew: bool = False  # after a removal
    apart: list[tuple[float, float]] = field(default_factory=list)  # when the service was on the table that follows

    def table(self) -> str:
        return self.table_name

    def status(self, status: str) -> None:
        self.installed.cloudformation.status = status

    # ---- updates ----
    def create(self) -> None:
        """Stage 1 and then 2, until both have been reached."""
        for _ in range(_TRIES):
            self.status("UPDATE_IN_PROGRESS")
            if self._ask("Create", Stage.REPLICATE):
                break
            self.status("UPDATE_ROLLBACK_IN_PROGRESS")
            self._ask("Delete", Stage.REPLICATE)
        else:
            raise NeverDone("the pair was never made")
        self.stage = Stage.REPLICATE
        self.insist(Stage.POPULATE)

    def insist(self, stage: int) -> None:
        """Update after update until the stack has come to this stage; between them a person does what is advised."""
        account = self.installed.account
        for _ in range(_TRIES):
            if self.update(stage):
                return
            self.mend()
            account.sleep(account.timeline.random.uniform(0, 10))  # a mirror that begins anew has to catch up
        raise NeverDone(f"stage {stage} was never reached")

    def update(self, stage: int, *, fails: bool = False) -> bool:
        """One update: the gate, the copy where there is one, the service; `fails`: something else does."""
        account = self.installed.account
        self.status("UPDATE_IN_PROGRESS")
        if fails and account.faults.happens("updates failed while the gate was asked", 0.5):
            # CloudFormation does not wait for the answer any more, and may ask for the way back before Lambda has
            # handed this over.
            until_rollback = account.timeline.random.uniform(0, 5)
            self._send("Update", stage, after=account.timeline.random.uniform(0, until_rollback + 0.5))
            account.sleep(until_rollback)
            done = False
        else:
            done = self._ask("Update", stage) and (stage != Stage.POPULATE or self.stage > stage or self._populate())
        if done:
            self._deploy(stage)
        if done and not fails:
            self.status("UPDATE_COMPLETE")
            self.stage = stage
            return True
        account.faults.counts["updates rolled back"] += 1
        self.status("UPDATE_ROLLBACK_IN_PROGRESS")
        if not self._ask("Update", self.stage):
            raise NeverDone("a rollback failed at the gate")
        self._deploy(self.stage)
        self.status("UPDATE_ROLLBACK_COMPLETE")
        return False

    def check(self) -> None:
        """The table that the services are configured with takes the writes, unless the record says why it does not."""
        pair = self.installed.pair
        to = pair.turn.to if pair.turn else pair.owner
        if pair.paused is None and NAMES[to] != self.table_name:
            raise AssertionError(f"the services name {self.table_name}, and nobody may write it")

    def remove(self) -> None:
        """The transform goes: the service first, the gate in the clean-up."""
        self.status("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        self.stage = Stage.REPLICATE
        self._deploy(self.stage)
        self._note_apart(may_be=True)
        self.installed.cloudformation.leaving.add("UsersMigrationGate")
        for _ in range(_TRIES):
            if self._ask("Delete", Stage.REPLICATE):
                for lane in self.installed.lanes:
                    lane.removed = True
                return
        raise NeverDone("the gate could not be removed")

    def forget(self) -> None:
        """The removal's clean-up goes on: mappings and twin are gone. The next update will make others."""
        account, waits = self.installed.account, self.installed.waits
        account.sleep(waits.spread + waits.settle)  # CloudFormation takes its time, and longer
        del account.tables[NAMES[Side.TWIN]]
        account.sleep(account.timeline.random.uniform(0, 10))
        self.installed.begin_anew()
        self.installed.cloudformation.leaving.clear()
        self.stage, self.begun_anew = 0, True
        account.faults.counts["migrations begun anew"] += 1

    def mend(self) -> None:
        """Waits for the next comparison; what it finds different is repaired."""
        account, found = self.installed.account, self.installed.pair
        self.status("UPDATE_COMPLETE")
        until = account.now + 200
        while account.now < until:
            found = self.installed.pair
            if found.turn is None and (found.compared or (found.comparison and found.comparison.differences)):
                break
            account.sleep(5)
        if found.turn is None and not found.compared:
            name = f"repair-{account.now:.0f}"
            self.installed.machines.repair(PAIR_ID, name)
            while self.installed.machines.population_status(name) == "RUNNING":
                account.sleep(2)
            account.faults.counts["repairs"] += 1

    def _deploy(self, stage: int) -> None:
        """The service gets its new configuration a moment after the gate."""
        account = self.installed.account
        account.sleep(account.timeline.random.uniform(0.1, 1.5))
        self.table_name = NAMES[Side.SOURCE if stage <= Stage.POPULATE else Side.TWIN]
        self._note_apart(may_be=self.installed.pair.paused is not None)

    def _note_apart(self, *, may_be: bool) -> None:
        """A rollback that cannot be followed, or a removal, leaves the service on the table that follows a while."""
        account, pair = self.installed.account, self.installed.pair
        if self.apart and self.apart[-1][1] == _EVER:
            self.apart[-1] = self.apart[-1][0], account.now + LONGEST_CONFIGURATION
        if may_be and NAMES[pair.owner] != self.table_name:
            self.apart.append((account.now, _EVER))

    def _populate(self) -> bool:
        return self._ask("Create", Stage.POPULATE, POPULATION)

    # ---- requests ----
    def _ask(self, kind: str, stage: int, resource: str = GATE) -> bool:
        """A request, and whether it was answered with success in time."""
        account, installed = self.installed.account, self.installed
        request = self._send(kind, stage, resource)
        until = account.now + _PATIENCE
        while request not in installed.answered and account.now < until:
            account.sleep(0.5)
        answer = installed.answered.get(request)
        return answer is not None and answer["Status"] == "SUCCESS"

    def _send(self, kind: str, stage: int, resource: str = GATE, *, after: float = 0.0) -> str:
        """A request, handed over after so many seconds; it may come twice."""
        account = self.installed.account
        self.requests += 1
        request = f"request-{self.requests}"
        account.timeline.tell(f"asks {request}: {kind} {resource} at stage {stage}")
        handle = partial(self._handle, kind, stage, request, resource)
        account.timeline.actor(f"gate {request}", handle, after)
        if account.faults.happens("request sent twice", 0.1):
            late = 0.4 if kind == "Delete" else 30  # nothing is left that could know a removal again
            account.timeline.actor(f"gate {request} again", handle, account.timeline.random.uniform(0.1, late))
        return request

    def _handle(self, kind: str, stage: int, request: str, resource: str) -> None:
        """What the gate function's handler does; it may be killed, and then nobody answers."""
        deadly = 0.0 if self.installed.cloudformation.status.startswith("UPDATE_ROLLBACK") else 0.03
        self.installed.machines.survive(
            "gate", partial(self._decide, kind, stage, request, resource), seconds=200.0, kill=deadly
        )

    def _decide(self, kind: str, stage: int, request: str, resource: str) -> None:
        installed = self.installed
        properties = {"Pair": PAIR_ID} if resource == POPULATION else {}
        found = read(request_event(kind, stage, request, resource, **properties))
        decider = installed.gate if resource == GATE else installed.populating
        try:
            verdict = decider.handle(found)
        except ReplicationError as why:
            going_back = "ROLLBACK" in installed.cloudformation.status
            verdict = Verdict(success=going_back, reason=str(why))
        if verdict is not None:
            installed.crew.answers.send(found.answer, verdict)
