"""Looks at an installation: is it whole, is it well, is it allowed enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

from local.cli.cloud import EXPORTS, Cloud, Installation, asking
from local.cli.failures import CloudUnreachable, Refused
from local.cli.findings import Finding, note, problem, well
from local.cli.limits import ACCOUNT_CONCURRENCY, TABLE_QUOTA

_AGAIN = "Deploy the installer again: `sam build && sam deploy` in the project's folder."
_OLDER = "a version before 0.2.0"
_COMPLETE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
_FUNCTIONS = (
    "MacroFunction",
    "ReplicatorFunction",
    "GateFunction",
    "TurnFunction",
    "WorkerFunction",
    "WatchdogFunction",
)
Check = Callable[[Cloud, Installation], Iterator[Finding]]


def examine(cloud: Cloud, installation: Installation, checks: tuple[Check, ...]) -> list[Finding]:
    """Every check's findings; one that AWS does not let us make says so and hinders no other."""
    found: list[Finding] = []
    for check in checks:
        try:
            found += check(cloud, installation)
        except (CloudUnreachable, Refused) as why:
            found.append(note("not looked at", " ".join(why.what)))
    return found


def of_stack(_cloud: Cloud, installation: Installation) -> Iterator[Finding]:
    """Its status, what it exports, and whether it is this version."""
    stack = installation.stack
    if stack.status in _COMPLETE:
        yield well("installer", f"stack {stack.name} is {stack.status}")
    else:
        yield problem("installer", f"stack {stack.name} is {stack.status} {stack.reason}".rstrip(), _AGAIN)
    missing = [name for name in EXPORTS if name not in installation.exports]
    if missing:
        yield problem("exports", f"{', '.join(missing)} missing: migrated stacks cannot be updated", _AGAIN)
    else:
        yield well("exports", "all that migrated stacks import are there")
    absent = [
        name
        for name in (*_FUNCTIONS, "StateTable", "PopulationMachine", "TurnMachine")
        if not installation.resources.get(name)
    ]
    if absent:
        yield problem("resources", f"{', '.join(absent)} missing", _AGAIN)
    here, there = version("encrypt-migrate"), stack.outputs.get("Version", _OLDER)
    if here == there:
        yield well("version", f"{here}, as this command")
    else:
        yield problem(
            "version",
            f"{there} is installed, and this command is {here}",
            "Bring the older one up to the other: an older version may not understand the records of a newer one.",
        )


def of_functions(cloud: Cloud, installation: Installation) -> Iterator[Finding]:
    """Whether each can run, and whether they have room."""
    client = cloud.client("lambda")
    names = {name: installation.resources[name] for name in _FUNCTIONS if installation.resources.get(name)}
    for logical_id, name in names.items():
        with asking(missing=f"Function {name} of the installer is gone. {_AGAIN}"):
            found = client.get_function_configuration(FunctionName=name)
        if found.get("State", "Active") != "Active" or found.get("LastUpdateStatus", "Successful") != "Successful":
            why = found.get("StateReason") or found.get("LastUpdateStatusReason") or "no reason given"
            yield problem("functions", f"{logical_id} cannot run: {why}", _AGAIN)
    yield well("functions", f"{len(names)} looked at")
    with asking():
        limit = client.get_account_settings()["AccountLimit"]
    if limit["ConcurrentExecutions"] < ACCOUNT_CONCURRENCY:
        yield note(
            "concurrency",
            f"the account runs {limit['ConcurrentExecutions']} functions at once; {ACCOUNT_CONCURRENCY:,} are usual",
            "Have it raised (Service Quotas, Lambda) before a large copy, or set the option WriteRate.",
        )


def of_state(cloud: Cloud, installation: Installation) -> Iterator[Finding]:
    """The table that says which of two tables is the true one."""
    client = cloud.client("dynamodb")
    name = installation.state_table
    with asking(missing=f"State table {name} is gone: restore it from its last backup before anything else."):
        table = client.describe_table(TableName=name)["Table"]
        backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    weak = [
        what
        for what, amiss in (
            ("its deletion protection is off", not table.get("DeletionProtectionEnabled")),
            ("it has no point-in-time recovery", recovery != "ENABLED"),
            ("it is not encrypted with the installer's key", table.get("SSEDescription", {}).get("SSEType") != "KMS"),
        )
        if amiss
    ]
    if weak:
        yield problem("state table", f"{name}: {', '.join(weak)}", _AGAIN)
    else:
        yield well("state table", "protected, recoverable, encrypted")
    with asking():
        limits = client.describe_limits()
    if limits["TableMaxWriteCapacityUnits"] < TABLE_QUOTA:
        yield note("quotas", f"a table may have {limits['TableMaxWriteCapacityUnits']} write units per second at most")


def of_alarms(cloud: Cloud, installation: Installation) -> Iterator[Finding]:
    """What rings now."""
    names = [name for logical_id, name in installation.resources.items() if logical_id.endswith("Alarm") and name]
    client = cloud.client("cloudwatch")
    ringing: list[Any] = []
    with asking():
        for at in range(0, len(names), 100):
            ringing += client.describe_alarms(AlarmNames=names[at : at + 100], StateValue="ALARM")["MetricAlarms"]
    for alarm in ringing:
        yield problem(
            "alarms", f"{alarm['AlarmName']} rings: {alarm['StateReason']}", alarm.get("AlarmDescription", "")
        )
    if not ringing:
        yield well("alarms", f"none of {len(names)} rings")
