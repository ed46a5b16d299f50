"""The mirror beside turns and removals: what it registers, puts off, forgets and remembers."""

from __future__ import annotations

from typing import Any

import pytest

from replication.errors import UnknownPair
from replication.pair import Phase, Side
from replication.register import Standing
from tests.replicator.data.batches import key, record, sequence, values
from tests.replicator.data.engine import Killed, no_answer, refusal
from tests.replicator.data.world import PAIR_ID, SOURCE, pair, turn, world


class TestTurns:
    @pytest.mark.parametrize("phase", [Phase.FENCING, Phase.FENCED, Phase.LOOKED, Phase.UNDOING])
    def test_a_turn_has_closed_the_table_then_the_batch_is_put_off_and_stays_registered(self, phase: Phase) -> None:
        with world() as at:
            at.is_now(pair(turn=turn(phase)))
            outcome = at.mirror(record(5, "a", "1", at=999_990.0), record(6, "b", "1"))
            assert (outcome.failed, outcome.put_off) == (sequence(5), True)
            assert at.engine.calls == []
            assert at.state.pair(PAIR_ID).failed_at is None
            [held] = at.register.work(PAIR_ID)
            assert (held.standing, held.oldest_at) == (Standing.PUT_OFF, 999_990.0)
            at.is_now(pair())
            at.mirror(record(5, "a", "1"), record(6, "b", "1"))
            assert at.register.work(PAIR_ID) == []

    def test_the_owner_changes_after_the_batch_was_put_off_then_it_is_forgotten(self) -> None:
        with world() as at:
            at.is_now(pair(turn=turn(Phase.FENCED)))
            at.mirror(record(5, "a", "1"))
            at.is_now(pair(owner=Side.TWIN, epoch=1))
            assert at.mirror(record(5, "a", "1")).skipped
            assert at.register.work(PAIR_ID) == []

    def test_it_registers_before_it_reads_who_the_owner_is(self) -> None:
        """Race: an invocation reads `source`, hangs, and a turn that cannot see it takes its rest for granted."""
        with world() as at:
            order: list[str] = []

            def watch(operation: str, request: dict[str, Any]) -> None:
                order.append(f"{operation} {request['Key']['Item']['S'].split('#')[0]}")

            at.client.before = watch
            at.mirror(record(0, "a", "1"))
            assert order.index("update_item batch") < max(
                place for place, call in enumerate(order) if call == "get_item pair"
            )

    def test_the_turn_changes_the_owner_just_before_the_registration(self) -> None:
        with world() as at:

            def turned(operation: str, request: dict[str, Any]) -> None:
                if operation == "update_item":
                    at.client.before = lambda operation, request: None
                    at.is_now(pair(owner=Side.TWIN, epoch=1))

            at.client.before = turned
            assert at.mirror(record(0, "a", "1")).skipped
            assert at.engine.calls == []
            assert at.register.work(PAIR_ID) == []

    def test_the_migration_is_removed_just_before_the_registration_then_nothing_stays_registered(self) -> None:
        with world() as at:

            def removed(operation: str, request: dict[str, Any]) -> None:
                if operation == "update_item":
                    at.client.before = lambda operation, request: None
                    at.state.remove(at.state.pair(PAIR_ID))

            at.client.before = removed
            with pytest.raises(UnknownPair):
                at.mirror(record(0, "a", "1"))
            assert at.engine.calls == []
            assert at.register.work(PAIR_ID) == []

    def test_a_turn_begins_while_the_batch_is_written_then_being_refused_is_no_failure(self) -> None:
        with world() as at:

            def fence(operation: str, request: dict[str, Any]) -> None:
                at.is_now(pair(turn=turn(Phase.FENCING)))
                raise refusal("AccessDeniedException")

            at.engine.before = fence
            outcome = at.mirror(record(0, "a", "1"))
            assert (outcome.failed, outcome.put_off) == (sequence(0), True)
            assert at.state.pair(PAIR_ID).failed_at is None

    def test_a_policy_has_yet_to_spread_then_being_refused_is_no_failure_but_later_it_is(self) -> None:
        with world() as at:

            def deny(operation: str, request: dict[str, Any]) -> None:
                raise refusal("AccessDeniedException")

            at.engine.before = deny
            assert at.mirror(record(0, "a", "1")).put_off
            at.time.now += 119
            assert at.mirror(record(0, "a", "1")).put_off
            assert at.state.pair(PAIR_ID).failed_at is None
            at.time.now += 2
            outcome = at.mirror(record(0, "a", "1"))
            assert not outcome.put_off
            assert outcome.failed == sequence(0)
            assert at.state.pair(PAIR_ID).failed_at == at.time.now

    def test_a_record_comes_only_after_the_turn_that_it_is_older_than_then_it_is_kept_as_a_stray(self) -> None:
        with world(owner=Side.TWIN, epoch=1, marked_at=1_000_000.0) as at:
            outcome = at.mirror(record(0, "a", "1", at=1_000_001.0), record(1, "b", "1", at=1_000_002.0))
            assert outcome.skipped
            [damage] = at.state.pair(PAIR_ID).damage
            assert f"Records of {SOURCE} came only after the turn that they were older than, 1 in all." in damage.what
            kept = at.client.query(
                TableName="State",
                KeyConditionExpression="#p = :p AND begins_with(#i, :s)",
                ExpressionAttributeNames={"#p": "Pair", "#i": "Item"},
                ExpressionAttributeValues={":p": {"S": PAIR_ID}, ":s": {"S": "stray#"}},
            )["Items"]
            assert [one["Keys"]["M"] for one in kept] == [key("a")]


class TestRegister:
    def test_a_batch_is_registered_while_it_is_written_and_signed_off_after(self) -> None:
        with world() as at:
            seen: list[Any] = []
            at.engine.before = lambda operation, request: seen.extend(at.register.work(PAIR_ID))
            at.mirror(record(0, "a", "1", at=999_997.0), seconds=100)
            [held] = seen
            assert (held.lane, held.name, held.standing) == ("source", sequence(0), Standing.RUNNING)
            assert (held.began, held.deadline, held.oldest_at) == (1_000_000.0, 1_000_100.0, 999_997.0)
            assert at.register.work(PAIR_ID) == []
            progress = at.register.progress(PAIR_ID, Side.SOURCE)
            assert progress is not None
            assert (progress.ended_at, progress.lag, progress.late_at) == (1_000_000.0, 3.0, None)

    def test_a_late_batch_is_remembered(self) -> None:
        with world() as at:
            at.mirror(record(0, "a", "1", at=999_980.0))
            late_at = at.time.now
            at.time.now += 30
            at.mirror(record(1, "a", "1", at=at.time.now))
            progress = at.register.progress(PAIR_ID, Side.SOURCE)
            assert progress is not None
            assert (progress.lag, progress.late_at) == (0.0, late_at)

    def test_a_batch_that_had_nearly_expired_tells_of_others_that_have_and_voids_comparisons(self) -> None:
        with world() as at:
            day = 24 * 3600
            for number, age in enumerate((day / 2, day - 60, day - 50, day - 40)):
                at.time.now += 1
                at.mirror(record(number, "a", str(number), at=at.time.now - age))
            pair = at.state.pair(PAIR_ID)
            assert ["more than 23 hours behind" in one.what for one in pair.damage] == [True]  # told once
            assert pair.failed_at == at.time.now  # and void up to the last of them

    def test_progress_is_noted_once_a_second(self) -> None:
        with world() as at:
            for number in range(5):
                at.mirror(record(number, "a", str(number)))
            progress = at.register.progress(PAIR_ID, Side.SOURCE)
            assert progress is not None
            at.time.now += 2
            at.mirror(record(9, "a", "9"))
            later = at.register.progress(PAIR_ID, Side.SOURCE)
            assert later is not None
            assert later.ended_at == progress.ended_at + 2

    def test_killed_while_writing_then_the_next_attempt_voids_comparisons_because_a_write_may_still_land(self) -> None:
        with world() as at:

            def die(operation: str, request: dict[str, Any]) -> None:
                raise Killed

            at.engine.before = die
            with pytest.raises(Killed):
                at.mirror(record(0, "a", "1"))
            assert at.register.work(PAIR_ID)[0].standing is Standing.RUNNING
            at.engine.before = lambda operation, request: None
            at.time.now += 10
            at.mirror(record(0, "a", "1"))
            assert at.state.pair(PAIR_ID).failed_at == at.time.now
            assert at.register.work(PAIR_ID) == []

    def test_an_unanswered_write_that_was_repeated_voids_comparisons_too(self) -> None:
        with world() as at:
            answers = iter([no_answer()])

            def hang_once(operation: str, request: dict[str, Any]) -> None:
                if found := next(answers, None):
                    raise found

            at.engine.before = hang_once
            assert at.mirror(record(0, "a", "1")).failed is None
            assert values(at) == {"a": "1"}
            assert at.state.pair(PAIR_ID).failed_at is not None

    def test_an_attempt_that_was_made_since_is_not_forgotten_with_the_one_before_it(self) -> None:
        with world() as at:
            at.engine.rejects = lambda table, one: True
            at.mirror(record(0, "a", "1"))
            [seen] = at.register.work(PAIR_ID)
            at.time.now += 1
            at.mirror(record(0, "a", "1"))
            assert not at.register.forget_attempt(seen)
            [again] = at.register.work(PAIR_ID)
            assert at.register.forget_attempt(again)
            assert at.register.work(PAIR_ID) == []

    def test_before_the_first_batch_there_is_no_progress(self) -> None:
        with world() as at:
            assert at.register.progress(PAIR_ID, Side.SOURCE) is None

    def test_very_many_keys_that_fail_are_cut_off_and_said_to_be(self) -> None:
        with world() as at:

            def no(operation: str, request: dict[str, Any]) -> None:
                raise refusal("ValidationException")

            at.engine.before = no
            at.mirror(*(record(number, f"{number}" * 300, "v") for number in range(1000)))
            [failed] = at.register.work(PAIR_ID)
            assert failed.keys_missing
            assert len(failed.keys) > 100
