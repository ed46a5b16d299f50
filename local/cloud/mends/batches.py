"""BatchWriteItem: ministack always does everything; DynamoDB may leave operations of a batch undone.

With `unprocessed` above 0, that share of the operations comes back in UnprocessedItems, never all of a call.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

import json
import random
from typing import TYPE_CHECKING, Any

from local.cloud import emulator

if TYPE_CHECKING:
    from local.cloud.settings import Settings


def mend(settings: "Settings") -> None:
    if settings.unprocessed <= 0:
        return
    tables = emulator.module("services.dynamodb")
    write = tables._batch_write_item
    chance = random.Random(settings.shuffle)  # noqa: S311  # repeatable, not secret

    def write_some(request: dict[str, Any]) -> Any:
        done, left = split(request.get("RequestItems") or {}, settings.unprocessed, chance)
        status, headers, body = write({**request, "RequestItems": done} if left else request)
        if status == 200 and left:
            body = json.dumps({**json.loads(body), "UnprocessedItems": left}).encode()
        return status, headers, body

    emulator.replace(tables, "_batch_write_item", write_some)


def split(
    items: dict[str, list[Any]], share: float, chance: random.Random
) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """(operations to do, operations to leave) by table; at least one is done."""
    done: dict[str, list[Any]] = {}
    left: dict[str, list[Any]] = {}
    for table, operations in items.items():
        for operation in operations:
            target = left if done and chance.random() < share else done
            target.setdefault(table, []).append(operation)
    return done, left
