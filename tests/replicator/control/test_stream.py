"""A turn's reading of a stream: every key since the mark, whatever happens to shards and readers."""

from __future__ import annotations

from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from replication.errors import StreamLost
from replication.stream import Reader, Streams
from tests.replicator.control.aws import Account, stream_arn
from tests.replicator.control.iam import Caller, refusal

TABLE = "Users"
ARN = stream_arn(TABLE)


@pytest.fixture
def account() -> Account:
    return Account(TABLE)


def streams(account: Account) -> Streams:
    client = cast("Any", account.client(Caller("turn", trusted=True)))
    return Streams(client, account.clock, account.sleep, refresh=5)


def write(account: Account, *keys: str, **how: Any) -> None:
    for number, key in enumerate(keys):
        found = {"id": {"S": key}, "n": {"N": str(account.now + number)}}
        account.write(TABLE, {"id": {"S": key}}, None if how.get("expired") else found, **how)


def keys(reader: Reader) -> list[str]:
    return sorted(key["id"]["S"] for key in reader.keys.values())


def read_all(account: Account, reader: Reader) -> list[str]:
    while not (found := reader.read(all_shards=True)).complete or found.records:
        account.sleep(0.25)
    return keys(reader)


def test_what_is_older_than_the_mark_is_not_read(account: Account) -> None:
    write(account, "old")
    reader = streams(account).mark(ARN)
    write(account, "new")
    assert read_all(account, reader) == ["new"]


def test_the_beginning_is_everything_that_the_stream_holds(account: Account) -> None:
    write(account, "old")
    account.split(TABLE)
    write(account, "young")
    assert read_all(account, streams(account).beginning(ARN)) == ["old", "young"]


def test_a_shard_that_is_split_before_or_after_it_was_read_is_followed_to_its_children(account: Account) -> None:
    """R6."""
    reader = streams(account).mark(ARN)
    write(account, "in-parent")
    account.split(TABLE)
    write(account, "in-child", "in-other-child")
    account.split(TABLE)
    write(account, "in-grandchild")
    assert read_all(account, reader) == ["in-child", "in-grandchild", "in-other-child", "in-parent"]


def test_a_shard_that_is_split_between_listing_and_marking_it_loses_nothing(account: Account) -> None:
    def split(_caller: str, operation: str) -> None:
        if operation == "get_shard_iterator":
            account.before = lambda caller, operation: None
            account.split(TABLE)
            write(account, "in-child")

    account.before = split
    assert read_all(account, streams(account).mark(ARN)) == ["in-child"]


def test_shards_that_had_ended_before_the_mark_are_not_read(account: Account) -> None:
    write(account, "old")
    account.split(TABLE)
    assert read_all(account, streams(account).mark(ARN)) == []


def test_a_round_is_complete_when_every_shard_has_answered_with_nothing_more(account: Account) -> None:
    account.split(TABLE)
    reader = streams(account).mark(ARN)
    assert reader.read().complete
    write(account, "a")
    assert not reader.read().complete
    assert reader.read().complete


def test_a_shard_that_throttles_is_asked_again_and_hides_nothing(account: Account) -> None:
    reader = streams(account).mark(ARN)
    write(account, "a")
    account.throttled = {"shard-0"}
    found = reader.read()
    assert (found.records, found.complete) == ([], False)
    account.throttled = set()
    assert read_all(account, reader) == ["a"]


def test_more_records_than_one_call_gives_are_all_read(account: Account) -> None:
    reader = streams(account).mark(ARN)
    write(account, *(f"{number:04}" for number in range(2500)))
    assert len(read_all(account, reader)) == 2500


def test_an_iterator_that_has_expired_is_told(account: Account) -> None:
    reader = streams(account).mark(ARN)
    account.sleep(901)
    with pytest.raises(StreamLost, match="ExpiredIteratorException"):
        reader.read()


def test_what_time_to_live_deletes_is_a_key_but_nobodys_write(account: Account) -> None:
    write(account, "a")
    reader = streams(account).mark(ARN)
    write(account, "a", expired=True)
    found = reader.read()
    assert ([record.key for record in found.records], found.written) == ([{"id": {"S": "a"}}], [])
    assert keys(reader) == ["a"]


def test_a_place_that_was_kept_is_gone_on_from(account: Account) -> None:
    reader = streams(account).mark(ARN)
    write(account, "before")
    read_all(account, reader)
    write(account, "after")
    assert read_all(account, streams(account).resume(ARN, reader.place())) == ["after"]


def test_a_place_of_very_many_shards_is_not_kept(account: Account) -> None:
    reader = streams(account).mark(ARN)
    reader.positions.update({f"shard-{number}": "iterator" for number in range(400)})
    assert reader.place() == {}


def test_a_stream_that_throttles_at_the_mark_is_tried_for_a_while(account: Account) -> None:

    attempts = 0

    def throttle(_caller: str, operation: str) -> None:
        nonlocal attempts
        if operation == "describe_stream":
            attempts += 1
            if attempts < 4:
                raise refusal("LimitExceededException")

    account.before = throttle
    assert streams(account).mark(ARN).read().complete

    def always(_caller: str, _operation: str) -> None:
        raise refusal("LimitExceededException")

    account.before = always
    with pytest.raises(StreamLost, match="other readers"):
        streams(account).mark(ARN)


def test_what_is_not_allowed_is_no_reason_to_wait(account: Account) -> None:

    def refuse(_caller: str, _operation: str) -> None:
        raise refusal("AccessDeniedException")

    account.before = refuse
    with pytest.raises(ClientError, match="AccessDenied"):
        streams(account).mark(ARN)
