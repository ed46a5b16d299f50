"""The tooling keeps its promises: locked by hash, no address of a registry in any file that git keeps."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = [
    "requirements.txt",
    "requirements-sam.txt",
    "requirements-audit.txt",
    "macro/requirements.txt",
    "replicator/requirements.txt",
]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_of_a_lock_file_is_pinned_with_its_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    packages = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert packages
    assert [line for line in packages if not re.match(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []


@pytest.mark.parametrize("half", ["macro", "replicator"])
def test_what_lambda_runs_is_what_the_tests_run(half: str) -> None:
    def versions(lock: str) -> set[str]:
        return set(re.findall(r"^[\w.-]+==[^\s;]+", (ROOT / lock).read_text(), re.MULTILINE))

    assert versions(f"{half}/requirements.txt") <= versions("requirements.txt")


def test_no_lock_file_names_a_host() -> None:
    named = [
        lock for lock in LOCKS if re.search(r"https?://|--(extra-)?index-url|--find-links", (ROOT / lock).read_text())
    ]
    assert named == []


def test_the_ci_script_can_be_run() -> None:
    listed = subprocess.run(["git", "ls-files", "-s", ".ci/run"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert listed.stdout.startswith("100755")
