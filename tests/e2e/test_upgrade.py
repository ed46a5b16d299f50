"""The installation is upgraded in the middle of migrations, at every stage and on the way between two, under traffic.

`tests/earlier` keeps what released versions were, see docs/releasing.md; the newest of them is installed first.
"""

import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.cloud import Cloud, Settings
from local.cloud.installer import ROOT, STACK, Builder, build_and_deploy
from local.cloud.stacks import StackFailed, delete, outputs
from local.demo.example import package
from local.demo.journey import WAITS
from tests.e2e.conftest import Begin, Lab, Run, changed

STAGES = ("replicate", "populate", "cutover")
ITEMS = 60
PACE = 0.3  # seconds between two writes of one client: there are eight of them for each stack
COPY_SECONDS = 40  # the copy that is under way during the upgrade is slowed down to take about so long


@dataclass(frozen=True)
class Migration:
    """Where a stack stands before the upgrade, what it begins just then, and where it goes afterwards."""

    reached: str
    meanwhile: str | None
    afterwards: tuple[str, ...]
    turns: int


MIGRATIONS = (
    Migration("replicate", None, ("populate", "cutover", "cleanup"), turns=1),
    Migration("replicate", "populate", ("cutover", "cleanup"), turns=1),
    Migration("populate", None, ("cutover", "cleanup"), turns=1),
    Migration("populate", "cutover", ("cleanup",), turns=1),
    Migration("cutover", None, ("populate", "cutover", "cleanup"), turns=3),
)


def earlier() -> Path:
    """The newest released version, unpacked where builds are kept."""
    archive = max((ROOT / "tests/earlier").glob("*.tar.gz"), key=version_of)
    folder = ROOT / ".aws-sam" / "earlier" / archive.name.removesuffix(".tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder


def version_of(archive: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in archive.name.removesuffix(".tar.gz").split("."))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A cloud of its own, with the earlier version in it."""
    root = earlier()
    with Cloud(Settings(schedule_minute=10.0), folder=tmp_path_factory.mktemp("upgraded")) as cloud:
        builder = Builder(root=root, cache=root / ".aws-sam" / "local")
        builder.deploy(cloud, builder.build(), WAITS, STACK)
        account = cloud.tenant(cloud.account)
        installed = outputs(account, STACK)
        bucket = installed["FailedRecordsBucketArn"].rpartition(":")[2]
        yield Lab(cloud, account, installed["StateTable"], bucket, package(account))


def test_an_upgrade_in_the_middle_of_migrations_loses_nothing(begin: Begin, lab: Lab) -> None:
    before = outputs(lab.account, STACK)
    runs = {each: begin(items=ITEMS, body=body_of(each, lab), pace=PACE) for each in MIGRATIONS}
    at_once(runs, lambda migration, run: run.to(*STAGES[: STAGES.index(migration.reached) + 1]))
    stood = {migration: standing(run.record()) for migration, run in runs.items()}

    with ThreadPoolExecutor() as meanwhile:
        under_way = [meanwhile.submit(run.to, each.meanwhile) for each, run in runs.items() if each.meanwhile]
        wait_until(lambda: all(busy(run.record()) for each, run in runs.items() if each.meanwhile))
        build_and_deploy(lab.cloud, WAITS)
        assert all(busy(run.record()) for each, run in runs.items() if each.meanwhile == "populate")
        for update in under_way:
            update.result()

    after = outputs(lab.account, STACK)
    assert before.items() <= after.items()
    assert "Version" in after.keys() - before.keys()

    assert {each: standing(run.record()) for each, run in runs.items() if not each.meanwhile} == {
        each: found for each, found in stood.items() if not each.meanwhile
    }
    at_once(runs, to_the_end)


def body_of(migration: Migration, lab: Lab) -> str:
    return changed(lab.body, slow_copy) if migration.meanwhile == "populate" else lab.body


def slow_copy(template: Any) -> None:
    options = {"EncryptMigrate": {"WriteRate": max(1, ITEMS // COPY_SECONDS)}}
    template["Resources"]["Users"]["Metadata"] = options


def to_the_end(migration: Migration, run: Run) -> None:
    here = migration.meanwhile or migration.reached
    stood = standing(run.record())
    run.to(here)  # the new macro's template at the same stage
    assert standing(run.record()) == stood
    for stage in migration.afterwards:
        run.to(stage)
        if stage == "cutover":
            run.compare_at_rest()
    run.finish(turns=migration.turns)


def at_once(runs: Mapping[Migration, Run], do: Callable[[Migration, Run], Any]) -> None:
    with ThreadPoolExecutor(len(runs)) as pool:
        list(pool.map(do, runs.keys(), runs.values()))


def standing(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """What must be the same after the upgrade."""
    return {name: record.get(name) for name in ("Owner", "Epoch", "Stage", "Source", "Twin", "Damage", "Paused")}


def busy(record: Mapping[str, Any]) -> bool:
    """Whether a copy or a turn is under way."""
    copying = record.get("Population", {}).get("M", {}).get("State") == {"S": "running"}
    return copying or "Turn" in record


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.1)


def test_the_installation_cannot_be_removed_while_a_migrated_stack_imports_it(begin: Begin, lab: Lab) -> None:
    run = begin(items=ITEMS, pace=PACE)
    run.to("replicate")
    with pytest.raises(StackFailed, match="in use"):
        delete(lab.account, STACK)
    run.to("populate", "cutover", "cleanup")
    run.finish(turns=1)
