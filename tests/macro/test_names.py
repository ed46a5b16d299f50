"""Another name for what has a fixed one, whatever the name is made of."""

from __future__ import annotations

from typing import Any

import pytest

from migration.fixed_names import FixedName, FixedNames
from migration.names import CannotRename, renamed

NO_VALUE = {"Ref": "AWS::NoValue"}


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("users", "users-encrypted"),
        (2024, "2024-encrypted"),
        ("{{resolve:ssm:/users}}", "{{resolve:ssm:/users}}-encrypted"),
        ({"Ref": "Name"}, {"Fn::Sub": "${Name}-encrypted"}),
        ({"Fn::Sub": "${A}-users"}, {"Fn::Sub": "${A}-users-encrypted"}),
        ({"Fn::Sub": ["${B}", {"B": 1}]}, {"Fn::Sub": ["${B}-encrypted", {"B": 1}]}),
        ({"Fn::If": ["C", "users", NO_VALUE]}, {"Fn::If": ["C", "users-encrypted", NO_VALUE]}),
        ({"Fn::ImportValue": "n"}, {"Fn::Sub": ["${Name}-encrypted", {"Name": {"Fn::ImportValue": "n"}}]}),
        (NO_VALUE, NO_VALUE),
    ],
)
def test_a_name_gets_a_suffix(name: Any, other: Any) -> None:
    assert renamed(name) == other


@pytest.mark.parametrize("name", [None, True, [], {}, {"a": 1, "b": 2}, {"Fn::Transform": {}}, "n" * 250])
def test_what_is_no_name_or_grows_too_long_cannot_be_renamed(name: Any) -> None:
    with pytest.raises(CannotRename):
        renamed(name)


class TestNamedByText:
    """A table that is named by its name is recognised in places that are certain to mean it, and nowhere else."""

    literal = FixedNames((FixedName("Users", "users", "people"),))
    parameter = FixedNames((FixedName("Users", {"Ref": "Name"}, {"Fn::Sub": "${Name}-encrypted"}),))

    @pytest.mark.parametrize(
        ("text", "other"),
        [
            ("arn:aws:dynamodb:*:*:table/users", "arn:aws:dynamodb:*:*:table/people"),
            ("arn:aws:dynamodb:*:*:table/users/index/*", "arn:aws:dynamodb:*:*:table/people/index/*"),
            ("table/users", "table/people"),
            ("table/users-archive", "table/users-archive"),
            ("table/users.archive", "table/users.archive"),
            ("table/${Stage}-users", "table/${Stage}-users"),
            ("timetable/users", "timetable/users"),
            ("users", "users"),
        ],
    )
    def test_in_an_arn(self, text: str, other: str) -> None:
        assert self.literal.in_text(text) == other

    @pytest.mark.parametrize(
        ("text", "other"),
        [
            ("${A}:table/${Name}", "${A}:table/${Name}-encrypted"),
            ("${A}:table/${Name}/stream/*", "${A}:table/${Name}-encrypted/stream/*"),
            ("${A}:table/${Name}-other", "${A}:table/${Name}-other"),
            ("${A}:table/${NameOfOther}", "${A}:table/${NameOfOther}"),
        ],
    )
    def test_in_a_sub_when_the_name_is_a_parameter(self, text: str, other: str) -> None:
        assert self.parameter.in_sub(text) == other

    @pytest.mark.parametrize(
        ("pieces", "other"),
        [
            ([":table/", {"Ref": "Name"}], [":table/", {"Fn::Sub": "${Name}-encrypted"}]),
            ([":table/", {"Ref": "Name"}, "/index/*"], [":table/", {"Fn::Sub": "${Name}-encrypted"}, "/index/*"]),
            ([":table/", {"Ref": "Name"}, "-other"], [":table/", {"Ref": "Name"}, "-other"]),
            (["other/", {"Ref": "Name"}], ["other/", {"Ref": "Name"}]),
        ],
    )
    def test_in_a_join(self, pieces: list[Any], other: list[Any]) -> None:
        assert self.parameter.in_join(["", pieces]) == ["", other]

    def test_in_a_join_of_texts(self) -> None:
        assert self.literal.in_join(["", ["arn:", "table/users", "/index/*"]]) == [
            "",
            ["arn:", "table/people", "/index/*"],
        ]
        assert self.literal.in_join(["-", ["table/users", "old"]]) == ["-", ["table/users", "old"]]
        assert self.literal.in_join(["/", ["table", "users"]]) == ["/", ["table", "users"]]

    def test_a_plain_arn_becomes_a_sub_where_the_twin_s_name_is_a_function(self) -> None:
        names = FixedNames((FixedName("Users", "users", {"Fn::Sub": "${A}-people"}),))
        assert names.in_text("table/users") == {"Fn::Sub": "table/${A}-people"}

    @pytest.mark.parametrize(
        ("value", "key", "certain"),
        [
            ({"TableName": "users"}, "TableName", True),
            ({"USERS_TABLE": "users"}, "USERS_TABLE", True),
            ({"Name": "Table", "Value": "users"}, "Value", True),
            ({"Name": "Colour", "Value": "users"}, "Value", False),
            ({"Topic": "users"}, "Topic", False),
            ({"TableName": "orders"}, "TableName", False),
        ],
    )
    def test_in_a_place_that_is_there_for_a_table(self, value: Any, key: str, certain: bool) -> None:
        assert (self.literal.named(value, key, value[key]) is not None) is certain
