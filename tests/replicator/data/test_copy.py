"""Copying beside live writes, each race by the order of its events."""

from __future__ import annotations

from typing import Any

import pytest

from replication.copy import Copy, Ends
from replication.errors import ItemRejected, Throttled
from replication.pace import Pace
from replication.values import digest
from tests.replicator.data.engine import Engine, Time

ENDS = Ends("owner", "other", ("id",))


def key(name: str) -> dict[str, Any]:
    return {"id": {"S": name}}


def item(name: str, value: str) -> dict[str, Any]:
    return {**key(name), "value": {"S": value}}


class Race:
    """A copy of one page of which a test decides what happens ahead of its n-th call."""

    def __init__(self, *items: dict[str, Any]) -> None:
        self.engine = Engine("owner", "other")
        for one in items:
            self.engine.put("owner", one)
        self.time = Time()
        self.tables = self.engine.tables_client(self.time)
        self.pace = Pace(self.time.patience())

    def copy(self, *meanwhile: Any) -> int:
        page = self.tables.scan("owner", self.time.now + 60, segment=(0, 1), after=None, limit=1000)
        steps = iter(meanwhile)

        def before(operation: str, request: dict[str, Any]) -> None:
            if step := next(steps, None):
                step()

        self.engine.before = before
        return Copy(self.tables, ENDS, self.pace).page(page, self.time.now + 60)

    def owner_becomes(self, one: dict[str, Any], *, mirrored: bool = False) -> Any:
        def step() -> None:
            self.engine.put("owner", one)
            if mirrored:
                self.engine.put("other", one)

        return step

    def owner_loses(self, name: str, *, mirrored: bool = False) -> Any:
        def step() -> None:
            self.engine.delete("owner", key(name))
            if mirrored:
                self.engine.delete("other", key(name))

        return step

    @property
    def equal(self) -> bool:
        return self.engine.items("owner") == self.engine.items("other")


class TestRaces:
    def test_nobody_writes(self) -> None:
        race = Race(item("a", "1"), item("b", "1"))
        assert race.copy() == 2
        assert race.equal
        assert [name for name, _ in race.engine.calls] == ["scan", "batch_write_item", "batch_get_item"]

    def test_scan_then_update_then_mirror_then_copy_writes_the_old_value(self) -> None:
        race = Race(item("a", "1"))
        assert race.copy(race.owner_becomes(item("a", "2"), mirrored=True)) == 2
        assert race.equal

    def test_scan_then_delete_then_mirror_then_copy_revives_the_item(self) -> None:
        race = Race(item("a", "1"))
        race.copy(race.owner_loses("a", mirrored=True))
        assert race.equal

    def test_scan_then_delete_and_create_again_then_mirror_then_copy_writes_the_old_value(self) -> None:
        race = Race(item("a", "1"))

        def again() -> None:
            race.owner_loses("a", mirrored=True)()
            race.owner_becomes(item("a", "2"), mirrored=True)()

        race.copy(again)
        assert race.equal

    def test_copy_writes_then_update_then_look_then_mirror(self) -> None:
        race = Race(item("a", "1"))
        race.copy(None, race.owner_becomes(item("a", "2")))
        assert race.equal

    def test_deleted_and_created_again_between_write_and_second_look(self) -> None:
        race = Race(item("a", "1"))
        race.copy(race.owner_loses("a", mirrored=True), None, None, race.owner_becomes(item("a", "1"), mirrored=True))
        assert race.equal

    def test_a_key_that_never_rests_is_left_to_the_mirror_after_a_write_that_must_come_through_it(self) -> None:
        race = Race(item("hot", "0"), item("cold", "0"))
        changes = [race.owner_becomes(item("hot", str(number))) for number in range(1, 100)]
        written = race.copy(*changes)
        assert written < 10
        looks = race.engine.calls_of("batch_get_item")
        # the last two looks came after the last write
        assert [name for name, _ in race.engine.calls][-2:] == ["batch_get_item", "batch_get_item"]
        assert looks[-1] == looks[-2]

    def test_a_key_with_values_that_repeat_is_written_until_it_is_what_is_there(self) -> None:
        race = Race(item("a", "1"))
        flip = [race.owner_becomes(item("a", "2")), race.owner_becomes(item("a", "1"))]
        race.copy(None, flip[0], None, flip[1], None, flip[0])
        assert race.equal


class TestKeys:
    def test_brings_what_is_there_and_deletes_what_is_not(self) -> None:
        race = Race(item("a", "1"))
        race.engine.put("other", item("gone", "x"))
        copy = Copy(race.tables, ENDS, race.pace)
        assert copy.keys([key("a"), key("gone"), key("never was")], race.time.now + 60) == 3
        assert race.equal


class TestFailures:
    def test_an_item_that_the_other_table_rejects_is_named_by_the_digest_of_its_key(self) -> None:
        race = Race(item("a", "1"), item("secret", "bad"))
        race.engine.rejects = lambda table, one: one["value"]["S"] == "bad"
        with pytest.raises(ItemRejected, match=digest(key("secret"))) as raised:
            race.copy()
        assert "secret" not in str(raised.value)

    def test_no_capacity_until_the_deadline_is_an_error(self) -> None:
        race = Race(item("a", "1"))
        page = race.tables.scan("owner", race.time.now + 60, segment=(0, 1), after=None, limit=1000)
        race.engine.before = lambda operation, request: {"UnprocessedItems": request["RequestItems"]}
        with pytest.raises(Throttled):
            Copy(race.tables, ENDS, race.pace).page(page, race.time.now + 60)


class TestPace:
    def test_so_many_items_per_second_and_no_more(self) -> None:
        race = Race(*(item(f"{number:03}", "v") for number in range(200)))
        race.pace.rate = 10
        began = race.time.now
        race.copy()
        assert race.time.now - began == pytest.approx(19, abs=1)
        assert race.equal

    def test_without_a_rate_nobody_waits(self) -> None:
        race = Race(*(item(f"{number:03}", "v") for number in range(200)))
        race.copy()
        assert race.time.slept == []

    def test_the_rate_can_be_changed_under_way(self) -> None:
        time = Time()
        pace = Pace(time.patience(), 10)
        pace.take(10)
        pace.take(10)
        assert time.now == pytest.approx(1_000_001, abs=0.1)
        pace.rate = 1000
        pace.take(10)
        assert time.now == pytest.approx(1_000_001, abs=0.1)

    def test_idle_time_is_not_saved_up(self) -> None:
        time = Time()
        pace = Pace(time.patience(), 10)
        time.now += 1000
        began = time.now
        for _ in range(10):
            pace.take(10)
        assert time.now - began == pytest.approx(9, abs=1)

    def test_a_slow_rate_takes_small_portions_so_that_no_wait_is_long(self) -> None:
        race = Race(*(item(f"{number:03}", "v") for number in range(20)))
        race.pace.rate = 2
        race.copy()
        assert max(race.time.slept) <= 1.01
        sizes = [len(call["RequestItems"]["other"]) for call in race.engine.calls_of("batch_write_item")]
        assert set(sizes) == {2}
