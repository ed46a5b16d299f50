"""How tests wait. No test claims that something is fast: they wait as long as the busiest machine may need."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_SECONDS = 300.0
_PAUSE_SECONDS = 0.1
Answer = TypeVar("Answer")


def eventually(ask: Callable[[], Answer]) -> Answer:
    """What `ask` returns as soon as it is true; fails when it has not become so in time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS:.0f} s"
        time.sleep(_PAUSE_SECONDS)
    return answer
