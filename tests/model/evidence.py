"""What is known about both tables being equal: failures void it, a comparison restores it."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.protocol import Protocol
from tests.model.tables import Step, same, write
from tests.model.world import BEGUN, CLEAN, EQUAL, IDLE, NAME, NO_STRAY, VOID, World


def fail(world: World, protocol: Protocol) -> World:
    """Something has failed. It voids every comparison that began before."""
    under_way = world.evidence in (BEGUN, EQUAL)
    if not protocol.failure_voids or (under_way and not protocol.compare_from_start):
        return world
    return world._replace(evidence=VOID)


def compare(world: World, protocol: Protocol) -> Iterator[Step]:
    """Begin, come to the key, end; repair a difference that is still there when nothing is under way."""
    if world.turn:
        return
    if world.evidence == VOID and not (world.lingering and protocol.compare_waits):
        yield "compare begins", world._replace(evidence=BEGUN, stray=NO_STRAY)
    elif world.evidence == BEGUN and same(*world.value):
        yield "compare finds the key equal", world._replace(evidence=EQUAL)
    elif world.evidence == BEGUN and quiet(world):
        value, other = world.value[world.owner], 1 - world.owner
        yield f"compare repairs {NAME[other]}:={value}", write(world._replace(evidence=EQUAL), other, value)
    elif world.evidence == EQUAL:
        yield "compare ends", world._replace(evidence=CLEAN)


def quiet(world: World) -> bool:
    """The mirror and the workers have nothing under way."""
    return world.lane == (IDLE, IDLE) and world.log == ((), ()) and not world.lingering and not world.worker
