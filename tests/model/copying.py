"""Copying a live table beside the mirror: which ways of writing the copy lose or revive an item. One key, one worker.

The mirror may be sent back to its checkpoint at any time. A worker may be killed at any step, and its page is copied
again. That alone is not enough: an item that the dead worker revived after it was deleted is not in the page any more.
So a page that was written in part voids the comparison, like every failure, and the next one finds such an item.
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
    wrote: bool = False  # anything of this page
    void: bool = False  # a page was written in part: only a comparison tells


Step = tuple[str, Table]


def steps_of(way: str, unread: int, *, failures_void: bool = True) -> Callable[[Table], Iterator[Step]]:
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
            void = table.void or (table.wrote and failures_void)
            yield "kill the worker", table._replace(at="scan", held=None, wrote=False, void=void)
            yield from work(table)

    return steps


def _done(table: Table) -> Table:
    return table._replace(at="done", held=None, wrote=False)


def _put(table: Table) -> Iterator[Step]:
    yield f"copy {table.held}", _done(table._replace(twin=table.held or ABSENT))


def _if_absent(table: Table) -> Iterator[Step]:
    yield f"copy {table.held}", _done(table._replace(twin=table.twin or table.held or ABSENT))


def _and_remove(table: Table) -> Iterator[Step]:
    if table.at == "write" and table.twin == ABSENT:
        yield f"copy {table.held}", table._replace(twin=table.held or ABSENT, at="look", wrote=True)
    elif table.at == "write":
        yield "is there already", _done(table)
    elif table.at == "look":
        yield f"look {table.source}", _done(table) if table.source else table._replace(at="remove")
    else:
        yield "remove", _done(table._replace(twin=ABSENT if table.twin == table.held else table.twin))


def _look_again(table: Table) -> Iterator[Step]:
    if table.at == "write":
        yield f"copy {table.held}", table._replace(twin=table.held or ABSENT, at="look", wrote=True)
    else:
        again = table._replace(at="write", held=table.source)
        yield f"look {table.source}", _done(table) if table.source == table.held else again


def _fault(table: Table) -> str | None:
    """When the copy is done and the mirror has caught up, both tables are equal, or known to be compared again."""
    at_rest = table.at == "done" and table.mirrored == len(table.log)
    return f"the tables differ, {table[:2]}" if at_rest and table.source != table.twin and not table.void else None


def check(way: str, unread: int = 3, *, failures_void: bool = True) -> Outcome[Table]:
    """Explore one way of copying, from a twin that is still empty."""
    steps = steps_of(way, unread, failures_void=failures_void)
    return explore(Table(PRESENT, ABSENT), steps, _fault, lambda table: table.at == "done")
