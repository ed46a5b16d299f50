"""The engines that data is measured on, each behind one word or an address.

ministack        the local cloud's emulator
dynamodb-local   AWS's own engine; DYNAMODB_LOCAL names the folder that holds DynamoDBLocal.jar and its libraries
http://…         anything that already runs and speaks DynamoDB
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.cloud import Cloud
from replication.client import items_client

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

NAMES = ("ministack", "dynamodb-local")
_START_SECONDS = 60
_QUIETLY = ("-inMemory", "-disableTelemetry")
_PLAIN = Config(read_timeout=120, max_pool_connections=50)

ACCOUNT: Any = {
    "region_name": "us-east-1",
    "aws_access_key_id": "123456789012",
    "aws_secret_access_key": "bench",
}


class Engine:
    """A running engine."""

    def __init__(self, name: str, endpoint: str, pid: int | None = None) -> None:
        self.name = name
        self.endpoint = endpoint
        self._pid = pid

    def client(self) -> DynamoDBClient:
        """A client as boto3 makes it."""
        return boto3.client("dynamodb", endpoint_url=self.endpoint, config=_PLAIN, **ACCOUNT)

    def ours(self) -> DynamoDBClient:
        """The client by which the replicator reads and writes items."""
        return items_client(endpoint_url=self.endpoint, **ACCOUNT)

    def processor_seconds(self) -> float:
        """What its process has used so far, where that can be seen; 0 elsewhere."""
        if self._pid is None or not Path("/proc/self/stat").exists():
            return 0.0
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def engine(name: str) -> Iterator[Engine]:
    """Starts an engine. Raises RuntimeError when it does not start."""
    if name.startswith("http"):
        yield Engine(name, name)
    elif name == "ministack":
        with Cloud() as cloud:
            yield Engine(name, cloud.endpoint)
    elif name == "dynamodb-local":
        port = _free_port()
        with _started(_command(port), f"http://127.0.0.1:{port}") as started:
            yield started
    else:
        raise RuntimeError(f"{name} is no engine: use one of {', '.join(NAMES)}, or an address.")


def _command(port: int) -> list[str]:
    folder = os.environ.get("DYNAMODB_LOCAL")
    if not folder:
        raise RuntimeError("Set DYNAMODB_LOCAL to the folder with DynamoDBLocal.jar (com.amazonaws:DynamoDBLocal).")
    path = Path(folder).resolve()
    main = "com.amazonaws.services.dynamodbv2.local.main.ServerRunner"
    return ["java", f"-Djava.library.path={path}", "-cp", str(path / "*"), main, *_QUIETLY, "-port", str(port)]


@contextmanager
def _started(command: Sequence[str], endpoint: str) -> Iterator[Engine]:
    # DynamoDB Local writes a file of its own into the folder that it is started in.
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            found = Engine("dynamodb-local", endpoint, process.pid)
            _wait_until_ready(found, process)
            yield found
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def _wait_until_ready(found: Engine, process: subprocess.Popen[bytes]) -> None:
    client = found.client()
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(BotoCoreError, ClientError):
            client.list_tables()
            return
        time.sleep(0.1)
    raise RuntimeError(f"{process.args!r} did not start.")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
