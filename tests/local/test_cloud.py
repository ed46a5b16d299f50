"""Starting, stopping and keeping accounts apart."""

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from local.cloud import Cloud, CloudFailed, Settings, emulator
from tests.local.lab import Lab
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]


def test_a_cloud_leaves_nothing_behind() -> None:
    with Cloud() as cloud:
        process = cloud._process
        assert process is not None
        log = cloud.log_path
        lab = Lab(cloud.tenant("111111111111"))
        lab.function("echo", "import os\ndef handler(event, context):\n    return os.getpid()\n")
        worker = int(lab.client("lambda").invoke(FunctionName="echo")["Payload"].read())
        os.kill(worker, 0)
    assert process.poll() is not None
    eventually(lambda: not _is_alive(worker))
    assert not log.exists()


def test_a_cloud_whose_parent_is_killed_ends_by_itself(tmp_path: Path) -> None:
    code = (
        "import time; from local.cloud import Cloud\nwith Cloud() as c: print(c.endpoint, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        endpoint = parent.stdout.readline().strip()
        assert _answers(endpoint)
        parent.kill()
        parent.wait()
    eventually(lambda: not _answers(endpoint))


def test_accounts_see_nothing_of_each_other(cloud: Cloud) -> None:
    one, other = Lab(cloud.tenant("222222222221")), Lab(cloud.tenant("222222222222"))
    one.table("Users")
    assert other.client("dynamodb").list_tables()["TableNames"] == []


def test_an_unknown_key_is_refused(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match=r"UnrecognizedClientException|InvalidClientTokenId"):
        cloud.tenant("AKIAUNKNOWNUNKNOWN00").client("dynamodb").list_tables()


def test_functions_see_nothing_of_this_machines_environment(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.function("env", "import os\ndef handler(event, context):\n    return sorted(os.environ)\n")
    names = lab.client("lambda").invoke(FunctionName="env")["Payload"].read().decode()
    assert "PYTHONPATH" not in names
    assert "VIRTUAL_ENV" not in names


def test_it_is_reached_directly_whatever_proxies_the_environment_names(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert cloud.tenant("111111111111").client("sts").get_caller_identity()["Account"] == "111111111111"


def test_another_version_of_the_emulator_is_refused() -> None:
    found, emulator.VERSION = emulator.VERSION, "0.0.0"
    try:
        with pytest.raises(emulator.WrongEmulator, match=r"pip install ministack==0\.0\.0"):
            emulator.check_version()
    finally:
        emulator.VERSION = found


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    with Cloud() as first, pytest.raises(CloudFailed, match="in use"), Cloud(port=first.port, folder=tmp_path):
        pass


def test_a_setting_that_is_no_number_is_named() -> None:
    with pytest.raises(ValueError, match="LOCAL_CLOUD_POLICY_SPREAD must be a number, not 'soon'"):
        Settings.read({"LOCAL_CLOUD_POLICY_SPREAD": "soon"})
    assert Settings.read(Settings(policy_spread=3, shuffle=7).environment()) == Settings(policy_spread=3, shuffle=7)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _answers(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=2):
            return True
    except OSError:
        return False
