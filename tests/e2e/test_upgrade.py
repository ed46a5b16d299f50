"""The installation is upgraded in the middle of migrations, at every stage and on the way between two, under traffic.

`tests/earlier` keeps what released versions were, see docs/releasing.md; the newest of them is installed first.
"""

import tarfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from local.cloud import Account, Cloud, Settings
from local.cloud.installer import ROOT, STACK, Builder
from local.cloud.stacks import outputs
from local.demo.example import package
from local.demo.journey import WAITS
from local.traffic.history import Outcome
from tests.e2e.conftest import Begin, Lab, Run, changed, deployed
from tests.waiting import eventually

STAGES = ("replicate", "populate", "cutover")
ITEMS = 60
COPIED_PER_SECOND = 3  # where a copy, and the comparison with it, must still be under way after the upgrade
TRAFFIC = {"items": ITEMS, "clients": 2, "pace": 0.3}  # there are as many stacks as migrations


@dataclass(frozen=True)
class Migration:
    """Where a stack stands before the upgrade, what it begins just then (if anything), and where it goes afterwards."""

    reached: str
    meanwhile: str
    afterwards: tuple[str, ...]
    turns: int


COPYING = Migration("replicate", "populate", ("cutover", "cleanup"), turns=1)
TURNING = Migration("populate", "cutover", ("cleanup",), turns=1)
AT_REST = (
    Migration("replicate", "", ("populate", "cutover", "cleanup"), turns=1),
    Migration("populate", "", ("cutover", "cleanup"), turns=1),
    Migration("cutover", "", ("populate", "cutover", "cleanup"), turns=3),
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A cloud of its own, with the earlier version in it."""
    root = earlier()
    with Cloud(Settings(schedule_minute=10.0, shuffle=1), folder=tmp_path_factory.mktemp("upgraded")) as cloud:
        builder = Builder(root=root, cache=root / ".aws-sam" / "local")
        builder.deploy(cloud, builder.build(), WAITS, STACK)
        account = cloud.tenant(cloud.account)
        installed = outputs(account, STACK)
        bucket = installed["FailedRecordsBucketArn"].rpartition(":")[2]
        yield Lab(cloud, account, installed["StateTable"], bucket, package(account))


def earlier() -> Path:
    """The newest released version, unpacked where builds are kept."""
    archive = max((ROOT / "tests" / "earlier").glob("*.tar.gz"), key=number_of)
    folder = ROOT / ".aws-sam" / "earlier" / archive.name.removesuffix(".tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder


def number_of(archive: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in archive.name.removesuffix(".tar.gz").split("."))


def test_an_upgrade_in_the_middle_of_migrations_loses_nothing(begin: Begin, lab: Lab) -> None:
    resting = {each: begin(**TRAFFIC) for each in AT_REST}
    moving = {
        COPYING: begin(**TRAFFIC, body=changed(lab.body, slow_copy)),
        TURNING: begin(**TRAFFIC),
    }
    at_once({**resting, **moving}, reach)
    newer = prepared(lab.account)
    stood, refused, exported = standings(resting), refusals(resting), exports(lab.account)

    with ThreadPoolExecutor(len(moving)) as pool:
        updates = {COPYING: begun(COPYING, moving, pool)}
        updates[TURNING] = begun(TURNING, moving, pool)
        execute(lab.account, newer)
        assert not updates[COPYING].done()
        assert outputs(lab.account, STACK)["Version"] == version("encrypt-migrate")
        assert exported.items() <= exports(lab.account).items()
        assert changes(stood, standings(resting)) == []

        at_once(resting, the_same_stage_again)
        assert changes(stood, standings(resting)) == []
        assert refusals(resting) == refused

        def go_on(migration: Migration, run: Run) -> None:
            if migration in updates:
                updates[migration].result()
                the_same_stage_again(migration, run)
            to_the_end(migration, run)

        at_once({**resting, **moving}, go_on)


def reach(migration: Migration, run: Run) -> None:
    for stage in STAGES[: STAGES.index(migration.reached) + 1]:
        patiently(run, stage)


def patiently(run: Run, stage: str) -> None:
    """0.1.0 takes for different what its mirror is late with, and then asks for the copy to be made anew."""
    deployed(run.example, stage, ("MigrationGate", "UsersPopulation"))


def prepared(account: Account) -> str:
    """The change set of the upgrade to this version: what is under way must not wait for SAM."""
    builder = Builder()
    builder.deploy(account, builder.build(), WAITS, STACK, "--no-execute-changeset")
    there = account.client("cloudformation").list_change_sets(StackName=STACK)["Summaries"]
    [waiting] = [found["ChangeSetId"] for found in there if found["ExecutionStatus"] == "AVAILABLE"]
    return str(waiting)


def execute(account: Account, change_set: str) -> None:
    client = account.client("cloudformation")
    client.execute_change_set(ChangeSetName=change_set, StackName=STACK)
    client.get_waiter("stack_update_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 900})


def begun(migration: Migration, runs: Mapping[Migration, Run], pool: ThreadPoolExecutor) -> Future[Any]:
    """The update that this migration makes meanwhile, as soon as its copy or its turn is under way."""
    run = runs[migration]
    update = pool.submit(patiently, run, migration.meanwhile)
    eventually(lambda: update.done() or busy(run.record()))
    assert not update.done(), update.result()
    return update


def the_same_stage_again(migration: Migration, run: Run) -> None:
    """An update with what the new macro makes of the template, and with a change that the gate is called for."""
    stage = migration.meanwhile or migration.reached
    result = run.example.deploy(stage, body=changed(run.example.body, own_policy))
    assert "UsersMigrationGate" in {change.logical_id for change in result.changes}


def to_the_end(migration: Migration, run: Run) -> None:
    for stage in migration.afterwards:
        if stage == "cleanup":
            run.compare_at_rest()
        run.insist(stage)
    run.finish(turns=migration.turns)


def at_once(runs: Mapping[Migration, Run], do: Callable[[Migration, Run], None]) -> None:
    with ThreadPoolExecutor(len(runs)) as pool:
        list(pool.map(do, runs.keys(), runs.values()))


def slow_copy(template: Any) -> None:
    template["Resources"]["Users"]["Metadata"] = {"EncryptMigrate": {"WriteRate": COPIED_PER_SECOND}}


def own_policy(template: Any) -> None:
    """A policy that EncryptMigrate's own stands beside: a change of it reaches the gate."""
    anybody = {"Effect": "Allow", "Principal": "*", "Action": "dynamodb:DescribeTable", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [{"Sid": "Look", **anybody}]}
    template["Resources"]["Users"]["Properties"]["ResourcePolicy"] = {"PolicyDocument": document}


def busy(record: Mapping[str, Any]) -> bool:
    """Whether a copy or a turn is under way."""
    copying = record.get("Population", {}).get("M", {}).get("State") == {"S": "running"}
    return copying or "Turn" in record


def standings(runs: Mapping[Migration, Run]) -> list[Mapping[str, Any]]:
    """What neither an upgrade nor an update at the same stage changes."""
    names = ("Owner", "Epoch", "Stage", "Source", "Twin", "Damage", "Paused")
    return [{name: run.record().get(name) for name in names} for run in runs.values()]


def changes(before: list[Mapping[str, Any]], after: list[Mapping[str, Any]]) -> list[tuple[str, Any, Any]]:
    """What is not as it was: its name, how it was, and how it is."""
    pairs = zip(before, after, strict=True)
    return [(name, was[name], now[name]) for was, now in pairs for name in was if was[name] != now[name]]


def refusals(runs: Mapping[Migration, Run]) -> list[int]:
    return [run.traffic.count(Outcome.REFUSED) for run in runs.values()]


def exports(account: Account) -> Mapping[str, str]:
    """What migrated stacks may import."""
    pages = account.client("cloudformation").get_paginator("list_exports").paginate()
    found = {export["Name"]: export["Value"] for page in pages for export in page["Exports"]}
    return {name: value for name, value in found.items() if name.startswith("EncryptMigrate-")}
