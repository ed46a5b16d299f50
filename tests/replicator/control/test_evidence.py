"""Each kind of evidence, its refusal and the way on."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from replication.evidence import Facts, for_cleanup, for_cutover, for_exports
from replication.pair import Comparison, Pair, Population, PopulationState, Side
from replication.register import Progress, Registered, Standing
from tests.replicator.data.world import pair as new_pair

NOW = 10_000.0
IDS = ("id-of-Users", "id-of-UsersEncrypted")
POPULATION = Population("job", 0, *IDS, PopulationState.COMPLETE, 1.0)
COMPARISON = Comparison(0, *IDS, 100.0, PopulationState.COMPLETE, finished_at=200.0)


def ready(**changes: Any) -> Pair:
    """A pair that may be cut over."""
    return new_pair(**({"population": POPULATION, "comparison": COMPARISON} | changes))


def cut_over(**changes: Any) -> Pair:
    """A pair whose old table may go."""
    given = {"owner": Side.TWIN, "epoch": 1, "stage": 3, "comparison": replace(COMPARISON, epoch=1)}
    return ready(**(given | changes))


def facts(**changes: Any) -> Facts:
    return replace(Facts(at=NOW), **changes)


def capacity(reads: int, writes: int, **indexes: tuple[int, int]) -> dict[str, Any]:
    def units(found: tuple[int, int]) -> dict[str, Any]:
        return {"ProvisionedThroughput": {"ReadCapacityUnits": found[0], "WriteCapacityUnits": found[1]}}

    return units((reads, writes)) | {
        "GlobalSecondaryIndexes": [{"IndexName": name} | units(found) for name, found in indexes.items()]
    }


ON_DEMAND = {"BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}}


class TestCutover:
    def test_passes_when_everything_speaks_for_it(self) -> None:
        assert for_cutover(ready(), facts()) == []

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"population": None}, "has not been populated: set the stage to populate first"),
            ({"population": replace(POPULATION, state=PopulationState.RUNNING, items=7)}, "still running, 7 items"),
            (
                {"population": replace(POPULATION, state=PopulationState.FAILED, reason="No capacity.")},
                r"is failed \(No capacity.\): go to replicate, then to populate again",
            ),
            ({"population": replace(POPULATION, state=PopulationState.STOPPED)}, "is stopped"),
            ({"population": replace(POPULATION, twin_id="another")}, "made anew since it was populated"),
            ({"comparison": None}, "have not been compared yet"),
            ({"comparison": replace(COMPARISON, differences=3)}, "found the tables different in 3 of"),
            ({"failed_at": 150.0}, "failed after the tables were last compared"),
        ],
    )
    def test_is_refused_without_a_copy_and_a_clean_comparison(self, changes: Any, reason: str) -> None:
        (found,) = for_cutover(ready(**changes), facts())
        assert re.search(reason, found)

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"mapping_problems": ["The mapping is Disabled."]}, "The mapping is Disabled."),
            ({"throttles": 4}, "throttled 4 times lately"),
            ({"progress": {Side.SOURCE: Progress(NOW - 1, 25.0, NOW - 1)}}, "is 25 s behind"),
            (
                {
                    "work": [
                        Registered(
                            "p", "source", "1", Standing.FAILED, "i", 1, 2, 1, failed_since=1, error="ItemRejected: no"
                        )
                    ]
                },
                "The mirror cannot write 1 of its batches, the first because of ItemRejected: no",
            ),
        ],
    )
    def test_is_refused_while_the_mirror_is_not_well(self, changes: Any, reason: str) -> None:
        (found,) = for_cutover(ready(), facts(**changes))
        assert reason in found

    def test_lag_that_was_caught_up_with_is_for_the_turn_to_watch(self) -> None:
        assert for_cutover(ready(), facts(progress={Side.SOURCE: Progress(NOW - 1, 0.2, late_at=NOW - 5)})) == []

    def test_a_batch_that_the_turn_before_put_off_is_for_the_turn_to_watch(self) -> None:
        """Lambda calls it a failed call until it has delivered the batch again, which the turn waits for."""
        assert for_cutover(ready(), facts(last_results=["The mapping says 'PROBLEM: Function call failed'."])) == []

    def test_lag_of_a_batch_long_ago_is_none(self) -> None:
        assert for_cutover(ready(), facts(progress={Side.SOURCE: Progress(NOW - 900, 25.0, NOW - 900)})) == []

    @pytest.mark.parametrize(
        ("source", "twin", "reason"),
        [
            (capacity(5, 5), capacity(5, 4), "has 5 read and 4 write units, Users has 5 and 5"),
            (capacity(5, 5), capacity(4, 9), "has 4 read"),
            (capacity(5, 5, byMail=(3, 3)), capacity(5, 5, byMail=(3, 1)), "byMail of UsersEncrypted has 3 read and 1"),
            (ON_DEMAND, capacity(5, 5), "Users is on demand: make both alike"),
        ],
    )
    def test_is_refused_when_the_twin_has_less_capacity(self, source: Any, twin: Any, reason: str) -> None:
        (found,) = for_cutover(ready(), facts(descriptions={Side.SOURCE: source, Side.TWIN: twin}))
        assert reason in found

    @pytest.mark.parametrize(
        ("source", "twin"),
        [(capacity(5, 5), capacity(5, 5)), (capacity(5, 5), ON_DEMAND), (capacity(5, 5, gone=(9, 9)), capacity(6, 6))],
    )
    def test_passes_with_at_least_as_much_capacity(self, source: Any, twin: Any) -> None:
        assert for_cutover(ready(), facts(descriptions={Side.SOURCE: source, Side.TWIN: twin})) == []

    def test_tells_all_reasons_at_once(self) -> None:
        assert len(for_cutover(new_pair(), facts(mapping_problems=["a", "b"], throttles=1))) == 4


class TestCleanup:
    def test_passes_when_everything_speaks_for_it(self) -> None:
        assert for_cleanup(cut_over(), facts(), writers_moved=False) == []

    def test_is_refused_before_the_cutover(self) -> None:
        (found,) = for_cleanup(ready(), facts(), writers_moved=True)
        assert "set the stage to cutover first" in found

    def test_needs_a_comparison_from_after_the_cutover(self) -> None:
        (found,) = for_cleanup(cut_over(comparison=COMPARISON), facts(), writers_moved=False)
        assert "last compared before the cutover" in found

    def test_is_refused_while_somebody_may_still_write_the_source(self) -> None:
        (found,) = for_cleanup(cut_over(), facts(user_errors=3), writers_moved=False)
        assert "refused 3 calls" in found
        assert "WritersMoved: true" in found

    def test_passes_when_the_user_says_that_all_writers_have_moved(self) -> None:
        assert for_cleanup(cut_over(), facts(user_errors=3), writers_moved=True) == []

    def test_looks_at_the_mirror_back(self) -> None:
        behind = facts(progress={Side.TWIN: Progress(NOW - 1, 25.0, NOW)})
        (found,) = for_cleanup(cut_over(), behind, writers_moved=False)
        assert "The mirror of UsersEncrypted is 25 s behind" in found

    def test_no_turn_follows_that_would_wait_for_a_batch_that_was_not_done(self) -> None:
        assert for_cleanup(cut_over(), facts(last_results=["It says PROBLEM."]), writers_moved=False) == [
            "It says PROBLEM."
        ]


def test_an_export_that_nobody_imports_may_change() -> None:
    assert for_exports({"a": [], "b": []}) == []
    (found,) = for_exports({"a": ["billing", "audit"], "b": []})
    assert "export a changes its value at this stage, and billing, audit import it" in found
