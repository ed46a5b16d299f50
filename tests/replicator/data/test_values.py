"""What arrives in a stream event is what the table holds, and equal means what DynamoDB means by it."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

import pytest
from botocore.serialize import create_serializer
from botocore.session import Session
from hypothesis import given
from hypothesis import strategies as st

from replication.errors import PoisonRecord
from replication.values import digest, equal, fingerprint, from_event, identity, wire_size
from tests.replicator.data.engine import as_event
from tests.replicator.data.strategies import items, numbers_alike


class TestFromEvent:
    def test_decodes_binary_values_at_every_depth(self) -> None:
        raw = b"\x00\x01\xfe hello"
        text = base64.b64encode(raw).decode()
        image = {
            "key": {"B": text},
            "set": {"BS": [text, "AA=="]},
            "list": {"L": [{"L": [{"BS": [text]}]}, {"M": {"deep": {"B": text}}}]},
        }
        assert from_event(image) == {
            "key": {"B": raw},
            "set": {"BS": [raw, b"\x00"]},
            "list": {"L": [{"L": [{"BS": [raw]}]}, {"M": {"deep": {"B": raw}}}]},
        }

    @given(items())
    def test_gives_back_every_item_that_a_table_can_hold(self, item: dict[str, Any]) -> None:
        assert from_event(json.loads(json.dumps(as_event(item)))) == item

    @pytest.mark.parametrize(
        ("image", "complaint"),
        [
            ("text", "must be a map of attributes"),
            ({"a": "text"}, "from one type to one value"),
            ({"a": {"S": "x", "N": "1"}}, "from one type to one value"),
            ({"a": {}}, "from one type to one value"),
            ({"a": {"X": "1"}}, "'X' is no attribute type"),
            ({"a": {"S": 1}}, "expected str"),
            ({"a": {"BOOL": "true"}}, "expected bool"),
            ({"a": {"L": {}}}, "expected a list"),
            ({"a": {"SS": ["x", 1]}}, "expected str"),
            ({"a": {"B": "%%%"}}, "not valid base64"),
            ({"a": {"BS": [1]}}, "expected base64 text"),
            ({"a": {"M": {"b": {"L": [{"B": "A"}]}}}}, "not valid base64"),
        ],
    )
    def test_refuses_what_dynamodb_does_not_send(self, image: object, complaint: str) -> None:
        with pytest.raises(PoisonRecord, match=complaint):
            from_event(image)


class TestEqual:
    @given(numbers_alike())
    def test_a_number_has_many_forms(self, forms: tuple[str, str]) -> None:
        one, other = ({"n": {"N": form}, "s": {"NS": [form]}} for form in forms)
        assert equal(one, other)
        assert digest({"n": one["n"]}) == digest({"n": other["n"]})

    def test_numbers_that_differ_in_the_38th_digit_are_different(self) -> None:
        assert not equal({"n": {"N": "1" * 38}}, {"n": {"N": "1" * 37 + "2"}})

    def test_sets_have_no_order(self) -> None:
        one = {"a": {"SS": ["x", "y"]}, "b": {"NS": ["1", "2.0"]}, "c": {"BS": [b"1", b"2"]}}
        other = {"a": {"SS": ["y", "x"]}, "b": {"NS": ["2", "1E0"]}, "c": {"BS": [b"2", b"1"]}}
        assert equal(one, other)

    def test_lists_have_an_order(self) -> None:
        assert not equal({"a": {"L": [{"S": "x"}, {"S": "y"}]}}, {"a": {"L": [{"S": "y"}, {"S": "x"}]}})

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ({"a": {"S": "1"}}, {"a": {"N": "1"}}),
            ({"a": {"S": "x"}}, {"a": {"B": b"x"}}),
            ({"a": {"SS": ["1"]}}, {"a": {"NS": ["1"]}}),
            ({"a": {"BOOL": True}}, {"a": {"NULL": True}}),
            ({"a": {"BOOL": True}}, {"a": {"N": "1"}}),
            ({"a": {"M": {}}}, {"a": {"L": []}}),
            ({"a": {"S": ""}}, {}),
            ({"a": {"M": {"b": {"N": "1"}}}}, {"a": {"M": {"b": {"N": "2"}}}}),
        ],
    )
    def test_tells_apart(self, one: dict[str, Any], other: dict[str, Any]) -> None:
        assert not equal(one, other)
        assert not equal(other, one)

    def test_a_number_that_is_none_is_an_error_and_no_difference(self) -> None:
        with pytest.raises(PoisonRecord, match="number"):
            equal({"a": {"N": "one"}}, {"a": {"N": "1"}})

    def test_no_item_equals_only_no_item(self) -> None:
        assert equal(None, None)
        assert not equal(None, {})
        assert not equal({}, None)

    @given(items())
    def test_an_item_equals_itself_and_not_itself_with_one_attribute_more(self, item: dict[str, Any]) -> None:
        assert identity(item) == identity(dict(reversed(item.items())))
        assert not equal(item, {**item, "one more": {"NULL": True}})


class TestDigest:
    def test_does_not_hold_the_key(self) -> None:
        assert "secret" not in digest({"id": {"S": "secret"}})

    def test_tells_keys_apart(self) -> None:
        keys: list[dict[str, Any]] = [
            {"id": {"S": "1"}},
            {"id": {"N": "1"}},
            {"id": {"N": "10"}},
            {"id": {"N": "-1"}},
            {"id": {"N": "0"}},
            {"id": {"B": b"1"}},
            {"other": {"S": "1"}},
            {"id": {"S": "1"}, "sort": {"S": "1"}},
        ]
        assert len({digest(key) for key in keys}) == len(keys)

    @given(st.integers(), st.integers())
    def test_numbers_share_a_digest_when_they_are_equal(self, one: int, other: int) -> None:
        same = digest({"n": {"N": str(one)}}) == digest({"n": {"N": str(Decimal(other))}})
        assert same == (one == other)


class TestFingerprint:
    @given(items(), items())
    def test_is_shared_by_no_items_that_differ(self, one: dict[str, Any], other: dict[str, Any]) -> None:
        assert fingerprint(one) != fingerprint(other) or equal(one, other)

    @given(items())
    def test_does_not_depend_on_the_order_of_attributes(self, item: dict[str, Any]) -> None:
        turned = dict(reversed(item.items()))
        assert fingerprint({"m": {"M": item}}) == fingerprint({"m": {"M": turned}})

    @pytest.mark.parametrize("item", [{}, {"v": {"S": "00"}}, {"v": {"BS": [b"0", b"1"]}}, {"v": {"NULL": True}}])
    def test_tells_apart_what_looks_alike(self, item: dict[str, Any]) -> None:
        others: list[dict[str, Any] | None] = [
            None,
            {"v": {"B": b"\x00"}},
            {"v": {"BS": [b"01"]}},
            {"v": {"S": "null"}},
        ]
        assert fingerprint(item) not in {fingerprint(other) for other in others}


PUT_ITEM = Session().get_service_model("dynamodb").operation_model("PutItem")
SERIALIZER = create_serializer("json", include_validation=False)


class TestWireSize:
    @given(items())
    def test_is_what_boto3_sends(self, item: dict[str, Any]) -> None:
        body = SERIALIZER.serialize_to_request({"Item": item}, PUT_ITEM)["body"]
        assert wire_size(item) == len(body) - len(b'{"Item": }')
