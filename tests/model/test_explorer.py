"""The explorer itself, on worlds of a few states."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.model.explorer import Stuck, explore

Steps = Callable[[int], Iterator[tuple[str, int]]]


def counting(most: int, *strides: int) -> Steps:
    """From any number to the next ones, up to a highest."""

    def steps(number: int) -> Iterator[tuple[str, int]]:
        for stride in strides:
            if number + stride <= most:
                yield f"+{stride}", number + stride

    return steps


def never(_: int) -> str | None:
    return None


def test_visits_every_state_once() -> None:
    assert explore(0, counting(10, 1, 2, 3), never).states == 11


def test_tells_a_shortest_story() -> None:
    outcome = explore(0, counting(10, 1, 3), lambda number: "seven" if number == 7 else None)
    assert outcome.fault == "seven"
    assert sorted(outcome.story) == ["+1", "+3", "+3"]
    assert str(outcome).endswith("seven: " + " | ".join(outcome.story))


def test_a_first_state_can_be_wrong() -> None:
    outcome = explore(0, counting(1, 1), lambda _: "from the start")
    assert (outcome.fault, outcome.story) == ("from the start", ())


def test_finds_the_state_from_which_nothing_leads_to_rest() -> None:
    with pytest.raises(Stuck, match=r"\+1 \| \+1\n2"):
        explore(
            0, lambda number: iter([("+1", number + 1), ("reset", 0)] if number < 2 else []), never, lambda n: n == 0
        )


def test_accepts_a_world_that_can_always_come_to_rest() -> None:
    assert explore(0, counting(10, 1), never, lambda number: number == 10).holds


def test_says_when_the_bounds_are_too_wide() -> None:
    with pytest.raises(OverflowError, match="more than 5 states"):
        explore(0, counting(10, 1), never, most=5)
