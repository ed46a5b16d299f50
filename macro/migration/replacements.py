"""Resources that CloudFormation replaces when they move to the twin, although their name is fixed.

It creates the new one before it deletes the old one, so two of them exist for a while and cannot share a name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from migration.intrinsics import is_mapping
from migration.names import CannotRename, renamed
from migration.rules import Rule

if TYPE_CHECKING:
    from migration.references import Walk


@dataclass(frozen=True)
class Replaced:
    """Properties of such a resource: the one that makes it another one, and its name, of up to `limit` characters."""

    source: str
    name: str
    limit: int

    def __call__(self, walk: Walk, value: Any, rule: Rule) -> Any:
        """The properties rewritten, under another name from the stage on at which the source moves."""
        return self.renamed(walk, value, walk.members(value, rule)) if is_mapping(value) else value

    def last(self, walk: Walk, value: Any, _: Rule) -> Any:
        """The same for what copies a table by itself: it stays with the source, which follows, up to stage 3.

        Its gate comes first all the same.
        """
        if not is_mapping(value):
            return value
        walk.members(value, Rule.DATA)
        return self.renamed(walk, value, walk.members(value, Rule.LATE))

    def renamed(self, walk: Walk, value: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        """`new`, made of `value`, under another name if it is another one."""
        if new.get(self.source) is value.get(self.source) or value.get(self.name) is None:
            return new
        try:
            return {**new, self.name: renamed(new[self.name], self.limit)}
        except CannotRename as reason:
            walk.problems.append(f"it is replaced, and its {self.name} cannot be changed: {reason}")
            return new
