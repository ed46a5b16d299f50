"""Who may do what with a table, as a resource policy. Pure.

    mode        clients write   replicator, worker write   the turn writes   used for
    open        yes             no                         no                the owner
    following   no              yes                        no                the other table
    sealed      no              no                         no                the owner, during a turn
    fenced      no              no                         yes               the other table, during a turn

Going from any mode to any other never allows in between what neither of them allows: whoever is shut out is shut out
by a Deny for everybody except some, and whoever of ours is let in is allowed by name. The user's own statements stay
beside ours in every mode.

Every document names its mode and the fencing token under which it was put, in the Sid of its statements. So two
documents of ours are never equal, the revision of the policy changes each time, and a late change by a turn that was
given up for dead names a revision that is gone. A fence lets in one session alone, the one whose name carries the same
token: a write that a dead turn has left behind does not pass the fence of the next.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from replication.pair import Side

PREFIX = "EncryptMigrate"
LARGEST = 20 * 1024  # bytes of a table's policy, white space included

# Everything that can put, change or remove an item. Transactions are authorised by the actions of their parts, PartiQL
# by actions of its own, and BatchWriteItem by one of its own too: a seal that forgets one has a hole.
WRITES = (
    "dynamodb:BatchWriteItem",
    "dynamodb:DeleteItem",
    "dynamodb:PartiQLDelete",
    "dynamodb:PartiQLInsert",
    "dynamodb:PartiQLUpdate",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
)
OUR_READS = (
    "dynamodb:BatchGetItem",
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:GetItem",
    "dynamodb:Scan",
)
OUR_WRITES = ("dynamodb:BatchWriteItem", "dynamodb:DeleteItem")  # the second for probes alone


class Mode(StrEnum):
    """Who may write a table."""

    OPEN = "open"
    FOLLOWING = "following"
    SEALED = "sealed"
    FENCED = "fenced"


@dataclass(frozen=True)
class Roles:
    """The ARNs of the installation's roles that touch tables of users."""

    replicator: str
    worker: str
    turn: str
    look: str
    probe: str


def session_name(token: int) -> str:
    """The name under which a turn assumes the look role."""
    return f"turn-{token}"


def at_rest(owner: Side) -> Mapping[Side, Mode]:
    """The modes of both tables while no turn is under way."""
    return {owner: Mode.OPEN, owner.other: Mode.FOLLOWING}


def document(mode: Mode, token: int, table_arn: str, roles: Roles, own: str | None) -> dict[str, Any]:
    """The whole policy of a table: the user's own statements and ours."""
    sid = f"{PREFIX}{mode.capitalize()}{token}"
    writers = {Mode.FOLLOWING: (roles.replicator, roles.worker), Mode.FENCED: (roles.look,)}.get(mode, ())

    def statement(name: str, effect: str, principals: Iterable[str], actions: Iterable[str]) -> dict[str, Any]:
        return {
            "Sid": f"{sid}{name}",
            "Effect": effect,
            "Principal": {"AWS": sorted(principals)},
            "Action": list(actions),
            "Resource": table_arn,
        }

    ours = [
        statement("Read", "Allow", (roles.worker, roles.turn), OUR_READS),
        # allowed in every mode, so that a refused probe proves the Deny and nothing else
        statement("Probe", "Allow", (roles.probe,), ("dynamodb:DeleteItem",)),
    ]
    if writers:
        ours.append(statement("Write", "Allow", writers, OUR_WRITES))
    if mode is Mode.FOLLOWING:  # deletion protection of the old table has to go before cleanup
        ours.append(statement("Unprotect", "Allow", (roles.worker,), ("dynamodb:UpdateTable",)))
    if mode is not Mode.OPEN:
        shut = statement("Deny", "Deny", (), WRITES) | {"Principal": "*"}
        only = {"Condition": {"ArnNotEquals": {"aws:PrincipalArn": sorted(writers)}}} if writers else {}
        ours.append(shut | only)
        if mode is Mode.FENCED:
            session = {"StringNotLike": {"aws:userid": f"*:{session_name(token)}"}}
            ours.append(shut | {"Sid": f"{sid}Session", "Condition": session})
    return {"Version": "2012-10-17", "Statement": [*own_statements(own), *ours]}


def left_behind(token: int, table_arn: str, own: str | None) -> dict[str, Any]:
    """The policy of a table that stays after its migration without being the owner: closed to every writer."""
    deny = {
        "Sid": f"{PREFIX}Sealed{token}Deny",
        "Effect": "Deny",
        "Principal": "*",
        "Action": list(WRITES),
        "Resource": table_arn,
    }
    return {"Version": "2012-10-17", "Statement": [*own_statements(own), deny]}


def own_statements(own: str | None) -> list[Any]:
    """The statements of a policy of the user, JSON text."""
    found = json.loads(own).get("Statement", []) if own else []
    return found if isinstance(found, list) else [found]


def problems_of(own: Any, resource: str) -> list[str]:
    """What keeps a user's own policy (a plain document) from being put together with ours."""
    if own is None:
        return []
    if not isinstance(own, dict) or not isinstance(own.get("Statement"), list | dict):
        return [f"the ResourcePolicy of {resource} is no policy document with a Statement."]
    statements = own["Statement"] if isinstance(own["Statement"], list) else [own["Statement"]]
    if any(not isinstance(one, dict) for one in statements):
        return [f"the ResourcePolicy of {resource} has a Statement that is no map."]
    taken = [str(one.get("Sid")) for one in statements if str(one.get("Sid", "")).startswith(PREFIX)]
    found = [
        f"the ResourcePolicy of {resource} uses the Sid {sid}: ids that begin with {PREFIX} are ours." for sid in taken
    ]
    if len(json.dumps(own)) > LARGEST - 6 * 1024:
        found.append(
            f"the ResourcePolicy of {resource} is too large: DynamoDB allows 20 KB, of which EncryptMigrate needs 6."
        )
    return found


def rewritten(own: str, arns: Mapping[str, str]) -> str:
    """A user's own policy with the ARN of one table put in the place of another's, indexes included."""
    for arn, new in arns.items():
        own = re.sub(rf'{re.escape(arn)}(?=["/])', new, own)
    return own


def put_by_us(policy: Mapping[str, Any]) -> tuple[Mode, int] | None:
    """The mode and token of a policy that we have put, None when it is somebody else's."""
    for statement in policy.get("Statement", []):
        found = re.match(rf"{PREFIX}([A-Z][a-z]+)(\d+)[A-Z]", str(statement.get("Sid", "")))
        if found and found[1].lower() in list(Mode):
            return Mode(found[1].lower()), int(found[2])
    return None


def digest(policy: Mapping[str, Any]) -> str:
    """Equal for policies that say the same, whatever their order, with single values or with lists of one."""
    statements = policy.get("Statement", [])
    listed = [statements] if isinstance(statements, dict) else statements
    canonical = sorted(json.dumps(_listed(statement), sort_keys=True) for statement in listed)
    return hashlib.sha256("\n".join(canonical).encode()).hexdigest()[:32]


def _listed(value: Any) -> Any:
    """A value with every single one made a list of one, and every list sorted."""
    if isinstance(value, dict):
        return {name: _listed(inner) for name, inner in value.items()}
    return sorted(json.dumps(one, sort_keys=True) for one in (value if isinstance(value, list) else [value]))
