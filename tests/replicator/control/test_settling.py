"""When a turn believes that the mirror has brought over everything older than itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from replication.errors import NotSettled
from replication.register import Progress, Registered, Standing
from replication.settling import Settling, Sight
from replication.stream import Seen

MARK = 1000.0


def settling() -> Settling:
    return Settling(MARK, settle=60, limit=240, lag_limit=10)


def sight(at: float, **changes: Any) -> Sight:
    progress = Progress(MARK + at, 0.5, None)
    found = Sight(MARK + at, (), progress, (), sound=True, compared_since=0.0, unmirrored=None)
    return replace(found, **changes)


def batch(began: float, **changes: Any) -> Registered:
    found = Registered(
        "guid/Users", "source", "1", Standing.RUNNING, "invocation", MARK + began, MARK + began + 60, MARK + began
    )
    return replace(found, **changes)


def worker(began: float, deadline: float) -> Registered:
    return batch(began, lane="worker", deadline=MARK + deadline, oldest_at=0.0)


def test_a_quiet_mirror_settles_after_the_time_and_not_before() -> None:
    found = settling()
    assert [found.done(sight(at)) for at in (0, 30, 59.9, 60)] == [False, False, False, True]


def test_a_batch_that_was_late_starts_the_time_again() -> None:
    found = settling()
    late = Progress(MARK + 30, 12.0, late_at=MARK + 30)
    assert not found.done(sight(60, progress=late))
    assert not found.done(sight(89, progress=late))
    assert found.done(sight(90, progress=late))


def test_a_batch_that_was_late_before_the_mark_does_not_matter() -> None:
    assert settling().done(sight(60, progress=Progress(MARK + 59, 0.1, late_at=MARK - 1)))


@pytest.mark.parametrize("began", [-30, 0, 59])
def test_an_invocation_that_began_before_the_time_was_over_must_end(began: float) -> None:
    """It may hold a record from before the mark, and write it when the turn has looked at that key."""
    found = settling()
    assert not found.done(sight(60, work=[batch(began)]))
    assert found.done(sight(61))


def test_an_invocation_that_began_when_the_time_was_over_need_not_end() -> None:
    assert settling().done(sight(61, work=[batch(60.5)]))


@pytest.mark.parametrize("standing", [Standing.RUNNING, Standing.PUT_OFF])
def test_a_record_that_is_known_to_be_older_than_the_mark_must_be_mirrored_whenever_its_batch_began(
    standing: Standing,
) -> None:
    """Times of records are rounded down to the second, so that two seconds are added."""
    old = batch(61, oldest_at=MARK + 1.5, standing=standing)
    assert not settling().done(sight(61.5, work=[old]))


def test_a_worker_must_end_too() -> None:
    found = settling()
    assert not found.done(sight(60, work=[worker(-100, 800)]))
    assert found.done(sight(61))


def test_a_worker_that_died_over_a_page_must_be_followed_by_a_comparison() -> None:
    dead = worker(-500, -100)
    assert not settling().done(sight(60, work=[dead]))
    assert not settling().done(sight(60, work=[dead], compared_since=MARK - 200))
    assert settling().done(sight(60, work=[dead], compared_since=MARK - 50))


def test_a_mapping_that_is_not_well_does_not_settle_and_is_named_when_time_is_up() -> None:
    found = settling()
    for at in range(0, 240, 10):
        assert not found.done(sight(at, problems=["The mapping is Disabled."]))
    with pytest.raises(NotSettled, match=r"within 240 s, so nothing was changed\. The mapping is Disabled"):
        found.done(sight(240, problems=["The mapping is Disabled."]))


def test_a_mapping_that_recovers_has_to_be_well_for_the_whole_time() -> None:
    found = settling()
    assert not found.done(sight(50, problems=["x"]))
    assert not found.done(sight(109))
    assert found.done(sight(110))


def test_a_batch_that_fails_is_named() -> None:
    failed = batch(-10, standing=Standing.FAILED, failed_since=MARK, error="ItemRejected: too large")
    with pytest.raises(
        NotSettled, match="The mirror cannot write 1 of its batches, the first because of ItemRejected: too large"
    ):
        settling().done(sight(240, work=[failed]))


def test_what_does_not_end_is_named() -> None:
    put_off = [batch(-10, standing=Standing.PUT_OFF)] * 2
    with pytest.raises(NotSettled, match="invocations under way: 1; batches put off that have not come again: 2"):
        settling().done(sight(240, work=[batch(-10), *put_off]))


def test_a_failure_since_the_last_comparison_is_not_waited_for() -> None:
    """A repetition may have made it good, but the first attempt can have left a write behind."""
    with pytest.raises(NotSettled, match="failed since the tables were last compared"):
        settling().done(sight(1, sound=False))


def test_a_mirror_that_stands_still_is_seen_by_a_record_that_nobody_takes() -> None:
    waiting = Seen("1", {"id": {"S": "a"}}, MARK + 20, expired=False)
    found = settling()
    assert not found.done(sight(60, unmirrored=waiting))
    with pytest.raises(NotSettled, match="A record waits to be mirrored since 220 s"):
        found.done(sight(240, unmirrored=waiting))


def test_a_record_of_a_moment_ago_is_no_sign_of_anything() -> None:
    assert settling().done(sight(60, unmirrored=Seen("1", {}, MARK + 55, expired=False)))
