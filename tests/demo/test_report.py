"""The figures at the end of the demo come from the check of the history."""

import time
from io import StringIO

from rich.console import Console

from local.demo.report import print_report
from local.demo.run import Run, StageTime
from local.demo.screen import Screen
from local.demo.watch import Sealed, Seen
from local.traffic.check import check
from local.traffic.history import Call, Op, Outcome


def put(number: int, value: str, start: float, end: float, outcome: Outcome = Outcome.ACKNOWLEDGED) -> Call:
    return Call(number, "a", Op.PUT, "PutItem", "k", "Users", start, end, outcome, value=value)


def rows(text: str) -> dict[str, list[str]]:
    """The cells behind each row's title."""
    cells = [[cell.strip() for cell in line.strip("│┃ ").split("│")] for line in text.splitlines() if "│" in line]
    return {title: rest for title, *rest in cells}


def report(calls: list[Call], final: dict[str, str]) -> str:
    output = StringIO()
    now = time.time() - time.monotonic()
    turns = [Sealed("twin", sealed_at=now + 10, opened_at=now + 14)]
    run = Run(7, check(calls, final), calls, "Users", [StageTime("1 replicate", 1.0, 2.5)], turns, ())
    print_report(Console(file=output, width=120), run)
    return output.getvalue()


def test_refusals_and_their_seconds_are_told_apart_by_turn_and_deployment() -> None:
    calls = [put(1, "red", 0, 1), put(2, "blue", 10, 11, Outcome.REFUSED), put(3, "blue", 15, 16)]
    told = rows(report(calls, {"k": "blue"}))
    assert told["writes acknowledged"] == ["2"]
    assert told["writes refused and tried again"] == ["1"]
    assert told["seconds in which writes were refused"] == ["6.0"]
    assert told["writes lost"] == ["0"]
    assert told["twin"] == ["4.0", "2.0", "6.0"]
    assert told["1 replicate"] == ["2.5"]


def test_a_lost_write_is_counted_and_named() -> None:
    text = report([put(1, "red", 0, 1), put(2, "blue", 2, 3)], {"k": "red"})
    assert rows(text)["writes lost"] == ["1"]
    assert "blue" in text


def test_without_a_terminal_the_screen_writes_plain_lines() -> None:
    output = StringIO()
    with Screen(Console(file=output, width=100), items=10) as screen:
        screen.stage("1 replicate")
        screen.seen(Seen("source", 1))
        screen.writes(7, 2)
    assert "1 replicate" in output.getvalue()
    assert "7 writes acknowledged, 2 refused and tried again" in output.getvalue()
    assert "\x1b" not in output.getvalue()
