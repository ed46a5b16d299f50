"""OnFailure destinations of stream mappings: ministack knows queues and topics; here is the bucket.

Lambda writes what it wrote down about the batch, and into a bucket the whole event with it, under
`aws/lambda/<mapping>/<shard>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<uuid>`.
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html

Assumed: `payload` is the event as an object (the guide prints `"<Whole Event>"`).
"""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local.cloud import emulator
from local.cloud.mends.lanes import Record, created, sequence

SHARD = "shardId-00000000000000000000-00000000"
RETRIES = "RetryAttemptsExhausted"
AGE = "RecordAgeExceeded"


@dataclass(frozen=True)
class Loss:
    """Records that a mapping gave up. `invocations`: how often the function was called with them, about."""

    records: list[Record]
    condition: str
    invocations: int


def send(mapping: dict[str, Any], function: dict[str, Any], loss: Loss) -> None:
    """Sends what was lost to the mapping's destination; without one, it is gone. Raises ValueError where it cannot."""
    target = ((mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination", "")
    if target.startswith("arn:aws:s3:::"):
        _put_object(target.split(":::")[1].split("/")[0], mapping, loss)
    elif target:
        send_message = emulator.module("services.lambda_svc")._send_ddb_stream_failure_record
        send_message(mapping, function, loss.records, mapping["EventSourceArn"], {}, loss.condition)


def _put_object(bucket: str, mapping: dict[str, Any], loss: Loss) -> None:
    body = json.dumps({**_invocation_record(mapping, loss), "payload": {"Records": loss.records}}).encode()
    key = object_key(mapping["UUID"], datetime.now(UTC))
    status, _, answer = emulator.module("services.s3")._put_object(bucket, key, body, {})
    if status >= 400:
        raise ValueError(f"records of {mapping['UUID']} that were given up cannot be written to {bucket}: {answer!r}")


def _invocation_record(mapping: dict[str, Any], loss: Loss) -> dict[str, Any]:
    first, last = loss.records[0], loss.records[-1]
    return {
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "functionArn": mapping["FunctionArn"],
            "condition": loss.condition,
            "approximateInvokeCount": loss.invocations,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "DDBStreamBatchInfo": {
            "shardId": SHARD,
            "startSequenceNumber": sequence(first),
            "endSequenceNumber": sequence(last),
            "approximateArrivalOfFirstRecord": _instant(created(first)),
            "approximateArrivalOfLastRecord": _instant(created(last)),
            "batchSize": len(loss.records),
            "streamArn": mapping["EventSourceArn"],
        },
    }


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def object_key(mapping: str, now: datetime) -> str:
    return f"aws/lambda/{mapping}/{SHARD}/{now:%Y/%m/%d}/{now:%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
