"""ReservedConcurrentExecutions of a function, which ministack's CloudFormation drops.

It honours what PutFunctionConcurrency has set: an invocation more than that is throttled.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""

from typing import TYPE_CHECKING, Any

from local.cloud import emulator

if TYPE_CHECKING:
    from local.cloud.settings import Settings


def mend(_settings: "Settings") -> None:
    handlers = emulator.module("services.cloudformation.provisioners")._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    functions = emulator.module("services.lambda_svc")
    create, update = handlers["create"], handlers["update"]

    def reserve(name: str, properties: dict[str, Any]) -> None:
        reserved = properties.get("ReservedConcurrentExecutions")
        functions._functions[name]["concurrency"] = None if reserved is None else int(reserved)

    def create_reserving(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        name, attributes = create(logical_id, properties, stack)
        reserve(name, properties)
        return name, attributes

    def update_reserving(physical_id: str, old: Any, properties: dict[str, Any], *more: Any, **named: Any) -> Any:
        name, attributes = update(physical_id, old, properties, *more, **named)
        reserve(name, properties)
        return name, attributes

    handlers["create"], handlers["update"] = create_reserving, update_reserving
