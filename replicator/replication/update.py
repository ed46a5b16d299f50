"""Builds the arguments of one conditional UpdateItem on a record of the state table. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replication.codec import pack

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Update:
    """A change of one item and the condition it depends on.

    Paths are dotted (`Turn.Phase`). In the condition `#Name` stands for an attribute and `:name` for one of `values`.
    """

    condition: str
    values: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    remove: Iterable[str] = ()
    add: Mapping[str, int] = field(default_factory=dict)
    append: Mapping[str, list[Any]] = field(default_factory=dict)

    def arguments(self) -> dict[str, Any]:
        """UpdateExpression, ConditionExpression, names and values, without table and key."""
        names: dict[str, str] = {word[1:]: word[1:] for word in _words(self.condition) if word.startswith("#")}
        values = {name: pack(value) for name, value in self.values.items()}

        def path(dotted: str) -> str:
            names.update({part: part for part in dotted.split(".")})
            return ".".join(f"#{part}" for part in dotted.split("."))

        def value(inner: Any) -> str:
            values[f":v{len(values)}"] = pack(inner)
            return f":v{len(values) - 1}"

        sets = [f"{path(name)} = {value(inner)}" for name, inner in self.changes.items()]
        sets += [f"{path(name)} = {path(name)} + {value(inner)}" for name, inner in self.add.items()]
        sets += [
            f"{path(name)} = list_append(if_not_exists({path(name)}, {value([])}), {value(inner)})"
            for name, inner in self.append.items()
        ]
        removes = [path(name) for name in self.remove]
        clauses = ([f"SET {', '.join(sets)}"] if sets else []) + ([f"REMOVE {', '.join(removes)}"] if removes else [])
        arguments: dict[str, Any] = {
            "UpdateExpression": " ".join(clauses),
            "ConditionExpression": self.condition,
            "ExpressionAttributeNames": {f"#{name}": name for name in names},
        }
        return arguments | ({"ExpressionAttributeValues": values} if values else {})


def apart(changes: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The `changes` and `remove` of an update in which None removes an attribute."""
    return (
        {name: value for name, value in changes.items() if value is not None},
        [name for name, value in changes.items() if value is None],
    )


def _words(expression: str) -> list[str]:
    return expression.replace("(", " ").replace(")", " ").replace(",", " ").replace(".", " ").split()
