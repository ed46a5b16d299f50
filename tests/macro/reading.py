"""Reading a template for what it refers to and what it permits: for tests, on purpose not with the macro's own code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

Template = dict[str, Any]

NOT_OF_THE_FUNCTION = ("Events", "Policies", "DeploymentPreference", "EventInvokeConfig")
POLICY_TEMPLATE = re.compile(r"^DynamoDB\w+Policy$")


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in `value`, with its path."""
    yield path, value
    if isinstance(value, dict):
        for key, member in value.items():
            yield from walk(member, f"{path}/{key}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from walk(member, f"{path}/{index}")


def references(value: Any) -> Iterator[tuple[str, str]]:
    """(logical id, attribute) of every reference, connectors' plain ids included."""
    for path, each in walk(value):
        if path.endswith("/Id") and isinstance(each, str) and ("/Source" in path or "/Destination" in path):
            yield each, ""
        if not isinstance(each, dict) or len(each) != 1:
            continue
        ((key, argument),) = each.items()
        if key == "Ref" and isinstance(argument, str):
            yield argument, ""
        elif key == "Fn::GetAtt":
            dotted = argument if isinstance(argument, str) else ".".join(map(str, argument))
            name, _, attribute = dotted.partition(".")
            yield name, attribute
        elif key == "Fn::Sub":
            text, local = (argument, {}) if isinstance(argument, str) else (argument[0], argument[1])
            for variable in re.findall(r"\$\{([^!{}$][^{}$]*)\}", text):
                if variable not in local:
                    name, _, attribute = variable.partition(".")
                    yield name, attribute


def names(value: Any) -> set[str]:
    """Every logical id that `value` names, by a reference or by DependsOn."""
    found = {name for name, _ in references(value)}
    for path, each in walk(value):
        if path.endswith("/DependsOn"):
            found.update([each] if isinstance(each, str) else each)
    return found


def renamed(value: Any, old: str, new: str) -> Any:
    """`value` with each whole word `old` replaced, however it stands there."""
    text = json.dumps(value, sort_keys=True)
    return json.loads(re.sub(rf"(?<![A-Za-z0-9!]){re.escape(old)}(?![A-Za-z0-9])", new, text))


def key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def graph(resources: dict[str, Any]) -> dict[str, set[str]]:
    """Who comes after whom; a SAM function and its role are two."""
    found: dict[str, set[str]] = {}
    for logical_id, resource in resources.items():
        properties = (resource.get("Properties") or {}) if isinstance(resource, dict) else {}
        if isinstance(resource, dict) and resource.get("Type") == "AWS::Serverless::Function":
            rest = {k: v for k, v in properties.items() if k not in NOT_OF_THE_FUNCTION}
            found[f"{logical_id}Role"] = names({"p": properties.get("Policies")})
            found[logical_id] = names({"r": {**resource, "Properties": rest}}) | {f"{logical_id}Role"}
        else:
            found[logical_id] = names({"r": resource})
    return {each: {name for name in found[each] if name in found} for each in found}


def told(resource: dict[str, Any]) -> Any:
    """A resource without what hands out permissions or makes order."""
    left_out = ("DependsOn", "Connectors")
    properties = resource.get("Properties")
    rest = {k: v for k, v in resource.items() if k not in left_out}
    if isinstance(properties, dict):
        rest["Properties"] = {k: v for k, v in properties.items() if k not in ("Policies", "DataSources")}
    if isinstance(resource.get("Metadata"), dict):
        rest["Metadata"] = {k: v for k, v in resource["Metadata"].items() if k != "EncryptMigrate"}
    if not rest.get("Metadata"):
        rest.pop("Metadata", None)
    return _without_permissions(rest)


def _without_permissions(value: Any) -> Any:
    if isinstance(value, dict):
        if "Effect" in value and ("Action" in value or "NotAction" in value):
            return "a statement"
        return {k: _without_permissions(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_permissions(each) for each in value]
    return value


def permissions(template: Template, tables: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """(who, what) of everything that a template permits, one value of a list at a time, where it names a table."""
    known = {each for table in tables for each in (table, f"{table}Encrypted")}

    def about_a_table(grant: Any) -> bool:
        return bool(known & {name for name, _ in references(grant)})

    for logical_id, resource in (template.get("Resources") or {}).items():
        if isinstance(resource, dict) and resource.get("Type") == "AWS::Serverless::Connector":
            yield "connectors", key(resource.get("Properties"))
            continue
        for path, each in walk(resource):
            if isinstance(each, dict):
                yield from ((logical_id, grant) for value, grant in _grants(path, each) if about_a_table(value))


def _grants(path: str, value: dict[str, Any]) -> Iterator[tuple[Any, str]]:
    """(what names a table, what is granted) for an embedded connector, a policy template or a statement."""
    if path.startswith("/Connectors/") and "Permissions" in value:
        yield value, key(value)
    if len(value) == 1 and POLICY_TEMPLATE.match(str(next(iter(value)))):
        yield value, key(value)
    if "Effect" in value and ("Action" in value or "NotAction" in value):
        for place, each in _values(value):
            yield each, key([value["Effect"], value.get("Action"), value.get("NotAction"), place, each])


def _values(statement: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for place in ("Resource", "NotResource"):
        for value in _singles(statement.get(place)):
            yield place, value
    for operator, conditions in (statement.get("Condition") or {}).items():
        for name, values in conditions.items() if isinstance(conditions, dict) else ():
            for value in _singles(values):
                yield f"{operator} {name}", value


def _singles(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from value
    elif isinstance(value, dict) and "Fn::If" in value:
        for branch in value["Fn::If"][1:]:
            yield from _singles(branch)
    elif isinstance(value, dict) and "Fn::Split" in value:
        joined = value["Fn::Split"][1]
        texts = joined["Fn::Join"][1] if isinstance(joined, dict) and "Fn::Join" in joined else [joined]
        yield from ({"Fn::Split": [value["Fn::Split"][0], text]} for text in texts)
    elif value is not None:
        yield value
