"""Editing a template's text: it says the new thing, and every line that need not change is as it was."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from local.cli.dump import to_json, to_yaml
from local.cli.failures import Refused
from local.cli.rewrite import rewritten, same
from local.cli.tree import parse, plain
from tests.cli.corpus import each_template
from tests.cli.test_dump import TEMPLATES

TEXT = """\
# head
Resources:
  # the users
  Users:            # every one of them
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: 'users'   # fixed

      Tags: [{Key: a, Value: b}, {Key: c, Value: d}]
  Api:
    DependsOn: Users
    Properties:
      Body: !Sub |
        names ${Users} and ${Users.Arn}
        and nothing else
      Items:
        - one
        - !GetAtt Users.Arn  # the arn
        - two
"""


def changed(text: str, want: Any, **renames: str) -> tuple[set[str], set[str]]:
    """The lines that went and the lines that came."""
    before, after = text.splitlines(), rewritten(text, want, renames).splitlines()
    return set(before) - set(after), set(after) - set(before)


def wanted(**changes: Any) -> Any:
    """What TEXT says, with values at dotted paths changed (None takes away)."""
    found: Any = copy.deepcopy(plain(parse(TEXT)))
    for path, value in changes.items():
        at = found
        *way, last = path.split("__")
        for key in way:
            at = at[key]
        if value is None:
            del at[last]
        else:
            at[last] = value
    return found


class TestLines:
    def test_nothing_wanted_changes_nothing(self) -> None:
        assert rewritten(TEXT, wanted(), {}) == TEXT

    def test_a_scalar_keeps_its_quotes_and_its_comment(self) -> None:
        gone, come = changed(TEXT, wanted(Resources__Users__Properties__TableName="users-encrypted"))
        assert gone == {"      TableName: 'users'   # fixed"}
        assert come == {"      TableName: 'users-encrypted'   # fixed"}

    def test_one_word_changes_in_a_block_and_its_other_lines_stay(self) -> None:
        body = {"Fn::Sub": "names ${UsersEncrypted} and ${UsersEncrypted.Arn}\nand nothing else\n"}
        gone, come = changed(TEXT, wanted(Resources__Api__Properties__Body=body))
        assert gone == {"        names ${Users} and ${Users.Arn}"}
        assert come == {"        names ${UsersEncrypted} and ${UsersEncrypted.Arn}"}

    def test_a_key_is_renamed_where_it_stands(self) -> None:
        want = wanted()
        want["Resources"] = {"New" if key == "Users" else key: value for key, value in want["Resources"].items()}
        gone, come = changed(TEXT, want, Users="New")
        assert gone == {"  Users:            # every one of them"}
        assert come == {"  New:            # every one of them"}

    def test_an_item_goes_with_its_line_and_a_comment_on_it(self) -> None:
        gone, come = changed(TEXT, wanted(Resources__Api__Properties__Items=["one", "two"]))
        assert gone == {"        - !GetAtt Users.Arn  # the arn"}
        assert come == set()

    def test_what_is_added_stands_behind_what_it_follows(self) -> None:
        properties = {"TableName": "users", "SSESpecification": {"SSEEnabled": True}}
        want = wanted()
        properties["Tags"] = want["Resources"]["Users"]["Properties"]["Tags"]
        want["Resources"]["Users"]["Properties"] = properties
        after = rewritten(TEXT, want, {}).splitlines()
        at = after.index("      TableName: 'users'   # fixed")
        assert after[at + 1 : at + 3] == ["      SSESpecification:", "        SSEEnabled: true"]

    def test_in_braces_the_commas_are_right(self) -> None:
        tags = [{"Key": "c", "Value": "e"}, {"Key": "f", "Value": "g"}]
        after = rewritten(TEXT, wanted(Resources__Users__Properties__Tags=tags), {})
        assert "      Tags: [{Key: c, Value: e}, {Key: f, Value: g}]" in after.splitlines()

    def test_two_empty_lines_do_not_meet_where_something_went(self) -> None:
        text = "a: 1\n\nb: 2\n\nc: 3\n"
        assert rewritten(text, {"a": 1, "c": 3}, {}) == "a: 1\n\nc: 3\n"

    def test_an_emptied_mapping_is_written_as_one(self) -> None:
        assert rewritten("a:\n  b: 1\nc: 2\n", {"a": {}, "c": 2}, {}) == "a: {}\nc: 2\n"

    @pytest.mark.parametrize("line_end", ["\n", "\r\n"])
    def test_line_ends_stay_what_they_are(self, line_end: str) -> None:
        text = TEXT.replace("\n", line_end)
        want = plain(parse(text))
        want["Resources"]["Users"]["Properties"]["New"] = {"a": [1, 2]}
        after = rewritten(text, want, {})
        assert after.count("\n") == after.count(line_end)

    def test_a_text_without_a_last_line_end_can_grow(self) -> None:
        assert rewritten("a: 1", {"a": 1, "b": [2]}, {}) == "a: 1\nb:\n  - 2"


class TestJson:
    TEXT = '{\n    "a": {\n        "b": 1,\n        "c": [1, 2]\n    },\n    "d": "e"\n}\n'

    def test_what_is_added_is_indented_as_the_rest(self) -> None:
        after = rewritten(self.TEXT, {"a": {"b": 1, "c": [1, 2], "new": {"x": 1}}, "d": "e"}, {})
        assert '        "c": [1, 2],\n        "new": {\n            "x": 1\n        }\n    },\n' in after

    def test_the_last_member_goes_with_the_comma_before_it(self) -> None:
        assert rewritten(self.TEXT, {"a": {"b": 1}, "d": "e"}, {}) == self.TEXT.replace(',\n        "c": [1, 2]', "")


class TestAnchors:
    def test_what_an_alias_names_changes_once_for_all(self) -> None:
        text = "a: &x {Ref: Users}\nb: *x\n"
        want = {"a": {"Ref": "New"}, "b": {"Ref": "New"}}
        assert rewritten(text, want, {}) == "a: &x {Ref: New}\nb: *x\n"

    def test_an_alias_that_wants_something_else_is_written_out(self) -> None:
        text = "a: &x {Ref: Users}\nb: *x\nc: *x\n"
        want = {"a": {"Ref": "New"}, "b": {"Ref": "Users"}, "c": {"Ref": "New"}}
        assert rewritten(text, want, {}) == "a: &x {Ref: New}\nb: !Ref Users\nc: *x\n"

    def test_a_merged_key_that_differs_gets_an_entry_of_its_own(self) -> None:
        text = "base: &base\n  a: 1\n  b: 2\nuse:\n  <<: *base\n  c: 3\n"
        want = {"base": {"a": 1, "b": 2}, "use": {"a": 9, "b": 2, "c": 3}}
        after = rewritten(text, want, {})
        assert "  <<: *base\n" in after
        assert same(plain(parse(after)), want)

    def test_an_anchor_that_would_go_while_it_is_used_is_refused(self) -> None:
        with pytest.raises(Refused, match="anchor"):
            rewritten("a: &x [1]\nb: *x\n", {"b": [1]}, {})


PIECES: list[Any] = [
    {"Ref": "Zed"},
    {"Fn::GetAtt": ["A", "Arn"]},
    "text: with colon",
    True,
    5,
    {"a": {"b": [1, {"Ref": "x"}]}},
    [1, 2],
    "two\nlines\n",
    "123",
    [{"Fn::Sub": "${a}"}],
]


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        if not (isinstance(value, dict) and len(value) == 1 and str(key).startswith(("Ref", "Fn::"))):
            yield from paths(member, (*path, key))


def mutated(value: Any, chance: random.Random) -> tuple[Any, dict[str, str]]:
    """A value with some things taken out, put in, changed and renamed."""
    value, renames = copy.deepcopy(value), {}
    for _ in range(chance.randint(1, 5)):
        *way, key = chance.choice([path for path in paths(value) if len(path) > 1])
        at = value
        for step in way:
            at = at[step]
        match chance.choice(["remove", "replace", "rename", "insert"]):
            case "remove":
                del at[key]
            case "replace":
                at[key] = copy.deepcopy(chance.choice(PIECES))
            case "insert" if isinstance(at, list):
                at.insert(key, copy.deepcopy(chance.choice(PIECES)))
            case "insert":
                at[f"Inserted{chance.randint(0, 9)}"] = copy.deepcopy(chance.choice(PIECES))
            case _ if isinstance(at, dict):
                at[f"{key}Renamed"] = at.pop(key)
                renames[key] = f"{key}Renamed"
    return value, renames


@each_template
def test_any_change_of_any_public_template_is_made_and_no_comment_is_lost_that_stands_alone(path: Path) -> None:
    text = path.read_bytes().decode()
    for seed in range(5):
        want, renames = mutated(plain(parse(text)), random.Random(seed))
        assert same(plain(parse(rewritten(text, want, renames))), want), f"seed {seed}"


@given(TEMPLATES, TEMPLATES)
def test_any_value_can_be_made_of_any_other_in_yaml_and_in_json(one: dict[str, Any], other: dict[str, Any]) -> None:
    for text in (to_yaml(one) + "\n", to_json(one), to_json(one, None)):
        assert same(plain(parse(rewritten(text, other, {}))), other)
