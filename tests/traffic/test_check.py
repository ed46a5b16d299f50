"""The checker accuses where something is certainly wrong, and only there."""

import pytest

from local.traffic.check import Kind, Verdict, check
from local.traffic.history import Outcome
from tests.traffic.conftest import Log


def kinds(verdict: Verdict) -> list[Kind]:
    return [finding.kind for finding in verdict.findings]


class TestFinalValue:
    def test_the_last_write_explains_it(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.put("b", "k", "2", 2, 3)
        assert check(log.calls, {"k": "2"}).clean

    def test_an_overwritten_value_is_a_lost_update(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.put("b", "k", "2", 2, 3)
        assert kinds(check(log.calls, {"k": "1"})) == [Kind.LOST]

    def test_an_overwritten_value_that_was_written_again_is_none(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.put("b", "k", "2", 2, 3)
        log.put("a", "k", "1", 4, 5)
        assert check(log.calls, {"k": "1"}).clean

    def test_either_of_two_writes_at_once_explains_it(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 2)
        log.put("b", "k", "2", 1, 3)
        assert check(log.calls, {"k": "1"}).clean
        assert check(log.calls, {"k": "2"}).clean

    def test_calls_that_touch_are_taken_as_overlapping(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.put("b", "k", "2", 1, 2)
        assert check(log.calls, {"k": "1"}).clean

    def test_a_deleted_item_that_is_there_has_come_back(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.delete("b", "k", 2, 3)
        assert kinds(check(log.calls, {"k": "1"})) == [Kind.LOST]
        assert check(log.calls, {}).clean

    def test_a_missing_item_is_lost(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        assert kinds(check(log.calls, {})) == [Kind.LOST]

    def test_an_item_that_nobody_wrote_is_found(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        assert kinds(check(log.calls, {"k": "1", "stranger": "1"})) == [Kind.LOST]

    @pytest.mark.parametrize("value", ["1", "2"])
    def test_a_write_without_an_answer_may_have_happened_or_not(self, log: Log, value: str) -> None:
        log.put("a", "k", "1", 0, 1)
        log.put("b", "k", "2", 2, 3, outcome=Outcome.UNKNOWN)
        assert check(log.calls, {"k": value}).clean

    def test_a_write_without_an_answer_may_still_land_behind_later_ones(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1, outcome=Outcome.UNKNOWN)
        log.put("b", "k", "2", 2, 3)
        assert check(log.calls, {"k": "1"}).clean

    def test_a_write_without_an_answer_lands_at_most_once(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1, outcome=Outcome.UNKNOWN)
        for second in (2, 6):
            log.delete("b", "k", second, second + 1)
            log.read("b", "k", "1", second + 2, second + 3)
        log.delete("b", "k", 10, 11)
        assert kinds(check(log.calls, {})) == [Kind.UNEXPLAINED_READ]

    @pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.FAILED])
    def test_a_refused_or_failed_write_must_not_have_happened(self, log: Log, outcome: Outcome) -> None:
        log.put("a", "k", "1", 0, 1)
        log.put("b", "k", "2", 2, 3, outcome=outcome)
        log.put("b", "other", "2", 4, 5)
        assert kinds(check(log.calls, {"k": "2", "other": "2"})) == [Kind.LOST]


class TestConditions:
    def test_one_value_is_swapped_once(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.swap("a", "k", "1", "2", 2, 5)
        log.swap("b", "k", "1", "3", 3, 6)
        assert kinds(check(log.calls, {"k": "2"})) == [Kind.LOST]

    def test_an_item_is_created_twice_only_when_it_was_deleted_between(self, log: Log) -> None:
        log.swap("a", "k", None, "1", 0, 1)
        log.swap("b", "k", None, "2", 4, 5)
        assert kinds(check(log.calls, {"k": "2"})) == [Kind.LOST]
        log.delete("c", "k", 2, 3)
        assert check(log.calls, {"k": "2"}).clean

    def test_a_failed_condition_tells_that_the_value_was_another(self, log: Log) -> None:
        log.swap("a", "k", None, "1", 0, 1)
        log.swap("b", "k", "1", "2", 2, 3, outcome=Outcome.FAILED, reason="ConditionalCheckFailedException")
        assert kinds(check(log.calls, {"k": "1"})) == [Kind.LOST]

    def test_a_throttled_swap_tells_nothing(self, log: Log) -> None:
        log.swap("a", "k", None, "1", 0, 1)
        log.swap("b", "k", "1", "2", 2, 3, outcome=Outcome.FAILED, reason="ThrottlingException")
        assert check(log.calls, {"k": "1"}).clean


class TestCounters:
    def count(self, log: Log, times: int) -> None:
        log.put("setup", "n", "count:0", 0, 1)
        for n in range(times):
            log.swap("a", "n", f"count:{n}", f"count:{n + 1}", 2 * n + 2, 2 * n + 3)

    def test_every_acknowledged_step_counts(self, log: Log) -> None:
        self.count(log, 3)
        assert check(log.calls, {"n": "count:3"}).clean

    @pytest.mark.parametrize("final", ["count:2", "count:4"])
    def test_a_count_too_low_or_too_high_is_wrong(self, log: Log, final: str) -> None:
        self.count(log, 3)
        assert kinds(check(log.calls, {"n": final})) == [Kind.COUNTER]

    def test_the_same_step_granted_twice_is_wrong(self, log: Log) -> None:
        self.count(log, 3)
        log.swap("b", "n", "count:1", "count:2", 4, 5)
        assert kinds(check(log.calls, {"n": "count:3"})) == [Kind.COUNTER]

    @pytest.mark.parametrize("final", ["count:3", "count:4"])
    def test_a_step_without_an_answer_may_count(self, log: Log, final: str) -> None:
        self.count(log, 3)
        log.swap("b", "n", "count:3", "count:4", 20, 21, outcome=Outcome.UNKNOWN)
        assert check(log.calls, {"n": final}).clean

    def test_one_whose_creation_got_no_answer_may_never_have_been(self, log: Log) -> None:
        log.put("setup", "n", "count:0", 0, 1, outcome=Outcome.UNKNOWN)
        assert check(log.calls, {}).clean

    def test_one_that_was_created_and_is_gone_is_wrong(self, log: Log) -> None:
        log.put("setup", "n", "count:0", 0, 1)
        assert kinds(check(log.calls, {})) == [Kind.COUNTER]


class TestReads:
    def test_a_client_reads_its_own_write(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.put("a", "k", "2", 2, 3)
        log.read("a", "k", "1", 4, 5, table="UsersEncrypted")
        assert kinds(check(log.calls, {"k": "2"})) == [Kind.MISSED_OWN_WRITE]

    def test_a_client_reads_its_own_delete(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.delete("a", "k", 2, 3)
        log.read("a", "k", "1", 4, 5)
        assert kinds(check(log.calls, {})) == [Kind.MISSED_OWN_WRITE]

    def test_a_write_of_another_client_at_the_same_time_may_be_read_instead(self, log: Log) -> None:
        log.put("b", "k", "1", 0, 2.5)
        log.put("a", "k", "2", 2, 3)
        log.read("a", "k", "1", 4, 5)
        log.put("b", "k", "3", 6, 7)
        assert check(log.calls, {"k": "3"}).clean

    def test_an_equal_later_value_of_another_client_may_be_read_instead(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.put("a", "k", "2", 2, 3)
        log.put("b", "k", "1", 3.5, 6)
        log.read("a", "k", "1", 4, 5)
        assert check(log.calls, {"k": "1"}).clean

    def test_reads_of_a_following_table_may_be_late(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.put("a", "k", "2", 2, 3, table="UsersEncrypted")
        log.read("b", "k", "1", 4, 5, table="Users")
        assert check(log.calls, {"k": "2"}).clean

    def test_reads_of_the_table_that_takes_the_writes_may_not_be_late(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.put("a", "k", "2", 2, 3)
        log.read("b", "k", "1", 4, 5)
        log.put("a", "other", "2", 6, 7)
        assert kinds(check(log.calls, {"k": "2", "other": "2"})) == [Kind.UNEXPLAINED_READ]

    def test_a_client_never_reads_something_older_than_before(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.put("a", "k", "2", 2, 3)
        log.read("b", "k", "2", 4, 5, table="UsersEncrypted")
        log.read("b", "k", "1", 6, 7, table="UsersEncrypted")
        assert kinds(check(log.calls, {"k": "2"})) == [Kind.WENT_BACK]

    def test_an_item_in_a_form_that_nobody_wrote_is_found(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.read("b", "k", "altered:77", 2, 3, table="UsersEncrypted")
        assert kinds(check(log.calls, {"k": "1"})) == [Kind.NEVER_WRITTEN]

    def test_a_read_that_fails_is_a_finding(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        log.read("b", "k", None, 2, 3, outcome=Outcome.REFUSED, reason="AccessDeniedException")
        assert kinds(check(log.calls, {"k": "1"})) == [Kind.FAILED_READ]


class TestTransactions:
    def both(self, log: Log, value: str, start: float) -> None:
        for key in ("left", "right"):
            log.put("a", key, value, start, start + 1, number=int(start) + 100, via="TransactWriteItems")

    def test_keys_written_together_are_equal_at_the_end(self, log: Log) -> None:
        self.both(log, "1", 0)
        self.both(log, "2", 0.5)
        assert check(log.calls, {"left": "2", "right": "2"}).clean
        assert kinds(check(log.calls, {"left": "1", "right": "2"})) == [Kind.TORN]

    def test_a_key_that_is_also_written_alone_may_differ(self, log: Log) -> None:
        self.both(log, "1", 0)
        log.put("b", "left", "2", 4, 5)
        assert check(log.calls, {"left": "2", "right": "1"}).clean


class TestTables:
    def test_the_writes_move_once_for_each_turn(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 2)
        log.put("a", "k", "2", 1, 3, table="UsersEncrypted")
        log.put("b", "k", "3", 2, 4)
        log.put("b", "k", "4", 5, 6, table="UsersEncrypted")
        assert check(log.calls, {"k": "4"}, turns=1).clean

    def test_writes_to_both_tables_at_once_are_found(self, log: Log) -> None:
        log.put("a", "x", "1", 0, 1)
        log.put("a", "x", "2", 2, 3, table="UsersEncrypted")
        log.put("b", "y", "3", 4, 5)
        log.put("b", "y", "4", 6, 7, table="UsersEncrypted")
        verdict = check(log.calls, {"x": "2", "y": "4"}, turns=1)
        assert kinds(verdict) == [Kind.BOTH_WRITTEN, Kind.BOTH_WRITTEN]
        assert check(log.calls, {"x": "2", "y": "4"}, turns=3).clean

    def test_the_tables_are_equal_at_rest(self, log: Log) -> None:
        log.put("a", "k", "1", 0, 1)
        assert check(log.calls, {"k": "1"}, at_rest=[({"k": "1"}, {"k": "1"})]).clean
        assert kinds(check(log.calls, {"k": "1"}, at_rest=[({"k": "1"}, {})])) == [Kind.DIFFERENT]


class TestRefusals:
    def test_the_time_runs_from_the_first_refusal_to_the_next_write_let_in(self, log: Log) -> None:
        log.put("a", "k", "1", 10, 11, outcome=Outcome.REFUSED)
        log.put("a", "k", "1", 12, 13, outcome=Outcome.REFUSED)
        log.put("a", "k", "1", 14, 15)
        log.put("b", "k", "2", 13, 14, outcome=Outcome.REFUSED)
        log.put("b", "k", "2", 15, 17)
        verdict = check(log.calls, {"k": "2"})
        assert verdict.clean
        assert (verdict.refusals.writes, verdict.refusals.seconds, verdict.refusals.longest_wait) == (3, 7, 5)

    def test_a_write_that_is_never_let_in_is_found(self, log: Log) -> None:
        log.put("a", "k", "1", 10, 11, outcome=Outcome.REFUSED)
        assert kinds(check(log.calls, {})) == [Kind.GIVEN_UP]
