"""All steps of the world together, and what must never be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from tests.model import evidence, holders, traffic, workers
from tests.model.explorer import Outcome, explore
from tests.model.protocol import Protocol
from tests.model.tables import Step, same
from tests.model.world import ABSENT, CLEAN, EXPIRING, FOUND, LOST, NAME, OPEN, SOURCE, TWIN, Bounds, World, first


def steps_of(protocol: Protocol, bounds: Bounds) -> Callable[[World], Iterable[Step]]:
    """Every step that somebody may take next."""

    def steps(world: World) -> Iterator[Step]:
        yield from holders.holder(world, protocol, bounds)
        yield from traffic.clients(world, bounds)
        yield from traffic.replicator(world, protocol, bounds)
        yield from traffic.lingering(world, protocol)
        yield from evidence.compare(world, protocol)
        yield from holders.begin(world, protocol)
        yield from holders.recover(world, protocol, bounds)
        yield from holders.zombie(world, protocol, bounds)
        if bounds.ttl:
            yield from traffic.expiry(world, bounds)
        if bounds.workers:
            yield from workers.working(world, protocol, bounds)
        if bounds.reassert:
            yield from holders.reassert(world)

    return steps


def fault_of(bounds: Bounds) -> Callable[[World], str | None]:
    """What is wrong with a state.

    - A table that clients are let into holds what their history says, at every moment: so conditional writes,
    counters and locks
      mean what they meant before.
    - At rest both tables are equal, or it is known that they may not be.
    - Within the assumptions nothing is ever accepted where it does not count; beyond them, it is found.
    """

    def fault(world: World) -> str | None:
        for at in (SOURCE, TWIN):
            if world.policy[at][-1] == OPEN and not _holds(world.value[at], world.last):
                return f"clients find {world.value[at]} in the {NAME[at]}, their last write was {world.last}"
        if world.stray == FOUND and not bounds.beyond:
            return "a write was accepted where it does not count"
        if world.turn is None and evidence.quiet(world):
            if world.stray == LOST:
                return "a write is lost and nobody knows"
            if world.evidence == CLEAN and not same(*world.value):
                return f"the tables differ, {world.value}, and nobody knows"
        return None

    return fault


def _holds(value: int, last: int) -> bool:
    return value == last or (last == EXPIRING and value == ABSENT)


def all_well(world: World) -> bool:
    """Nothing is under way and nothing is amiss."""
    return world.turn is None and world.zombie is None and evidence.quiet(world) and world.evidence == CLEAN


def check(protocol: Protocol, bounds: Bounds, *, lively: bool = False) -> Outcome[World]:
    """Explore all of it. `lively`: also prove that from everywhere some way leads to where all is well."""
    return explore(first(bounds), steps_of(protocol, bounds), fault_of(bounds), all_well if lively else None)
