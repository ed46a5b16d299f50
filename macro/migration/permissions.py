"""Rule Permission: expand, then contract.

From stage 1 to 3 whoever may use the source may use the twin as well; at stage 4 the twin alone is left. A role
therefore never loses a table that running code still uses, in whichever order a deployment brings roles and code up
to date.

A statement is known by its shape, wherever it stands: inline policies, managed policies, policies of functions and
state machines, bucket, queue and key policies, resource policies of APIs. A value that names the source is doubled in
the list that it stands in; a single value becomes a list.
"""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING, Any

from migration.intrinsics import function_of, is_mapping, map_branches
from migration.rules import Rule
from migration.stages import Stage

if TYPE_CHECKING:
    from migration.references import Walk


def is_statement(value: dict[str, Any]) -> bool:
    """Whether an object is a statement of an IAM or resource policy."""
    return "Effect" in value and ("Action" in value or "NotAction" in value)


def statement(walk: Walk, value: dict[str, Any]) -> dict[str, Any]:
    """A policy statement, its resources and conditions for both tables."""
    changed = {}
    named = walk.names.names
    for key, member in value.items():
        if not named and member.__class__ is str:
            continue  # a text by itself refers to nothing
        if key in ("Resource", "NotResource"):
            new = both(walk, member)
        elif key == "Condition":
            new = _conditions(walk, member)
        else:
            new = walk.rewrite(member, Rule.LATE)
        if new is not member:
            changed[key] = new
    return {**value, **changed} if changed else value


def policies(walk: Walk, value: Any, _: Rule) -> Any:
    """`Policies` of a SAM function or state machine: policy templates per table, documents by their statements."""
    return map_branches(value, lambda branch: _policies(walk, branch))


def doubled(walk: Walk, value: Any, _: Rule) -> Any:
    """A list that is not a policy's, with something for the twin beside each for the source."""
    return both(walk, value)


def both(walk: Walk, value: Any, key: str = "") -> Any:
    """A single value or a list, standing under `key`, with the twin's beside each that names the source."""
    return map_branches(value, lambda branch: _both(walk, branch, key))


def _policies(walk: Walk, value: Any) -> Any:
    """The twins' policies stand last: SAM numbers them, and renumbering would take a policy away for a moment."""
    single = not isinstance(value, list)
    found: list[Any] = []
    twins: list[Any] = []
    for policy in [value] if single else value:
        if is_mapping(policy) and "Statement" in policy:
            found.append(walk.rewrite(policy, Rule.LATE))
        else:
            first, *rest = _pair(walk, policy)
            found.append(first)
            twins.extend(rest)
    if single and not twins:
        return found[0]
    return _unless_same(value, [*found, *twins])


def _both(walk: Walk, value: Any, key: str) -> Any:
    if isinstance(value, list):
        return _unless_same(value, [item for member in value for item in _pair(walk, member, key)])
    pair = _pair(walk, value, key)
    if len(pair) == 1:
        return pair[0]
    if function_of(value) == "Fn::Split":
        return _both_split(value, pair)
    return pair


def _both_split(value: dict[str, Any], pair: list[Any]) -> Any:
    """A text that is split into a list: both texts are joined before they are split."""
    delimiter = value["Fn::Split"][0]
    return {"Fn::Split": [delimiter, {"Fn::Join": [delimiter, [each["Fn::Split"][1] for each in pair]]}]}


def _pair(walk: Walk, value: Any, key: str = "") -> list[Any]:
    twin = walk.rewrite(value, Rule.TWIN)
    if twin is value and key:
        twin = walk.by_name({}, key, value, Rule.TWIN)
    if twin is value:
        return [value]
    contract = walk.stage >= Stage.CLEANUP and not walk.names.may_mean_another(value)
    return [twin] if contract else [value, twin]


def _conditions(walk: Walk, value: Any) -> Any:
    """The condition block of a statement: operator, then key, then a value or a list of values."""
    if not is_mapping(value):
        return value
    if function_of(value) == "Fn::If":
        return map_branches(value, lambda branch: _conditions(walk, branch))
    changed = {}
    for operator, keys in value.items():
        if is_mapping(keys):
            members = {key: both(walk, member, key) for key, member in keys.items()}
            if any(members[key] is not keys[key] for key in keys):
                changed[operator] = members
    return {**value, **changed} if changed else value


def _unless_same(value: Any, found: list[Any]) -> Any:
    same = isinstance(value, list) and len(value) == len(found) and all(map(is_, value, found))
    return value if same else found
