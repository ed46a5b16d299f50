"""The command line on a whole migration: every screen that a user meets, from the plan to the finished template."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.cli.cloud import Cloud
from local.cloud.stacks import StackFailed, deploy
from local.demo.example import STAGE_PARAMETER, TEMPLATE, Example, parameters
from tests.cli.running import encrypt_migrate
from tests.e2e.conftest import deployed
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.e2e.conftest import Lab

STACK = "command-line"
ITEMS = 300


def test_a_table_is_taken_through_by_what_the_commands_say(lab: Lab, tmp_path: Path) -> None:
    run = partial(encrypt_migrate, cloud=Cloud(lab.account))
    example = Example(lab.account, lab.body, STACK, parameters())

    assert run("plan", TEMPLATE, "--items", ITEMS).code == 0
    assert run("doctor").code == 0
    assert "is being migrated" in run("status", _with_a_plain_stack(example)).said

    example.deploy("replicate")
    _fill(lab, example.the("Users"))
    assert "Next: set the stage to populate" in run("status", STACK).said

    with pytest.raises(StackFailed):
        example.deploy("cutover")
    refused = run("status", STACK)
    assert refused.code == 1
    assert "UsersMigrationGate refused" in refused.said
    assert "has not been populated" in refused.said

    example.deploy("populate")
    eventually(lambda: "Next: set the stage to cutover" in run("status", STACK).said)
    assert f"{ITEMS} items, all equal" in run("status", STACK).said

    deployed(example, "cutover")
    eventually(lambda: "set the stage to cleanup" in run("status", STACK).said)
    assert "owner twin" in run("status", STACK).said

    assert run("repair", STACK, "--yes").code == 0
    eventually(lambda: run("status", STACK, "--json").json["pairs"][0]["jobs"] == [])
    before = run("finish", TEMPLATE, "--stack", STACK)
    assert (before.code, "is at stage cutover, not at cleanup" in before.said) == (1, True)

    example.deploy("cleanup")
    assert "encrypt-migrate finish" in run("status", STACK).said
    file = tmp_path / "template.yaml"
    file.write_text(lab.body)
    assert run("finish", file, "--stack", STACK, "--yes").code == 0
    assert STAGE_PARAMETER not in file.read_text()
    finished = deploy(lab.account, STACK, file.read_text(), parameters())
    assert [(change.action, change.logical_id) for change in finished.changes] == [("Remove", "UsersMigrationGate")]
    assert STACK not in run("status").said


def _with_a_plain_stack(example: Example) -> str:
    """A stack that is not migrated."""
    example.deploy("off")
    return example.name


def _fill(lab: Lab, table: str) -> None:
    client = lab.account.client("dynamodb")
    for first in range(0, ITEMS, 25):
        items = [{"PutRequest": {"Item": {"user": {"S": f"{number:05}"}}}} for number in range(first, first + 25)]
        client.batch_write_item(RequestItems={table: items})
