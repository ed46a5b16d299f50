"""Breadth-first exploration of every interleaving of a small world; a fault comes with its shortest story.

The explorer knows nothing of tables. It is given a first state, a function that yields every labelled step out of a
state, and a function that names what is wrong with a state. States must be hashable. Breadth first, so the story of
the fault that is found is a shortest one.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

State = TypeVar("State", bound=Hashable)
Steps = Callable[[State], Iterable[tuple[str, State]]]


@dataclass(frozen=True)
class Outcome(Generic[State]):
    """What an exploration found: nothing wrong in `states` states, or a fault and the steps that lead to it."""

    states: int
    fault: str | None = None
    story: tuple[str, ...] = ()
    end: State | None = None

    @property
    def holds(self) -> bool:
        return self.fault is None

    def __str__(self) -> str:
        if self.holds:
            return f"holds in all {self.states:,} states"
        return f"BROKEN after {self.states:,} states: {self.fault}: " + " | ".join(self.story)


class Stuck(AssertionError):
    """From some state nothing leads to rest any more: the model, or the protocol, has a dead end."""


def explore(
    first: State,
    steps: Steps[State],
    fault: Callable[[State], str | None],
    rest: Callable[[State], bool] | None = None,
    most: int = 20_000_000,
) -> Outcome[State]:
    """Visit every state; stop at the first fault.

    With `rest`, also prove that from every state some way leads to a state of rest: otherwise a protocol could hold
    only because it comes to a standstill. That costs memory: the edges are kept.

    Raises:
        Stuck: no way leads from some state to rest; the message has its story.
        OverflowError: more than `most` states; the bounds are too wide for one run.
    """
    number: dict[State, int] = {first: 0}
    order: list[State] = [first]
    parents = array("q", [-1])
    tails, heads = array("q"), array("q")
    at = 0
    while at < len(order):
        state = order[at]
        if wrong := fault(state):
            return Outcome(len(order), wrong, _story(order, parents, steps, at), state)
        for _, following in steps(state):
            known = number.setdefault(following, len(order))
            if known == len(order):
                order.append(following)
                parents.append(at)
                if known >= most:
                    raise OverflowError(f"more than {most:,} states")
            if rest:
                tails.append(at)
                heads.append(known)
        at += 1
    if rest and (dead := _cannot_rest(order, tails, heads, rest)) is not None:
        raise Stuck(" | ".join(_story(order, parents, steps, dead)) + f"\n{order[dead]}")
    return Outcome(len(order))


def _story(order: list[State], parents: array[int], steps: Steps[State], at: int) -> tuple[str, ...]:
    """The labels are not kept while exploring: they are found again by taking the steps of the story once more."""
    story: list[str] = []
    while parents[at] >= 0:
        before, after = order[parents[at]], order[at]
        story.append(next(label for label, following in steps(before) if following == after))
        at = parents[at]
    return tuple(reversed(story))


def _cannot_rest(order: list[State], tails: array[int], heads: array[int], rest: Callable[[State], bool]) -> int | None:
    """The first state from which no way leads to rest: walk the edges backwards from every state of rest."""
    before: list[list[int]] = [[] for _ in order]
    for tail, head in zip(tails, heads, strict=True):
        before[head].append(tail)
    reached = bytearray(rest(state) for state in order)
    queue = [at for at, yes in enumerate(reached) if yes]
    while queue:
        for tail in before[queue.pop()]:
            if not reached[tail]:
                reached[tail] = 1
                queue.append(tail)
    return next((at for at, yes in enumerate(reached) if not yes), None)
