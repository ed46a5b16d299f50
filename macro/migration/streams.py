"""Readers of a source's stream.

They stay on the source's stream up to stage 3: the old table follows the new one, so its stream carries every change.
At stage 4 CloudFormation makes a mapping on the twin's stream, from its oldest record on, before it deletes the old
one in its clean-up: every change is seen at least once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from migration.errors import Problem
from migration.intrinsics import is_mapping, mentioned
from migration.stages import Stage

if TYPE_CHECKING:
    from migration.references import Walk
    from migration.replacements import Replaced
    from migration.rules import Rule

READERS_PER_SHARD = 2
"""DynamoDB throttles a third reader of a shard; replication is one."""


@dataclass(frozen=True)
class StreamReader:
    """A place that reads a stream: which key names the stream, and which the position to begin at."""

    stream: str
    position: tuple[str, ...]
    replaced: Replaced | None = None

    def __call__(self, walk: Walk, value: Any, rule: Rule) -> Any:
        """The reader rewritten; notes whose stream it reads."""
        if not is_mapping(value):
            return value
        new = walk.members(value, rule)
        named = mentioned(value.get(self.stream))
        tables = [each for each, attributes in named.items() if each in walk.moves and "StreamArn" in attributes]
        if value.get("Enabled") is not False:
            walk.readers.extend(tables)
        if not tables or walk.stage < Stage.CLEANUP:
            return new
        if self.replaced is not None:
            new = self.replaced.renamed(walk, value, new)
        return _with(new, self.position, "TRIM_HORIZON")


def reader_problems(readers: dict[str, list[str]]) -> list[Problem]:
    """A problem for every table whose stream has no reader to spare; `readers` holds logical ids by table."""
    return [
        Problem(
            table,
            f"its stream has {len(ids)} readers ({', '.join(ids)}); replication would be one more than DynamoDB serves",
            "Let one function do the work of both, or exclude the table",
        )
        for table, ids in readers.items()
        if len(ids) >= READERS_PER_SHARD
    ]


def _with(value: dict[str, Any], path: tuple[str, ...], new: Any) -> dict[str, Any]:
    key, *rest = path
    if not rest:
        return {**value, key: new}
    inner = value.get(key)
    return {**value, key: _with(inner if is_mapping(inner) else {}, tuple(rest), new)}
