"""The demo's own journey: 0 → 1 → 2 → 3 → 2 → 3 → 4, one refusal on the way, every write accounted for."""

from io import StringIO
from pathlib import Path

from rich.console import Console

from local.demo.journey import STEPS, Journey
from local.demo.report import print_report
from local.demo.screen import Screen
from tests.e2e.conftest import Lab


def test_a_live_table_goes_there_and_back_and_to_the_end_without_a_lost_write(lab: Lab, tmp_path: Path) -> None:
    output = StringIO()
    console = Console(file=output, width=120)
    with Screen(console, 1000) as screen:
        journey = Journey(lab.cloud, screen, tmp_path, seed=1)
        run = journey.run()
    print_report(console, run)
    verdict = run.verdict
    assert verdict.clean, output.getvalue()
    assert verdict.acknowledged > 2000
    assert verdict.refusals.writes > 0
    assert [turn.to for turn in run.turns] == ["twin", "source", "twin"]
    assert len(run.stages) > len(STEPS)
