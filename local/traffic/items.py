"""Items of every attribute type, each determined by its key and a label.

So a history needs only labels, and an item that was altered on its way, in one byte of a nested set, is recognised:
it is not what its label says. Everything is in the form in which it travels: numbers are text, binary is bytes.
"""

import base64
import hashlib
import json
import random
from collections.abc import Mapping
from decimal import Context
from typing import Any

from local.traffic.labels import altered_label, count_label, count_of

KEY = "user"  # the hash key of the example's table
LABEL = "label"
COUNT = "count"
LARGE = "large-"  # a key that begins so has an item of nearly the greatest size

Item = dict[str, Any]

_LARGE_BYTES = 380 * 1024
# DynamoDB keeps 38 digits.
_EXACT = Context(prec=40)
# Reserved words, a dot and an umlaut among the names: a copy that builds expressions from names stumbles over them.
_TYPES: dict[str, list[Any]] = {
    "name": [{"S": "Ada"}, {"S": "žluťoučký kůň"}, {"S": ""}],
    "size": [{"N": "0"}, {"N": "-17.25"}, {"N": "99999999999999999999999999999999999999"}, {"N": "1E-130"}],
    "data": [{"B": b"\x00\x01\xfe hello"}, {"B": b""}, {"B": bytes(range(256))}],
    "status": [{"BOOL": True}, {"BOOL": False}, {"NULL": True}],
    "groups": [{"SS": ["admin", "staff"]}, {"SS": [""]}],
    "marks": [{"NS": ["1", "2.5", "-3"]}, {"NS": ["12345678901234567890123456789012345678"]}],
    "keys.old": [{"BS": [b"\x00", b"\xff\xfe"]}, {"BS": [b"one"]}],
    "list": [{"L": []}, {"L": [{"S": "a"}, {"L": [{"BS": [b"\x01\x02", b"\x03"]}, {"NULL": True}]}]}],
    "größe": [{"M": {}}, {"M": {"deep": {"M": {"er": {"L": [{"B": b"\xde\xad"}, {"N": "7"}]}}}}}],
}


def key_of(key: str) -> Item:
    return {KEY: {"S": key}}


def make_item(key: str, label: str) -> Item:
    """The item that a key and a label stand for: the same every time, another for another label."""
    if (count := count_of(label)) is not None:
        return {**key_of(key), COUNT: {"N": str(count)}}
    chance = random.Random(f"{key} {label}")  # noqa: S311 (repeatable, not secret)
    chosen = {name: chance.choice(values) for name, values in _TYPES.items() if chance.random() < 0.6}
    if key.startswith(LARGE):
        chosen["filling"] = {"B": chance.randbytes(_LARGE_BYTES)}
    return {**key_of(key), LABEL: {"S": label}, **chosen}


def label_of(item: Mapping[str, Any] | None) -> str | None:
    """The label of an item as it was read; one that nobody writes when any attribute is not as it should be."""
    if not item:
        return None
    label = count_label(int(item[COUNT].get("N", "-1"))) if COUNT in item else item.get(LABEL, {}).get("S", "")
    if canonical(item) == canonical(make_item(item[KEY]["S"], label)):
        return label
    return altered_label(hashlib.sha256(canonical(item).encode()).hexdigest()[:12])


def canonical(item: Mapping[str, Any]) -> str:
    """Text that is equal for items that DynamoDB holds to be equal: sets have no order, 1.0 is 1."""
    return json.dumps({name: _canonical(value) for name, value in item.items()}, sort_keys=True)


def _canonical(value: Mapping[str, Any]) -> list[Any]:
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return [kind, _number(content)]
        case "NS":
            return [kind, sorted(map(_number, content))]
        case "B":
            return [kind, base64.b64encode(content).decode()]
        case "BS":
            return [kind, sorted(base64.b64encode(part).decode() for part in content)]
        case "SS":
            return [kind, sorted(content)]
        case "L":
            return [kind, [_canonical(part) for part in content]]
        case "M":
            return [kind, {name: _canonical(part) for name, part in content.items()}]
        case _:
            return [kind, content]


def _number(text: str) -> str:
    return str(_EXACT.create_decimal(text).normalize(_EXACT))
