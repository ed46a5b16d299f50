"""One cloud with the installer, built from the project's own template, for all runs; every run has its own stack."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from local.cli.cloud import Cloud as CommandCloud
from local.cloud import Account, Cloud, Settings
from local.cloud.installer import build_and_deploy
from local.cloud.stacks import Result, StackFailed
from local.demo.example import Example, package, parameters
from local.demo.journey import WAITS, both_at_rest
from local.traffic.check import Contents, Kind, Verdict, check
from local.traffic.client import Keys
from local.traffic.history import Outcome
from local.traffic.service import trust_account
from local.traffic.traffic import Traffic
from tests.cli.running import Ran, encrypt_migrate
from tests.waiting import eventually

_numbers = itertools.count(1)
TRIES, PAUSE = 12, 10.0  # a gate may ask for evidence that comes with time
LATE = ("wait until it has caught up", "did not settle")


@dataclass(frozen=True, slots=True)
class Lab:
    """The account with the installer in it, and the packaged template of the example."""

    cloud: Cloud
    account: Account
    state_table: str
    bucket: str  # of records that could not be mirrored
    body: str

    def slip_in(self, table: str, item: Mapping[str, Any]) -> None:
        """Put an item into the table that follows, with the rights of the mirror."""
        functions, iam = self.account.client("lambda"), self.account.client("iam")
        role = functions.get_function_configuration(FunctionName="encrypt-migrate-Replicator")["Role"]
        trust_account(iam, role)
        replicator = self.account.client("dynamodb", self.account.assume(role))
        replicator.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}}]})

    @contextmanager
    def setting(self, function: str, **variables: str) -> Iterator[None]:
        """One of the installation's functions has other settings for a while."""
        functions, name = self.account.client("lambda"), f"encrypt-migrate-{function}"
        before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": before | variables})
        try:
            yield
        finally:
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    # The watchdog's minute is ten seconds here. Stacks begin and roll back in any order that dependencies allow.
    with Cloud(Settings(schedule_minute=10.0, shuffle=1), folder=tmp_path_factory.mktemp("cloud")) as cloud:
        installed = build_and_deploy(cloud, WAITS)
        account = cloud.tenant(cloud.account)
        bucket = installed["FailedRecordsBucketArn"].rpartition(":")[2]
        yield Lab(cloud, account, installed["StateTable"], bucket, package(account))


@dataclass(slots=True)
class Run:
    """One stack of the example under live traffic."""

    lab: Lab
    example: Example
    traffic: Traffic
    keys: Keys
    stack_id: str
    at_rest: list[tuple[Contents, Contents]] = field(default_factory=list)

    def to(self, *stages: str) -> Result:
        """Deploy one stage after the other, again where a gate only finds the mirror late: this machine may be busy.

        The last one's result.
        """
        results = [deployed(self.example, stage) for stage in stages]
        return results[-1]

    def insist(self, stage: str) -> None:
        """Deploy a stage, again whatever its gate asks for."""
        deployed(self.example, stage, ("MigrationGate",))

    def refused(self, stage: str, body: str | None = None) -> str:
        """Deploy a stage that must fail, roll back, and cost the traffic nothing; the reason."""
        before = self.traffic.count(Outcome.REFUSED)
        reason = self.fails(stage, body)
        assert self.traffic.count(Outcome.REFUSED) == before
        return reason

    def fails(self, stage: str, body: str | None = None) -> str:
        with pytest.raises(StackFailed) as failure:
            self.example.deploy(stage, body=body)
        assert failure.value.status == "UPDATE_ROLLBACK_COMPLETE", (failure.value.reason, failure.value.events)
        return failure.value.reason

    @property
    def pair(self) -> str:
        return f"{self.stack_id.rpartition('/')[2]}/Users"

    def record(self) -> Mapping[str, Any]:
        """The pair's record in the state table, in wire format; empty when there is none."""
        key = {"Pair": {"S": self.pair}, "Item": {"S": "pair"}}
        dynamodb = self.lab.account.client("dynamodb")
        found: Mapping[str, Any] = dynamodb.get_item(TableName=self.lab.state_table, Key=key, ConsistentRead=True)
        item: Mapping[str, Any] = found.get("Item", {})
        return item

    def command(self, *arguments: object, answers: str = "") -> Ran:
        """A command of encrypt-migrate, on this account; `answers` is what is typed."""
        return encrypt_migrate(*arguments, answers=answers, cloud=CommandCloud(self.lab.account))

    def status(self) -> str:
        """What a person sees of this stack's migration."""
        return self.command("status", self.example.name).said

    def repair(self) -> None:
        """Bring over what differs, and wait until the tables have been found equal."""
        began = time.time()
        assert self.command("repair", self.example.name, "--yes").code == 0
        eventually(lambda: self.compared(began) == 0)

    def compared(self, since: float) -> int | None:
        """How many keys the last comparison found different, if it began after `since`."""
        found = self.record().get("Comparison", {}).get("M")
        if found is None or float(found["StartedAt"]["N"]) < since or found["State"]["S"] != "complete":
            return None
        return int(found["Differences"]["N"]) if "Differences" in found else 0

    def owner(self) -> str:
        return str(self.record()["Owner"]["S"])

    def epoch(self) -> int:
        """How often the owner has changed."""
        return int(self.record()["Epoch"]["N"])

    def wait_for_the_turn(self) -> None:
        """An update is answered when its turn has opened the new owner; the old one is held closed a while longer."""
        eventually(lambda: "Turn" not in self.record())

    def compare_at_rest(self) -> None:
        """Look at both tables while nobody writes; `finish` judges what was seen."""
        with self.traffic.paused():
            self.at_rest.append(both_at_rest(self.traffic, self.example))

    def finish(self, *, turns: int, late_reads: bool = False, refused_reads: bool = False) -> Verdict:
        """Stop the traffic; every write must be accounted for in the table that the service uses now.

        `late_reads`: a client may for a moment have read the table that follows after it wrote the other one;
        `refused_reads`: the service's role may have lost its table for a while.
        """
        self.traffic.stop()
        final = self.traffic.contents(self.traffic.service.table())
        verdict = check(self.traffic.calls(), final, turns=turns, at_rest=self.at_rest)
        forgiven = {Kind.MISSED_OWN_WRITE, Kind.WENT_BACK} if late_reads else set()
        forgiven |= {Kind.FAILED_READ} if refused_reads else set()
        findings = [finding for finding in verdict.findings if finding.kind not in forgiven]
        assert not findings, findings[:10]
        assert verdict.acknowledged > len(self.keys.items)
        return verdict


def deployed(example: Example, stage: str, reasons: tuple[str, ...] = LATE) -> Result:
    """Deploy a stage, and after a while again where that fails for one of these reasons."""
    for _ in range(TRIES - 1):
        try:
            return example.deploy(stage)
        except StackFailed as refusal:
            if not any(reason in refusal.reason for reason in reasons):
                raise
        time.sleep(PAUSE)
    return example.deploy(stage)


@contextmanager
def running(
    lab: Lab,
    folder: Path,
    name: str,
    *,
    items: int = 200,
    body: str | None = None,
    seed: int = 1,
    clients: int = 8,
    pace: float = 0.05,
) -> Iterator[Run]:
    """The example as stack `name` at stage off, items in it, clients at work until the end."""
    example = Example(lab.account, body or lab.body, name, parameters())
    created = example.deploy("off")
    (folder / name).mkdir()
    with Traffic(lab.account, example.the("Api"), folder / name, seed, clients, pace) as traffic:
        keys = traffic.load(items)
        traffic.start(keys)
        yield Run(lab, example, traffic, keys, created.stack_id)


Begin = Callable[..., Run]


@pytest.fixture
def begin(lab: Lab, tmp_path: Path) -> Iterator[Begin]:
    """Starts runs, under a name of their own; the arguments are those of `running`."""
    with ExitStack() as all_of_them:
        yield lambda **options: all_of_them.enter_context(running(lab, tmp_path, f"users-{next(_numbers)}", **options))


def changed(body: str, change: Callable[[Any], None]) -> str:
    """A template with a change made to it; tags and order stay."""
    yaml = YAML()
    yaml.preserve_quotes = True  # 'off' without its quotes would be False to CloudFormation
    template = yaml.load(body)
    change(template)
    out = StringIO()
    yaml.dump(template, out)
    return out.getvalue()
