"""Invocations under way while a function's code or configuration changes: ministack kills them.

Lambda lets them finish in the environment that they began in; only what begins later sees the change.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

import threading
import time
from typing import TYPE_CHECKING, Any

from local.cloud import emulator

if TYPE_CHECKING:
    from local.cloud.settings import Settings

LONGEST_INVOCATION = 900.0


def mend(_settings: "Settings") -> None:
    runtime = emulator.module("core.lambda_runtime")
    kill = runtime.kill_workers

    def kill_idle(workers: list[Any]) -> None:
        there = [worker for worker in workers if worker is not None]
        busy = [worker for worker in there if worker.in_use]
        kill([worker for worker in there if worker not in busy])
        if busy:
            threading.Thread(target=_kill_when_done, args=(kill, busy), daemon=True, name="farewell").start()

    emulator.replace(runtime, "kill_workers", kill_idle)


def _kill_when_done(kill: Any, busy: list[Any]) -> None:
    deadline = time.monotonic() + LONGEST_INVOCATION
    while any(worker.in_use for worker in busy) and time.monotonic() < deadline:
        time.sleep(0.05)
    kill(busy)
