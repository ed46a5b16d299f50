"""Copy workers: a page at a time, beside the live mirror; also those that hang, die, or began long ago."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.evidence import fail
from tests.model.protocol import Protocol
from tests.model.tables import Step, let_through, refused, write
from tests.model.world import ABSENT, FOLLOWING, NAME, SOURCE, TWIN, Bounds, Worker, World


def working(world: World, protocol: Protocol, bounds: Bounds) -> Iterator[Step]:
    """Register and check, scan, write, look again, write again what differs, sign off."""
    worker = world.worker
    if worker is None:
        yield from _take(world, protocol)
        return
    yield "worker dies", _unfinished(world, protocol)
    mine, other = worker.mine, 1 - worker.mine
    value = world.value[mine]
    if worker.at == "scan":
        found = worker._replace(at="write", held=value)
        yield f"worker scans {NAME[mine]}: {value}", world._replace(worker=found if value != ABSENT else None)
    elif worker.at == "look":
        again = worker._replace(at="write", held=value)
        yield f"worker looks again: {value}", world._replace(worker=None if value == worker.held else again)
    elif worker.held is not None:
        if let_through(world, other, FOLLOWING) and len(world.log[other]) < bounds.log:
            wrote = worker._replace(at="look", wrote=True)
            yield f"worker writes {NAME[other]}:={worker.held}", write(world, other, worker.held)._replace(worker=wrote)
            if bounds.lingering and world.lingering is None:
                sent = world._replace(worker=worker._replace(wrote=True), lingering=(other, worker.held, True))
                yield f"worker sends {NAME[other]}:={worker.held}, no answer", fail(sent, protocol)
        if refused(world, other, FOLLOWING):
            yield "worker is refused and stops", _unfinished(world, protocol)


def _take(world: World, protocol: Protocol) -> Iterator[Step]:
    for mine in (SOURCE, TWIN):
        if not protocol.workers_check or (world.turn is None and mine == world.owner):
            yield f"worker takes a page of {NAME[mine]}", world._replace(worker=Worker("scan", mine))


def _unfinished(world: World, protocol: Protocol) -> World:
    """What it wrote may be old: the page is not done, and so no comparison counts."""
    stopped = world._replace(worker=None)
    return fail(stopped, protocol) if world.worker and world.worker.wrote else stopped
