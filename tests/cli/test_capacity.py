"""The planner: time, invocations and money for a table, and what breaks first as it grows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from local.cli import limits
from local.cli.bottlenecks import limits_of, right_tool
from local.cli.capacity import Estimate, Load, Provisioned, estimate, turn_seconds
from local.cli.failures import Refused
from local.cli.prices import Prices, with_overrides
from replication.segments import WORKERS_AT_ONCE, how_many
from replication.share import OF_OWNER
from replication.waits import Waits

GB, TB = 1024**3, 1024**4
HOUR, DAY = 3600.0, 86400.0


def told(load: Load) -> Estimate:
    return estimate(load, Prices(), Waits())


def table(size: int, item_bytes: int = 1024, live_writes: float = 200.0) -> Load:
    return Load(size // item_bytes, item_bytes, live_writes)


class TestSizes:
    """1 KB items under 200 live writes per second, on demand."""

    def test_a_gigabyte_takes_minutes_and_a_dollar_or_two(self) -> None:
        found = told(table(GB))
        assert 240 < found.seconds < 15 * 60
        assert found.phases[0].held_by == "the twin's write capacity"
        assert 1 < found.cost < 3
        assert right_tool(found, Prices()).tool == "this copy"
        assert limits_of(found)[0].share < 1

    def test_a_terabyte_takes_most_of_a_day_and_outlasts_the_update_and_the_hour_of_cleanup(self) -> None:
        found = told(table(TB))
        assert 12 * HOUR < found.seconds < DAY
        assert found.seconds > limits.UPDATE_WAIT_SECONDS
        assert [limit.name for limit in limits_of(found) if limit.share > 1] == [
            "the comparison at cleanup, in seconds"
        ]
        assert right_tool(found, Prices()).tool == "this copy"
        assert 1000 < found.cost < 3000

    def test_ten_terabytes_starve_the_replicator_and_are_better_exported_and_imported(self) -> None:
        found = told(table(10 * TB))
        assert 5 * DAY < found.seconds < 10 * DAY
        broken = [limit.name for limit in limits_of(found) if limit.share > 1]
        assert "replicator invocations at once" in broken
        advice = right_tool(found, Prices())
        assert advice.tool == "export to S3 and import into a new table"
        assert "EncryptMigrate does not do" in " ".join(advice.why.split())

    @pytest.mark.parametrize(
        "held",
        [{"source": Provisioned(1, 1), "twin": Provisioned(1, 1)}, {"write_rate": 1}],
        ids=["one unit each", "an item a second"],
    )
    def test_a_small_table_that_is_held_back_is_not_exported_but_given_more(self, held: dict[str, Any]) -> None:
        load = Load(1_000_000, 512, **held)
        advice = right_tool(told(load), Prices())
        minutes = math.ceil(told(Load(1_000_000, 512)).seconds / 60)
        assert told(load).seconds > 3 * DAY
        assert advice.tool == "this copy, with more capacity"
        assert f"it takes {minutes} minutes" in advice.why

    def test_the_copy_is_never_faster_than_the_quota_of_a_table(self) -> None:
        copy = told(table(10 * TB)).phases[0]
        assert copy.items_per_second * (1 + 1 / 8) <= limits.TABLE_QUOTA

    def test_time_and_cost_grow_with_the_table(self) -> None:
        found = [told(table(size)) for size in (GB, 10 * GB, TB, 10 * TB)]
        assert [each.seconds for each in found] == sorted(each.seconds for each in found)
        assert [each.cost for each in found] == sorted(each.cost for each in found)


class TestUnits:
    def test_writes_are_rounded_up_for_each_item_and_scans_for_a_page(self) -> None:
        load = Load(1000, 1500)
        assert (load.write_units, load.read_units) == (2, 1)
        assert load.scan_units == pytest.approx(1500 / 4096 / 2)

    def test_every_index_writes_once_more(self) -> None:
        assert told(Load(1000, 500, indexes=2)).phases[0].write_units == 3000

    def test_provisioned_capacity_is_paid_by_the_hour_and_not_by_the_write(self) -> None:
        given = Provisioned(reads=100, writes=100)
        slow = told(Load(360_000, 1024, source=given, twin=given))
        # It takes a quarter of the source's reads, for a scan and a second look, and half of the twin's writes.
        assert slow.phases[0].seconds == pytest.approx(3600 * 1.125 / OF_OWNER)
        assert slow.costs["reading both tables"] == 0
        hours = slow.seconds / HOUR
        assert slow.costs["writing the twin"] == pytest.approx(hours * (100 * 0.00065 + 100 * 0.00013))


class TestBounds:
    def test_the_rate_that_the_user_allows_holds_the_copy(self) -> None:
        copy = told(Load(1_000_000, 1024, write_rate=100)).phases[0]
        assert (copy.held_by, copy.seconds) == ("the option WriteRate", 10_000)

    def test_live_writes_leave_less_for_the_copy(self) -> None:
        quiet, busy = told(table(GB, live_writes=0)), told(table(GB, live_writes=3000))
        assert busy.phases[0].seconds > 3 * quiet.phases[0].seconds

    def test_a_warm_twin_is_filled_faster(self) -> None:
        cold = told(table(100 * GB))
        warm = told(replace(table(100 * GB), warm_writes=40_000))
        assert warm.phases[0].seconds < cold.phases[0].seconds - 0.9 * HOUR

    def test_a_fresh_table_doubles_every_half_hour_until_its_quota(self) -> None:
        """4,000 a second for 30 minutes, then 8,000, 16,000 and 32,000: two hours for 108 million units."""
        items = sum(limits.DOUBLING_SECONDS * 4000 * factor for factor in (1, 2, 4, 8))
        assert told(Load(items, 1024, source=Provisioned(10**6, 1))).phases[0].seconds == pytest.approx(2 * HOUR)

    def test_a_small_table_is_one_segment_and_one_worker(self) -> None:
        found = told(Load(10_000, 100))
        assert how_many(10_000, 10**6, None) == 1
        assert found.phases[0].invocations == 1
        assert found.phases[0].held_by == "the workers"

    def test_a_worker_hands_over_before_its_time_is_up(self) -> None:
        found = told(Load(1_000_000, 1024, write_rate=50)).phases[0]
        assert found.invocations * limits.INVOCATION_SECONDS >= found.seconds

    def test_many_segments_share_the_workers_there_are(self) -> None:
        load = Load(100_000_000, 100, source=Provisioned(10**7, 1), twin=Provisioned(10**7, 10**7))
        assert told(load).phases[0].items_per_second == WORKERS_AT_ONCE * limits.COPY_ITEMS_PER_SECOND


class TestBreaking:
    def test_live_writes_above_the_twins_capacity_are_told_to_lose_data_after_a_day(self) -> None:
        broken = {limit.name: limit for limit in limits_of(told(Load(1000, 1024, live_writes=5000))) if limit.share > 1}
        assert "24 hours" in broken["live writes against the twin's write capacity"].what_happens

    def test_a_turn_with_more_keys_than_its_memory_holds_is_told(self) -> None:
        found = told(Load(10**9, 1024, live_writes=2000, warm_writes=40_000))
        assert "keys that a turn looks at again" in [limit.name for limit in limits_of(found) if limit.share > 1]

    def test_every_limit_says_what_happens_and_what_to_do(self) -> None:
        assert all(limit.what_happens and limit.remedy for limit in limits_of(told(table(GB))))


class TestTurn:
    def test_without_traffic_it_refuses_writes_for_less_than_half_a_minute(self) -> None:
        assert turn_seconds(Load(10**9, 1024), Waits()) < 30

    def test_each_key_written_since_the_mark_costs_a_little_more(self) -> None:
        quiet, busy = (turn_seconds(Load(10**9, 1024, live), Waits()) for live in (0, 1000))
        assert 20 < busy - quiet < 40

    def test_a_small_table_has_no_more_keys_than_items(self) -> None:
        assert turn_seconds(Load(100, 1024, 1000), Waits()) == pytest.approx(
            turn_seconds(Load(100, 1024), Waits()), abs=1
        )


class TestPrices:
    def test_any_price_can_be_replaced(self) -> None:
        assert with_overrides(Prices(), {"million_writes": 1.0, "import": 0.2}) == Prices(
            million_writes=1.0, import_=0.2
        )

    def test_an_unknown_price_is_refused_with_those_there_are(self) -> None:
        with pytest.raises(Refused, match="million_writes"):
            with_overrides(Prices(), {"writes": 1.0})
