"""A request as it comes to the gate: of the very stack that has the pair, the newest of it, and not there before."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replication.answer import Verdict
from replication.errors import RequestError, StaleOrder
from replication.order import softened
from replication.ordered import OVERTAKEN, is_open
from replication.pair import Ordered, OrderState, Pair
from replication.request import Kind, Request, read_gate
from replication.stacks import rolling_back

if TYPE_CHECKING:
    from replication.crew import Crew
    from replication.stacks import Stacks

_TRIES = 5  # to note a request while others are: there are hardly ever two


@dataclass(frozen=True)
class Arrival:
    """Notes requests in the records of their pairs."""

    crew: Crew
    stacks: Stacks

    def noted(self, request: Request) -> tuple[Pair | None, bool]:
        """The record with this request as its newest, and whether the stack is on its way back or going away.

        R8: the status is read behind the record. Raises StaleOrder when another request was noted meanwhile, unless
        this one is a rollback's, or a removal, since the record was read first: those are to be followed. A request
        that came before, or behind its own rollback's, is not noted. Raises RequestError for a pair of another stack.
        """
        forward = False
        for _ in range(_TRIES):
            pair = self.own(request)
            going_back = self.going_back(request)
            forward = forward or not (going_back or request.kind is Kind.DELETE)
            if pair is None or came_before(pair, request) or is_open(pair, request.answer.request_id):
                return pair, going_back
            if going_back and behind_its_rollback(pair, request):
                return pair, going_back
            try:
                return self.crew.state.come(pair, self.ordered(request, pair, going_back=going_back)), going_back
            except StaleOrder:
                if forward:
                    raise
        raise StaleOrder(OVERTAKEN)

    def own(self, request: Request) -> Pair | None:
        """The record, which must be of the very stack that asks: the ids in a request that was made up prove nothing.

        Raises RequestError.
        """
        found = self.crew.state.find(pair_of(request))
        if found is not None and found.stack_id != request.answer.stack_id:
            raise RequestError([f"{found.pair_id} is a migration of another stack than {request.answer.stack_id}."])
        return found

    def going_back(self, request: Request) -> bool:
        """Whether the stack is on its way back, or going away."""
        return rolling_back(self.stacks.status(request.answer.stack_id))

    def ordered(self, request: Request, pair: Pair | None, *, going_back: bool) -> Ordered:
        """What is noted of a request that the gate is going to decide, behind what `pair` has noted."""
        stage, before = stage_of(request), pair.ordered.stage if pair is not None and pair.ordered is not None else None
        return Ordered(
            request.answer.request_id,
            self.crew.clock(),
            OrderState.DECIDING,
            stage=stage,
            returns=going_back and stage is not None and stage == before,
        )

    def give_way(self, request: Request, *, must_not_fail: bool) -> Verdict | None:
        """What is said of a request that has been overtaken.

        CloudFormation does not listen. But where another invocation has the same request in hand, that one answers.
        """
        pair = self.crew.state.find(pair_of(request))
        self.crew.log("A request gives way.", {"pair": pair_of(request), "request": request.answer.request_id})
        if pair is not None and pair.ordered is not None and pair.ordered.request == request.answer.request_id:
            return None
        if pair is not None and request.answer.request_id not in pair.answered:
            self.crew.state.know(pair.pair_id, request.answer.request_id)
        return softened(Verdict(success=False, reason=OVERTAKEN), must_not_fail=must_not_fail)


def pair_of(request: Request) -> str:
    """The pair that a request is about. A removal names what is there, whatever its properties say."""
    known = request.physical_id if request.kind is Kind.DELETE else None
    return known or request.answer.physical_resource_id


def stage_of(request: Request) -> int | None:
    """The stage that a request wants; None of a removal, and where its properties, refused later, do not say."""
    if request.kind is Kind.DELETE:
        return None
    with contextlib.suppress(RequestError):
        return read_gate(request.properties).stage
    return None


def behind_its_rollback(pair: Pair, request: Request) -> bool:
    """Whether a request that comes while the stack rolls back is the forward one, and the way back's came before it.

    Both may come so late that only their stages tell them apart: a rollback goes back to the stage at which the stack
    was, which the request before the update has wanted, and the forward one wants another.
    """
    noted = pair.ordered
    if noted is None or not noted.returns or request.kind is not Kind.UPDATE:
        return False
    return stage_of(request) not in (None, noted.stage)


def came_before(pair: Pair, request: Request) -> bool:
    """Whether this request has been decided, or a later one has taken its place."""
    return request.answer.request_id in pair.answered and not is_open(pair, request.answer.request_id)
