"""DynamoDB's condition and update expressions, as far as the state table's code uses them, on items in wire format."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from types import CodeType
from typing import Any

_TOKEN = re.compile(r"attribute_exists|attribute_not_exists|begins_with|<=|>=|<>|[=<>(),]|[#:]?[\w#][\w.#]*")
_PYTHON = {"AND": "and", "OR": "or", "NOT": "not", "IN": "in", "=": "==", "<>": "!="}


class Missing:
    """What an expression finds where there is no attribute: equal to nothing, in no order with anything."""

    def __eq__(self, other: object) -> bool:
        return False

    __lt__ = __gt__ = __le__ = __ge__ = lambda self, other: False
    __hash__ = None  # type: ignore[assignment]


class Names:
    """The names and values of a request."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._names = request.get("ExpressionAttributeNames", {})
        self._values = request.get("ExpressionAttributeValues", {})

    def path(self, dotted: str) -> list[str]:
        return [self._names[part] if part.startswith("#") else part for part in dotted.split(".")]

    def value(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._values[name]
        return found


def holds(condition: str | None, item: Mapping[str, Any] | None, request: Mapping[str, Any]) -> bool:
    """Whether a condition holds for an item."""
    if condition is None:
        return True
    names = Names(request)
    scope = {
        "P": lambda dotted: comparable(get(item or {}, names.path(dotted))),
        "V": lambda name: comparable(names.value(name)),
        "attribute_exists": lambda found: not isinstance(found, Missing),
        "attribute_not_exists": lambda found: isinstance(found, Missing),
        "begins_with": lambda found, start: not isinstance(found, Missing) and found.startswith(start),
    }
    return bool(eval(_compiled(condition), {"__builtins__": {}}, scope))


@cache
def _compiled(condition: str) -> CodeType:
    return compile(" ".join(_python(token) for token in _TOKEN.findall(condition)), condition, "eval")


def _python(token: str) -> str:
    if token in _PYTHON:
        return _PYTHON[token]
    if token.startswith(":"):
        return f"V({token!r})"
    if token in "=<>(),<=>=" or token.startswith(("attribute_", "begins_with")):
        return token
    return f"P({token!r})"


def get(item: Mapping[str, Any], path: list[str]) -> Any:
    """The wire value at a path, or Missing."""
    found: Any = {"M": item}
    for part in path:
        if "M" not in found or part not in found["M"]:
            return Missing()
        found = found["M"][part]
    return found


def comparable(value: Any) -> Any:
    if isinstance(value, Missing):
        return value
    ((kind, inner),) = value.items()
    return Decimal(inner) if kind == "N" else inner if kind != "M" else str(inner)


def update(item: dict[str, Any], request: Mapping[str, Any]) -> None:
    """Applies an update expression to an item, in place. A path into a map that is not there is an error."""
    names = Names(request)
    before = {"M": item}
    clauses = re.split(r"\b(SET|REMOVE|ADD)\b", request["UpdateExpression"])
    for clause, body in zip(clauses[1::2], clauses[2::2], strict=True):
        for part in _split(body):
            if clause == "REMOVE":
                _place(item, names.path(part), None)
            elif clause == "SET":
                target, _, expression = part.partition("=")
                _place(item, names.path(target.strip()), _evaluate(expression.strip(), before["M"], names))
            else:
                target, value = part.split()
                _place(item, names.path(target), _sum(get(item, names.path(target)), names.value(value)))


def _evaluate(expression: str, item: Mapping[str, Any], names: Names) -> Any:
    if match := re.fullmatch(r"if_not_exists\((.+?),\s*(:\w+)\)", expression):
        found = get(item, names.path(match[1].strip()))
        return names.value(match[2]) if isinstance(found, Missing) else found
    if match := re.fullmatch(r"list_append\((.+\)|[^,]+),\s*(:\w+)\)", expression):
        return {"L": [*_evaluate(match[1].strip(), item, names)["L"], *names.value(match[2])["L"]]}
    if match := re.fullmatch(r"(.+?) \+ (:\w+)", expression):
        return _sum(_evaluate(match[1].strip(), item, names), names.value(match[2]))
    return names.value(expression) if expression.startswith(":") else get(item, names.path(expression))


def _sum(one: Any, other: Mapping[str, Any]) -> dict[str, Any]:
    return {"N": str((Decimal(0) if isinstance(one, Missing) else Decimal(one["N"])) + Decimal(other["N"]))}


def _place(item: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        if part not in item:
            raise ValueError(f"the document path {path} is invalid for this update")
        item[part] = {"M": dict(item[part]["M"])}
        item = item[part]["M"]
    if value is None:
        item.pop(path[-1], None)
    else:
        item[path[-1]] = value


def _split(body: str) -> Iterator[str]:
    """The parts of a clause, at the commas that are in no brackets."""
    depth, start = 0, 0
    for at, letter in enumerate(body):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            yield body[start:at].strip()
            start = at + 1
    yield body[start:].strip()
