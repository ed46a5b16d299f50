"""Nobody can tell the client for items from boto3's own, but by the time it takes."""

from __future__ import annotations

import base64
import copy
import io
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from replication.client import items_client
from replication.tables import READS_PER_BATCH
from tests.replicator.data.strategies import items

ACCOUNT: Any = {
    "endpoint_url": "http://127.0.0.1:1",
    "region_name": "us-east-1",
    "aws_access_key_id": "1",
    "aws_secret_access_key": "2",
}
KEY = {"id": {"B": b"\x00\xfe"}, "B": {"B": b"a key attribute called B"}}


def in_text(content: bytes) -> str:
    return base64.b64encode(content).decode()


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


class Wire:
    """A client whose requests are kept, and answered by `answer` instead of the network."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.sent: list[Any] = []
        self.status = 200
        self.answer: dict[str, Any] = {}  # with bytes where it is base64 text on the wire
        client.meta.events.register("before-send.dynamodb", self._answer)

    def _answer(self, request: Any, **_: Any) -> Any:
        self.sent.append((request.headers["X-Amz-Target"], json.loads(request.body)))
        text = json.dumps(self.answer, default=in_text).encode()
        return AWSResponse(request.url, self.status, {"content-length": str(len(text))}, _Raw(text))  # type: ignore[arg-type]


OURS, THEIRS = Wire(items_client(**ACCOUNT)), Wire(boto3.client("dynamodb", **ACCOUNT))


def requests(item: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every call that the replicator makes with items or keys."""
    return {
        "batch_write_item": {"RequestItems": {"T": [{"PutRequest": {"Item": item}}, {"DeleteRequest": {"Key": KEY}}]}},
        "batch_get_item": {"RequestItems": {"T": {"Keys": [KEY, item], "ConsistentRead": True}}},
        "scan": {"TableName": "T", "ExclusiveStartKey": KEY, "Limit": 5, "Segment": 0, "TotalSegments": 1},
        "delete_item": {
            "TableName": "T",
            "Key": KEY,
            "ConditionExpression": "a = :a",
            "ExpressionAttributeValues": {":a": {"M": item}},
        },
        "describe_table": {"TableName": "T"},
    }


def answers(item: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What DynamoDB answers to them, with `item` wherever one may be."""
    return {
        "batch_write_item": {
            "UnprocessedItems": {"T": [{"PutRequest": {"Item": item}}, {"DeleteRequest": {"Key": KEY}}]}
        },
        "batch_get_item": {"Responses": {"T": [item, KEY]}, "UnprocessedKeys": {"T": {"Keys": [KEY]}}},
        "scan": {"Items": [item, item], "LastEvaluatedKey": KEY, "Count": 2, "ScannedCount": 2},
        "delete_item": {"Attributes": item},
        "describe_table": {"Table": {"TableName": "T", "KeySchema": [{"AttributeName": "B", "KeyType": "HASH"}]}},
    }


@given(items(), items())
def test_requests_and_answers_are_those_of_boto3(item: dict[str, Any], returned: dict[str, Any]) -> None:
    before = copy.deepcopy(item)
    for operation, request in requests(item).items():
        told = []
        for wire in (OURS, THEIRS):
            wire.answer = answers(returned)[operation]
            told.append(getattr(wire.client, operation)(**request))
        assert item == before, f"{operation} has changed what it was given"
        assert OURS.sent[-1] == THEIRS.sent[-1]
        assert told[0] == told[1]


@given(st.sampled_from(["B", "BS", "M", "L", "S"]), st.binary(max_size=4))
def test_an_attribute_may_be_called_like_a_type(name: str, content: bytes) -> None:
    item = {name: {"B": content}, "map": {"M": {name: {"BS": [content]}, "B": {"S": "dGV4dA=="}}}}
    OURS.answer = {"Responses": {"T": [item]}}
    assert OURS.client.batch_get_item(RequestItems={"T": {"Keys": [item]}})["Responses"]["T"] == [item]
    assert OURS.sent[-1][1]["RequestItems"]["T"]["Keys"] == json.loads(json.dumps([item], default=in_text))


def test_a_type_of_value_that_did_not_exist_yet_is_handed_on() -> None:
    """boto3 leaves out what its model does not know, so that an item would arrive without it."""
    item = {"id": {"S": "a"}, "new": {"V": [1, 2, 3]}}
    OURS.answer = {"Responses": {"T": [item]}}
    found = OURS.client.batch_get_item(RequestItems={"T": {"Keys": [{"id": {"S": "a"}}]}})["Responses"]["T"]
    OURS.client.batch_write_item(RequestItems={"T": [{"PutRequest": {"Item": found[0]}}]})
    assert OURS.sent[-1][1]["RequestItems"]["T"] == [{"PutRequest": {"Item": item}}]


def test_a_call_that_fails_is_made_once_and_told_as_boto3_does() -> None:
    wire = Wire(items_client(**ACCOUNT))
    wire.status, wire.answer = 400, {"__type": "x#ThrottlingException", "message": "slower"}
    with pytest.raises(ClientError) as raised:
        wire.client.batch_get_item(RequestItems={"T": {"Keys": [KEY] * READS_PER_BATCH}})
    assert raised.value.response["Error"] == {"Code": "ThrottlingException", "Message": "slower"}
    assert len(wire.sent) == 1
