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
                if variable.strip() not in local:
                    name, _, attribute = variable.strip().partition(".")
                    yield name, attribute


def names(value: Any) -> set[str]:
    """Every logical id that `value` names, by a reference or by DependsOn."""
    found = {name for name, _ in references(value)}
    for path, each in walk(value):
        if path.endswith("/DependsOn"):
            found.update([each] if isinstance(each, str) else each)
    return found


def renamed(value: Any, old: str, new: str) -> Any:
    """`value` with each whole word `old` replaced, however it stands there; the keys of a mapping are no names."""
    if isinstance(value, dict):
        return {k: v if k == "Fn::FindInMap" else renamed(v, old, new) for k, v in value.items()}
    if isinstance(value, list):
        return [renamed(each, old, new) for each in value]
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
        rest["Properties"] = {
            k: v for k, v in properties.items() if k not in ("Policies", "DataSources", "ScalingInstructions")
        }
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


def canonical(value: Any, tables: dict[str, str], whole: bool = False) -> Any:
    """`value` with every text and reference as the text of a Fn::Sub, and ids of tables for names of theirs.

    `tables` are ids by names; a name counts in an ARN, or where it is the whole text and `whole` is set.
    """
    if isinstance(value, list):
        return [canonical(each, tables, whole) for each in value]
    if isinstance(value, str):
        return _by_id(value, tables, whole)
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, argument),) = value.items()
        if key in ("Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Join"):
            text = _text(key, argument, tables)
            return _by_id(text, tables, whole) if isinstance(text, str) else text
        if key == "Fn::FindInMap":
            return {key: json.dumps(argument, sort_keys=True).encode().hex()}  # its words are no names
        if key == "Fn::If" and isinstance(argument, list) and len(argument) == 3:
            then, otherwise = (canonical(each, tables, whole) for each in argument[1:])
            # The twin where there is one, and else the name that stood there: that is the twin's.
            same = any(renamed(otherwise, table, f"{table}Encrypted") == then for table in tables.values())
            return then if same else {key: [argument[0], then, otherwise]}
    return {k: canonical(v, tables, whole="ableName" in k) for k, v in value.items()}


def _by_id(text: str, tables: dict[str, str], whole: bool) -> str:
    if whole and text in tables:
        return f"${{{tables[text]}}}"
    for name, table in tables.items():
        text = re.sub(rf"table/{re.escape(name)}(?![\w.$-])", f"table/${{{table}}}", text)
    return text


def _text(function: str, argument: Any, tables: dict[str, str]) -> Any:
    if function == "Ref":
        return f"${{{argument}}}"
    if function == "Fn::GetAtt":
        return f"${{{argument if isinstance(argument, str) else '.'.join(map(str, argument))}}}"
    if function == "Fn::Join":
        pieces = canonical(argument[1], {}) if isinstance(argument, list) else None
        joined = isinstance(pieces, list) and all(isinstance(each, str) for each in pieces)
        return argument[0].join(pieces) if joined else {function: canonical(argument, tables)}
    text, local = (argument, {}) if isinstance(argument, str) else (argument[0], canonical(argument[1], {}))
    values = {name: each if isinstance(each, str) else f"<{key(each)}>" for name, each in local.items()}
    return re.sub(r"\$\{\s*([^!{}$]*?)\s*\}", lambda found: values.get(found[1], f"${{{found[1]}}}"), text)


def permissions(template: Template, tables: tuple[str, ...], texts: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(who, what) of everything that a template permits, one value of a list at a time, where it names a table.

    `texts` are the ids of tables, twins included, by the names that they have.
    """
    known = "|".join(re.escape(each) for table in tables for each in (f"{table}Encrypted", table))
    named = re.compile(rf"\$\{{({known})[.}}]|\"Id\": \"({known})\"")

    def about_a_table(grant: Any) -> bool:
        return bool(named.search(key(grant)))

    for logical_id, resource in (template.get("Resources") or {}).items():
        if isinstance(resource, dict) and resource.get("Type") == "AWS::Serverless::Connector":
            yield "connectors", key(resource.get("Properties"))
            continue
        for path, each in walk(resource):
            of_the_gate = logical_id in tables and path.startswith("/Properties/ResourcePolicy")
            if isinstance(each, dict) and not of_the_gate:
                for value, grant in _grants(path, each, texts):
                    if about_a_table(value):
                        yield logical_id, grant


def _grants(path: str, value: dict[str, Any], texts: dict[str, str]) -> Iterator[tuple[Any, str]]:
    """(what names a table, what is granted) for an embedded connector, a policy template or a statement."""
    if path.startswith("/Connectors/") and "Permissions" in value:
        yield value, key(value)
    if len(value) == 1 and POLICY_TEMPLATE.match(str(next(iter(value)))):
        yield canonical(value, texts), key(canonical(value, texts))
    if "Effect" in value and ("Action" in value or "NotAction" in value):
        for place, single in _values(value):
            each = canonical({place: single}, texts)
            yield each, key([value["Effect"], value.get("Action"), value.get("NotAction"), each])


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
