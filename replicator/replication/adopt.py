"""Takes a pair of tables into a migration: only tables of the stack that asks, only when they are ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replication.errors import Contradiction, RequestError, TableGone
from replication.pair import Pair, Side, Table
from replication.policies import Mode, put_by_us
from replication.request import pair_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replication.crew import Crew
    from replication.facts import Gatherer
    from replication.pair import Ordered
    from replication.request import GateProperties, Request
    from replication.stacks import Stacks

_VIEWS = ("NEW_AND_OLD_IMAGES", "NEW_IMAGE")
_SWITCHED_OFF = ("Disabling", "Disabled", "Deleting")  # states from which a mapping does not come back by itself


class Adoption:
    """Looks at what a request names, and makes a record of it."""

    def __init__(self, crew: Crew, stacks: Stacks, gatherer: Gatherer) -> None:
        self._crew = crew
        self._stacks = stacks
        self._gatherer = gatherer

    def tables(self, request: Request, wanted: GateProperties, *, mappings: bool = True) -> tuple[Table, Table]:
        """Source and twin, once they and their mappings are ready; `mappings`: whether those matter.

        Raises RequestError with everything that is wrong: at once when a mapping has been switched off, else when they
        do not become ready in time.
        """
        stack = request.answer.stack_id
        named = ((wanted.source_logical_id, wanted.source), (wanted.twin_logical_id, wanted.twin))
        strangers = [
            f"{table} is not the table {logical_id} of this stack: a gate only accepts tables of the stack that asks."
            for logical_id, table in named
            if table is None or self._stacks.table(stack, logical_id) != table
        ]
        if strangers:
            raise RequestError(strangers)
        until = self._crew.clock() + self._crew.waits.ready
        while True:
            states = self._states(wanted) if mappings else {}
            problems = self._not_ready(wanted)
            problems += [f"The event source mapping {uuid} is {state}, not Enabled." for uuid, state in states.items()]
            if not problems:
                break
            if self._crew.clock() >= until or any(state in _SWITCHED_OFF for state in states.values()):
                raise RequestError(problems)
            self._crew.sleep(self._crew.waits.poll)
        source, twin = (self._described(str(table)) for _, table in named)
        return _table(source), _table(twin)

    def make(self, request: Request, wanted: GateProperties, source: Table, twin: Table, ordered: Ordered) -> Pair:
        """A new record: the source owns the writes. Raises Contradiction, RequestError when a table is taken."""
        token = max(self._token(table, side) for table, side in ((source, Side.SOURCE), (twin, Side.TWIN)))
        pair = Pair(
            pair_id=pair_id(request.stack_guid, wanted.source_logical_id),
            stack_id=request.answer.stack_id,
            source_logical_id=wanted.source_logical_id,
            twin_logical_id=wanted.twin_logical_id,
            source=source,
            twin=twin,
            replication=str(wanted.replication),
            reverse_replication=str(wanted.reverse_replication),
            owner=Side.SOURCE,
            epoch=0,
            stage=0,
            token=token,
            born=self._crew.clock(),
            stream_consumers=wanted.stream_consumers,
            source_policy=wanted.source_policy,
            twin_policy=wanted.twin_policy,
            ordered=ordered,
            answered=(ordered.request,),
        )
        self._crew.state.create(pair)
        return pair

    def _token(self, table: Table, side: Side) -> int:
        """The token of a policy of ours that a table already has; 0 without one.

        Raises Contradiction when that policy says that the twin is the owner, or that a turn is under way: then there
        was a record, it knew who holds every write, and it is lost.
        """
        found = self._crew.access.read(table.arn)
        ours = put_by_us(found.document) if found else None
        if ours is None:
            return 0
        mode, token = ours
        # closed for good: what an earlier migration of this table has left behind
        if mode is Mode.SEALED or mode is (Mode.OPEN if side is Side.SOURCE else Mode.FOLLOWING):
            return token
        raise Contradiction(
            f"{table.name} has the policy of a migration in which it is {mode}, but there is no record of it. Restore "
            "EncryptMigrate's state table to a point when the record was there, then update this stack again. Nothing "
            "was changed."
        )

    def _not_ready(self, wanted: GateProperties) -> list[str]:
        problems = []
        for table in (wanted.source, wanted.twin):
            try:
                found = self._described(str(table))
            except TableGone as why:
                problems.append(str(why))
                continue
            view = found.get("StreamSpecification", {}).get("StreamViewType")
            if found.get("TableStatus") != "ACTIVE":
                problems.append(f"The table {table} is {found.get('TableStatus')}, not ACTIVE.")
            elif not found.get("LatestStreamArn") or view not in _VIEWS:
                problems.append(f"The stream of {table} shows {view or 'nothing'}; needed is {' or '.join(_VIEWS)}.")
        return problems

    def _states(self, wanted: GateProperties) -> dict[str, str]:
        """The mappings that are not Enabled, and what they are."""
        found = {
            str(uuid): self._crew.mappings.state(str(uuid)) for uuid in (wanted.replication, wanted.reverse_replication)
        }
        return {uuid: state for uuid, state in found.items() if state != "Enabled"}

    def _described(self, table: str) -> Mapping[str, Any]:
        return self._gatherer.describe(table)


def _table(description: Mapping[str, Any]) -> Table:
    return Table(
        name=description["TableName"],
        arn=description["TableArn"],
        table_id=description["TableId"],
        stream_arn=description["LatestStreamArn"],
    )
