"""What the time line of a run says, in seconds since the clients began."""

import pytest

from local.demo.timeline import Timeline, timeline
from tests.demo.runs import made_up


@pytest.fixture(scope="module")
def line() -> Timeline:
    return timeline(made_up())


def test_writes_are_counted_in_the_second_in_which_they_were_answered(line: Timeline) -> None:
    assert line.width == 1
    assert [(bar.source, bar.twin) for bar in line.bars] == [(1, 0), (1, 0), *[(0, 0)] * 5, (0, 1), (0, 0), (0, 0)]
    assert [bar.refused_source for bar in line.bars] == [0, 0, 0, 0, 1, 0, 1, 0, 0, 0]


def test_what_was_loaded_before_the_clients_began_is_left_out(line: Timeline) -> None:
    assert sum(bar.acknowledged for bar in line.bars) == 3


def test_a_stage_has_the_writes_that_were_answered_in_it(line: Timeline) -> None:
    shown = [(stage.span.label, stage.acknowledged, stage.refused) for stage in line.stages]
    assert shown == [("2 populate", 2, 0), ("3 cutover", 1, 2)]


def test_between_seal_and_opening_no_table_takes_writes(line: Timeline) -> None:
    spans = [(round(span.start, 2), round(span.end, 2), span.label) for span in line.open]
    assert spans == [(0.0, 3.5, "source"), (3.5, 6.5, ""), (6.5, 9.5, "twin")]


def test_clients_are_refused_until_the_first_write_that_is_let_in(line: Timeline) -> None:
    assert [(span.start, span.end) for span in line.refusing] == [(4.0, 7.5)]


def test_each_batch_of_the_mirror_is_drawn_once(line: Timeline) -> None:
    assert [(round(at, 2), late) for at, late in line.to_twin] == [(1.5, 0.3), (2.5, 0.6)]
    assert not line.to_source


def test_copy_and_comparison_are_as_they_were_seen(line: Timeline) -> None:
    assert [(round(at, 2), items) for at, items in line.copied[:2]] == [(1.0, 10), (1.6, 20)]
    assert line.compared[-1][1] == 20
