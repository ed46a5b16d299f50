"""dynamodump (PyPI) in an environment of its own, because it pins another boto3: backs a table up and restores it.

What it takes before the first and after the last call is not counted: its start, and 25 s in which it starts 25 threads
a second apart, whatever the table. Run by that environment's Python, this file is the one that starts it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PYTHON = Path(__file__).parents[1] / ".venv-bench" / "bin" / "python"
_MOST_SECONDS = 300


@dataclass(frozen=True)
class Run:
    """What backing up and restoring took together."""

    seconds: float
    processor_seconds: float


def is_there() -> bool:
    """Whether `make bench` has brought it."""
    return PYTHON.exists()


def run(endpoint: str, source: str, destination: str, latency: float) -> Run:
    """Source to files, files to destination, which must be there and empty."""
    address = urlsplit(endpoint)
    with tempfile.TemporaryDirectory() as folder:
        words = [address.hostname or "", str(address.port), source, destination, str(latency), folder]
        done = subprocess.run(
            [PYTHON, "-P", __file__, *words],
            capture_output=True,
            text=True,
            timeout=_MOST_SECONDS,
            cwd=folder,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"dynamodump failed: {done.stderr[-2000:]}")
    return Run(**json.loads(done.stdout.splitlines()[-1]))


def _main(host: str, port: str, source: str, destination: str, latency: str, folder: str) -> None:
    from dynamodump import dynamodump as tool  # type: ignore[import-not-found]  # noqa: PLC0415 - of the other Python

    tool.THREAD_START_DELAY = 0
    make = tool._get_aws_client  # noqa: SLF001 - the only place where the network can be made longer

    def with_latency(**given: Any) -> Any:
        client = make(**given)
        client.meta.events.register("before-send.dynamodb", lambda **_: time.sleep(float(latency)))
        return client

    tool._get_aws_client = with_latency  # noqa: SLF001
    common = ["--host", host, "--port", port, "--region", "us-east-1", "--accessKey", "123456789012"]
    common += ["--secretKey", "bench", "--dumpPath", folder, "--log", "ERROR", "-s", source]
    began, before = time.perf_counter(), time.process_time()
    for words in (
        ["-m", "backup"],
        ["-m", "restore", "-d", destination, "--dataOnly", "--skipThroughputUpdate", "--noConfirm"],
    ):
        sys.argv = ["dynamodump", *words, *common]
        tool.main()
    took = {"seconds": time.perf_counter() - began, "processor_seconds": time.process_time() - before}
    print(json.dumps(took))


if __name__ == "__main__":
    _main(*sys.argv[1:])
