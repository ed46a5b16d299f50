"""Table policies in front of an engine that has none: stands between a boto3 client of one caller and the engine.

It keeps the policies, answers the calls that put, get and delete them, and decides on every call that touches items
before it leaves. A change comes to each caller after a delay of its own, as in DynamoDB. Calls that touch no item pass.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-iam.html
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteResourcePolicy.html
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from tests.replicator.control.iam import Caller, Change, Policies, allows, refusal

# Decided on by an action of the operation's own name, for the table that TableName names.
_PLAIN = {"DeleteItem", "DescribeTimeToLive", "GetItem", "PutItem", "Query", "Scan", "UpdateItem"}
_PARTS = {
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
    "Get": "GetItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
}
_STATEMENT = re.compile(
    r'\s*(?:(INSERT)\s+INTO|(UPDATE)|(DELETE)\s+FROM|(SELECT)\s.*?FROM)\s+"?([\w.-]+)', re.IGNORECASE | re.DOTALL
)


class Guard:
    """The policies of all tables of one engine. `spread`, `interval`: as the local cloud's settings have them."""

    def __init__(self, clock: Callable[[], float], *, spread: float, interval: float) -> None:
        self._clock = clock
        self._spread = spread
        self._interval = interval
        self._policies: dict[str, Policies] = {}  # by ARN of the table

    def stand_before(self, client: Any, caller: Caller) -> None:
        """From now on this client has the caller's rights."""

        def decide(model: Any, params: Mapping[str, Any], **_: Any) -> tuple[Any, dict[str, Any]] | None:
            request = json.loads(params["body"])
            try:
                answer = self._answer(model.name, request)
                if answer is None:
                    self._require(model.name, request, caller)
                    return None
            except ClientError as error:
                return SimpleNamespace(status_code=400, content=b""), dict(error.response)
            return SimpleNamespace(status_code=200, content=b""), answer

        client.meta.events.register("before-call.dynamodb", decide)

    def _answer(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """To the calls about policies; None to all others."""
        if not operation.endswith("ResourcePolicy"):
            return None
        arn, expected = request["ResourceArn"], request.get("ExpectedRevisionId")
        policies = self._policies.setdefault(arn, Policies())
        if operation == "PutResourcePolicy":
            policy = json.loads(request["Policy"])
            return {"RevisionId": policies.change(policy, expected, self._clock(), self._interval, arn)}
        if operation == "DeleteResourcePolicy":
            if expected is not None and not (policies and policies[-1].policy):
                raise refusal("PolicyNotFoundException", operation)
            return {"RevisionId": policies.change(None, expected, self._clock(), self._interval, arn)}
        seen = self._seen(arn, operation)
        if seen is None or seen.policy is None:
            raise refusal("PolicyNotFoundException", operation)
        return {"Policy": json.dumps(seen.policy), "RevisionId": seen.revision}

    def _require(self, operation: str, request: Mapping[str, Any], caller: Caller) -> None:
        for action, table in wanted(operation, request):
            arn = next((arn for arn in self._policies if arn.endswith(f":table/{table}")), f"arn:::::table/{table}")
            seen = self._seen(arn, caller.name)
            if not allows(seen.policy if seen else None, caller, f"dynamodb:{action}", arn):
                raise refusal("AccessDeniedException", operation, f"{caller.name} may not {action} on {table}")

    def _seen(self, arn: str, who: str) -> Change | None:
        def delay(number: int) -> float:
            return random.Random(f"{arn} {who} {number}").random() * self._spread

        return self._policies.get(arn, Policies()).reached(delay, self._clock())


def wanted(operation: str, request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a call wants to do with items: (action, table), each of which must be allowed."""
    if operation in _PLAIN:
        yield operation, _name(request["TableName"])
    elif operation in ("BatchGetItem", "BatchWriteItem"):
        for table in request["RequestItems"]:
            yield operation, _name(table)
    elif operation in ("TransactGetItems", "TransactWriteItems"):
        for item in request["TransactItems"]:
            ((part, content),) = item.items()
            yield _PARTS[part], _name(content["TableName"])
    elif operation in ("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"):
        for one in request.get("Statements") or request.get("TransactStatements") or [request]:
            found = _STATEMENT.match(one["Statement"])
            if found is None:
                raise refusal("ValidationException", operation, "a statement that the guard does not understand")
            verb = next(verb for verb in found.groups()[:4] if verb)
            yield f"PartiQL{verb.capitalize()}", found[5]


def _name(table: str) -> str:
    """Of a table that is named by its name or by its ARN."""
    return table.rsplit("/", 1)[-1]
