"""Rewriting references by the four rules of a migration.

A rule is nothing but the stage from which on a reference names the twin:

    Data         3   environments, properties, substitutions: what running code reads and writes through
    Late         4   streams, exports, and names in places that should change once and last
    Permission   -   both tables from stage 1 to 3, the twin alone at stage 4 (see permissions.py)

`Walk` goes through a value once and returns it rewritten. It never changes what it is given: what holds no reference is
returned as the very same object, everything else is built anew. Which place follows which rule stands in places.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Union

from migration.intrinsics import reference, replace_variables, sub_parts
from migration.permissions import is_statement, statement
from migration.rules import Move, Rule

if TYPE_CHECKING:
    from migration.stages import Stage

Handler = Callable[["Walk", Any, Rule], Any]
Places = Mapping[str, Union["Places", Handler]]
"""Nested keys that lead to a place with a rule of its own; `*` is any key, lists are passed through."""

NOWHERE: Places = {}


@dataclass
class Walk:
    """One pass over one resource (or output) at one stage."""

    stage: Stage
    moves: Mapping[str, Move]
    touched: set[str] = field(default_factory=set)
    """Tables that were found in a place where running code uses them: their gate comes first."""
    readers: list[str] = field(default_factory=list)
    """Tables whose stream is read, once for each reader."""

    def rewrite(self, value: Any, rule: Rule, places: Places = NOWHERE) -> Any:
        """`value` with every reference as `rule` wants it, or by the rule of the place it stands in."""
        if isinstance(value, dict):
            return self._object(value, rule, places)
        if isinstance(value, list):
            items = [self.rewrite(item, rule, places) for item in value]
            return value if all(map(_same, items, value)) else items
        return value

    def name(self, logical_id: str, attribute: str, rule: Rule) -> str:
        """The id that a reference to `logical_id` has at this stage."""
        move = self.moves.get(logical_id)
        if move is None:
            return logical_id
        if rule is Rule.DATA:
            if move.is_table:
                self.touched.add(move.old)
            if attribute == "StreamArn":
                rule = Rule.LATE
        return move.new if self.stage >= rule else move.old

    def _object(self, value: dict[str, Any], rule: Rule, places: Places) -> dict[str, Any]:
        if len(value) == 1:
            ((key, argument),) = value.items()
            rewriter = self._functions.get(key)
            if rewriter is not None:
                return rewriter(self, value, argument, rule)
            if key == "Fn::If":
                # Both branches stand in the place that the function stands in.
                return _changed(value, key, self.rewrite(argument, rule, places))
        elif is_statement(value) and rule in (Rule.DATA, Rule.LATE):
            return statement(self, value)
        return self.members(value, rule, places)

    def members(self, value: dict[str, Any], rule: Rule, places: Places = NOWHERE) -> dict[str, Any]:
        """An object, each of its members rewritten by the place it stands in."""
        changed: dict[str, Any] = {}
        for key, member in value.items():
            place = (places.get(key) or places.get("*", NOWHERE)) if places else NOWHERE
            new = place(self, member, rule) if callable(place) else self.rewrite(member, rule, place)
            if new is not member:
                changed[key] = new
        return {**value, **changed} if changed else value

    def _reference(self, value: dict[str, Any], argument: Any, rule: Rule) -> dict[str, Any]:
        found = reference(value)
        if found is None:
            return self.members(value, rule)
        old, attribute = found
        new = self.name(old, attribute, rule)
        if new == old:
            return value
        if "Ref" in value:
            return {"Ref": new}
        if isinstance(argument, str):
            return {"Fn::GetAtt": f"{new}.{attribute}" if attribute else new}
        return {"Fn::GetAtt": [new, *argument[1:]]}

    def _sub(self, value: dict[str, Any], argument: Any, rule: Rule) -> dict[str, Any]:
        parts = sub_parts(argument)
        if parts is None:
            return self.members(value, rule)
        text, local = parts

        def rename(variable: str) -> str:
            if variable in local:
                return variable
            logical_id, dot, attribute = variable.partition(".")
            return self.name(logical_id, attribute, rule) + dot + attribute

        new_text = replace_variables(text, rename)
        if isinstance(argument, str):
            return value if new_text == text else {"Fn::Sub": new_text}
        new_local = self.members(local, rule)
        return value if new_text == text and new_local is local else {"Fn::Sub": [new_text, new_local]}

    _functions: ClassVar[dict[Any, Callable[[Walk, dict[str, Any], Any, Rule], dict[str, Any]]]] = {
        "Ref": _reference,
        "Fn::GetAtt": _reference,
        "Fn::Sub": _sub,
    }


def _same(one: object, other: object) -> bool:
    return one is other


def _changed(value: dict[str, Any], key: str, member: Any) -> dict[str, Any]:
    return value if member is value[key] else {key: member}
