"""The child process: checks the emulator's version, mends it, serves until the parent closes our standard input."""

import os
import signal
import sys
import threading
from typing import Any

from local.cloud import emulator, mends
from local.cloud.settings import Settings


def main() -> None:
    try:
        emulator.check_version()
        settings = Settings.read(os.environ)
    except (emulator.WrongEmulator, ValueError) as error:
        sys.exit(f"error: {error}")
    # The functions' interpreter must find their own packages and the environment's, not this project.
    sys.path = [path for path in sys.path if path]
    threading.Thread(target=_end_with_parent, daemon=True, name="parent").start()
    application: Any = emulator.module("app")
    mends.apply(settings)
    sys.argv = sys.argv[:1]
    application.main()


def _end_with_parent() -> None:
    """A parent that is killed cannot stop us, but its end of the pipe closes."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)
