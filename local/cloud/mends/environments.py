"""Environments of functions: ministack starts as many at once as are asked for, each as important as itself.

In Lambda every environment has its own processor. Here all of them share this machine with the emulator, which they
wait for: after an update that replaces every environment, those that start would leave it no time, invocations would
time out, be ended and begin anew, and that would go on for ever. So environments give way to the emulator, and only a
few start at once. Starting does not count towards a function's time limit, in Lambda as here.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

import os
import threading
from typing import TYPE_CHECKING, Any

from local.cloud import emulator

if TYPE_CHECKING:
    from local.cloud.settings import Settings

GIVE_WAY = "import os; os.nice(10)\n"


def mend(_settings: "Settings") -> None:
    runtime = emulator.module("core.lambda_runtime")
    runtime._PYTHON_WORKER_SCRIPT = GIVE_WAY + runtime._PYTHON_WORKER_SCRIPT
    spawn, starting = runtime.Worker._spawn, threading.BoundedSemaphore(os.cpu_count() or 1)

    def spawn_in_turn(worker: Any) -> None:
        with starting:
            spawn(worker)

    runtime.Worker._spawn = spawn_in_turn
