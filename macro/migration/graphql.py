"""AWS::Serverless::GraphQLApi: each data source of a table has a role of its own that may use this table alone.

Pointing a data source at the twin would take the source from requests that are still under way. So the twin has a
data source of its own from stage 1 on, and the functions change from one to the other at cutover.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migration.ids import twin_id
from migration.intrinsics import is_mapping
from migration.names import CannotRename, renamed
from migration.rules import Rule
from migration.stages import Stage

if TYPE_CHECKING:
    from migration.references import Walk

_NAME_SUFFIX = "Encrypted"
"""Names of data sources cannot hold a hyphen."""
_NAME_LIMIT = 65536


def graphql_api(walk: Walk, value: Any, rule: Rule) -> Any:
    """The properties of a GraphQLApi."""
    sources = value.get("DataSources") if is_mapping(value) else None
    tables = sources.get("DynamoDb") if is_mapping(sources) else None
    if not is_mapping(sources) or not is_mapping(tables):
        return walk.rewrite(value, rule)
    found: dict[str, Any] = {}
    twins: set[str] = set()
    for name, source in tables.items():
        walk.rewrite(source, rule)  # the functions that use it move at cutover, so the gate comes first
        twin = walk.rewrite(source, Rule.TWIN)
        if twin is source:
            found[name] = source
            continue
        twins.add(name)
        if walk.stage < Stage.CLEANUP:
            found[name] = source
        found[twin_id(name)] = _renamed(walk, twin)
    if not twins:
        return walk.rewrite(value, rule)
    rest = walk.members({key: member for key, member in value.items() if key not in ("DataSources", "Functions")}, rule)
    made = {**rest, "DataSources": {**walk.members(sources, rule), "DynamoDb": found}}
    if "Functions" in value:
        made["Functions"] = _functions(walk, value["Functions"], twins, rule)
    return {key: made[key] for key in value}


def _renamed(walk: Walk, source: dict[str, Any]) -> dict[str, Any]:
    if "Name" not in source:
        return source
    try:
        return {**source, "Name": renamed(source["Name"], _NAME_LIMIT, _NAME_SUFFIX)}
    except CannotRename as reason:
        walk.problems.append(f"the name of its data source cannot be changed: {reason}")
        return source


def _functions(walk: Walk, functions: Any, twins: set[str], rule: Rule) -> Any:
    new = walk.rewrite(functions, rule)
    if walk.stage < Stage.CUTOVER or not is_mapping(new):
        return new
    return {
        name: {**function, "DataSource": twin_id(function["DataSource"])}
        if is_mapping(function) and function.get("DataSource") in twins
        else function
        for name, function in new.items()
    }
