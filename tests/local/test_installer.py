"""Building and deploying the project's template, with a stand-in for SAM that notes how it was called."""

import json
import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local.cloud import Account
from local.cloud.installer import RUNTIME, Builder, InstallationFailed

ROOT = Path(__file__).resolve().parents[2]
SAM = """#!{python}
import json, os, pathlib, sys
with open("calls", "a") as calls:
    seen = {{name: value for name, value in os.environ.items() if name.startswith(("AWS_", "SAM_"))}}
    calls.write(json.dumps({{"arguments": sys.argv[1:], "environment": seen}}) + "\\n")
if os.path.exists("broken"):
    sys.exit("Error: it is broken")
if sys.argv[1] == "build":
    folder = pathlib.Path(sys.argv[sys.argv.index("--build-dir") + 1])
    folder.mkdir()
    (folder / "template.yaml").write_text("built")
"""


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    (tmp_path / "template.yaml").write_text("one")
    (tmp_path / "macro" / "__pycache__").mkdir(parents=True)
    (tmp_path / "macro" / "code.py").write_text("one")
    sam = tmp_path / "sam"
    sam.write_text(SAM.format(python=sys.executable))
    sam.chmod(sam.stat().st_mode | stat.S_IXUSR)
    return Builder(root=tmp_path, sam=sam, cache=tmp_path / "cache")


def calls(builder: Builder) -> list[Any]:
    return [json.loads(line) for line in (builder.root / "calls").read_text().splitlines()]


def test_a_build_is_for_this_python_and_is_made_once(builder: Builder) -> None:
    first = builder.build()
    assert first.read_text() == "built"
    assert builder.build() == first
    (call,) = calls(builder)
    assert call["arguments"][0] == "build"
    assert call["arguments"][-1] == f"Runtime={RUNTIME}"


def test_two_that_want_the_same_build_at_once_get_the_one_that_was_made(builder: Builder) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda one: one.build(), [builder, builder])
    assert first == second
    assert len(calls(builder)) == 1


@pytest.mark.parametrize("changed", ["template.yaml", "macro/code.py", "macro/new.py"])
def test_other_sources_are_another_build(builder: Builder, changed: str) -> None:
    first = builder.build()
    (builder.root / changed).write_text("two")
    assert builder.build() != first


def test_compiled_files_are_no_source(builder: Builder) -> None:
    first = builder.build()
    (builder.root / "macro" / "__pycache__" / "code.pyc").write_text("two")
    assert builder.build() == first


def test_a_deployment_knows_the_cloud_and_nobody_elses_account(builder: Builder) -> None:
    os.environ["SAM_CLI_POLL_DELAY"] = "5"
    try:
        account = Account("http://127.0.0.1:1", "111111111111", "eu-west-1")
        builder.deploy(account, builder.build(), {"SettleSeconds": "1"}, "installer")
    finally:
        del os.environ["SAM_CLI_POLL_DELAY"]
    call = calls(builder)[-1]
    assert call["environment"] == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "111111111111",
        "AWS_SECRET_ACCESS_KEY": "test",
        "SAM_CLI_TELEMETRY": "0",
    }
    arguments = call["arguments"]
    assert arguments[:1] + arguments[-3:] == [
        "deploy",
        "--parameter-overrides",
        f"Runtime={RUNTIME}",
        "SettleSeconds=1",
    ]
    assert arguments[arguments.index("--stack-name") + 1] == "installer"
    assert arguments[arguments.index("--region") + 1] == "eu-west-1"


def test_a_failed_build_says_what_sam_said_and_is_not_kept(builder: Builder) -> None:
    (builder.root / "broken").touch()
    with pytest.raises(InstallationFailed, match="it is broken"):
        builder.build()
    (builder.root / "broken").unlink()
    assert builder.build().exists()


def test_without_sam_the_way_to_get_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").touch()
    with pytest.raises(InstallationFailed, match="make setup"):
        Builder(root=tmp_path, sam=tmp_path / "none", cache=tmp_path / "cache").build()


def test_the_cloud_can_be_run_in_the_foreground() -> None:
    command = [sys.executable, "-m", "local.cloud", "--port", "0", "--policy-spread", "2"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = "".join(iter(process.stdout.readline, "Ctrl-C ends it.\n"))
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(20) == 0
        finally:
            process.kill()
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:" in said
    assert "export AWS_ACCESS_KEY_ID=123456789012 AWS_SECRET_ACCESS_KEY=test" in said
