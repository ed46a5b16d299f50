"""A short run, made up: one turn to the twin, refused writes around it."""

import time
from collections.abc import Sequence
from dataclasses import replace

from local.demo.run import Look, Run, StageTime
from local.demo.watch import Sealed, Seen
from local.traffic.check import check
from local.traffic.history import Call, Op, Outcome
from local.traffic.traffic import LOADER
from replication.register import Progress

SOURCE, TWIN = "Users-1", "UsersEncrypted-1"


def put(number: int, value: str, start: float, end: float, outcome: Outcome = Outcome.ACKNOWLEDGED) -> Call:
    return Call(number, "a", Op.PUT, "PutItem", "k", SOURCE, start, end, outcome, value=value)


# On the clock of the history: the clients begin at 100.
CALLS = (
    replace(put(1, "loaded", 98.0, 99.0), client=LOADER),
    put(2, "red", 100.0, 100.5),
    put(3, "green", 100.9, 101.2),
    put(4, "blue", 104.0, 104.1, Outcome.REFUSED),
    put(5, "blue", 106.0, 106.1, Outcome.REFUSED),
    replace(put(6, "blue", 107.0, 107.5), table=TWIN),
    replace(put(7, "blue", 109.0, 109.5), op=Op.READ, via="GetItem", table=TWIN),
)


def made_up(calls: Sequence[Call] = CALLS, final: str = "blue") -> Run:
    epoch = time.time() - time.monotonic()
    verdict = check(calls, {"k": final}, turns=1)
    stages = (
        StageTime("set-up", 90.0, 8.0),
        StageTime("2 populate", 98.0, 5.0, "2"),
        StageTime("3 cutover", 103.0, 6.5, "3"),
    )
    early, late = Progress(epoch + 101.5, 0.3, None), Progress(epoch + 102.5, 0.6, None)
    looks = (
        Look(101.0, Seen("source", 2, copied=10)),
        Look(101.6, Seen("source", 2, copied=20, compared=5, to_twin=early)),
        Look(102.0, Seen("source", 2, copied=20, compared=20, to_twin=early)),
        Look(102.6, Seen("source", 2, copied=20, compared=20, to_twin=late)),
    )
    turns = (Sealed("twin", sealed_at=epoch + 103.5, opened_at=epoch + 106.5),)
    return Run(7, verdict, calls, SOURCE, stages, turns, looks)
