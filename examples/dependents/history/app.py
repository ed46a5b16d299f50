"""Notes every change in the table of users: what was there before, what is there now.

A change that comes twice, as changes in streams may, is noted once: it is known by its stream and its number in it.
"""

import os
import time
from typing import Any

import boto3

table = boto3.resource("dynamodb").Table(os.environ["CHANGES_TABLE"])
_DIGITS = 40  # of the longest number in a stream: filled up with zeros, numbers sort as text


def handler(event: dict[str, Any], _: object) -> None:
    """Note a batch of records, in their order. What raises here comes again, from the first record on."""
    for record in event["Records"]:
        note(record["eventSourceARN"], record["dynamodb"])


def note(stream: str, change: dict[str, Any]) -> None:
    table.update_item(
        Key={
            "user": change["Keys"]["user"]["S"],
            "change": f"{stream}#{change['SequenceNumber']:0>{_DIGITS}}",
        },
        UpdateExpression="SET #before = :before, #after = :after, first_seen = if_not_exists(first_seen, :now)",
        ExpressionAttributeNames={"#before": "before", "#after": "after"},
        ExpressionAttributeValues={
            ":before": version(change.get("OldImage")),
            ":after": version(change.get("NewImage")),
            ":now": time.time_ns(),
        },
    )


def version(image: dict[str, Any] | None) -> str | None:
    """What tells one state of a user from another: the label or the count; None where there is no such user."""
    if image is None:
        return None
    ((_, value),) = image.get("label", image.get("count", {"S": ""})).items()
    return str(value)
