"""All problems in one message that CloudFormation shows in full."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from migration.errors import MESSAGE_LIMIT_BYTES, Problem, TemplateRefused, message

PROBLEM = Problem("Users", "it is wrong", "Mend it")


def test_a_problem_says_where_what_and_what_to_do() -> None:
    assert str(PROBLEM) == "Users: it is wrong. Mend it."


def test_all_problems_are_told_at_once() -> None:
    assert str(TemplateRefused([PROBLEM, PROBLEM])) == "Users: it is wrong. Mend it. | Users: it is wrong. Mend it."


def test_what_does_not_fit_is_counted() -> None:
    assert message([PROBLEM] * 3, limit=70) == "Users: it is wrong. Mend it. | ... and 2 more."


@given(st.lists(st.builds(Problem, st.text(), st.text(), st.text()), min_size=1))
def test_a_message_never_exceeds_what_is_shown(problems: list[Problem]) -> None:
    text = message(problems)
    assert 0 < len(text.encode()) <= MESSAGE_LIMIT_BYTES


def test_a_single_problem_that_is_too_long_is_cut_between_characters() -> None:
    text = message([Problem("表" * 1000, "", "")])
    assert text.endswith("...")
    assert len(text.encode()) <= MESSAGE_LIMIT_BYTES
