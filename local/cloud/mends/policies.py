"""Resource policies of tables: the time a change takes to reach the callers, and the pause between two changes.

DynamoDB applies a policy with some delay, and nothing says that two callers see it at the same moment. Here every
change reaches each calling principal after a delay of its own, up to `policy_spread` seconds: a hash of table,
principal and number of the change, so that a run can be repeated. Reading the policy back is eventually consistent in
the same way. A policy given when the table is created applies at once. A change within `policy_interval` seconds of the
one before is refused; the same policy again is no change and answers with the same revision.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/rbac-considerations.html
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutResourcePolicy.html

Assumed: which error refuses a change that comes too early (ResourceInUseException, the closest that the API models).
"""

import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.cloud import emulator

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.cloud.settings import Settings


@dataclass(frozen=True)
class Change:
    """One change of one table's policy; `policy` is None where it was taken away. `at_once`: part of CreateTable."""

    number: int
    at: float
    policy: str | None
    revision: str
    at_once: bool = False


class History:
    """The policies that tables had and have, by ARN of the table."""

    def __init__(self, spread: float, interval: float, clock: "Callable[[], float]" = time.time) -> None:
        self._spread = spread
        self._interval = interval
        self._clock = clock
        self._changes: dict[str, list[Change]] = {}

    def add(self, arn: str, policy: str | None, revision: str, *, at_once: bool = False) -> None:
        changes = self._changes.setdefault(arn, [])
        changes.append(Change(len(changes), self._clock(), policy, revision, at_once))

    def too_early(self, arn: str) -> bool:
        changes = self._changes.get(arn)
        return changes is not None and not changes[-1].at_once and self._clock() - changes[-1].at < self._interval

    def seen_by(self, arn: str, principal: str) -> Change | None:
        """The latest change that has reached the principal; None where no policy was ever there for it."""
        now = self._clock()
        changes = self._changes.get(arn, [])
        reached = [change for change in changes if change.at + self._delay(change, arn, principal) <= now]
        return reached[-1] if reached else None

    def forget(self, arn: str) -> None:
        self._changes.pop(arn, None)

    def _delay(self, change: Change, arn: str, principal: str) -> float:
        if change.at_once:
            return 0.0
        digest = hashlib.sha256(f"{arn} {principal} {change.number}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64 * self._spread


_histories: list[History] = []


def _history() -> History:
    return _histories[0]


def mend(settings: "Settings") -> None:
    tables = emulator.module("services.dynamodb")
    _histories[:] = [History(settings.policy_spread, settings.policy_interval)]
    _mend_put(tables)
    _mend_delete(tables)
    _mend_get(tables)
    _forget_deleted(tables)


def _mend_put(tables: Any) -> None:
    put = tables._put_resource_policy

    def put_unless_early(request: dict[str, Any]) -> Any:
        arn = request.get("ResourceArn")
        there = tables._resource_policies.get(arn)
        if there and _same(there["Policy"], request.get("Policy")) and _expects(request, there["RevisionId"]):
            return tables.json_response({"RevisionId": there["RevisionId"]})
        if _history().too_early(str(arn)):
            return _refusal(tables, str(arn))
        answer = put(request)
        if answer[0] == 200:
            _history().add(str(arn), request["Policy"], tables._resource_policies[arn]["RevisionId"])
        return answer

    emulator.replace(tables, "_put_resource_policy", put_unless_early)


def _mend_delete(tables: Any) -> None:
    delete = tables._delete_resource_policy

    def delete_unless_early(request: dict[str, Any]) -> Any:
        arn = request.get("ResourceArn")
        there = tables._resource_policies.get(arn)
        if there and _history().too_early(str(arn)):
            return _refusal(tables, str(arn))
        answer = delete(request)
        if answer[0] == 200 and there:
            _history().add(str(arn), None, there["RevisionId"])
        return answer

    emulator.replace(tables, "_delete_resource_policy", delete_unless_early)


def _mend_get(tables: Any) -> None:
    def get_as_seen(request: dict[str, Any]) -> Any:
        arn = str(request.get("ResourceArn"))
        seen = _history().seen_by(arn, f"{principal()} GetResourcePolicy")
        if not tables._resource_arn_exists(arn):
            return tables.error_response_json(
                "ResourceNotFoundException", f"Requested resource not found: ResourceArn: {arn} not found", 400
            )
        if seen is None or seen.policy is None:
            return tables.error_response_json(
                "PolicyNotFoundException", f"No resource-based policy found for resource {arn}", 400
            )
        return tables.json_response({"Policy": seen.policy, "RevisionId": seen.revision})

    emulator.replace(tables, "_get_resource_policy", get_as_seen)


def _forget_deleted(tables: Any) -> None:
    delete_table = tables._delete_table

    def delete_with_policy(request: dict[str, Any]) -> Any:
        arn = tables._tables.get(tables._normalize_table_name(request.get("TableName")), {}).get("TableArn")
        answer = delete_table(request)
        if answer[0] == 200:
            forget(arn)
        return answer

    emulator.replace(tables, "_delete_table", delete_with_policy)


def settle(arn: str, policy: str | None, *, at_once: bool) -> None:
    """What CloudFormation does with the policy in a template: it waits out the pause between two changes."""
    tables = emulator.module("services.dynamodb")
    revision = emulator.module("core.responses").new_uuid()
    if policy is None:
        tables._resource_policies.pop(arn, None)
    else:
        tables._resource_policies[arn] = {"Policy": policy, "RevisionId": revision}
    _history().add(arn, policy, revision, at_once=at_once)


def forget(arn: str) -> None:
    """The table is gone, and its policy with it."""
    emulator.module("services.dynamodb")._resource_policies.pop(arn, None)
    _history().forget(arn)


def effective(arn: str) -> str | None:
    """The policy that holds for the caller of the request that is being served."""
    seen = _history().seen_by(arn, principal())
    return seen.policy if seen else None


def principal() -> str:
    """The caller of the request that is being served: a role's sessions are one principal, the role."""
    arn: str = emulator.module("core.iam_evaluator").caller_arn()
    return arn.rsplit("/", 1)[0] if ":assumed-role/" in arn else arn


def _same(one: str, other: Any) -> bool:
    try:
        return bool(json.loads(one) == json.loads(other))
    except (TypeError, ValueError):
        return False


def _expects(request: dict[str, Any], revision: str) -> bool:
    return request.get("ExpectedRevisionId") in (None, revision)


def _refusal(tables: Any, arn: str) -> Any:
    return tables.error_response_json(
        "ResourceInUseException",
        f"Attempt to change a resource which is still in use: the resource policy of {arn} was changed a moment ago",
        400,
    )
