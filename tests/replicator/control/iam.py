"""Who is let in by the policy of a table, and how such policies change: as AWS documents it, as far as ours need it.

Pure. What a policy says and is not known here is an error: an evaluator that passes over a condition proves nothing.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/rbac-auth-iam-id-based-policies-DDB.html
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutResourcePolicy.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import ClientError

ACCOUNT = "123456789012"
NONE = "NO_POLICY"  # the revision that a change names which expects that there is no policy


def refusal(code: str, operation: str = "Operation", message: str = "no") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}},  # type: ignore[typeddict-item]
        operation,
    )


def role(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


@dataclass(frozen=True)
class Caller:
    """A session of a role of the table's account. `trusted`: the role's own policies allow everything."""

    name: str
    session: str = "session"
    trusted: bool = False

    @property
    def userid(self) -> str:
        return f"AROA{self.name.upper()}:{self.session}"


def allows(policy: Mapping[str, Any] | None, caller: Caller, action: str, resource: str) -> bool:
    """Whether a caller may do this with the table `resource` (its ARN) under its policy."""
    statements = _listed((policy or {}).get("Statement", []))
    effects = {one["Effect"] for one in statements if _applies(one, caller, action, resource)}
    return "Deny" not in effects and (caller.trusted or "Allow" in effects)


def _applies(statement: Mapping[str, Any], caller: Caller, action: str, resource: str) -> bool:
    return (
        _names(statement["Principal"], caller)
        and any(fnmatchcase(action.lower(), one.lower()) for one in _listed(statement["Action"]))
        and any(fnmatchcase(resource, one) for one in _listed(statement["Resource"]))
        and all(
            _OPERATORS[operator](_KEYS[key](caller), _listed(values))
            for operator, wanted in statement.get("Condition", {}).items()
            for key, values in wanted.items()
        )
    )


def _names(principal: Any, caller: Caller) -> bool:
    return principal == "*" or any(one in ("*", role(caller.name)) for one in _listed(principal["AWS"]))


def _like_none(value: str, patterns: list[str]) -> bool:
    """A negated operator holds only if none of its values fits."""
    return not any(fnmatchcase(value, pattern) for pattern in patterns)


_OPERATORS: Mapping[str, Callable[[str, list[str]], bool]] = {"ArnNotEquals": _like_none, "StringNotLike": _like_none}
_KEYS: Mapping[str, Callable[[Caller], str]] = {
    "aws:PrincipalArn": lambda caller: role(caller.name),  # of a role's session it is the role's
    "aws:userid": lambda caller: caller.userid,
}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True)
class Change:
    """A policy that was put on a table; None where it was taken away."""

    number: int
    at: float
    policy: Mapping[str, Any] | None
    revision: str


class Policies(list[Change]):
    """The policies that one table has had, the newest last."""

    def change(
        self, policy: Mapping[str, Any] | None, expected: str | None, now: float, interval: float, name: str = ""
    ) -> str:
        """Puts a policy, or takes it away. Returns the revision; raises as DynamoDB does.

        Which error refuses a change within `interval` seconds of the one before is assumed: it is not documented.
        """
        last = self[-1] if self else Change(-1, float("-inf"), None, NONE)
        if expected is not None and expected != (NONE if last.policy is None else last.revision):
            raise refusal("PolicyNotFoundException", "PutResourcePolicy")
        if policy == last.policy:
            return last.revision
        if now - last.at < interval:
            raise refusal("ResourceInUseException", "PutResourcePolicy")
        self.append(Change(last.number + 1, now, policy, f"revision-{name}-{last.number + 1}"))
        return self[-1].revision

    def reached(self, delay: Callable[[int], float], now: float) -> Change | None:
        """The newest that has come to somebody, who gets a change so many seconds late; None before the first."""
        return next((one for one in reversed(self) if one.at + delay(one.number) <= now), None)
