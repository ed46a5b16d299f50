"""A reader of a stream is accused of what it certainly has not seen, or not in order, and of nothing else."""

import pytest

from local.traffic.history import Outcome
from local.traffic.seen import Note, last_seen, unseen
from tests.traffic.conftest import Log


def notes(*values: str | None, stream: str = "of Users", key: str = "k", since: int = 0) -> list[Note]:
    """The notes of a reader that saw these values one after the other."""
    before = [None, *values]
    return [Note(key, stream, place, before[place], value, since + place) for place, value in enumerate(values)]


class TestWhatWasWritten:
    def test_is_seen(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.put("a", "k", "2", 2, 3)
        assert unseen(log.calls, notes("1", "2")) == []

    def test_is_missed(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.put("a", "k", "2", 2, 3)
        assert unseen(log.calls, notes("2")) == ["k: 1, acknowledged to a, was not seen"]

    def test_of_a_key_that_was_never_seen_is_missed(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        assert unseen(log.calls, []) == ["k: 1, acknowledged to a, was not seen"]

    def test_may_be_missed_when_it_was_never_acknowledged(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1, outcome=Outcome.UNKNOWN)
        log.put("a", "k", "2", 2, 3, outcome=Outcome.REFUSED)
        assert unseen(log.calls, []) == []
        assert unseen(log.calls, notes("1")) == []

    def test_may_be_missed_when_another_write_of_its_value_was_seen(self, log: Log) -> None:
        log.put("a", "k", "red", 0, 1)
        log.put("b", "k", "red", 2, 3)
        assert unseen(log.calls, notes("red")) == []

    def test_by_nobody_must_not_be_seen(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.put("a", "k", "2", 2, 3, outcome=Outcome.FAILED)
        assert unseen(log.calls, notes("1", "2")) == ["k: 2 was noted, which nobody wrote"]


class TestOrder:
    def test_of_writes_at_the_same_time_is_free(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 3)
        log.put("b", "k", "2", 1, 2)
        assert unseen(log.calls, notes("1", "2")) == []
        assert unseen(log.calls, notes("2", "1")) == []

    def test_of_one_write_after_the_other_is_not(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.put("b", "k", "2", 2, 3)
        assert unseen(log.calls, notes("2", "1")) == [
            "k: 2 was seen before 1, which had been acknowledged before it began"
        ]

    def test_holds_although_everything_comes_twice(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.put("b", "k", "2", 2, 3)
        assert unseen(log.calls, notes("1", "2", "1", "2")) == []

    def test_in_which_notes_were_made_is_that_of_the_stream(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 3)
        log.put("b", "k", "2", 1, 2)
        late = [Note("k", "of Users", 0, None, "1", 20), Note("k", "of Users", 1, "1", "2", 10)]
        assert unseen(log.calls, late) == ["k: 2 was seen before 1, which it followed on of Users"]

    def test_has_no_gap(self, log: Log) -> None:
        for number, value in enumerate(["red", "blue", "red", "blue"]):
            log.put("a", "k", value, 2 * number, 2 * number + 1)
        whole = notes("red", "blue", "red", "blue")
        assert unseen(log.calls, whole) == []
        assert unseen(log.calls, [whole[0], *whole[2:]]) == ["k: a gap from red to blue on of Users"]
        assert unseen(log.calls, whole[1:]) == ["k: red was there before the first note on of Users"]


class TestADeletion:
    @pytest.fixture
    def deleted(self, log: Log) -> Log:
        log.put("a", "k", "1", 0, 1)
        log.delete("b", "k", 2, 3)
        log.put("a", "k", "2", 4, 5)
        return log

    def test_is_seen(self, deleted: Log) -> None:
        assert unseen(deleted.calls, notes("1", None, "2")) == []

    def test_is_missed(self, deleted: Log) -> None:
        assert unseen(deleted.calls, notes("1", "2")) == ["k: a deletion, acknowledged to b, was not seen"]

    def test_at_the_end_is_missed(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.delete("b", "k", 2, 3)
        assert unseen(log.calls, notes("1")) == ["k: a deletion, acknowledged to b, was not seen"]

    def test_of_what_was_not_there_is_nothing_to_see(self, log: Log) -> None:
        log.delete("b", "k", 0, 1)
        log.put("a", "k", "1", 2, 3)
        assert unseen(log.calls, notes("1")) == []

    def test_elsewhere_in_time_does_not_count(self, deleted: Log) -> None:
        assert unseen(deleted.calls, notes("1", "2", None)) == ["k: a deletion, acknowledged to b, was not seen"]


class TestTwoStreams:
    """Source and twin: what one of them does not hold any more, or not yet, the other must hold."""

    def test_hold_everything_together(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.delete("a", "k", 2, 3)
        log.put("a", "k", "2", 4, 5)
        log.delete("a", "k", 6, 7)
        seen = [*notes("1", None, "2"), *notes("2", None, stream="of the twin", since=10)]
        assert unseen(log.calls, seen) == []
        assert unseen(log.calls, seen[:3]) == ["k: a deletion, acknowledged to a, was not seen"]
        assert "k: 1, acknowledged to a, was not seen" in unseen(log.calls, seen[3:])

    def test_are_in_order_where_they_say_something_for_the_first_time(self, log: Log) -> None:
        """A copy beside a live mirror may put an older value into the twin for a moment."""
        log.put("a", "k", "1", 0, 1)
        log.put("a", "k", "2", 2, 3)
        log.put("a", "k", "3", 4, 5)
        source = notes("1", "2")
        assert unseen(log.calls, [*source, *notes("2", "1", "2", "3", stream="of the twin", since=10)]) == []
        assert unseen(log.calls, [*source[:1], *notes("3", "2", stream="of the twin", since=10)]) == [
            "k: 3 was seen before 2, which had been acknowledged before it began"
        ]


def test_what_is_held_is_what_was_seen_last() -> None:
    seen = [*notes("1", None, "2"), *notes("1", None, key="gone")]
    assert last_seen(reversed(seen)) == {"k": "2"}
