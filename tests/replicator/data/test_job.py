"""A job from its plan to its conclusion: what it notes, what it settles, what it gives up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from replication.compare import LOOKS_AFTER
from replication.errors import ItemRejected, NotUnderstood, ReplicationError, StaleWorker
from replication.pair import Comparison, Side
from replication.segments import Mode, Part, Position, how_many
from tests.replicator.data.engine import Killed
from tests.replicator.data.filled import filled, item, same
from tests.replicator.data.world import PAIR_ID, SOURCE, TWIN, World, world


class TestJob:
    def populate(self, at: World) -> Any:
        at.plan()
        for part in Mode.POPULATE.parts:
            at.work_all(part)
        return at.jobs.conclude(PAIR_ID, "job")

    def test_populate_copies_compares_and_notes_both(self) -> None:
        with world(page=10) as at:
            filled(at, 50)
            result = self.populate(at)
            assert (result.items, result.checked, result.differences) == (50, 50, 0)
            found = at.state.pair(PAIR_ID)
            assert found.populated
            assert found.compared
            assert found.population is not None
            assert (found.population.items, found.population.written) == (50, 50)

    def test_concluding_twice_says_the_same(self) -> None:
        with world() as at:
            filled(at)
            assert self.populate(at) == at.jobs.conclude(PAIR_ID, "job")

    def test_empty_tables_are_populated_and_equal(self) -> None:
        with world() as at:
            result = self.populate(at)
            assert (result.items, result.differences) == (0, 0)
            assert at.state.pair(PAIR_ID).compared

    def test_a_job_with_a_segment_that_is_not_done_cannot_be_concluded(self) -> None:
        with world() as at:
            filled(at)
            at.plan()
            at.work_all(Part.COPY)
            with pytest.raises(ReplicationError, match="0 of 1 segments of compare-owner"):
                at.jobs.conclude(PAIR_ID, "job")

    def test_planned_again_it_goes_on_as_it_was_planned_first(self) -> None:
        with world() as at:
            filled(at)
            at.plan()
            first = at.segments.plan(PAIR_ID, "job")
            filled(at, 1000)
            at.time.now += 100
            at.plan()
            assert at.segments.plan(PAIR_ID, "job") == first

    def test_a_segment_of_another_division_is_not_gone_on_with(self) -> None:
        with world() as at:
            at.segments.keep(PAIR_ID, "job", Part.COPY, Position(0, 3, 0.0, 0.0), None)
            with pytest.raises(NotUnderstood, match="0 of 4 of job job was begun as 0 of 3"):
                at.segments.position(PAIR_ID, "job", Part.COPY, 0, 4)

    def test_a_failure_during_the_comparison_voids_it(self) -> None:
        with world() as at:
            filled(at)
            at.plan()
            at.work_all(Part.COPY)
            at.work_all(Part.COMPARE_OWNER)
            at.time.now += 1
            at.state.note_failure(PAIR_ID, at.time.now)
            at.work_all(Part.COMPARE_OTHER)
            at.time.now += 1
            at.jobs.conclude(PAIR_ID, "job")
            assert at.state.pair(PAIR_ID).populated
            assert not at.state.pair(PAIR_ID).compared

    def test_the_owner_changes_during_a_comparison_then_it_counts_for_nothing(self) -> None:
        with world() as at:
            filled(at)
            at.plan(Mode.COMPARE)
            at.work_all(Part.COMPARE_OWNER)
            at.work_all(Part.COMPARE_OTHER)
            at.is_now(replace(at.state.pair(PAIR_ID), owner=Side.TWIN, epoch=1))
            with pytest.raises(StaleWorker):
                at.jobs.conclude(PAIR_ID, "job")
            assert at.state.pair(PAIR_ID).comparison is None

    def test_differences_are_counted_and_named_by_digest(self) -> None:
        with world(page=10) as at:
            filled(at, 50, SOURCE, TWIN)
            at.engine.delete(TWIN, {"id": {"S": "0001"}})
            at.engine.put(TWIN, item(2, "wrong"))
            at.engine.put(TWIN, item(99, "too many"))
            at.plan(Mode.COMPARE)
            at.work_all(Part.COMPARE_OWNER)
            at.work_all(Part.COMPARE_OTHER)
            result = at.jobs.conclude(PAIR_ID, "job")
            assert result.differences == 3
            assert len(set(result.digests)) == 3
            found = at.state.pair(PAIR_ID).comparison
            assert isinstance(found, Comparison)
            assert found.differences == 3
            assert not at.state.pair(PAIR_ID).compared

    def test_a_hopeless_comparison_is_given_up_and_is_not_clean(self) -> None:
        with world() as at:
            filled(at, 2500)
            at.plan(Mode.COMPARE)
            began = at.time.now
            at.work_all(Part.COMPARE_OWNER)
            [position] = at.segments.positions(PAIR_ID, "job", Part.COMPARE_OWNER)
            assert 1000 <= position.differences < 2500
            assert at.time.now - began < 5 * sum(LOOKS_AFTER)  # waiting makes no page smaller

    def test_repair_brings_over_what_differs_and_settles_what_failed_before(self) -> None:
        with world(page=10) as at:
            filled(at, 50, SOURCE, TWIN)
            at.engine.rejects = lambda table, one: one["value"]["S"] == "poison"
            at.engine.put(SOURCE, item(1, "poison"))
            assert at.mirror(at.engine.streams[SOURCE][-1]).failed
            at.engine.put(TWIN, item(99, "too many"))
            at.engine.delete(TWIN, {"id": {"S": "0002"}})
            at.time.now += 10
            at.plan(Mode.REPAIR)
            with pytest.raises(ItemRejected):
                at.work_all(Part.COMPARE_OWNER)
            at.engine.rejects = lambda table, one: False
            at.time.now += 10
            at.plan(Mode.REPAIR, job="again")
            at.work_all(Part.COMPARE_OWNER, "again")
            at.work_all(Part.COMPARE_OTHER, "again")
            result = at.jobs.conclude(PAIR_ID, "again")
            assert (result.differences, result.mended >= 2) == (0, True)
            assert same(at)
            assert at.register.work(PAIR_ID) == []
            assert at.state.pair(PAIR_ID).compared

    def test_a_batch_whose_invocation_died_is_settled_by_a_comparison_that_began_when_it_was_certainly_over(
        self,
    ) -> None:
        with world() as at:
            filled(at, 5, SOURCE, TWIN)

            def die(operation: str, request: dict[str, Any]) -> None:
                raise Killed

            at.engine.before = die
            with pytest.raises(Killed):
                at.mirror(at.engine.streams[SOURCE][0], seconds=100)
            at.engine.before = lambda operation, request: None
            for job, left in (("early", 1), ("late", 0)):
                at.plan(Mode.COMPARE, job)
                at.work_all(Part.COMPARE_OWNER, job)
                at.work_all(Part.COMPARE_OTHER, job)
                at.jobs.conclude(PAIR_ID, job)
                assert len(at.register.work(PAIR_ID)) == left
                at.time.now += 101

    def test_a_failure_after_the_comparison_began_is_not_settled_by_it(self) -> None:
        with world() as at:
            filled(at, 5, SOURCE, TWIN)
            at.plan(Mode.COMPARE)
            at.work_all(Part.COMPARE_OWNER)
            at.time.now += 1
            at.engine.rejects = lambda table, one: True
            at.mirror(at.engine.streams[SOURCE][0])
            at.work_all(Part.COMPARE_OTHER)
            at.jobs.conclude(PAIR_ID, "job")
            assert len(at.register.work(PAIR_ID)) == 1


class TestHowMany:
    @pytest.mark.parametrize(
        ("items", "size", "rate", "expected"),
        [
            (0, 0, None, 4),
            (1, 100, None, 1),
            (200_000, 1, None, 1),
            (200_001, 1, None, 2),
            (1000, 1_000_000_000, None, 5),
            (10**12, 10**15, None, 2000),
            (10**7, 10**10, 100, 4),
            (10**7, 10**10, 1, 1),
        ],
    )
    def test_follows_items_size_and_rate(self, items: int, size: int, rate: int | None, expected: int) -> None:
        assert how_many(items, size, rate) == expected
