"""Attribute values: from a stream event's JSON to the wire format, and what it means that two items are equal.

The wire format is that of DynamoDB's API and of boto3's low-level client: {"S": text}, {"N": text}, {"B": bytes} and so
on. Lambda delivers stream records as JSON, where B and BS hold base64 text; handed to boto3 as it is, that text would
be encoded once more and every binary value would arrive corrupted. So B and BS are decoded at every depth.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from replication.errors import PoisonRecord

Item = Mapping[str, Any]
"""Attribute name to wire value. A key is an item that has the key attributes only."""


@dataclass(frozen=True)
class Write:
    """A whole item to put under its key, or, with item None, the key to delete."""

    key: Item
    item: Item | None


def from_event(image: object) -> dict[str, Any]:
    """The wire item of an image in a Lambda stream event. Raises PoisonRecord for what DynamoDB does not send.

    What needs no decoding is taken over as it is, not copied: most of an item is text and numbers.
    """
    if not isinstance(image, dict):
        raise PoisonRecord(f"an image must be a map of attributes, not {type(image).__name__}")
    return {name: _value(value) for name, value in image.items()}


def _value(value: object) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) != 1:
        raise PoisonRecord("an attribute value must be a map from one type to one value")
    ((kind, content),) = value.items()
    if kind in _AS_IT_IS and isinstance(content, str):
        return value
    decode = _DECODE.get(kind)
    if decode is None:
        raise PoisonRecord(f"{str(kind)[:20]!r} is no attribute type that this version knows")
    return {kind: decode(content)}


def _same(kind: type) -> Callable[[object], Any]:
    def decode(content: object) -> Any:
        if not isinstance(content, kind):
            raise PoisonRecord(f"expected {kind.__name__} in an attribute value, found {type(content).__name__}")
        return content

    return decode


def _bytes(content: object) -> bytes:
    if not isinstance(content, str):
        raise PoisonRecord(f"expected base64 text in a binary value, found {type(content).__name__}")
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise PoisonRecord("a binary value is not valid base64") from error


def _list_of(decode: Callable[[object], Any]) -> Callable[[object], list[Any]]:
    def decode_all(content: object) -> list[Any]:
        if not isinstance(content, list):
            raise PoisonRecord(f"expected a list in an attribute value, found {type(content).__name__}")
        return [decode(entry) for entry in content]

    return decode_all


_AS_IT_IS = ("S", "N")
_text = _same(str)
_DECODE: dict[str, Callable[[object], Any]] = {
    "S": _text,
    "N": _text,
    "B": _bytes,
    "SS": _list_of(_text),
    "NS": _list_of(_text),
    "BS": _list_of(_bytes),
    "BOOL": _same(bool),
    "NULL": _same(bool),
    "L": _list_of(_value),
    "M": from_event,
}


def equal(one: Item | None, other: Item | None) -> bool:
    """Whether two wire items mean the same: 1.0 is 1 is 1E0, sets have no order. None (no item) equals only None."""
    if one is None or other is None:
        return one is other
    return one == other or identity(one) == identity(other)


def identity(item: Item) -> Hashable:
    """A hashable that two items (or keys) share exactly when they are equal."""
    return frozenset((name, _identity(value)) for name, value in item.items())


def _identity(value: Item) -> Hashable:
    [(kind, content)] = value.items()
    if kind == "N":
        return kind, _number(content)
    if kind == "NS":
        return kind, frozenset(map(_number, content))
    if kind in ("SS", "BS"):
        return kind, frozenset(content)
    if kind == "L":
        return kind, tuple(map(_identity, content))
    if kind == "M":
        return kind, identity(content)
    return kind, content


def _number(text: str) -> Decimal:
    """Exact at DynamoDB's 38 digits: making and comparing a Decimal never rounds, only arithmetic does."""
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise PoisonRecord("a number is not a number") from error


def digest(key: Item) -> str:
    """16 hexadecimal digits that stand for a key in logs and reports, which must not hold keys themselves."""
    parts = sorted((name, *_digestible(value)) for name, value in key.items())
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _digestible(value: Item) -> tuple[str, str]:
    [(kind, content)] = value.items()
    if kind == "N":
        sign, digits, exponent = _number(content).as_tuple()
        shown = "".join(map(str, digits))
        stripped = shown.rstrip("0")
        return kind, f"{sign}:{stripped}:{int(exponent) + len(shown) - len(stripped)}" if stripped else "0"
    if kind == "B":
        return kind, bytes(content).hex()
    return kind, str(content)


def fingerprint(item: Item | None) -> bytes:
    """16 bytes that stand for an item, or for none. Items that differ have different ones; equal ones that are not
    written alike (1 and 1.0, a set in another order) may."""
    return hashlib.blake2b(_SORTED.encode(item).encode(), digest_size=16).digest()


def wire_size(item: Item) -> int:
    """Bytes of the item as JSON in a request, which count towards a batch's 16 MB: up to ten times what is stored."""
    return len(json.dumps(item, default=_base64_length))


def _base64_length(content: bytes) -> str:
    return "=" * (4 * ((len(content) + 2) // 3))


# An item is a tree, and looking for circles in it would take a third of the time.
_SORTED = json.JSONEncoder(sort_keys=True, check_circular=False, separators=(",", ":"), default=bytes.hex)
