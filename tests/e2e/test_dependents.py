"""Whoever depends on the table goes with it: a reader of its index, its scaling, a reader of its stream, another stack.

`examples/dependents` at work, 0 → 1 → 2 → 3 → 2 → 3 → 4, with clients of both stacks writing the same items.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cloud.stacks import Result
from local.demo.example import package
from local.demo.journey import both_at_rest
from local.traffic.check import check
from local.traffic.client import REPEATED
from local.traffic.seen import last_seen, unseen
from local.traffic.traffic import Traffic
from tests.e2e.conftest import Begin, Lab, Run
from tests.e2e.dependents import EXPORT, FOLDER, SECOND_EXPORT, Dependents, Importer, Steadily, together
from tests.waiting import eventually

ALWAYS_THERE = "visits-0"  # no client deletes it
POLICIES = {"": ["table-writes"], "/index/by-label": ["index-writes"]}


class Scene:
    """Both stacks with their clients, and two who read all the time: the index, and through the import."""

    def __init__(self, run: Run, importer: Importer, folder: Path) -> None:
        self.run, self.importer = run, importer
        self.own = Dependents(run.example)
        self.theirs = Traffic(run.lab.account, importer.function, folder, seed=2, clients=2, name="importer")
        self.searching = Steadily(lambda: self.own.search(REPEATED[0]))
        self.reading = Steadily(lambda: importer.read(ALWAYS_THERE))

    def compare_at_rest(self) -> None:
        """While nobody writes both tables are equal, and the source's stream alone has told every change so far."""
        source = self.run.example.the("Users")
        with self.run.traffic.paused(), self.theirs.paused():
            self.run.at_rest.append(both_at_rest(self.run.traffic, self.run.example))
            self._the_reader_is_at(source)
            assert unseen(together(self.run.traffic, self.theirs), self.own.notes(source)) == []

    def finish(self, source: str, twin: str) -> None:
        """Everybody stops; every call of both stacks and every note of the reader is accounted for."""
        self.run.traffic.stop()
        self.theirs.stop()
        final = self.run.traffic.contents(twin)
        calls = together(self.run.traffic, self.theirs)
        verdict = check(calls, final, turns=3, at_rest=self.run.at_rest)
        assert not verdict.findings, verdict.findings[:10]
        self._the_reader_is_at(twin)
        assert unseen(calls, self.own.notes(source) + self.own.notes(twin)) == []
        for label in REPEATED:
            assert self.own.search(label) == {key for key, value in final.items() if value == label}

    def _the_reader_is_at(self, table: str) -> None:
        """Wait until the reader of the stream has seen all that a table holds."""
        holds = self.run.traffic.contents(table)
        eventually(lambda: last_seen(self.own.notes(table)) == holds)


@pytest.fixture
def scene(begin: Begin, lab: Lab, tmp_path: Path) -> Iterator[Scene]:
    run = begin(items=120, body=package(lab.account, FOLDER / "template.yaml"), clients=5)
    importer = Importer(lab.account, run.example.name)
    importer.use(EXPORT)
    found = Scene(run, importer, tmp_path)
    with found.theirs, found.searching, found.reading:
        found.theirs.start(run.keys)
        yield found


def test_dependents_lose_no_change_and_are_refused_no_read(scene: Scene) -> None:
    run, own, importer = scene.run, scene.own, scene.importer
    source = run.example.the("Users")
    assert own.scaled() == scaling(source)
    run.to("replicate")
    twin = run.example.the("UsersEncrypted")
    assert own.scaled() == scaling(source, twin)
    importer.use(EXPORT, also=SECOND_EXPORT)

    run.to("populate")
    units = the_source_scales_out(scene, source)
    assert f"{units}: raise them" in run.refused("cutover")
    the_twin_may_not_have_less(scene, twin, units)
    run.to("cutover", "populate", "cutover")
    importer.use(SECOND_EXPORT, also=EXPORT)
    scene.compare_at_rest()
    assert own.streams_read() == [source]

    assert EXPORT.format(run.example.name) in run.fails("cleanup")
    importer.use(SECOND_EXPORT)
    must_be_made_before_it_is_removed(run.to("cleanup"), "HistoryChange")
    assert own.streams_read() == [twin]
    assert own.scaled() == scaling(twin)
    importer.use(EXPORT)

    scene.finish(source, twin)
    assert scene.searching.failures == []
    assert scene.reading.failures == []
    assert min(scene.searching.asked, scene.reading.asked) > 50


def scaling(*tables: str) -> dict[str, list[str]]:
    """Which policies scale these tables and their indexes."""
    return {f"table/{table}{index}": policies for table in tables for index, policies in POLICIES.items()}


def the_source_scales_out(scene: Scene, source: str) -> int:
    """As Application Auto Scaling would do it under load; the twin, with other load, stays. The new write units."""
    dynamodb = scene.own.account.client("dynamodb")
    now = dynamodb.describe_table(TableName=source)["Table"]["ProvisionedThroughput"]
    units = {"ReadCapacityUnits": now["ReadCapacityUnits"], "WriteCapacityUnits": now["WriteCapacityUnits"] + 5}
    dynamodb.update_table(TableName=source, ProvisionedThroughput=units)
    return int(units["WriteCapacityUnits"])


def the_twin_may_not_have_less(scene: Scene, twin: str, units: int) -> None:
    """What the user does about it."""
    scene.own.account.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="dynamodb",
        ResourceId=f"table/{twin}",
        ScalableDimension="dynamodb:table:WriteCapacityUnits",
        MinCapacity=units,
    )


def must_be_made_before_it_is_removed(result: Result, logical_id: str) -> None:
    """A replacement: the new one is there before the old one goes."""
    told = [event.status for event in result.events if event.logical_id == logical_id and "COMPLETE" in event.status]
    assert told == ["UPDATE_COMPLETE", "DELETE_COMPLETE"], told
