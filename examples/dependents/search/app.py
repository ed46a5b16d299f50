"""GET /labels/{label}: which users have a label, from the index of the table that the environment names."""

import json
import os
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key

table = boto3.resource("dynamodb").Table(os.environ["USERS_TABLE"])


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Answer a request of an HTTP API (payload format 2.0)."""
    wanted = Key("label").eq(event["pathParameters"]["label"])
    found: list[Any] = []
    page: dict[str, Any] = {}
    while True:
        answer = table.query(IndexName="by-label", KeyConditionExpression=wanted, **page)
        found += (item["user"] for item in answer["Items"])
        if "LastEvaluatedKey" not in answer:
            return {"statusCode": 200, "body": json.dumps(found)}
        page = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
