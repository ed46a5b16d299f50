"""Finds out whether a caller may write a table, by a write that can never happen.

A delete of a key that nobody uses, on a condition that contradicts itself: DynamoDB looks at the caller's rights first,
so the answer tells them apart. Refused by the policy, or allowed and then refused by the condition; anything else
(throttled, no answer) proves neither.
"""

from __future__ import annotations

import base64
import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from replication.errors import TableGone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient


class Outcome(StrEnum):
    """What a probe has proved."""

    ALLOWED = "allowed"
    REFUSED = "refused"
    UNSURE = "unsure"


_PROVED = {"AccessDeniedException": Outcome.REFUSED, "ConditionalCheckFailedException": Outcome.ALLOWED}

# Values that no application uses; a number of 38 digits still fits every key.
_IMPROBABLE: Mapping[str, Any] = {
    "S": "EncryptMigrate probes whether this table may be written",
    "N": "-73102694153826407195830264715938206417",
    "B": b"EncryptMigrate probes whether this table may be written",
}


def improbable_key(description: Mapping[str, Any]) -> dict[str, Any]:
    """A key of the table's schema, in wire format, from what DescribeTable says."""
    types = {one["AttributeName"]: one["AttributeType"] for one in description["AttributeDefinitions"]}
    names = [one["AttributeName"] for one in description["KeySchema"]]
    return {name: {types[name]: _IMPROBABLE[types[name]]} for name in names}


def attempt(client: DynamoDBClient, table: str, key: Mapping[str, Any]) -> Outcome:
    """Probes a table, whose improbable key is known, with the rights of the client. Raises TableGone."""
    try:
        client.delete_item(
            TableName=table,
            Key=key,
            ConditionExpression="attribute_exists(#k) AND attribute_not_exists(#k)",
            ExpressionAttributeNames={"#k": next(iter(key))},
        )
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code == "ResourceNotFoundException":
            raise TableGone(f"The table {table} is gone.") from error
        return _PROVED.get(code, Outcome.UNSURE)
    except BotoCoreError:
        return Outcome.UNSURE
    return Outcome.ALLOWED


class Probes:
    """Probes as a client, as the replicator, and as a turn that looks again.

    `as_client` gives a DynamoDB client with the probe role's rights, `as_look` one with those of the look role in the
    session of a token; they are asked again for every probe, so that no credentials run out under a long turn.
    """

    def __init__(
        self,
        own: DynamoDBClient,
        as_client: Callable[[], DynamoDBClient],
        as_look: Callable[[int], DynamoDBClient],
        functions: LambdaClient,
        replicator: str,
    ) -> None:
        self._own = own
        self._as_client = as_client
        self._as_look = as_look
        self._functions = functions
        self._replicator = replicator
        self._keys: dict[str, dict[str, Any]] = {}

    def client(self, table: str) -> Outcome:
        """May a client write this table? Raises TableGone."""
        try:
            return attempt(self._as_client(), table, self._key(table))
        except (ClientError, BotoCoreError):  # no credentials, or no description of the table, yet
            return Outcome.UNSURE

    def look(self, table: str, token: int) -> Outcome:
        """May the turn that holds this token write it? Raises TableGone."""
        try:
            return attempt(self._as_look(token), table, self._key(table))
        except (ClientError, BotoCoreError):
            return Outcome.UNSURE

    def replicator(self, table: str) -> Outcome:
        """May the replicator write it? Asks the function itself, because only its own calls tell."""
        try:
            request = {"Probe": {"Table": table, "Key": to_json(self._key(table))}}
            answer = self._functions.invoke(FunctionName=self._replicator, Payload=json.dumps(request).encode())
            found = json.loads(answer["Payload"].read())
        except (ClientError, BotoCoreError, ValueError):
            return Outcome.UNSURE
        told = found.get("Probe") if isinstance(found, dict) else None
        return Outcome(told) if told in list(Outcome) else Outcome.UNSURE

    def _key(self, table: str) -> dict[str, Any]:
        if table not in self._keys:
            self._keys[table] = improbable_key(self._own.describe_table(TableName=table)["Table"])
        return self._keys[table]


def to_json(key: Mapping[str, Any]) -> dict[str, Any]:
    """A key in wire format as JSON has it: bytes as base64 text, like in a stream event."""
    return {
        name: {kind: base64.b64encode(value).decode() if kind == "B" else value for kind, value in wire.items()}
        for name, wire in key.items()
    }
