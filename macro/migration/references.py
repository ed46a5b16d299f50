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
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Union

from migration.fixed_names import FixedNames
from migration.intrinsics import map_branches, reference, replace_variables, sub_parts
from migration.permissions import is_statement, statement
from migration.rules import Move, Rule

if TYPE_CHECKING:
    from migration.fixed_names import FixedName
    from migration.stages import Stage

Handler = Callable[["Walk", Any, Rule], Any]
Places = Mapping[str, Union["Places", Handler]]
"""Nested keys that lead to a place with a rule of its own; `*` is any key, lists are passed through."""

NOWHERE: Places = {}

_PLAIN = frozenset((str, int, bool, type(None)))

_EXPANDING = (Rule.DATA, Rule.LATE)
"""The rules under which a statement speaks of what either table may be used for; else it is one table's own."""


@dataclass
class Walk:
    """One pass over one resource or output at one stage, and what it saw on its way."""

    stage: Stage
    moves: Mapping[str, Move]
    names: FixedNames = field(default_factory=FixedNames)
    condition: Any = None
    """The condition under which it exists."""
    named: set[str] = field(default_factory=set)
    """Tables that were found anywhere."""
    touched: set[str] = field(default_factory=set)
    """Tables that were found in a place where running code uses them: their gate comes first."""
    configured: bool = False
    """Whether the environment of a function names a twin."""
    readers: list[str] = field(default_factory=list)
    """Tables whose stream is read, once for each reader."""
    problems: list[str] = field(default_factory=list)
    """Names that cannot be changed where a change of theirs is needed."""

    def rewrite(self, value: Any, rule: Rule, places: Places = NOWHERE) -> Any:
        """`value` with every reference as `rule` wants it, or by the rule of the place it stands in."""
        if isinstance(value, dict):
            if len(value) == 1:
                ((key, argument),) = value.items()
                rewriter = self._functions.get(key)
                if rewriter is not None:
                    return rewriter(self, value, argument, rule)
                if key == "Fn::If":
                    # Both branches stand in the place that the function stands in.
                    new = self.rewrite(argument, rule, places)
                    return value if new is argument else {key: new}
            elif "Effect" in value and rule in _EXPANDING and is_statement(value):
                return statement(self, value)
            return self.members(value, rule, places)
        if isinstance(value, list):
            return self._items(value, rule, places)
        return self._with_names(value, rule) if isinstance(value, str) else value

    def members(self, value: dict[str, Any], rule: Rule, places: Places = NOWHERE) -> dict[str, Any]:
        """An object, each of its members rewritten by the place it stands in."""
        named = self.names.names
        changed: dict[str, Any] | None = None
        for key, member in value.items():
            place = (places.get(key) or places.get("*", NOWHERE)) if places else NOWHERE
            if callable(place):
                new = place(self, member, rule)
            elif not named and member.__class__ in _PLAIN:
                continue  # most members are texts, and a text by itself refers to nothing
            else:
                new = self.rewrite(member, rule, place)
                if named and new is member:
                    new = self.by_name(value, key, member, rule)
            if new is not member:
                changed = changed or dict(value)
                changed[key] = new
        return value if changed is None else changed

    def _items(self, value: list[Any], rule: Rule, places: Places) -> list[Any]:
        named = self.names.names
        changed: list[Any] | None = None
        for index, item in enumerate(value):
            if not named and item.__class__ in _PLAIN:
                continue
            new = self.rewrite(item, rule, places)
            if new is not item:
                changed = changed or list(value)
                changed[index] = new
        return value if changed is None else changed

    def name(self, logical_id: str, attribute: str, rule: Rule) -> str:
        """The id that a reference to `logical_id` has at this stage."""
        move = self.moves.get(logical_id)
        if move is None:
            return logical_id
        moment = rule if move.since is None else move.since
        self.named |= move.tables
        if rule is Rule.DATA:
            self.touched |= move.tables
            if attribute == "StreamArn":
                moment = Rule.LATE
        return move.new if self.stage >= moment else move.old

    def by_name(self, value: dict[str, Any], key: str, member: Any, rule: Rule) -> Any:
        """A table that is named by what its TableName says, in a place that is there for a table's name."""
        found = self.names.named(value, key, member)
        if found is None:
            return member
        new = self.name(found.table, "", rule)
        return member if new == found.table else self._where_it_exists(found, {"Ref": new}, member)

    def _with_names(self, value: Any, rule: Rule) -> Any:
        """A text with the twin's name in the ARNs that name the source by its name."""
        if not self.names.names:
            return value
        new = value
        for found, pattern in self.names.in_text(value, in_statement=rule is Rule.TWIN):
            if self.name(found.table, "", rule) != found.table:
                moved = map_branches(new, lambda branch: found.twin_in(branch, pattern))  # noqa: B023 (called at once)
                new = self._where_it_exists(found, moved, new)
        return new

    def _where_it_exists(self, found: FixedName, moved: Any, member: Any) -> Any:
        """Without the table its name stays what it was: nobody can refer to a resource that does not exist."""
        if found.condition in (None, self.condition):
            return moved
        return {"Fn::If": [found.condition, moved, member]}

    def _of_pieces(self) -> Walk:
        """The walk through the pieces of a text."""
        return replace(self, names=self.names.of_pieces) if self.names.names else self

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

    def _sub(self, value: dict[str, Any], argument: Any, rule: Rule) -> Any:
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
        new_local = self._of_pieces().members(local, rule) if local else local
        if new_text != text or new_local is not local:
            value = {"Fn::Sub": [new_text, new_local] if new_local else new_text}
        return self._with_names(value, rule)

    def _join(self, value: dict[str, Any], argument: Any, rule: Rule) -> Any:
        new = self._of_pieces().rewrite(argument, rule)
        return self._with_names(value if new is argument else {"Fn::Join": new}, rule)

    _functions: ClassVar[dict[Any, Callable[[Walk, dict[str, Any], Any, Rule], Any]]] = {
        "Ref": _reference,
        "Fn::GetAtt": _reference,
        "Fn::Sub": _sub,
        "Fn::Join": _join,
    }
