"""AWS/DynamoDB UserErrors in CloudWatch, which ministack does not publish.

One datum for every request of DynamoDB or its streams that was answered with HTTP 400, in the whole account and region,
but for conditional checks that failed and for throttles.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
"""

import json
from typing import TYPE_CHECKING, Any

from local.cloud import emulator

if TYPE_CHECKING:
    from local.cloud.settings import Settings

NOT_COUNTED = ("ConditionalCheckFailedException", "ProvisionedThroughputExceededException", "ThrottlingException")


def mend(_settings: "Settings") -> None:
    application = emulator.module("app")
    dispatch = application._dispatch_service_request

    async def dispatch_counting(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any], request_id: str
    ) -> Any:
        answer = await dispatch(method, path, headers, body, query, request_id)
        if headers.get("x-amz-target", "").startswith("DynamoDB") and answer[0] == 400 and counts(answer[2]):
            emulator.module("services.cloudwatch").record_metric("AWS/DynamoDB", "UserErrors", 1, "Count")
        return answer

    emulator.replace(application, "_dispatch_service_request", dispatch_counting)


def counts(body: bytes | str) -> bool:
    """Whether the answer with this body is one of those that the metric counts."""
    try:
        kind = str(json.loads(body or "{}").get("__type", ""))
    except ValueError:
        return True
    return kind.rsplit("#", 1)[-1] not in NOT_COUNTED
