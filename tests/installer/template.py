"""template.yaml as data, and the questions that the tests of the installer ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]
TEMPLATE: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]

FUNCTION_TYPES = {"AWS::Serverless::Function", "AWS::Lambda::Function"}


@dataclass(frozen=True)
class Statement:
    """One statement of one role."""

    role: str
    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Any


def of_type(*types: str) -> dict[str, dict[str, Any]]:
    """The properties of all resources of these types, by logical id."""
    return {name: found["Properties"] for name, found in RESOURCES.items() if found["Type"] in types}


def functions() -> dict[str, dict[str, Any]]:
    """The properties of all functions, with what Globals gives to SAM's."""
    shared = TEMPLATE["Globals"]["Function"]
    return {
        name: {**shared, **found["Properties"]} if found["Type"] == "AWS::Serverless::Function" else found["Properties"]
        for name, found in RESOURCES.items()
        if found["Type"] in FUNCTION_TYPES
    }


def statements() -> list[Statement]:
    """What every role may do, in the order of the template."""
    documents = [
        (role, policy["PolicyDocument"])
        for role, properties in of_type("AWS::IAM::Role").items()
        for policy in properties.get("Policies", ())
    ]
    documents += [
        (role["Ref"], properties["PolicyDocument"])
        for properties in of_type("AWS::IAM::Policy").values()
        for role in properties["Roles"]
    ]
    return [
        Statement(
            role,
            statement.get("Sid", ""),
            tuple(_listed(statement["Action"])),
            tuple(_arn(resource) for resource in _listed(statement["Resource"])),
            statement.get("Condition"),
        )
        for role, document in documents
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
    ]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _arn(resource: Any) -> str:
    """An ARN as one reads it: `StateTable.Arn` for a GetAtt, the pattern of a Sub, a plain text as it is."""
    match resource:
        case {"Fn::GetAtt": [name, attribute]}:
            return f"{name}.{attribute}"
        case {"Fn::Sub": str(pattern)}:
            return pattern
        case str():
            return resource
    raise AssertionError(f"an ARN in a form that the tests do not read: {resource}")
