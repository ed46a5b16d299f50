"""Is there one order of the calls on a key that explains every answer?

A key is a register: a put, a delete or a swap gives it a value, a read or a failed condition tells something about it.
Every call takes effect at one moment between its start and its end; an unanswered write at any moment after its start,
or never. `contradiction` follows all orders that are still possible (the method of Wing and Gong, with Lowe's laziness:
a call is only ordered when one that has ended needs it), and names the first call after which none is left.

No order left means that something is wrong with certainty: a write was lost, came back, or a condition was granted
twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from local.traffic.history import Call, Op, Outcome

# Beyond this many possible orders at once a key is given up as undecided, which is a finding of its own.
MOST_ORDERS = 2_000


class UndecidedError(Exception):
    """Too many unanswered or overlapping calls on one key to follow all orders."""


@dataclass(frozen=True, slots=True)
class _Order:
    """One way things may have gone so far: the value now, and which of the calls still running have taken effect."""

    value: str | None
    done: frozenset[int]


class _Key:
    def __init__(self, initial: str | None) -> None:
        self.orders = {_Order(initial, frozenset())}
        self.writes: dict[int, Call] = {}  # running, or never answered
        self.looks: dict[int, Call] = {}  # running reads and failed conditions
        self.unanswered: set[int] = set()

    def begin(self, place: int, call: Call) -> None:
        if call.op is Op.READ or call.condition_failed:
            self.looks[place] = call
            self.orders = {self._looked(order) for order in self.orders}
            return
        self.writes[place] = call
        if call.outcome is Outcome.UNKNOWN:
            self.unanswered.add(place)

    def end(self, place: int) -> bool:
        """Keep the orders in which the call took effect before now. False when there are none."""
        kept = {
            _Order(order.value, order.done - {place}) for start in self.orders for order in self._reach(start, place)
        }
        self.writes.pop(place, None)
        self.looks.pop(place, None)
        self.orders = self._without_needless(kept)
        if len(self.orders) > MOST_ORDERS:
            raise UndecidedError
        return bool(self.orders)

    def _reach(self, start: _Order, place: int) -> Iterable[_Order]:
        """The orders that follow from `start`, each just far enough for the call at `place` to be in it.

        An unanswered write is taken in only where something sees its value: overwritten unseen it explains nothing.
        """
        seen, todo = {(start, False)}, [(start, False)]
        while todo:
            order, unseen = todo.pop()
            if place in order.done:
                yield order
                continue
            for other, call in self.writes.items():
                if other in order.done or self._equal_one_is_left(other, order):
                    continue
                if call.op is Op.SWAP and order.value != call.before:
                    continue
                if unseen and call.op is not Op.SWAP:
                    continue
                following = self._looked(_Order(call.value, order.done | {other}))
                step = following, other in self.unanswered and following.done == order.done | {other}
                if step not in seen:
                    seen.add(step)
                    todo.append(step)
            if len(seen) > MOST_ORDERS:
                raise UndecidedError

    def _equal_one_is_left(self, place: int, order: _Order) -> bool:
        """Of unanswered writes that do the same, the first goes first."""
        if place not in self.unanswered:
            return False
        effect = _effect(self.writes[place])
        return any(
            other < place and other not in order.done and _effect(self.writes[other]) == effect
            for other in self.unanswered
        )

    def _looked(self, order: _Order) -> _Order:
        """Let every running look that fits the value be answered now: it changes nothing, so waiting gains nothing."""
        fits = {
            place
            for place, call in self.looks.items()
            if (order.value == call.value if call.op is Op.READ else order.value != call.before)
        }
        return _Order(order.value, order.done | fits) if fits - order.done else order

    def _without_needless(self, orders: set[_Order]) -> set[_Order]:
        """Drop orders that used up an unanswered write for nothing: another has the same value and still holds it."""
        if not self.unanswered:
            return orders
        return {
            order
            for order in orders
            if not any(
                other.value == order.value and other.done < order.done and order.done - other.done <= self.unanswered
                for other in orders
            )
        }


def _effect(call: Call) -> tuple[bool, str | None, str | None]:
    return call.op is Op.SWAP, call.before, call.value


def contradiction(calls: Iterable[Call], initial: str | None = None) -> Call | None:
    """The first call of one key, by end, that no order explains; None when all can be explained.

    Takes acknowledged and unanswered writes, answered reads and failed conditions; other calls say nothing and are
    left out. Raises UndecidedError when there are too many orders to follow.
    """
    telling = [call for call in calls if _tells(call)]
    # At equal times a beginning counts before an end: calls that touch are taken as overlapping, which accuses nobody.
    moments = sorted(
        [(call.start, 0, place) for place, call in enumerate(telling)]
        + [(call.end, 1, place) for place, call in enumerate(telling) if call.outcome is not Outcome.UNKNOWN]
    )
    key = _Key(initial)
    for _, ends, place in moments:
        if not ends:
            key.begin(place, telling[place])
        elif not key.end(place):
            return telling[place]
    return None


def _tells(call: Call) -> bool:
    if call.op is Op.READ:
        return call.outcome is Outcome.ACKNOWLEDGED
    return call.may_have_taken_effect or call.condition_failed
