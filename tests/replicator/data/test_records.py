"""A batch is read up to its first bad record; of a key the last change counts, or every one in its round."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.records import by_key, keys_from, read, rounds
from replication.values import Write
from tests.replicator.data.engine import event_record, stream_arn

STREAM = stream_arn("t")


def key(name: str) -> dict[str, Any]:
    return {"id": {"S": name}}


def record(number: int, name: str, value: str | None) -> dict[str, Any]:
    item = None if value is None else {**key(name), "value": {"S": value}}
    return event_record("t", number, key(name), item, before={**key(name)} if number else None)


def without(found: dict[str, Any], *path: str) -> dict[str, Any]:
    changed = copy.deepcopy(found)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return changed


def having(found: dict[str, Any], value: object, *path: str) -> dict[str, Any]:
    changed = copy.deepcopy(found)
    inner: Any = changed
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return changed


class TestRead:
    def test_insert_and_modify_put_the_new_image_and_remove_deletes(self) -> None:
        batch = read([record(0, "a", "1"), record(1, "a", "2"), record(2, "b", None)], STREAM)
        assert [change.write for change in batch.changes] == [
            Write(key("a"), {**key("a"), "value": {"S": "1"}}),
            Write(key("a"), {**key("a"), "value": {"S": "2"}}),
            Write(key("b"), None),
        ]
        assert batch.poison is None
        assert [change.place for change in batch.changes] == [0, 1, 2]
        assert batch.changes[1].sequence == record(1, "a", "2")["dynamodb"]["SequenceNumber"]

    def test_a_delete_by_time_to_live_is_marked(self) -> None:
        who = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
        batch = read([{**record(0, "a", None), "userIdentity": who}, record(1, "b", None)], STREAM)
        assert [change.expired for change in batch.changes] == [True, False]

    @pytest.mark.parametrize(
        ("bad", "complaint"),
        [
            ("text", "must be a map"),
            (None, "must be a map"),
            (without(record(1, "b", "x"), "eventName"), "eventName is None"),
            (having(record(1, "b", "x"), "UPSERT", "eventName"), "eventName is 'UPSERT'"),
            (without(record(1, "b", "x"), "dynamodb"), "no part `dynamodb`"),
            (without(record(1, "b", "x"), "dynamodb", "Keys"), "no Keys"),
            (having(record(1, "b", "x"), {}, "dynamodb", "Keys"), "no Keys"),
            (without(record(1, "b", "x"), "dynamodb", "SequenceNumber"), "no SequenceNumber"),
            (having(record(1, "b", "x"), "", "dynamodb", "SequenceNumber"), "no SequenceNumber"),
            (without(record(1, "b", "x"), "dynamodb", "ApproximateCreationDateTime"), "ApproximateCreationDateTime"),
            (without(record(1, "b", "x"), "dynamodb", "NewImage"), "MODIFY record has no NewImage"),
            (
                having(without(record(1, "b", "x"), "dynamodb", "NewImage"), "KEYS_ONLY", "dynamodb", "StreamViewType"),
                "view type is 'KEYS_ONLY'",
            ),
            (
                having(without(record(1, "b", "x"), "dynamodb", "NewImage"), "ALL_NEW", "dynamodb", "StreamViewType"),
                "view type is 'ALL_NEW'",
            ),
            (
                having(record(1, "b", "x"), {"value": {"S": "x"}}, "dynamodb", "NewImage"),
                "does not have the record's K",
            ),
            (
                having(record(1, "b", "x"), {"id": {"S": "c"}}, "dynamodb", "NewImage"),
                "does not have the record's Keys",
            ),
            (having(record(1, "b", "x"), {"id": {"X": "c"}}, "dynamodb", "NewImage"), "no attribute type"),
            (having(record(1, "b", "x"), stream_arn("other"), "eventSourceARN"), "another stream"),
            (without(record(1, "b", "x"), "eventSourceARN"), "another stream"),
        ],
    )
    def test_a_bad_record_ends_the_batch_and_is_named(self, bad: Any, complaint: str) -> None:
        batch = read([record(0, "a", "1"), bad, record(2, "c", "3")], STREAM)
        assert len(batch.changes) == 1
        assert batch.poison is not None
        assert batch.poison.place == 1
        assert complaint in str(batch.poison.error)

    def test_a_new_view_type_that_has_the_new_image_is_no_problem(self) -> None:
        assert read([having(record(0, "a", "x"), "NEW_SOMETHING", "dynamodb", "StreamViewType")], STREAM).poison is None

    @given(
        st.recursive(
            st.none() | st.booleans() | st.text(),
            lambda inner: st.dictionaries(st.text(max_size=3), inner),
            max_leaves=5,
        )
    )
    def test_whatever_comes_is_read_or_named_and_never_raises(self, found: Any) -> None:
        assert read([found], STREAM).poison is not None


class TestKeysFrom:
    def test_tells_when_a_key_could_not_be_read(self) -> None:
        records = [record(0, "a", "1"), record(1, "b", "2"), record(2, "c", "3")]
        assert keys_from(records, 1) == ([key("b"), key("c")], True)
        records[2] = without(records[2], "dynamodb", "Keys")
        assert keys_from(records, 0) == ([key("a"), key("b")], False)

    def test_a_key_of_an_unknown_type_could_not_be_read(self) -> None:
        assert keys_from([having(record(0, "a", "1"), {"id": {"X": "a"}}, "dynamodb", "Keys")], 0) == ([], False)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["1", "2", None])), max_size=12))
def test_rounds_hold_a_key_once_and_every_change_in_the_order_of_its_key(changes: list[tuple[str, str | None]]) -> None:
    found = read([record(number, *change) for number, change in enumerate(changes)], STREAM).changes
    planned = rounds(found)
    for a_round in planned:
        assert len(by_key(a_round)) == len(a_round)
    in_order = [change for a_round in planned for change in a_round]
    assert sorted(in_order, key=lambda change: change.place) == list(found)
    assert by_key(in_order) == {
        identity: [change for change in in_order if change in of_key] for identity, of_key in by_key(found).items()
    }
    assert [changes_of_key[-1] for changes_of_key in by_key(in_order).values()] == [
        changes_of_key[-1] for changes_of_key in by_key(found).values()
    ]
