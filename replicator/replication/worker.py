"""One invocation of a worker: copies or compares a segment of a table, page by page.

Each step may be stopped at any call and begun again: a position is kept after each page, and a page that is done twice
comes to the same. A worker that may write registers before it asks whether it still may, so that no turn begins its
work while a page is half copied; and what a dead one leaves in the register tells the turn that there is one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from replication.compare import LOOKS_AFTER, ONE_LOOK, Compare
from replication.copy import Copy, Ends
from replication.errors import ReplicationError, StaleWorker, Throttled
from replication.pace import Pace
from replication.pair import PopulationState
from replication.register import WORKER
from replication.segments import WORKERS_AT_ONCE, Mode, Part
from replication.share import OF_OTHER, OF_OWNER, Kind, allowed
from replication.tables import Page
from replication.values import identity

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from typing import Any

    from replication.pair import Pair
    from replication.register import Register, Registered
    from replication.segments import Position, Segments
    from replication.state import State
    from replication.tables import Patience, Tables
    from replication.values import Item

ENOUGH_DIFFERENCES = 1000  # in one segment: more tell no more
_HAND_OVER = 60.0  # seconds before the end of the invocation: no page is begun any more
_TIME_TO_REPORT = 5.0
_SHORT_PAGE, _LONG_PAGE = 2.0, 20.0  # seconds: between them a page's size is left as it is
_SLOW_PAGE = 10.0  # seconds that a page may take for the sake of WriteRate, or of our share of the capacity
_PAGE_LIMIT = 120.0  # seconds in which a page is done or comes again in smaller pieces
_LARGEST_LIMIT = 5000
_DIFFERENT_KEPT = 10
_STILL_LATE = 60.0  # seconds after a late batch of the mirror within which another one may be on its way
_FIRST_BATCH = 300.0  # seconds after the start of a job within which the first batch of a new mirror is waited for


@dataclass(frozen=True)
class Task:
    """One segment of one part of a job."""

    pair_id: str
    job: str
    part: Part
    number: int
    of: int

    @property
    def name(self) -> str:
        """What its workers' names in the register begin with."""
        return f"{self.job}/{self.part}-{self.number:05}/"


@dataclass(frozen=True)
class _On:
    """The tables of a pair, and what is done with them."""

    ends: Ends
    copy: Copy
    compare: Compare


@dataclass(frozen=True)
class Means:
    """What a worker works with."""

    state: State
    register: Register
    segments: Segments
    tables: Tables
    patience: Patience


class _TimeIsUp(Exception):
    """Another invocation has to do this page again."""


class Worker:
    """Works on one segment until it is done or the time is nearly up. `deadline`: when Lambda ends the invocation.

    Raises StaleWorker when the job has never been planned.
    """

    def __init__(self, means: Means, task: Task, invocation: str, deadline: float) -> None:
        self._means = means
        self._task = task
        self._invocation = invocation
        self._deadline = deadline
        self._calls_until = deadline - _TIME_TO_REPORT
        self._plan = means.segments.plan(task.pair_id, task.job)
        self._mends = self._plan.mode is Mode.REPAIR or (
            self._plan.mode is Mode.POPULATE and task.part is Part.COMPARE_OTHER
        )
        self._writes = task.part is Part.COPY or self._mends
        self._pace = Pace(means.patience)
        self._largest = _LARGEST_LIMIT
        self._open: dict[Hashable, Item] = {}  # keys that may have been written and not looked at again

    def run(self) -> bool:
        """Whether the segment is done; if not, another invocation has to go on.

        Raises StaleWorker when something has overtaken the job, and a TableError.
        """
        if not self._writes:
            return self._pages()
        register, task = self._means.register, self._task
        name = task.name + self._invocation
        held, _ = register.begin(task.pair_id, WORKER, name, self._invocation, self._deadline)
        try:
            done = self._pages()
        except ReplicationError as error:
            self._sign_off(held, error)
            raise
        self._sign_off(held, Throttled("The time was up before a page was done."))
        return done

    def _sign_off(self, held: Registered, reason: ReplicationError) -> None:
        """What stays registered as failed is settled by the next comparison that finds both tables equal."""
        if self._open:
            self._means.register.failed(held, held.name, reason, self._open.values(), keys_missing=False)
        else:
            self._means.register.end(held)

    def _pages(self) -> bool:
        task = self._task
        on = self._tables(self._checked())
        position, after = self._means.segments.position(task.pair_id, task.job, task.part, task.number, task.of)
        if position.done:
            return True
        page = self._scan(on, position.limit, after)
        while True:
            following = partial(self._scan, on, position.limit, page.after)
            ahead = self._means.tables.ahead(following) if page.after else following
            position = self._pieces(on, page, position)
            if position.done:
                return True
            if self._time_is_up():
                return False
            self._checked()
            page = ahead()

    def _pieces(self, on: _On, page: Page, position: Position) -> Position:
        """The position after this page, or after as much of it as there was time for; it is kept after each piece.

        A piece is the whole page, unless the tables have too little capacity for that. Raises a TableError.
        """
        left, size = page.items, max(1, min(position.limit, len(page.items)))
        while True:
            piece, rest = left[:size], left[size:]
            began, waited = self._means.patience.clock(), on.compare.waited
            try:
                position = self._piece(on, Page(piece, page.after, 0 if rest else page.size), position)
            except _TimeIsUp:
                return position
            except Throttled:
                if size == 1:
                    raise
                size = max(1, size // 4)
                position = replace(position, limit=size)
            else:
                seconds = self._means.patience.clock() - began - (on.compare.waited - waited)
                position = replace(position, limit=_next_limit(position.limit, len(piece), seconds))
                left = rest
                position = self._keep(position, on.ends.key(piece[-1]) if rest else page.after, done=not rest)
            if not left or position.done or self._time_is_up():
                return position
            self._checked()

    def _keep(self, position: Position, after: Item | None, *, done: bool) -> Position:
        task = self._task
        enough = position.differences >= ENOUGH_DIFFERENCES
        position = replace(position, done=enough or (done and after is None))
        return self._means.segments.keep(task.pair_id, task.job, task.part, position, after)

    def _time_is_up(self) -> bool:
        return self._means.patience.clock() >= self._deadline - _HAND_OVER

    def _checked(self) -> Pair:
        """The pair, when it is still the one this job was planned for. Raises StaleWorker."""
        pair = self._means.state.pair(self._task.pair_id)
        self._plan.check(pair)
        if self._plan.mode is Mode.POPULATE:
            found = pair.population
            if found is None or found.execution != self._task.job or found.state is not PopulationState.RUNNING:
                raise StaleWorker(f"The population {self._task.job} of {pair.pair_id} has been stopped or replaced.")
        if pair.write_rate is not None:  # read anew for each page, so that it can be changed under way
            self._pace.rate = pair.write_rate / min(self._task.of, WORKERS_AT_ONCE)
            self._largest = max(1, int(self._pace.rate * _SLOW_PAGE))
        return pair

    def _tables(self, pair: Pair) -> _On:
        """What to work on. Raises StaleWorker when a table was made anew under its old name."""
        tables, until = self._means.tables, self._calls_until
        owner, other = pair.table(pair.owner), pair.table(pair.owner.other)
        found = {table.name: tables.describe(table.name, until) for table in (owner, other)}
        for table in (owner, other):
            if found[table.name]["TableId"] != table.table_id:
                raise StaleWorker(f"Table {table.name} is not the one that this job was planned for.")
        self._take_shares(pair, found)
        ends = Ends(owner.name, other.name, tuple(key["AttributeName"] for key in found[owner.name]["KeySchema"]))
        expiry = None if self._task.part is Part.COPY else tables.expiry_attribute(owner.name, until)
        looks_after = ONE_LOOK if self._mends else LOOKS_AFTER
        compare = Compare(tables, ends, self._means.patience, expiry, looks_after)
        return _On(ends, Copy(tables, ends, self._pace), compare)

    def _take_shares(self, pair: Pair, described: Mapping[str, Mapping[str, Any]]) -> None:
        """Hold this worker to its part of both tables' shares, as their capacity is now. WriteRate goes before it."""
        at_once = min(self._task.of, WORKERS_AT_ONCE)
        free = pair.write_rate is not None and self._task.part is Part.COPY
        share = self._means.tables.share
        share.allow({
            (table, kind): allowed(described[table], kind, 0.0 if free else part / at_once)
            for table, kind, part in (
                (pair.table(pair.owner).name, Kind.READ, OF_OWNER),
                (pair.table(pair.owner.other).name, Kind.READ, OF_OTHER),
                (pair.table(pair.owner.other).name, Kind.WRITE, OF_OTHER),
            )
        })  # fmt: skip
        if share.slowest is not None:
            self._largest = min(self._largest, max(1, int(share.slowest * _SLOW_PAGE)))

    def _scan(self, on: _On, limit: int, after: Item | None) -> Page:
        table = on.ends.other if self._task.part is Part.COMPARE_OTHER else on.ends.owner
        segment = (self._task.number, self._task.of)
        return self._means.tables.scan(
            table, self._calls_until, segment=segment, after=after, limit=min(limit, self._largest)
        )

    def _piece(self, on: _On, page: Page, position: Position) -> Position:
        """The position with what these items have come to. Raises a TableError."""
        counts = self._means.tables.counts
        unanswered = counts.unanswered
        until = min(self._calls_until, self._means.patience.clock() + _PAGE_LIMIT)
        written = 0
        different: list[Item] = []
        if self._task.part is Part.COPY:
            self._open |= {identity(key): key for key in map(on.ends.key, page.items)}
            written = on.copy.page(page, until)
        else:
            different = self._different(on, page, until)
        if different and self._mends:
            self._open |= {identity(key): key for key in different}
            written, different = on.copy.keys(different, until), []
        if counts.unanswered > unanswered:  # it was repeated, and may still land behind newer ones
            self._means.state.note_failure(self._task.pair_id, self._means.patience.clock())
        for item in page.items:
            self._open.pop(identity(on.ends.key(item)), None)
        return replace(
            position,
            items=position.items + len(page.items),
            written=position.written + written,
            size=position.size + page.size,
            differences=position.differences + len(different),
            different=(*position.different, *different)[:_DIFFERENT_KEPT],
        )

    def _different(self, on: _On, page: Page, until: float) -> list[Item]:
        """The keys of a page that differ, for another reason than that the mirror is late with them."""
        compare = on.compare.of_owner if self._task.part is Part.COMPARE_OWNER else on.compare.of_other
        found = compare(page, until)
        while found and not self._mends and self._mirror_is_late():
            if self._time_is_up():
                raise _TimeIsUp
            self._checked()
            found = on.compare.remaining(found, min(self._calls_until, self._means.patience.clock() + _PAGE_LIMIT))
        return found

    def _mirror_is_late(self) -> bool:
        late = self._means.register.late(self._task.pair_id, self._plan.owner, _STILL_LATE)
        if late is None and self._plan.mode is Mode.POPULATE:
            return self._means.patience.clock() - self._plan.planned_at < _FIRST_BATCH
        return bool(late)


def _next_limit(limit: int, items: int, seconds: float) -> int:
    """Pages that take long are made smaller, so that little is lost with a worker and a turn need not wait for it."""
    if seconds > _LONG_PAGE:
        return max(1, min(limit, items) // 2)
    return min(_LARGEST_LIMIT, limit * 2) if seconds < _SHORT_PAGE else limit
