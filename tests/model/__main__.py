"""Prints what the model finds.

python -m tests.model                 the protocol within all its bounds, and the story of each simpler one
python -m tests.model look hold       only what happens without these protections
python -m tests.model --deep          wider bounds as well: minutes to hours, gigabytes
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

from tests.model import copying, whole
from tests.model.explorer import Outcome
from tests.model.protocol import Protocol
from tests.model.variants import BEYOND, DEEP, SECOND_LINES, VARIANTS, WITHIN
from tests.model.world import World


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 when the protocol does not hold, or a simpler one does."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description="Explores the protocol's model.")
    names = sorted({variant.without for variant in VARIANTS})
    parser.add_argument("without", nargs="*", help=f"tell only what happens without: {', '.join(names)}")
    parser.add_argument("--deep", action="store_true", help="explore wider bounds as well")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.without) - set(names):
        parser.error(f"no such protection: {', '.join(sorted(unknown))}")
    surprises = 0 if chosen.without else _holding(deep=chosen.deep)
    return 1 if surprises + _broken(chosen.without) else 0


def _holding(*, deep: bool) -> int:
    surprises = 0
    _say("THE PROTOCOL, for any number of writes and turns")
    for bounds in (*WITHIN, *BEYOND, *(DEEP if deep else ())):
        surprises += _tell(bounds.name, partial(whole.check, Protocol(), bounds)) is not None
    _say("COPYING A LIVE TABLE")
    for way in copying.WAYS:
        fault = _tell(way, partial(copying.check, way))
        surprises += (fault is None) != (way == copying.LOOK_AGAIN)
    return surprises


def _broken(only: Sequence[str]) -> int:
    surprises = 0
    _say("WITHOUT ONE PROTECTION")
    for variant in VARIANTS:
        if not only or variant.without in only:
            fault = _tell(variant.without, partial(whole.check, variant.protocol, variant.bounds))
            surprises += fault is None or variant.fault not in fault
    if not only:
        _say("WITHOUT A SECOND LINE OF DEFENCE")
        for name, bounds in SECOND_LINES:
            surprises += _tell(name, partial(whole.check, Protocol(**{name: False}), bounds)) is not None
    return surprises


def _tell(name: str, run: Callable[[], Outcome[World]] | Callable[[], Outcome[copying.Table]]) -> str | None:
    began = time.monotonic()
    outcome = run()
    took = time.monotonic() - began
    _say(f"  {name:46} {outcome.states:>9,} states {took:6.1f} s  {outcome.fault or 'holds'}")
    for number, step in enumerate(outcome.story, 1):
        _say(f"      {number:2} {step}")
    return outcome.fault


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
