"""Creating an event source mapping of a DynamoDB stream: ministack does not ask whether the function may read it.

Lambda reads the stream with the function's role, and refuses a mapping whose role cannot.
https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html

Not so here: a role that loses its permission later goes on reading; a stream's own resource policy does not count.
"""

from typing import TYPE_CHECKING, Any

from local.cloud import emulator
from local.cloud.mends.permissions import role_may

if TYPE_CHECKING:
    from local.cloud.settings import Settings

READS = ("GetRecords", "GetShardIterator", "DescribeStream", "ListStreams")
TYPE = "AWS::Lambda::EventSourceMapping"


def mend(_settings: "Settings") -> None:
    functions = emulator.module("services.lambda_svc")
    handlers = emulator.module("services.cloudformation.provisioners")._RESOURCE_HANDLERS[TYPE]
    create, provision = functions._create_esm, handlers["create"]

    def create_if_readable(request: dict[str, Any]) -> Any:
        refused = refusal(functions, request.get("EventSourceArn", ""), request.get("FunctionName", ""))
        if refused:
            return functions.error_response_json("InvalidParameterValueException", refused, 400)
        return create(request)

    def provision_if_readable(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        refused = refusal(functions, properties.get("EventSourceArn", ""), properties.get("FunctionName", ""))
        if refused:
            raise ValueError(f"{refused} (Service: Lambda, Status Code: 400)")
        return provision(logical_id, properties, stack)

    emulator.replace(functions, "_create_esm", create_if_readable)
    handlers["create"] = provision_if_readable


def refusal(functions: Any, stream: str, function: str) -> str | None:
    """Why a mapping from the stream to the function cannot be made; None where it can, or is no DynamoDB stream."""
    if ":dynamodb:" not in stream:
        return None
    _, config, _ = functions._get_func_record_for_ref(function)
    role = (config or {}).get("Role", "")
    if all(role_may(role, f"dynamodb:{read}", stream) for read in READS):
        return None
    return (
        f"Cannot access stream {stream}. Please ensure the role can perform the {', '.join(READS[:-1])}, and "
        f"{READS[-1]} Actions on your stream in IAM."
    )
