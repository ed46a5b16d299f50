"""The rules by which a mapping's lane delivers its records, on their own."""

from typing import Any

import pytest

from local.cloud.mends import lanes
from local.cloud.mends.lanes import Batching, Lane, Record, succeeded

PAUSE = 5.0


def rules(**given: Any) -> Batching:
    return Batching.of({"BatchSize": 10, **given})


def record(number: int, at: float = 0.0) -> Record:
    return {"dynamodb": {"SequenceNumber": str(number), "ApproximateCreationDateTime": at}}


def lane(count: int, *, size: int = 100) -> Lane:
    filled = Lane()
    for number in range(count):
        filled.add(record(number), size, now=0.0)
    return filled


def numbers(records: list[Record]) -> list[int]:
    return [int(lanes.sequence(entry)) for entry in records]


class TestWhenABatchIsDue:
    def test_without_a_window_at_once(self) -> None:
        assert lane(1).wait(rules(), now=0.0) == 0

    def test_with_a_window_when_it_is_over(self) -> None:
        waiting = lane(1)
        assert waiting.wait(rules(MaximumBatchingWindowInSeconds=3), now=1.0) == 2

    def test_with_a_window_earlier_when_the_batch_is_full(self) -> None:
        assert lane(10).wait(rules(MaximumBatchingWindowInSeconds=3), now=1.0) == 0

    def test_with_a_window_earlier_when_six_megabytes_are_there(self) -> None:
        assert lane(3, size=2_500_000).wait(rules(MaximumBatchingWindowInSeconds=3), now=1.0) == 0

    def test_never_without_records(self) -> None:
        assert Lane().wait(rules(), now=0.0) is None


class TestWhatABatchHolds:
    def test_no_more_than_its_size(self) -> None:
        assert numbers(lane(12).batch(rules())) == list(range(10))

    def test_no_more_than_six_megabytes(self) -> None:
        assert numbers(lane(4, size=2_500_000).batch(rules())) == [0, 1]

    def test_a_single_record_that_is_larger_all_the_same(self) -> None:
        assert numbers(lane(2, size=9_000_000).batch(rules())) == [0]


class TestFailures:
    def test_a_failed_batch_comes_again_whole_after_growing_pauses(self) -> None:
        failing = lane(3)
        pauses = []
        for _ in range(8):
            assert failing.conclude(3, 0, rules(), 100.0, PAUSE) == []
            pauses.append(failing.wait(rules(), now=100.0))
            assert numbers(failing.batch(rules())) == [0, 1, 2]
        assert pauses == sorted(pauses, key=lambda pause: pause or 0)
        assert pauses[-1] == PAUSE

    def test_records_that_arrive_later_wait_behind_the_failed_batch(self) -> None:
        failing = lane(3)
        failing.conclude(3, 0, rules(), 0.0, PAUSE)
        failing.add(record(3), 100, now=0.0)
        assert numbers(failing.batch(rules())) == [0, 1, 2]

    def test_a_partial_failure_is_the_checkpoint_from_which_the_rest_comes_again(self) -> None:
        failing = lane(5)
        failing.conclude(5, 2, rules(), 0.0, PAUSE)
        assert numbers(failing.batch(rules())) == [2, 3, 4]

    def test_progress_begins_the_count_of_retries_anew(self) -> None:
        failing = lane(5)
        given = rules(MaximumRetryAttempts=1)
        assert failing.conclude(5, 0, given, 0.0, PAUSE) == []
        assert failing.conclude(5, 1, given, 0.0, PAUSE) == []
        assert numbers(failing.conclude(4, 0, given, 0.0, PAUSE)) == [1, 2, 3, 4]

    def test_a_batch_whose_retries_are_used_up_is_given_up_whole(self) -> None:
        failing = lane(12)
        given = rules(MaximumRetryAttempts=2)
        assert failing.conclude(10, 0, given, 0.0, PAUSE) == []
        assert failing.conclude(10, 0, given, 0.0, PAUSE) == []
        assert numbers(failing.conclude(10, 0, given, 0.0, PAUSE)) == list(range(10))
        assert numbers(failing.batch(given)) == [10, 11]

    def test_retries_never_end_by_default(self) -> None:
        failing = lane(1)
        assert not any(failing.conclude(1, 0, rules(), 0.0, PAUSE) for _ in range(1000))

    def test_bisecting_isolates_the_record_and_does_not_count_as_a_retry(self) -> None:
        failing, given = lane(8), rules(MaximumRetryAttempts=0, BisectBatchOnFunctionError="true")
        tried, lost = [], []
        while failing.waiting:
            batch = numbers(failing.batch(given))
            tried.append(batch)
            done = 0 if 5 in batch else len(batch)
            lost += numbers(failing.conclude(len(batch), done, given, 0.0, PAUSE))
        assert lost == [5]
        assert tried == [[*range(8)], [0, 1, 2, 3], [4, 5, 6, 7], [4, 5], [4], [5], [6, 7]]

    def test_only_what_is_too_old_is_taken_away(self) -> None:
        aging = Lane()
        for number, at in ((0, 10.0), (1, 20.0), (2, 30.0)):
            aging.add(record(number, at), 100, now=40.0)
        assert numbers(aging.take_expired(rules(MaximumRecordAgeInSeconds=15), now=40.0)) == [0, 1]
        assert numbers(aging.batch(rules())) == [2]

    def test_what_is_too_old_shortens_the_batch_that_is_tried_again(self) -> None:
        failing = Lane()
        for number, at in ((0, 10.0), (1, 30.0), (2, 30.0)):
            failing.add(record(number, at), 100, now=30.0)
        given = rules(MaximumRecordAgeInSeconds=15)
        failing.conclude(3, 0, given, 30.0, PAUSE)
        failing.add(record(3, 30.0), 100, now=30.0)
        assert numbers(failing.take_expired(given, now=31.0)) == [0]
        assert numbers(failing.batch(given)) == [1, 2]


class TestPartialResponses:
    BATCH = [record(7), record(8), record(9)]  # noqa: RUF012

    @pytest.mark.parametrize(
        ("answer", "done"),
        [
            (None, 3),
            ({}, 3),
            ({"batchItemFailures": []}, 3),
            ({"batchItemFailures": None}, 3),
            ({"batchItemFailures": [{"itemIdentifier": "9"}, {"itemIdentifier": "8"}]}, 1),
            ({"batchItemFailures": [{"itemIdentifier": ""}]}, 0),
            ({"batchItemFailures": [{"itemIdentifier": "8"}, {"itemIdentifier": "1"}]}, 0),
            ({"batchItemFailures": [{"wrong": "8"}]}, 0),
            ({"batchItemFailures": ["8"]}, 0),
        ],
    )
    def test_the_lowest_reported_number_is_where_to_begin_again(self, answer: Any, done: int) -> None:
        assert succeeded(self.BATCH, answer) == done
