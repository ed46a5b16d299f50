"""Whole migrations under traffic in which updates fail, at every resource, in any order: no write is lost.

Each seed is a run of its own; several go on at once, in one cloud. Ten of them fail at every resource; with the
environment variable FAULT_RUNS there are more or fewer. `-k seed-07` makes that one again by itself, and
`--log-cli-level=INFO` tells what happened in each.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local.cloud.stacks import StackFailed
from local.traffic.check import Verdict
from tests.e2e.conftest import PAUSE, TRIES, Lab, Run, running
from tests.e2e.journeys import CHANGED, Leg, journey, template

log = logging.getLogger(__name__)

SEEDS = range(1, int(os.environ.get("FAULT_RUNS", "10")) + 1)
AT_ONCE = 3
ORDERS = 12


@dataclass
class Outcome:
    """What a run came to, and what it was about."""

    seed: int
    legs: list[str] = field(default_factory=list)
    turns: int = 0
    verdict: Verdict | None = None


@pytest.fixture(scope="module")
def outcomes(
    lab: Lab, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[int, Future[Outcome]]]:
    """All runs that are asked for, under way."""
    folder = tmp_path_factory.mktemp("faults")
    calls = [getattr(item, "callspec", None) for item in request.session.items if item.path == request.path]
    seeds = [call.params["seed"] for call in calls if call is not None]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        body = template(lab.body)
        yield {seed: pool.submit(migrate, lab, folder, body, seed) for seed in seeds}
        pool.shutdown(cancel_futures=True)


def migrate(lab: Lab, folder: Path, body: str, seed: int) -> Outcome:
    """One run. Whatever goes wrong in it carries the seed and the legs so far."""
    outcome = Outcome(seed)
    try:
        with running(lab, folder, f"faults-{seed}", items=80, body=body, seed=seed, clients=4, pace=0.2) as run:
            put_orders(run)
            for leg in journey(seed):
                if leg.stage == "cleanup" and not run.at_rest:
                    run.compare_at_rest()
                take(run, leg, outcome)
            outcome.turns = run.epoch()
            outcome.verdict = run.finish(turns=outcome.turns)
            assert orders(run, "OrdersEncrypted") == ORDERS
    except BaseException as error:
        error.add_note(f"seed {seed}, by itself: pytest tests/e2e/test_faults.py -k seed-{seed:02}")
        error.add_note("\n".join(outcome.legs))
        raise
    return outcome


def take(run: Run, leg: Leg, outcome: Outcome) -> None:
    """Deploy one leg, again while a gate asks for patience."""
    for _ in range(TRIES):
        began = time.monotonic()
        told = fail(run, leg) if leg.fault else succeed(run, leg)
        outcome.legs.append(f"{leg}: {told or 'as it must'} ({time.monotonic() - began:.0f} s)")
        if not told:
            return
        time.sleep(PAUSE)
    raise AssertionError(f"{leg}: refused {TRIES} times")


def succeed(run: Run, leg: Leg) -> str:
    """Empty, or the gate's refusal."""
    try:
        run.example.deploy(leg.stage)
    except StackFailed as refusal:
        return gates(refusal)
    return ""


def fail(run: Run, leg: Leg) -> str:
    """The same of an update that fails where it was ordered to, and leaves the pair and the service as they were."""
    assert leg.fault
    before = owner(run), run.traffic.service.table()
    run.lab.cloud.order(run.example.name, leg.fault)
    with pytest.raises(StackFailed) as failure:
        run.example.deploy(leg.stage)
    assert failure.value.status == "UPDATE_ROLLBACK_COMPLETE", (failure.value.reason, failure.value.events)
    if leg.fault.reason not in failure.value.reason:
        return gates(failure.value)
    assert run.traffic.service.table() == before[1]
    if (
        "Paused" not in run.record()
    ):  # a rollback to the twin that wants for evidence is named, and the next leg heals it
        assert owner(run) == before[0]
    return ""


def gates(failure: StackFailed) -> str:
    """The reason of a gate; any other is raised."""
    if "MigrationGate" not in failure.reason or "Received response status [FAILED]" not in failure.reason:
        raise failure
    return failure.reason


def owner(run: Run) -> str:
    return run.owner() if run.record() else "source"


def put_orders(run: Run) -> None:
    dynamodb, table = run.lab.account.client("dynamodb"), run.example.the("Orders")
    for number in range(ORDERS):
        dynamodb.put_item(TableName=table, Item={"order": {"S": str(number)}})


def orders(run: Run, logical_id: str) -> int:
    found = run.lab.account.client("dynamodb").scan(TableName=run.example.the(logical_id), ConsistentRead=True)
    return len(found["Items"])


@pytest.mark.parametrize("seed", [pytest.param(seed, id=f"seed-{seed:02}") for seed in SEEDS])
def test_a_migration_whose_updates_fail_loses_no_write(
    seed: int, outcomes: dict[int, Future[Outcome]], record_property: Callable[[str, object], None]
) -> None:
    outcome = outcomes[seed].result()
    assert outcome.verdict
    refused = outcome.verdict.refusals
    log.info("seed %d\n  %s", seed, "\n  ".join(outcome.legs))
    record_property(
        "told",
        f"updates that fail, seed {seed}: {sum(leg.fault is not None for leg in journey(seed))} faults, "
        f"{outcome.verdict.acknowledged:,} writes acknowledged, {refused.writes:,} refused in {refused.seconds:.0f} s, "
        f"{outcome.turns} turns",
    )
    assert outcome.verdict.clean


def test_ten_runs_fail_at_every_resource_that_changes() -> None:
    failing: dict[str, set[str]] = {}
    for seed in range(1, 11):
        at = ""
        for leg in journey(seed):
            if leg.fault:
                kind = "back" if leg.stage == "populate" and at == "cutover" else leg.stage
                failing.setdefault(kind, set()).add(leg.fault.logical_id)
            else:
                at = leg.stage
    assert failing == {leg: set(among) for leg, among in CHANGED.items()}
