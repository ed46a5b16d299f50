"""The newest request of CloudFormation for a pair, noted in its record, so that nothing older begins a turn behind it.

A turn is ordered by one function and begun by another, in an execution that may start late. Meanwhile another resource
of the update can fail, and CloudFormation rolls back: it sends the gate the request for the way back and does not
listen for the forward one any more. If that found nothing to turn back, and the forward turn began behind it, the twin
would take the writes of a stack whose services name the source. This is how it could come to that, and what prevents it
(race R8 in turn.py):

  - The forward turn is ordered, its execution has not begun it, the rollback's request comes, the execution begins. The
    request has noted itself when it came; a turn begins only for the order that is noted.
  - The gate still gathers evidence for the forward request when the rollback's comes and is answered. What the gate has
    decided is written on the condition that its request is still the one that is noted: it orders nothing.
  - The forward request has read the record and has not noted itself yet when the rollback's does. Noting depends on the
    request that was noted when the record was read. The forward one gives way; the rollback's, which loses in the same
    way when the forward one was faster, reads again and notes itself behind it. Which of the two somebody is, the
    stack's status says. It is read behind the record: where it is not yet a rollback's, no rollback's request had been
    noted when the record was read.
  - The execution begins its turn just before the rollback's request notes itself: that one gets back a record with a
    turn under way, and orders the turn back.
  - The order waits for another turn (R7) when a later request comes: it looks at the note each time that it looks.
  - The rollback removes the gate while the forward request is still making the record, and finds nothing to remove: the
    forward one looks at the status again when it has made it, and takes it away.
  - The rollback's request comes first, because the invocation with the forward one was late. It goes back to the stage
    at which the stack was, which the request noted before has wanted, and says so in its note: what comes behind it
    while the stack is on its way back, and wants another stage, is the forward one. It gives way.
  - The forward one is as late, and comes first nonetheless. It wants another stage than the request before it, and the
    rollback's takes its place.
  - The same request comes twice: a note accepts what it says already, and a request that has been decided, or has given
    way, is known.

What remains is a request that Lambda hands over for the first time when the next update of the stack is under way:
nothing in it says how old it is.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from replication.codec import to_map
from replication.errors import StaleOrder
from replication.notes import StateTable
from replication.pair import Ordered, OrderState, Pair
from replication.update import Update, apart

if TYPE_CHECKING:
    from replication.errors import ReplicationError

OVERTAKEN = "A later request of the stack has taken the place of this one, so that it changes nothing."
_KEPT = 20  # requests: a repetition comes within hours, and an update makes one or two
_MINE = "#Ordered.#Request = :mine"


class Orders(StateTable):
    """What gate, turns and watchdog note about requests. Each may be repeated after a lost answer."""

    def come(self, pair: Pair, ordered: Ordered) -> Pair:
        """Notes a request that the gate was asked, unless another one was noted since `pair` was read.

        From here on no turn begins that was ordered before. The pair that it returns says whether one had begun.
        Raises StaleOrder.
        """
        was = "attribute_not_exists(#Ordered)" if pair.ordered is None else "#Ordered.#Request = :was"
        return self._update(
            pair.pair_id,
            _overtaken(),
            Update(
                f"attribute_exists(#Pair) AND ({was} OR {_MINE} AND #Ordered.#State = :state)",
                {":mine": ordered.request, ":state": ordered.state}
                | ({} if pair.ordered is None else {":was": pair.ordered.request}),
                {"Ordered": to_map(ordered), "Answered": [*pair.answered, ordered.request][-_KEPT:]},
            ),
        )

    def keep(self, pair_id: str, request: str, **changes: Any) -> Pair:
        """Writes attributes of the record unless a later request has come; None removes one. Raises StaleOrder."""
        condition = f"attribute_exists(#Pair) AND (attribute_not_exists(#Ordered) OR {_MINE})"
        return self._update(pair_id, _overtaken(), Update(condition, {":mine": request}, *apart(changes)))

    def pause(self, pair_id: str, request: str, reason: str | None) -> None:
        """Names the state in which a rollback has left the pair; None when it is as it should be again.

        Where a later request has come, it is not for this one to say.
        """
        with contextlib.suppress(StaleOrder):
            self.keep(pair_id, request, Paused=reason)

    def order(self, pair_id: str, ordered: Ordered) -> Pair:
        """The gate has decided on a turn. Raises StaleOrder when another request has come, or this one is decided."""
        return self._decide(pair_id, ordered.request, OrderState.WAITING, {"Ordered": to_map(ordered)})

    def end(self, pair_id: str, request: str, **changes: Any) -> Pair:
        """The gate has decided by itself, with what changes in the record. Raises StaleOrder like `order`."""
        return self._decide(pair_id, request, OrderState.ENDED, {"Ordered.State": OrderState.ENDED, **changes})

    def _decide(self, pair_id: str, request: str, state: OrderState, changes: dict[str, Any]) -> Pair:
        return self._update(
            pair_id,
            _overtaken(),
            Update(
                f"{_MINE} AND (#Ordered.#State = :deciding OR #Ordered.#State = :state)",
                {":mine": request, ":deciding": OrderState.DECIDING, ":state": state},
                *apart(changes),
            ),
        )

    def give_up(self, pair: Pair, ordered: Ordered, reason: str) -> Pair:
        """Lets no turn begin any more for an order whose execution has ended. Raises StaleOrder when one has begun."""
        given_up = replace(ordered, state=OrderState.GIVEN_UP, reason=reason)
        return self._update(
            pair.pair_id,
            _overtaken(),
            Update(
                f"{_MINE} AND (#Ordered.#State = :waiting OR #Ordered.#State = :state)",
                {":mine": ordered.request, ":waiting": OrderState.WAITING, ":state": given_up.state},
                {"Ordered": to_map(given_up)},
            ),
        )

    def close(self, pair_id: str, request: str) -> None:
        """An order has been answered; where another is the newest by now, it does not matter any more."""
        with contextlib.suppress(StaleOrder):
            self._update(pair_id, _overtaken(), Update(_MINE, {":mine": request}, {"Ordered.State": OrderState.ENDED}))

    def know(self, pair_id: str, request: str) -> None:
        """A request has given way before it was noted: when it comes again, it is not new."""
        with contextlib.suppress(StaleOrder):
            self._update(pair_id, _overtaken(), Update("attribute_exists(#Pair)", append={"Answered": [request]}))


def is_newest(pair: Pair, request: str) -> bool:
    """Whether no later request has come; for orders of an earlier version, whether none has come since the upgrade."""
    return pair.ordered is None or pair.ordered.request == request


def is_open(pair: Pair, request: str) -> bool:
    """Whether the gate still has this very request in hand, or has ordered a turn that has not begun."""
    noted = pair.ordered
    return noted is not None and noted.request == request and noted.state in (OrderState.DECIDING, OrderState.WAITING)


def is_waiting(pair: Pair, request: str, since: float) -> bool:
    """Whether a turn was ordered for this request, not longer ago, and has not begun."""
    noted = pair.ordered
    return noted is not None and (noted.request, noted.state) == (request, OrderState.WAITING) and noted.at >= since


def may_begin(pair: Pair, request: str) -> bool:
    """Whether the order of this request may begin its turn; no turn begins twice, or after its request was answered."""
    noted = pair.ordered
    return noted is None or (noted.request == request and noted.state is OrderState.WAITING)


def _overtaken() -> ReplicationError:
    return StaleOrder(OVERTAKEN)
