"""The protocol holds within all its bounds, and each protection is there for a reason.

`python -m tests.model` prints the same, with the stories; `--deep` explores more than a test run has time for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import pytest

from tests.model import evidence, whole
from tests.model.explorer import explore
from tests.model.protocol import Protocol
from tests.model.variants import (
    BEYOND,
    CONSUMERS,
    DEATHS,
    EXPIRED_AND_LATE,
    HUNG,
    LATE_CLIENTS,
    LATE_DELIVERY,
    LATE_STREAM,
    PLAIN,
    POISON,
    SECOND_LINES,
    VARIANTS,
    WITHIN,
    WORKERS,
    Variant,
)
from tests.model.world import ABSENT, CLEAN, EXPIRING, FAILED, FOUND, OPEN, SOURCE, TWIN, Bounds, World, first


class TestTheProtocol:
    @pytest.mark.parametrize("bounds", [*WITHIN, *BEYOND], ids=lambda bounds: bounds.name)
    def test_holds(self, bounds: Bounds) -> None:
        """No client finds a stale value, the tables never differ unbeknown, and beyond the bound nothing is lost
        without being found."""
        outcome = whole.check(Protocol(), bounds)
        assert outcome.holds, str(outcome)

    @pytest.mark.parametrize("bounds", [PLAIN, POISON, *BEYOND], ids=lambda bounds: bounds.name)
    def test_comes_to_rest_from_everywhere(self, bounds: Bounds) -> None:
        """It does not hold by standing still: whatever has happened, some way leads to where all is well."""
        assert whole.check(Protocol(), bounds, lively=True).holds


class TestKnownLimits:
    def test_an_expired_item_that_was_deleted_can_come_back_by_a_write_that_lands_late(self) -> None:
        """Comparisons cannot report expired items, which either table may have deleted already. So this one is not
        repaired, and clients find it after the turn, until DynamoDB's TTL deletes it."""
        outcome = whole.check(Protocol(), EXPIRED_AND_LATE)
        assert outcome.fault == f"clients find {EXPIRING} in the twin, their last write was {ABSENT}"
        assert "the lingering write lands twin:=2" in outcome.story
        assert "compare finds the key equal" in outcome.story


class TestWithout:
    @pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.without)
    def test_breaks(self, variant: Variant) -> None:
        outcome = whole.check(variant.protocol, variant.bounds)
        assert outcome.fault is not None
        assert variant.fault in outcome.fault

    @pytest.mark.parametrize(("name", "bounds"), SECOND_LINES, ids=[name for name, _ in SECOND_LINES])
    def test_a_second_line_of_defence_holds(self, name: str, bounds: Bounds) -> None:
        """Another protection does the same; this one is there in case that one fails."""
        assert whole.check(Protocol(**{name: False}), bounds).holds

    def test_no_protection_is_left_out(self) -> None:
        told = {variant.without for variant in VARIANTS} | {name for name, _ in SECOND_LINES}
        assert told == {one.name for one in fields(Protocol)}


class TestTheWorld:
    """What the bounds promise does happen: a model in which nothing goes wrong would prove nothing."""

    @pytest.mark.parametrize(
        ("bounds", "happens"),
        [
            pytest.param(PLAIN, lambda world: world.owner == TWIN and whole.all_well(world), id="twin owns"),
            pytest.param(PLAIN, lambda world: _at(world, "opening") and world.turn.mine == TWIN, id="turned back"),
            pytest.param(PLAIN, lambda world: _at(world, "settle") and world.older == 2, id="two records in hand"),
            pytest.param(PLAIN, lambda world: world.policy[TWIN] == ("fenced", "open"), id="policies side by side"),
            pytest.param(DEATHS, lambda world: _at(world, "copy") and world.lingering, id="lingering at the look"),
            pytest.param(DEATHS, lambda world: _differ(world) and not world.lingering, id="landed late"),
            pytest.param(POISON, lambda world: world.lane[TWIN] == FAILED, id="poison on the way back"),
            pytest.param(HUNG, lambda world: _hangs(world, "copy") and _at(world, "copy"), id="two looks at once"),
            pytest.param(HUNG, lambda world: _hangs(world, "open") and world.owner == SOURCE, id="opens a turn late"),
            pytest.param(WORKERS, lambda world: world.worker and world.worker.mine == TWIN, id="copied back"),
            pytest.param(CONSUMERS, lambda world: world.owner == TWIN and world.value == (2, 0), id="TTL in the twin"),
            pytest.param(LATE_CLIENTS, lambda world: world.stray == FOUND, id="a stray is found"),
            pytest.param(LATE_DELIVERY, lambda world: world.stray == FOUND, id="a late record is found"),
            pytest.param(LATE_STREAM, lambda world: world.stray == FOUND, id="an unseen record is found"),
        ],
    )
    def test_can_come_to(self, bounds: Bounds, happens: Callable[[World], bool]) -> None:
        steps = whole.steps_of(Protocol(), bounds)
        found = explore(first(bounds), steps, lambda world: "it happens" if happens(world) else None)
        assert found.fault == "it happens"

    def test_begins_with_one_open_table(self) -> None:
        world = first(PLAIN)
        assert world.policy[SOURCE] == (OPEN,)
        assert world.policy[TWIN] != (OPEN,)
        assert world.evidence == CLEAN


def _at(world: World, step: str) -> bool:
    return world.turn is not None and world.turn.at == step


def _hangs(world: World, step: str) -> bool:
    return world.zombie is not None and world.zombie.at == step


def _differ(world: World) -> bool:
    return evidence.quiet(world) and world.value[SOURCE] != world.value[TWIN]
