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


def in_statement(names: FixedNames, value: Any) -> Any:
    """`value` as it stands in a statement about the twin."""
    for found, pattern in names.in_text(value, in_statement=True):
        value = found.twin_in(value, pattern)
    return value


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
        assert in_statement(self.literal, text) == other

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
        assert in_statement(self.parameter, {"Fn::Sub": text}) == {"Fn::Sub": other}

    @pytest.mark.parametrize(
        ("pieces", "other"),
        [
            ([":table/", {"Ref": "Name"}], ":table/${Name}-encrypted"),
            ([":table/", {"Ref": "Name"}, "/index/*"], ":table/${Name}-encrypted/index/*"),
            ([":table/", {"Ref": "Name"}, "-other"], None),
            (["other/", {"Ref": "Name"}], None),
        ],
    )
    def test_in_a_join(self, pieces: list[Any], other: str | None) -> None:
        given = {"Fn::Join": ["", pieces]}
        assert in_statement(self.parameter, given) == ({"Fn::Sub": other} if other else given)

    def test_in_a_join_of_texts(self) -> None:
        assert in_statement(self.literal, {"Fn::Join": ["", ["arn:", "table/users", "/x"]]}) == "arn:table/people/x"
        for other in ({"Fn::Join": ["-", ["table/users", "old"]]}, {"Fn::Join": ["", ["${!A}table/users", {}]]}):
            assert in_statement(self.literal, other) == other

    def test_in_a_sub_of_pieces(self) -> None:
        given = {"Fn::Sub": ["table/${Table}/index/${ Index }", {"Table": {"Ref": "Name"}}]}
        assert in_statement(self.parameter, given) == {"Fn::Sub": "table/${Name}-encrypted/index/${Index}"}

    def test_a_name_that_is_put_together_is_found_however_that_is_done(self) -> None:
        name = {"Fn::Join": ["-", [{"Ref": "AWS::StackName"}, "users"]]}
        names = FixedNames((FixedName("Users", name, "people"),))
        assert in_statement(names, {"Fn::Sub": "table/${AWS::StackName}-users"}) == "table/people"
        assert names.named({}, "TableName", {"Fn::Sub": ["${ A }-users", {"A": {"Ref": "AWS::StackName"}}]})

    def test_a_name_that_no_sub_can_hold_is_found_too(self) -> None:
        name = {"Fn::FindInMap": ["Names", {"Ref": "Stage"}, "Users"]}
        names = FixedNames((FixedName("Users", name, {"Fn::Sub": ["${Name}-encrypted", {"Name": name}]}),))
        assert in_statement(names, {"Fn::Join": ["", ["table/", name]]}) == {
            "Fn::Sub": ["table/${Part1}-encrypted", {"Part1": name}]
        }

    @pytest.mark.parametrize(
        ("text", "other"),
        [
            ("arn:aws:dynamodb:*:*:table/users", False),
            ("arn:aws:dynamodb:*:*:table/users*", True),
            ("arn:aws:dynamodb:us-east-1:*:table/users", True),
            ("arn:aws:dynamodb:*:111122223333:table/users", True),
            ("arn:aws:dynamodb:*:111122223333:table/orders", False),
        ],
    )
    def test_what_may_mean_another_table_too(self, text: str, other: bool) -> None:
        assert self.literal.may_mean_another(text) is other

    def test_a_plain_arn_becomes_a_sub_where_the_twin_s_name_is_a_function(self) -> None:
        names = FixedNames((FixedName("Users", "users", {"Fn::Sub": "${A}-people"}),))
        assert in_statement(names, "table/users") == {"Fn::Sub": "table/${A}-people"}

    @pytest.mark.parametrize(
        ("value", "key", "certain"),
        [
            ({"TableName": "users"}, "TableName", True),
            ({"USERS_TABLE": "users"}, "USERS_TABLE", True),
            ({"DynamoName": "users"}, "DynamoName", True),
            ({"Name": "Table", "Value": "users"}, "Value", True),
            ({"Name": "Colour", "Value": "users"}, "Value", False),
            ({"Topic": "users"}, "Topic", False),
            ({"TableName": "orders"}, "TableName", False),
        ],
    )
    def test_in_a_place_that_is_there_for_a_table(self, value: Any, key: str, certain: bool) -> None:
        assert (self.literal.named(value, key, value[key]) is not None) is certain
