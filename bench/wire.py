"""The client by which the replicator reads and writes items; its requests go to an object in this process.

Requests are built, signed and serialised, answers parsed: all that a call costs us, but for the way and the engine.
"""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from bench.engines import ACCOUNT
from replication.client import items_client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def over_the_wire(
    to: Callable[[], object], told: Callable[[float], None], make: Callable[..., DynamoDBClient] = items_client
) -> DynamoDBClient:
    """A client of what `to` returns, which has boto3's methods. Not for binary values, which are text on the wire.

    `told`: hears after each call what processor time it took behind the wire.
    """

    def answer(request: Any, **_: Any) -> Any:
        began = time.thread_time()
        target = request.headers["X-Amz-Target"]
        operation = (target if isinstance(target, str) else target.decode()).rpartition(".")[2]
        method = getattr(to(), re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower())
        try:
            status, found = 200, method(**json.loads(request.body))
        except ClientError as error:
            status, found = 400, {"__type": error.response["Error"]["Code"], "message": "no"}
        text = json.dumps(found).encode()
        headers: Any = {"content-length": str(len(text)), "content-type": "application/x-amz-json-1.0"}
        response = AWSResponse(request.url, status, headers, _Raw(text))
        told(time.thread_time() - began)
        return response

    client = make(endpoint_url="http://127.0.0.1:1", **ACCOUNT)
    client.meta.events.register("before-send.dynamodb", answer)
    return client
