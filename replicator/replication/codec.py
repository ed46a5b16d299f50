"""Frozen dataclasses to plain maps and to DynamoDB's wire format, and back.

An attribute is named like its field in CamelCase (`stack_id` is `StackId`) unless the field's type names it itself:
`Annotated[str, "Id"]`. What is None is left out. Reading is strict: a missing or mistyped attribute is told by its
path, all of them at once, because a half-written record must stop whoever would act on it.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from replication.errors import NotUnderstood

Record = TypeVar("Record")
Wire = dict[str, Any]  # one attribute value as the low-level client has it: {"S": "text"}


@dataclasses.dataclass(frozen=True)
class _Field:
    name: str
    stored: str
    hint: Any
    required: bool


@functools.cache  # resolving type hints takes milliseconds, and records are read for every batch of the mirror
def _fields(kind: Any) -> tuple[_Field, ...]:
    hints, annotated = typing.get_type_hints(kind), typing.get_type_hints(kind, include_extras=True)

    def stored(name: str) -> str:
        if typing.get_origin(annotated[name]) is typing.Annotated:
            return str(annotated[name].__metadata__[0])
        return "".join(part.capitalize() for part in name.split("_"))

    missing = dataclasses.MISSING
    return tuple(
        _Field(one.name, stored(one.name), hints[one.name], one.default is missing and one.default_factory is missing)
        for one in dataclasses.fields(kind)
    )


def to_map(record: Any) -> dict[str, Any]:
    """A dataclass as a plain map."""
    kind: Any = type(record)
    values = ((field.stored, getattr(record, field.name)) for field in _fields(kind))
    return {stored: _plain(value) for stored, value in values if value is not None}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_map(value)
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    return value


def from_map(kind: type[Record], found: Mapping[str, Any]) -> Record:
    """A plain map as a dataclass; attributes that it does not know are ignored.

    Raises NotUnderstood with the path of everything that is missing or of the wrong type.
    """
    problems: list[str] = []
    record = _dataclass(kind, found, "", problems)
    if problems:
        raise NotUnderstood(f"The record cannot be used: {'; '.join(problems)}.")
    return typing.cast("Record", record)


def _dataclass(kind: Any, found: Any, path: str, problems: list[str]) -> Any:
    if not isinstance(found, Mapping):
        problems.append(f"{path or 'the record'} is no map")
        return None
    values: dict[str, Any] = {}
    before = len(problems)
    for field in _fields(kind):
        if field.stored in found:
            values[field.name] = _value(field.hint, found[field.stored], f"{path}{field.stored}", problems)
        elif field.required:
            problems.append(f"{path}{field.stored} is missing")
    return kind(**values) if len(problems) == before else None


@dataclasses.dataclass(frozen=True)
class _Hint:
    """A type hint without `| None`, taken apart."""

    kind: Any
    origin: Any
    arguments: tuple[Any, ...]
    nested: bool  # a dataclass


@functools.cache  # a record has some fifty values, and taking a hint apart costs more than reading one
def _taken_apart(hint: Any) -> _Hint:
    arguments, origin = typing.get_args(hint), typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):  # only `X | None` is used
        return _taken_apart(next(kind for kind in arguments if kind is not types.NoneType))
    return _Hint(hint, origin, arguments, dataclasses.is_dataclass(hint))


def _value(given: Any, found: Any, path: str, problems: list[str]) -> Any:
    one = _taken_apart(given)
    hint, origin, arguments = one.kind, one.origin, one.arguments
    if hint is Any:
        return found
    if one.nested:
        return _dataclass(hint, found, f"{path}.", problems)
    if origin is tuple and isinstance(found, list):
        return tuple(_value(arguments[0], inner, f"{path}[{at}]", problems) for at, inner in enumerate(found))
    if origin is not None and isinstance(found, Mapping):
        return {
            _value(arguments[0], key, path, problems): _value(arguments[1], inner, f"{path}.{key}", problems)
            for key, inner in found.items()
        }
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        if found in list(hint):
            return hint(found)
    elif hint is float and isinstance(found, int | float) and not isinstance(found, bool):
        return float(found)
    elif isinstance(hint, type) and type(found) is hint:
        return found
    problems.append(
        f"{path} holds {type(found).__name__} {found!r}"
        if isinstance(found, str | int | float)
        else f"{path} holds {type(found).__name__}"
    )
    return None


def pack(value: Any) -> Wire:
    """A plain value in wire format. Floats are kept to the millisecond: they are times."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, float):
        return {"N": f"{value:.3f}"}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, Mapping):
        return {"M": pack_item(value)}
    if isinstance(value, list | tuple):
        return {"L": [pack(inner) for inner in value]}
    raise TypeError(f"{type(value).__name__} has no place in a record of the state table")


def pack_item(item: Mapping[str, Any]) -> dict[str, Wire]:
    """A plain map as an item in wire format."""
    return {name: pack(value) for name, value in item.items()}


def unpack(value: Mapping[str, Any]) -> Any:
    """A value in wire format as a plain value; the inverse of `pack`."""
    ((kind, inner),) = value.items()
    if kind == "N":
        return int(inner) if inner.lstrip("-").isdigit() else float(inner)
    if kind == "M":
        return unpack_item(inner)
    if kind == "L":
        return [unpack(each) for each in inner]
    return None if kind == "NULL" else inner


def unpack_item(item: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """An item in wire format as a plain map."""
    return {name: unpack(value) for name, value in item.items()}
