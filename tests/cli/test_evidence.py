"""`finish --stack`: AWS is asked whether the cleanup is done, and its answers are told in plain words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Account
from tests.cli.test_finish import USERS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "template.yaml"
    path.write_text(USERS)
    return path


def test_a_stack_at_cleanup_is_all_that_is_needed(account: Account, file: Path) -> None:
    account.stacks.deploy("shop", template=USERS, parameters={"EncryptMigrateStage": "cleanup"})
    ran = account.run("finish", file, "--stack", "shop", "--json", "--yes")
    assert (ran.code, ran.json["evidence"]) == (0, "stack shop is UPDATE_COMPLETE at stage cleanup")


def test_what_is_deployed_counts_and_not_what_the_file_asks_for(account: Account, file: Path) -> None:
    account.stacks.deploy("shop", template=USERS, parameters={"EncryptMigrateStage": "cutover"})
    ran = account.run("finish", file, "--stack", "shop", "--yes")
    assert (ran.code, "Stack shop is at stage cutover, not at cleanup" in ran.said) == (1, True)
    assert file.read_text() == USERS


def test_a_cleanup_that_is_not_done_or_rolled_back_does_not_count(account: Account, file: Path) -> None:
    parameters = {"EncryptMigrateStage": "cleanup"}
    account.stacks.deploy("shop", template=USERS, parameters=parameters, status="UPDATE_ROLLBACK_COMPLETE")
    ran = account.run("finish", file, "--stack", "shop", "--yes")
    assert (ran.code, "its cleanup is not done" in ran.said) == (1, True)


def test_a_file_whose_tables_are_not_those_deployed_is_refused(account: Account, file: Path) -> None:
    deployed = USERS.replace("BillingMode: PAY_PER_REQUEST", "BillingMode: PROVISIONED", 1)
    account.stacks.deploy("shop", template=deployed, parameters={"EncryptMigrateStage": "cleanup"})
    ran = account.run("finish", file, "--stack", "shop", "--yes")
    assert (ran.code, "is not what is deployed in shop" in ran.said) == (1, True)


def test_what_sam_notes_in_the_template_that_it_uploads_is_no_difference(account: Account, file: Path) -> None:
    deployed = USERS.replace("      Owner: team-a\n", "      Owner: team-a\n      SamResourceId: Users\n")
    assert deployed != USERS
    account.stacks.deploy("shop", template=deployed, parameters={"EncryptMigrateStage": "cleanup"})
    assert account.run("finish", file, "--stack", "shop", "--yes").code == 0


def test_a_stack_that_is_not_there_is_told(account: Account, file: Path) -> None:
    ran = account.run("finish", file, "--stack", "nowhere", "--yes")
    assert (ran.code, "There is no stack nowhere" in ran.said) == (1, True)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AccessDenied", "AWS does not let you DescribeStacks"),
        ("ExpiredToken", "credentials are not valid any more (ExpiredToken). Log in again"),
        ("InternalFailure", "AWS answered DescribeStacks with InternalFailure"),
    ],
)
def test_what_aws_refuses_has_an_exit_code_of_its_own(account: Account, file: Path, code: str, said: str) -> None:
    account.stacks.refuses = code
    ran = account.run("finish", file, "--stack", "shop", "--yes")
    assert (ran.code, said in ran.said) == (4, True)
