"""Items are what their labels say, in every byte, or they are recognised as altered."""

import copy

import pytest

from local.traffic.items import KEY, canonical, label_of, make_item
from local.traffic.labels import count_label

KINDS = ("S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M")


def test_an_item_has_the_label_that_it_was_made_from() -> None:
    for key, label in [("user-1", "red"), ("large-1", "blue"), ("visits-1", count_label(7))]:
        assert label_of(make_item(key, label)) == label


def test_a_thousand_items_hold_every_type_of_attribute() -> None:
    items = [make_item(f"user-{number:05}", "loaded") for number in range(1000)]
    assert {kind for item in items for value in item.values() for kind in value} == set(KINDS)


def test_a_large_item_is_near_the_greatest_size() -> None:
    assert 380 * 1024 < len(make_item("large-0", "red")["filling"]["B"]) + 1024 < 400 * 1024


def test_items_differ_between_labels_and_between_keys() -> None:
    forms = {canonical({**make_item(key, label), KEY: {"S": ""}}) for key in ("user-1", "user-2") for label in "abc"}
    assert len(forms) > 3


@pytest.mark.parametrize(
    ("written", "read", "equal"),
    [
        ({"N": "1.0"}, {"N": "1"}, True),
        ({"N": "100"}, {"N": "1E+2"}, True),
        ({"N": "12345678901234567890123456789012345678"}, {"N": "12345678901234567890123456789012345679"}, False),
        ({"NS": ["1", "2.50"]}, {"NS": ["2.5", "1"]}, True),
        ({"SS": ["a", "b"]}, {"SS": ["b", "a"]}, True),
        ({"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "b"}, {"S": "a"}]}, False),
        ({"B": b"\x00\x01"}, {"B": b"AAE="}, False),
        ({"S": "1"}, {"N": "1"}, False),
    ],
)
def test_values_are_compared_as_dynamodb_compares_them(written: object, read: object, equal: bool) -> None:
    assert (canonical({"a": written}) == canonical({"a": read})) is equal


def test_an_item_with_one_byte_changed_has_a_label_that_nobody_writes() -> None:
    item = make_item("large-1", "red")
    filling = bytearray(item["filling"]["B"])
    filling[1000] ^= 1
    item["filling"] = {"B": bytes(filling)}
    assert str(label_of(item)).startswith("altered:")


def test_an_attribute_that_should_be_gone_is_noticed() -> None:
    item = copy.deepcopy(make_item("user-1", "red"))
    item["left over"] = {"S": "from before"}
    assert str(label_of(item)).startswith("altered:")
