"""Copying a live table beside the mirror: which ways of writing the copy lose or revive an item. One key, one worker.

The worker may be killed at any step; its page is then copied again. The mirror may be sent back to its checkpoint at
any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.model.explorer import Outcome, explore
from tests.model.world import ABSENT, PRESENT

PUT = "put"
IF_ABSENT = "put if absent"
AND_REMOVE = "put if absent, remove if gone"
LOOK_AGAIN = "write and look again"
WAYS = (PUT, IF_ABSENT, AND_REMOVE, LOOK_AGAIN)

VALUES = (ABSENT, PRESENT, 2)


class Table(NamedTuple):
    """The source, its twin, and what lies between."""

    source: int
    twin: int
    log: tuple[int, ...] = ()  # new images, from the checkpoint on
    mirrored: int = 0  # of these
    at: str = "scan"  # scan, write, look, remove, done
    held: int | None = None


Step = tuple[str, Table]


def steps_of(way: str, unread: int) -> Callable[[Table], Iterator[Step]]:
    """`unread`: records behind the checkpoint, before clients pause."""
    work = {PUT: _put, IF_ABSENT: _if_absent, AND_REMOVE: _and_remove, LOOK_AGAIN: _look_again}[way]

    def steps(table: Table) -> Iterator[Step]:
        if len(table.log) < unread:
            for value in set(VALUES) - {table.source}:
                yield f"client source:={value}", table._replace(source=value, log=(*table.log, value))
        if table.mirrored < len(table.log):
            value = table.log[table.mirrored]
            yield f"mirror {value}", table._replace(twin=value, mirrored=table.mirrored + 1)
        if table.mirrored:
            yield "checkpoint", table._replace(log=table.log[table.mirrored :], mirrored=0)
            yield "redeliver", table._replace(mirrored=0)
        if table.at == "scan":
            found = table._replace(at="write", held=table.source)
            yield f"scan {table.source}", found if table.source else _done(table)
        elif table.at != "done":
            yield "kill the worker", table._replace(at="scan", held=None)
            yield from work(table)

    return steps


def _done(table: Table) -> Table:
    return table._replace(at="done", held=None)


def _put(table: Table) -> Iterator[Step]:
    yield f"copy {table.held}", _done(table._replace(twin=table.held or ABSENT))


def _if_absent(table: Table) -> Iterator[Step]:
    yield f"copy {table.held}", _done(table._replace(twin=table.twin or table.held or ABSENT))


def _and_remove(table: Table) -> Iterator[Step]:
    if table.at == "write" and table.twin == ABSENT:
        yield f"copy {table.held}", table._replace(twin=table.held or ABSENT, at="look")
    elif table.at == "write":
        yield "is there already", _done(table)
    elif table.at == "look":
        yield f"look {table.source}", _done(table) if table.source else table._replace(at="remove")
    else:
        yield "remove", _done(table._replace(twin=ABSENT if table.twin == table.held else table.twin))


def _look_again(table: Table) -> Iterator[Step]:
    if table.at == "write":
        yield f"copy {table.held}", table._replace(twin=table.held or ABSENT, at="look")
    else:
        again = table._replace(at="write", held=table.source)
        yield f"look {table.source}", _done(table) if table.source == table.held else again


def _fault(table: Table) -> str | None:
    """When the copy is done and the mirror has caught up, both tables are equal."""
    at_rest = table.at == "done" and table.mirrored == len(table.log)
    return f"the tables differ, {table[:2]}" if at_rest and table.source != table.twin else None


def check(way: str, unread: int = 3) -> Outcome[Table]:
    """Explore one way of copying, from a twin that is still empty."""
    return explore(Table(PRESENT, ABSENT), steps_of(way, unread), _fault, lambda table: table.at == "done")
