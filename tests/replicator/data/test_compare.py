"""A difference is only what stays one; what is being mirrored, and what has expired, is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from replication.compare import LOOKS_AFTER, Compare
from replication.copy import Ends
from tests.replicator.data.engine import Engine, Time

ENDS = Ends("owner", "other", ("id",))
YEAR = 365 * 24 * 3600


def key(name: str) -> dict[str, Any]:
    return {"id": {"S": name}}


def item(name: str, value: str, **more: Any) -> dict[str, Any]:
    return {**key(name), "value": {"S": value}, **more}


class Tables:
    """Two tables, and what happens after so many seconds of waiting."""

    def __init__(self, expiry: str | None = None) -> None:
        self.engine = Engine("owner", "other")
        self.time = Time()
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.engine.before = self._due
        self.tables = self.engine.tables_client(self.time)
        self.compare = Compare(self.tables, ENDS, self.time.patience(), expiry)

    def both(self, *items: dict[str, Any]) -> None:
        for one in items:
            self.engine.put("owner", one)
            self.engine.put("other", one)

    def after(self, seconds: float, table: str, one: dict[str, Any]) -> None:
        self.later.append((self.time.now + seconds, lambda: self.engine.put(table, one)))

    def different(self) -> list[str]:
        """The keys found different, in either direction."""
        found = []
        for table, compare in (("owner", self.compare.of_owner), ("other", self.compare.of_other)):
            page = self.tables.scan(table, self.time.now + 600, segment=(0, 1), after=None, limit=1000)
            found += [one["id"]["S"] for one in compare(page, self.time.now + 600)]
        return found

    def _due(self, operation: str, request: dict[str, Any]) -> None:
        due = [step for at, step in self.later if at <= self.time.now]
        self.later = [(at, step) for at, step in self.later if at > self.time.now]
        for step in due:
            step()


class TestDifferences:
    def test_equal_tables_have_none_and_nobody_waits(self) -> None:
        at = Tables()
        at.both(item("a", "1"), item("b", "2"))
        assert at.different() == []
        assert at.time.slept == []
        assert len(at.engine.calls) == 4  # a page and one look-up in each direction

    @pytest.mark.parametrize(
        ("owner", "other"),
        [
            ([item("a", "1")], []),
            ([item("a", "1")], [item("a", "2")]),
            ([item("a", "1", more={"S": "x"})], [item("a", "1")]),
            ([item("a", "1")], [item("a", "1", more={"S": "x"})]),
            ([], [item("a", "1")]),
        ],
        ids=["missing", "another value", "attribute missing", "attribute too many", "too many"],
    )
    def test_finds(self, owner: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
        at = Tables()
        at.both(item("same", "1"))
        for table, items in (("owner", owner), ("other", other)):
            for one in items:
                at.engine.put(table, one)
        assert at.different() == ["a"]

    def test_reads_that_are_not_consistent_accuse_and_consistent_ones_judge(self) -> None:
        at = Tables()
        at.engine.put("owner", item("a", "1"))
        at.both(item("a", "2"))
        at.engine.stale = lambda: 1  # the scan still sees a=1
        assert at.different() == []
        assert at.time.slept == []


class TestLiveWrites:
    @pytest.mark.parametrize("lag", [0.5, 2, 5, 9, 25])
    def test_written_in_the_owner_then_compared_then_mirrored(self, lag: float) -> None:
        at = Tables()
        at.both(item("a", "1"))
        at.engine.put("owner", item("a", "2"))
        at.after(lag, "other", item("a", "2"))
        assert at.different() == []

    def test_what_is_not_mirrored_in_three_times_the_allowed_lag_is_a_difference(self) -> None:
        at = Tables()
        at.engine.put("owner", item("a", "2"))
        at.after(sum(LOOKS_AFTER) + 1, "other", item("a", "2"))
        assert at.different() == ["a"]
        assert sum(LOOKS_AFTER) >= 30

    def test_a_key_that_both_sides_go_on_changing_is_being_mirrored(self) -> None:
        at = Tables()
        at.both(item("a", "0"))
        at.engine.put("owner", item("a", "1"))
        for second in range(100):
            at.after(second / 2, "owner", item("a", f"{second + 1}"))
            at.after(second / 2, "other", item("a", f"{second}"))
        assert at.different() == []

    def test_a_key_that_only_the_owner_goes_on_changing_is_not_being_mirrored(self) -> None:
        at = Tables()
        at.both(item("a", "0"))
        at.engine.put("owner", item("a", "1"))
        for second in range(100):
            at.after(second / 2, "owner", item("a", f"{second + 1}"))
        assert at.different() == ["a"]

    def test_deleted_in_the_owner_then_compared_then_mirrored(self) -> None:
        at = Tables()
        at.both(item("a", "1"))
        at.engine.delete("owner", key("a"))
        at.later.append((at.time.now + 2, lambda: at.engine.delete("other", key("a"))))
        assert at.different() == []


class TestExpiry:
    def expiring(self, name: str, seconds: float, value: str = "1") -> dict[str, Any]:
        return item(name, value, until={"N": f"{1_000_000 + seconds:.0f}"})

    @pytest.mark.parametrize("table", ["owner", "other"])
    def test_an_item_past_its_time_is_removed_from_each_table_at_another_moment(self, table: str) -> None:
        at = Tables(expiry="until")
        at.engine.put(table, self.expiring("a", -10))
        assert at.different() == []

    @pytest.mark.parametrize("table", ["owner", "other"])
    def test_an_item_before_its_time_is_not(self, table: str) -> None:
        at = Tables(expiry="until")
        at.engine.put(table, self.expiring("a", 1000))
        assert at.different() == ["a"]

    def test_an_item_that_expired_more_than_five_years_ago_is_never_removed(self) -> None:
        at = Tables(expiry="until")
        at.time.now += 6 * YEAR
        at.engine.put("owner", self.expiring("a", 0))
        assert at.different() == ["a"]

    def test_without_time_to_live_the_attribute_means_nothing(self) -> None:
        at = Tables()
        at.engine.put("owner", self.expiring("a", -10))
        assert at.different() == ["a"]

    @pytest.mark.parametrize("until", [{"S": "999990"}, {"BOOL": True}])
    def test_an_attribute_that_is_no_number_expires_nothing(self, until: dict[str, Any]) -> None:
        at = Tables(expiry="until")
        at.engine.put("owner", item("a", "1", until=until))
        assert at.different() == ["a"]
