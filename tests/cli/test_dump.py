"""Writing plain values: what is written is read as the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.cli.dump import to_json, to_yaml
from local.cli.tree import parse, plain
from tests.cli.corpus import each_template

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.sampled_from(
        ["yes", "12", "0123", "1_000", "12:30", "2012-10-17", "a: b", "#x", "two\nlines", "tail\n", "<<", ""]
    ),
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=12),
)
NAMES = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=6)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=12,
)
TEMPLATES = st.dictionaries(NAMES, VALUES, min_size=1, max_size=4)


@given(TEMPLATES, st.booleans())
@example(value={"a": "?0", "?": ": b", ":": "c"}, flow=True)
def test_whatever_is_written_as_yaml_is_read_as_the_same(value: dict[str, object], flow: bool) -> None:
    assert plain(parse(to_yaml(value, flow=flow) + "\n")) == value


@each_template
def test_every_public_template_survives_being_written(path: Path) -> None:
    value = plain(parse(path.read_text()))
    assert plain(parse(to_yaml(value) + "\n")) == value
    assert json.loads(to_json(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"Ref": "Users"}, "!Ref Users"),
        ({"Fn::GetAtt": ["Users", "Arn"]}, "!GetAtt Users.Arn"),
        ({"Fn::Base64": {"Fn::Sub": "${a}"}}, "Fn::Base64: !Sub ${a}"),
        ({"Fn::GetAtt": ["Users", {"Ref": "x"}]}, "Fn::GetAtt:\n    - Users\n    - !Ref x"),
    ],
)
def test_functions_get_short_tags_where_two_do_not_meet(value: dict[str, object], text: str) -> None:
    assert to_yaml({"a": value}).removeprefix("a:").strip() == text
