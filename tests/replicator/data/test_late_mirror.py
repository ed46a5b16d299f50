"""What a comparison makes of differences while the mirror is late: nothing, until the mirror has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from replication.compare import LOOKS_AFTER
from replication.pair import Side
from replication.register import Registered
from replication.segments import Mode, Part
from tests.replicator.data.filled import filled, item
from tests.replicator.data.world import PAIR_ID, SOURCE, TWIN, World, world


@pytest.fixture
def at() -> Iterator[World]:
    """Both tables are equal but for a key that the mirror has yet to bring over."""
    with world() as found:
        filled(found, 10, SOURCE, TWIN)
        found.engine.put(SOURCE, item(3, "new"))
        yield found


def in_hand(at: World, oldest_at: float) -> Registered:
    """A batch of the mirror under way."""
    return at.register.begin(PAIR_ID, Side.SOURCE, "1", "mirror", at.time.now + 900, oldest_at)[0]


def mirrored(at: World, held: Registered) -> None:
    at.engine.put(TWIN, item(3, "new"))
    at.register.note_progress(held)
    at.register.end(held)


def after(at: World, seconds: float, then: Callable[[], None]) -> None:
    """Something happens once that many seconds have passed."""
    due = at.time.now + seconds

    def before(operation: str, request: object) -> None:
        if at.time.now >= due:
            at.engine.before = lambda operation, request: None
            then()

    at.engine.before = before


def differences(at: World) -> int:
    [position] = at.segments.positions(PAIR_ID, "job", Part.COMPARE_OWNER)
    return position.differences


def test_a_batch_in_hand_is_late_then_it_is_waited_for(at: World) -> None:
    at.plan(Mode.COMPARE)
    held = in_hand(at, at.time.now - 60)
    after(at, 200, lambda: mirrored(at, held))
    assert at.work(Part.COMPARE_OWNER)
    assert differences(at) == 0


def test_a_batch_was_late_just_now_then_the_next_one_is_waited_for(at: World) -> None:
    at.plan(Mode.COMPARE)
    held = in_hand(at, at.time.now - 60)
    at.register.note_progress(held)
    at.register.end(held)
    after(at, 35, lambda: at.engine.put(TWIN, item(3, "new")))
    assert at.work(Part.COMPARE_OWNER)
    assert differences(at) == 0


def test_nothing_was_mirrored_yet_then_a_copys_comparison_waits_for_the_first_batch(at: World) -> None:
    at.plan(Mode.POPULATE)
    after(at, 200, lambda: at.engine.put(TWIN, item(3, "new")))
    assert at.work(Part.COMPARE_OWNER)
    assert differences(at) == 0


def test_nothing_was_mirrored_yet_and_nothing_comes_then_it_is_a_difference(at: World) -> None:
    at.plan(Mode.POPULATE)
    assert at.work(Part.COMPARE_OWNER)
    assert differences(at) == 1


def test_the_mirror_is_in_time_then_what_differs_is_a_difference(at: World) -> None:
    at.plan(Mode.COMPARE)
    mirrored(at, in_hand(at, at.time.now - 1))
    at.engine.put(TWIN, item(3, "old"))
    began = at.time.now
    assert at.work(Part.COMPARE_OWNER)
    assert differences(at) == 1
    assert at.time.now - began == sum(LOOKS_AFTER)


def test_a_batch_fails_then_what_differs_is_a_difference(at: World) -> None:
    at.plan(Mode.COMPARE)
    held = in_hand(at, at.time.now - 60)
    at.register.failed(held, held.name, RuntimeError("no"), [], keys_missing=False)  # type: ignore[arg-type]
    assert at.work(Part.COMPARE_OWNER)
    assert differences(at) == 1


def test_the_invocations_time_is_up_first_then_another_one_does_the_page_again(at: World) -> None:
    at.plan(Mode.COMPARE)
    held = in_hand(at, at.time.now - 60)
    assert not at.work(Part.COMPARE_OWNER, seconds=200)
    assert at.segments.positions(PAIR_ID, "job", Part.COMPARE_OWNER) == []
    mirrored(at, held)
    assert at.work(Part.COMPARE_OWNER)
    assert differences(at) == 0
