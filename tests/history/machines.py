"""The two state machines, as their definitions say it; tests/installer holds the definitions to what this is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, cast

from replication.conclusion import Ending
from replication.crew import Crew
from replication.errors import ReplicationError, StaleWorker, Superseded
from replication.machines import PopulationJob
from replication.order import Ended, Order
from replication.population import Population
from replication.release import release
from replication.rest import close
from replication.segments import Mode, Part
from replication.turn import recovered, resume, run
from replication.worker import Means, Task, Worker
from tests.history.account import Account
from tests.replicator.control.aws import Killed

T = TypeVar("T")
_TURN_SECONDS = 120.0
_WORK_SECONDS = 90.0  # of which a worker keeps 60 for handing over
_ATTEMPTS = 30


class ExecutionFailed(Exception):
    """A task that its machine has given up."""


def _told(task: Callable[[], Ended]) -> Ended:
    """What the turn function's handler makes of it."""
    try:
        return task()
    except Superseded:
        return Ended.SUPERSEDED


@dataclass
class Machines:
    """Starts executions, each an actor; one of the same name is the same execution."""

    account: Account
    crew: Crew
    means: Means
    jobs: Population
    ending: Ending
    status: dict[str, str] = field(default_factory=dict)

    # ---- what gate and watchdog ask for ----
    def turn(self, order: Order) -> None:
        self._start(f"turn {order.request}", lambda: self._turn(order))

    def recover(self, pair_id: str, token: int, at: float) -> None:
        self._start(f"recover {token} {at // 30:.0f}", lambda: self._recover(pair_id, None))

    def close(self, pair_id: str, at: float) -> None:
        self._start(f"close {at // 60:.0f}", lambda: self._close(pair_id))

    def population(self, job: PopulationJob) -> None:
        self._start(job.job, lambda: self._population(job))

    def turn_status(self, request: str) -> str:
        return self.status.get(f"turn {request}", "GONE")

    def population_status(self, job: str) -> str:
        return self.status.get(job, "GONE")

    def stop_population(self, job: str) -> None:
        self.status[job] = "ABORTED"

    def _start(self, name: str, work: Callable[[], None]) -> None:
        if name in self.status:
            return
        self.status[name] = "RUNNING"

        def execution() -> None:
            try:
                work()
            except ExecutionFailed:
                self.status[name] = "FAILED"
                return
            if self.status[name] == "RUNNING":
                self.status[name] = "SUCCEEDED"

        late = self.account.faults.happens("execution started late", 0.1)
        self.account.timeline.actor(name, execution, self.account.timeline.random.uniform(0, 10) if late else 0)

    # ---- the turn machine ----
    def _turn(self, order: Order) -> None:
        def task() -> Ended:
            return run(self.crew, order, self.account.now + _TURN_SECONDS - 20)

        try:
            ended = self._once("turn", lambda: _told(task), _TURN_SECONDS, kill=0.3, hang=0.2)
        except (Killed, Exception) as why:  # noqa: BLE001 - States.ALL
            self.account.timeline.tell(f"the turn failed: {why!r}")
            begun = self.crew.state.find(order.pair)
            mine = begun is not None and begun.turn is not None and begun.turn.request == order.request
            if mine and self.account.faults.happens("machine lost", 0.3):
                return
            self._recover(order.pair, order)
            return
        self._hold(order.pair, ended)

    def _recover(self, pair_id: str, order: Order | None) -> None:
        def task() -> Ended:
            deadline = self.account.now + _TURN_SECONDS - 20
            return (
                recovered(self.crew, order, deadline, "interrupted") if order else resume(self.crew, pair_id, deadline)
            )

        self._hold(pair_id, self._insist("recovery", lambda: _told(task), _TURN_SECONDS, kill=0.2, hang=0.05))

    def _close(self, pair_id: str) -> None:
        self._insist("close", lambda: _told(lambda: close(self.crew, pair_id)), _TURN_SECONDS, kill=0.1)

    def _hold(self, pair_id: str, ended: Ended) -> None:
        while ended is Ended.OPENED:
            self.account.sleep(self.crew.waits.hold)
            ended = self._insist(
                "release", lambda: _told(lambda: release(self.crew, pair_id)), _TURN_SECONDS, kill=0.1, hang=0.03
            )

    # ---- the population machine ----
    def _population(self, job: PopulationJob) -> None:
        def step(work: Callable[[], T]) -> T:
            if self.status[job.job] != "RUNNING":
                raise ExecutionFailed
            return self._insist("worker", work, _WORK_SECONDS, kill=0.15, hang=0.03, final=(StaleWorker,))

        try:
            plan = step(lambda: self.jobs.plan(job.pair, job.job, job.mode, self.account.now + _WORK_SECONDS))
            for part in plan.mode.parts:
                self._map(job, part, plan.segments, step)
            concluded = step(lambda: self.jobs.conclude(job.pair, job.job))
            step(lambda: self.ending.concluded(job, concluded))
        except (ReplicationError, ExecutionFailed) as why:
            cause = str(why)
            self._insist("worker", lambda: self.ending.failed(job, cause), _WORK_SECONDS, kill=0.1)
            raise ExecutionFailed from why

    def _map(self, job: PopulationJob, part: Part, segments: int, step: Callable[[Callable[[], bool]], bool]) -> None:
        for number in range(segments):
            task = Task(job.pair, job.job, part, number, segments)
            for attempt in range(50):
                invocation = f"{job.job}-{part}-{number}-{attempt}-{self.account.now}"

                def work(task: Task = task, invocation: str = invocation) -> bool:
                    return Worker(self.means, task, invocation, self.account.now + _WORK_SECONDS).run()

                if step(work):
                    break

    def repair(self, pair_id: str, name: str) -> None:
        """What `encrypt-migrate repair` starts."""
        self.population(PopulationJob(pair_id, name, Mode.REPAIR))

    # ---- tasks ----
    def survive(self, kind: str, work: Callable[[], object], *, seconds: float, kill: float) -> None:
        """An invocation of which nobody waits for the end."""
        try:
            self.account.faults.invoke(kind, work, seconds=seconds, kill=kill)
        except Killed:
            return

    def _once(self, kind: str, work: Callable[[], T], seconds: float, *, kill: float, hang: float = 0.0) -> T:
        return cast("T", self.account.faults.invoke(kind, work, seconds=seconds, kill=kill, hang=hang))

    def _insist(
        self,
        kind: str,
        work: Callable[[], T],
        seconds: float,
        *,
        kill: float,
        hang: float = 0.0,
        final: tuple[type[Exception], ...] = (),
    ) -> T:
        """A task that is retried, except after the errors that are final."""
        for _ in range(_ATTEMPTS):
            try:
                return self._once(kind, work, seconds, kill=kill, hang=hang)
            except final:
                raise
            except (Killed, Exception) as why:  # noqa: BLE001 - States.ALL
                self.account.timeline.tell(f"{kind} failed: {why!r}")
                self.account.sleep(self.account.timeline.random.uniform(1, 3))
        raise ExecutionFailed(kind)
