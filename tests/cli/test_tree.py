"""Reading a template: what it says, as CloudFormation reads it, and where it says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cfnlint.decode import decode

from local.cli.failures import TemplateUnreadable
from local.cli.rewrite import same
from local.cli.tree import Kind, Node, parse, plain
from tests.cli.corpus import each_template


class TestValues:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("yes", True),
            ("off", False),
            ("~", None),
            ("", None),
            ("12", 12),
            ("-3", -3),
            ("0.5", 0.5),
            ("012345678901", "012345678901"),
            ("1.10", "1.10"),
            ("2012-10-17", "2012-10-17"),
            ("'12'", "12"),
            ('"yes"', "yes"),
            ("!!str 12", "12"),
        ],
    )
    def test_a_bare_scalar_is_what_cloudformation_takes_it_for(self, text: str, value: object) -> None:
        found = plain(parse(f"a: {text}\n"))["a"]
        assert found == value
        assert type(found) is type(value)

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("!Ref Users", {"Ref": "Users"}),
            ("!Condition Live", {"Condition": "Live"}),
            ("!GetAtt Users.Arn", {"Fn::GetAtt": ["Users", "Arn"]}),
            ("!GetAtt Stack.Outputs.Name", {"Fn::GetAtt": ["Stack", "Outputs.Name"]}),
            ("!GetAtt [Users, Arn]", {"Fn::GetAtt": ["Users", "Arn"]}),
            ("!Sub ['${a}', {a: !Ref b}]", {"Fn::Sub": ["${a}", {"a": {"Ref": "b"}}]}),
            ("!If [Live, !Ref a, !Ref 'AWS::NoValue']", {"Fn::If": ["Live", {"Ref": "a"}, {"Ref": "AWS::NoValue"}]}),
        ],
    )
    def test_short_tags_are_the_functions_they_stand_for(self, text: str, value: object) -> None:
        assert plain(parse(f"a: {text}\n")) == {"a": value}

    def test_aliases_and_merges_are_carried_out(self) -> None:
        text = "base: &base {a: 1, b: 2}\nuse: *base\nmerged:\n  <<: *base\n  b: 3\n"
        assert plain(parse(text)) == {"base": {"a": 1, "b": 2}, "use": {"a": 1, "b": 2}, "merged": {"a": 1, "b": 3}}

    def test_json_may_be_indented_by_tabs_and_begin_with_a_byte_order_mark(self) -> None:
        assert plain(parse('\ufeff{\n\t"a": [1, "two"],\n\t"b": {}\n}\n')) == {"a": [1, "two"], "b": {}}

    @each_template
    def test_every_public_template_is_read_as_cfn_lint_reads_it(self, path: Path) -> None:
        expected, _ = decode(str(path))
        # cfn-lint makes dates of what CloudFormation leaves as text.
        assert same(plain(parse(path.read_text())), json.loads(json.dumps(expected, default=str)))


class TestPlaces:
    TEXT = 'a: &x !Sub "${b}"  # why\nlist:\n  - 1\n  - {c: d}\nblock: |\n  two\n  lines\n\nlast: *x\n'

    def test_every_value_ends_with_its_own_last_character(self) -> None:
        root = parse(self.TEXT)
        shown = {key.text: self.TEXT[value.start : value.end] for key, value in root.entries}
        assert shown == {
            "a": '&x !Sub "${b}"',
            "list": "- 1\n  - {c: d}",
            "block": "|\n  two\n  lines",
            "last": "*x",
        }

    def test_the_content_begins_behind_tag_and_anchor(self) -> None:
        value = self._value("a")
        assert self.TEXT[value.content : value.end] == '"${b}"'

    def test_an_alias_stays_an_alias(self) -> None:
        assert self._value("last").kind is Kind.ALIAS

    def _value(self, name: str) -> Node:
        return next(value for key, value in parse(self.TEXT).entries if key.text == name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("[1]", "no mapping at its top"),
        ("a: [", "line 1"),
        ("a: b: c", "line 1"),
        ("a: 1\na: 2", "line 2: the key a stands there twice"),
        ("a: *x", "the alias *x has no anchor"),
        ('{"a": 1', "line 1"),
        ("x: 1\n---\ny: 2", "more than one document"),
        ("? [a]\n: b", "a key must be a text"),
    ],
)
def test_what_is_no_template_is_told_with_its_line(text: str, said: str) -> None:
    with pytest.raises(TemplateUnreadable) as refused:
        parse(text)
    assert said in str(refused.value)
