"""GET, PUT and DELETE /users/{user}: one item of the table that the environment names."""

import json
import os
from typing import Any

import boto3

table = boto3.resource("dynamodb").Table(os.environ["USERS_TABLE"])


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Answer a request of an HTTP API (payload format 2.0)."""
    method = event["requestContext"]["http"]["method"]
    key = {"user": event["pathParameters"]["user"]}
    if method == "GET":
        item = table.get_item(Key=key, ConsistentRead=True).get("Item")
        return answer(200, item) if item else answer(404, {"message": "no such user"})
    if method == "PUT":
        table.put_item(Item={**json.loads(event.get("body") or "{}"), **key})
        return answer(204)
    if method == "DELETE":
        table.delete_item(Key=key)
        return answer(204)
    return answer(405, {"message": f"{method} is not allowed"})


def answer(status: int, body: dict[str, Any] | None = None) -> dict[str, Any]:
    # numbers come from the table as Decimal, which json does not know
    return {"statusCode": status, "body": json.dumps(body, default=str) if body else ""}
