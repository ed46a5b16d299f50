"""Starting and stopping the emulator as a child process."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from botocore.config import Config

from local.cloud import emulator, faults
from local.cloud.account import Account, Credentials
from local.cloud.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 3.0
# What a process needs of its surroundings. Everything else stays outside: the functions' processes inherit what the
# emulator has, and must not see this machine's AWS keys, proxies or Python paths.
KEPT = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "LD_LIBRARY_PATH")


class CloudFailed(RuntimeError):
    """The emulator did not start; the message carries the end of its log."""


class Cloud:
    """A running cloud, for use in a `with` statement; at its end every process of it is gone.

    `folder` keeps the log (`cloud.log`) and everything temporary; without one, a temporary folder that is removed.
    Raises CloudFailed when the cloud is not ready within a minute.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        account: str = "123456789012",
        region: str = "us-east-1",
        port: int | None = None,
        folder: Path | None = None,
        sleep: "Callable[[float], None]" = time.sleep,
    ) -> None:
        self.settings = settings or Settings()
        self.account = account
        self.region = region
        self._port = port
        self._given_folder = folder
        self._sleep = sleep
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder = self._given_folder or Path(tempfile.mkdtemp(prefix="local-cloud-"))
        self._temporary = self._folder / "tmp"
        self._temporary.mkdir(parents=True, exist_ok=True)
        self.log_path = self._folder / "cloud.log"
        self.port = self._port or free_port()  # 0: any
        self._token = f"{emulator.VERSION}-{uuid.uuid4()}".encode()
        self.endpoint = f"http://{HOST}:{self.port}"
        self._home = Account(self.endpoint, self.account, self.region)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                # -c, not an environment variable: functions inherit the environment, and must not find the project
                [sys.executable, "-P", "-c", _START, str(ROOT)],
                cwd=self._folder,
                env=self._environment(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_ready()
        except BaseException:  # an interrupt too: nobody else would stop the process
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self._stop()

    def tenant(self, account: str) -> Account:
        """Another account of this cloud (twelve digits), empty until something is made in it."""
        return Account(self.endpoint, account, self.region)

    def client(self, service: str, credentials: Credentials | None = None, config: Config | None = None) -> Any:
        """A boto3 client of the cloud's first account."""
        return self._home.client(service, credentials, config)

    def assume(self, role_arn: str, session: str = "local") -> Credentials:
        return self._home.assume(role_arn, session)

    def order(self, stack: str, fault: faults.Fault) -> None:
        """The next operation of this stack of the first account meets `fault`."""
        faults.order(self._folder, self.account, stack, fault)

    def wait(self) -> None:
        """Returns when the cloud ends by itself."""
        if self._process:
            self._process.wait()

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return {
            **kept,
            **self.settings.environment(),
            "HOME": str(self._temporary),
            "TMPDIR": str(self._temporary),
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "MINISTACK_REGION": self.region,
            # The emulator sets it while SAM's transform runs, and takes it away again: another transform would miss it.
            "AWS_DEFAULT_REGION": self.region,
            "MINISTACK_ACCOUNT_ID": self.account,
            # Comes back in the health report: whoever else has taken the port in the meantime is not our child.
            "MINISTACK_VERSION": self._token.decode(),
            "AUTH": "true",
            "LAMBDA_EXECUTOR": "local",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": f"unix://{self._temporary}/no-docker.sock",
            "PYTHONUNBUFFERED": "1",
        }

    def _wait_until_ready(self) -> None:
        process = self._process
        assert process is not None  # noqa: S101  # set by the only caller
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise CloudFailed(f"the local cloud ended with code {process.returncode}:\n{self._log_end()}")
            try:
                with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=2) as answer:  # noqa: S310  # http
                    if self._token in answer.read():
                        return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                pass
            self._sleep(0.05)
        raise CloudFailed(f"the local cloud was not ready after {START_SECONDS:.0f} s:\n{self._log_end()}")

    def _log_end(self, lines: int = 20) -> str:
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    def _stop(self) -> None:
        process = self._process
        if process is None:
            return
        self._process = None
        if process.stdin:
            process.stdin.close()  # the child ends its own group when this closes, also when this process is killed
        # The functions' processes are in the child's group; nothing of them is worth a longer farewell.
        _signal_group(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        _signal_group(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(self._temporary if self._given_folder else self._folder, ignore_errors=True)


_START = "import sys; sys.path.insert(0, sys.argv[1]); from local.cloud.server import main; main()"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # everything of it has ended already
        os.killpg(group, number)
