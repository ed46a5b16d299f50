"""Clients, DynamoDB's own TTL, and the replicator: what goes on beside a turn."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.evidence import fail
from tests.model.protocol import Protocol
from tests.model.tables import Step, let_through, put, refused, value_of, write
from tests.model.world import (
    DIED,
    EXPIRING,
    FAILED,
    FOLLOWING,
    FOUND,
    IDLE,
    LOST,
    NAME,
    OPEN,
    PUT_OFF,
    SOURCE,
    TTL_DELETE,
    TWIN,
    Bounds,
    World,
)


def clients(world: World, bounds: Bounds) -> Iterator[Step]:
    """Clients write whatever table lets them.

    A write takes effect at one moment, also one whose answer is late or never comes. So a client's lingering write is
    no step of its own: it is a write at the moment when it lands.
    """
    turn = world.turn
    for at in (SOURCE, TWIN):
        if len(world.log[at]) >= bounds.log or not let_through(world, at, OPEN):
            continue
        stray = bounds.beyond and turn is not None and turn.mine == at and turn.has_looked
        for value in bounds.values:
            if value != world.value[at]:
                after = write(world, at, value)
                yield f"client {NAME[at]}:={value}", after._replace(stray=LOST) if stray else after._replace(last=value)


def expiry(world: World, bounds: Bounds) -> Iterator[Step]:
    """DynamoDB deletes an expired item in either table, whatever the policy says."""
    for at in (SOURCE, TWIN):
        if world.value[at] == EXPIRING and len(world.log[at]) <= bounds.log:
            yield f"TTL deletes {NAME[at]}", write(world, at, TTL_DELETE)


def replicator(world: World, protocol: Protocol, bounds: Bounds) -> Iterator[Step]:
    """Invocations on both streams: one at a time for each, from the stream's checkpoint on.

    An invocation registers, reads owner and phase, then skips, puts off, or mirrors and ends. To register and to read
    are one step here: an invocation between the two only keeps turns from settling. A write and its checkpoint are
    one step too, and death between them another.
    """
    for side in (SOURCE, TWIN):
        if world.lane[side] > 0:
            yield from _in_hand(world, side, protocol, bounds)
        elif world.log[side]:
            yield from _begin(world, side, protocol, bounds)
            if world.lane[side] == FAILED:
                yield f"give up a record of {NAME[side]}", fail(_checkpoint(world, side, 1), protocol)


def _begin(world: World, side: int, protocol: Protocol, bounds: Bounds) -> Iterator[Step]:
    owner = world.owner if protocol.owner_read else SOURCE
    target, turn = 1 - side, world.turn
    if owner != side:
        yield f"skip {NAME[side]}", _skipped(world, side, protocol)
    elif turn and turn.closes(target) and protocol.fence:
        if world.lane[side] == IDLE:
            yield f"put off {NAME[side]}", world._replace(lane=put(world.lane, side, PUT_OFF))
    else:
        young = not protocol.by_age and turn is not None and turn.at == "settle" and turn.mine == side
        most = 1 if bounds.consumers and target == SOURCE else len(world.log[side])
        for count in range(1, most + 1):
            taken = world._replace(lane=put(world.lane, side, count), young=young or world.young)
            yield f"take {count} of {NAME[side]}", taken


def _skipped(world: World, side: int, protocol: Protocol) -> World:
    """The echo of our own writes. But a record of the old owner that is older than the mark was never mirrored."""
    found = world.stray == LOST and _older(world, side) > 0 and protocol.late_found
    skipped = _checkpoint(world, side, 1)
    return fail(skipped._replace(stray=FOUND), protocol) if found else skipped


def _in_hand(world: World, side: int, protocol: Protocol, bounds: Bounds) -> Iterator[Step]:
    target, count = 1 - side, world.lane[side]
    image = world.log[side][count - 1]
    if image == TTL_DELETE and bounds.consumers and target == SOURCE:
        yield f"leave the TTL delete to {NAME[target]}", _checkpoint(world, side, count)
        return
    value = value_of(image)
    modes = (FOLLOWING,) if protocol.open_refuses_ours else (FOLLOWING, OPEN)
    if let_through(world, target, *modes) and len(world.log[target]) < bounds.log:
        yield f"mirror {NAME[target]}:={value}", _checkpoint(write(world, target, value), side, count)
        died = fail(world._replace(lane=put(world.lane, side, DIED), young=False), protocol)
        if bounds.deaths:
            yield f"mirror {NAME[target]}:={value}, then die", write(died, target, value)
        if bounds.lingering and world.lingering is None:
            request = (target, value, _older(world, side) > 0)
            yield f"send {NAME[target]}:={value}, no answer", died._replace(lingering=request)
        if bounds.poison:
            failed = world._replace(lane=put(world.lane, side, FAILED), young=False)
            yield f"{NAME[target]} does not take {value}", fail(failed, protocol)
    if refused(world, target, *modes):
        off = world._replace(lane=put(world.lane, side, PUT_OFF), young=False)
        yield f"{NAME[target]} refuses the replicator", off if world.turn else fail(off, protocol)


def _older(world: World, side: int) -> int:
    """Records at the head of this side's log that are older than the mark of the turn that is, or was last."""
    return world.older if side == (world.turn.mine if world.turn else 1 - world.owner) else 0


def _checkpoint(world: World, side: int, count: int) -> World:
    """These records do not come again."""
    return world._replace(
        log=put(world.log, side, world.log[side][count:]),
        lane=put(world.lane, side, IDLE),
        older=max(0, world.older - count) if _older(world, side) else world.older,
        young=False,
    )


def lingering(world: World, protocol: Protocol) -> Iterator[Step]:
    """A request whose sender waits no more lands, or is lost. It is authorised when it lands."""
    if world.lingering:
        at, value, _ = world.lingering
        gone = world._replace(lingering=None)
        yield "the lingering write is lost", gone
        if let_through(world, at, *((FOLLOWING,) if protocol.open_refuses_ours else (FOLLOWING, OPEN))):
            yield f"the lingering write lands {NAME[at]}:={value}", write(gone, at, value)
