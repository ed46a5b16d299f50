"""The turn as the code takes it: every phase is recorded before its effect, and anything may happen between two steps.

A process stands at the step that it takes next:

    settle      watch the mirror, then record `settled`
    settled     record `sealing`
    seal        put the owner's policy
    sealing     wait until it has spread, then record `sealed`
    sealed      record `fencing`
    fence       put the other table's policy
    fencing     read ahead what the owner holds; wait until it has spread, then record `fenced`
    look        read the stream to its end, and what the owner holds, unless the other holds what was read ahead
    copy        write it to the other table, unless it is what that one holds
    copied      record `looked`
    looked      record `owned` and the new owner
    open        put the other table's policy
    opening     wait until clients get through, then record `opened`
    hold        read the old owner's stream for strays, then record `released`
    release     put the old owner's policy
    releasing   wait until it has spread, then take the turn out of the record

Undone, once `fencing` is recorded: close (put), closing (wait), reopen (put), reopened (wait, record `undone`), end.
Before that: unseal (put), unsealed (wait), end early. Before `sealing` is recorded: end unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tests.model.evidence import fail
from tests.model.protocol import Protocol
from tests.model.tables import let_through, put, spread, write
from tests.model.world import (
    CLEAN,
    DIED,
    FAILED,
    FENCED,
    FENCED_BEFORE,
    FOLLOWING,
    FOUND,
    IDLE,
    LOST,
    NAME,
    OPEN,
    PUT_OFF,
    SEALED,
    TWIN,
    Bounds,
    Process,
    World,
)

Taken = tuple[str, World, Process | None]
"""A step of a process: its label, the world after it, and where the process stands then (None: it is done)."""


class Change(NamedTuple):
    """A step that puts a policy."""

    of_mine: bool  # on the table that owned the writes when the turn began, or on the other one
    mode: str
    then: str


CHANGES = {
    "seal": Change(True, SEALED, "sealing"),
    "fence": Change(False, FENCED, "fencing"),
    "open": Change(False, OPEN, "opening"),
    "release": Change(True, FOLLOWING, "releasing"),
    "close": Change(False, FOLLOWING, "closing"),
    "reopen": Change(True, OPEN, "reopened"),
    "unseal": Change(True, OPEN, "unsealed"),
    # the gate, at an update of the same stage
    "assert owner": Change(True, OPEN, "asserted"),
    "assert other": Change(False, FOLLOWING, "asserted"),
    # simpler protocols
    "reopen first": Change(True, OPEN, "close after"),
    "close after": Change(False, FOLLOWING, "end"),
    "release at once": Change(True, FOLLOWING, "open"),
}


def table_of(process: Process) -> int:
    """The table whose policy it puts next."""
    return process.mine if CHANGES[process.at].of_mine else 1 - process.mine


@dataclass(frozen=True)
class Program:
    """The steps that put no policy (for those see holders.py)."""

    protocol: Protocol
    bounds: Bounds

    def steps(self, world: World, process: Process) -> Iterator[Taken]:
        """All ways in which the process may take its next step."""
        step: Callable[[World, Process], Iterator[Taken]] = getattr(self, "_" + process.at.replace(" ", "_"))
        return step(world, process)

    # ---- before the owner changes

    def _settle(self, world: World, process: Process) -> Iterator[Taken]:
        protocol, bounds = self.protocol, self.bounds
        then = process._replace(at="settled")
        lingering = world.lingering and (*world.lingering[:2], False)
        settled = world._replace(older=world.older if bounds.late_delivery else 0, young=False, lingering=lingering)
        if not protocol.settle:
            yield "does not settle", settled, then
            return
        if not self._unsettled(world, process.mine) and (world.evidence == CLEAN or not protocol.failure_undoes):
            # Assumed: Lambda delivers within the settling time what nothing holds up; what does is registered.
            if world.older == 0 or world.lane[process.mine] != IDLE:
                yield "settled", settled, then
            elif bounds.late_delivery and world.patience:
                yield "settled too early", settled._replace(patience=world.patience - 1), then
        if process.mine == TWIN:
            everything = settled._replace(touched=protocol.damage_looks_back or world.touched)
            yield "does not settle in time: reads all of the stream", everything, then

    def _unsettled(self, world: World, mine: int) -> bool:
        """Whether the register shows what may still write a value from before the mark."""
        protocol, lane = self.protocol, world.lane[mine]
        # Assumed: a request that got no answer lands within the settling time, or never.
        if (world.lingering and world.lingering[2]) or (world.worker and protocol.workers_register):
            return True
        if lane > 0:
            return protocol.registers_first and (world.older > 0 if protocol.by_age else not world.young)
        return lane in (DIED, FAILED) or (lane == PUT_OFF and protocol.registers_put_off)

    def _settled(self, world: World, process: Process) -> Iterator[Taken]:
        yield "records sealing", world, process._replace(at="seal" if self.protocol.seal else "sealed")

    def _sealing(self, world: World, process: Process) -> Iterator[Taken]:
        for label, after in self._spread(world, process.mine, self.bounds.late_clients):
            yield label, after, process._replace(at="sealed")

    def _sealed(self, world: World, process: Process) -> Iterator[Taken]:
        yield "records fencing", world, process._replace(at="fence" if self.protocol.fence else "look")

    def _fencing(self, world: World, process: Process) -> Iterator[Taken]:
        value = world.value[process.mine]
        if world.touched and (process.ahead, process.held) == (None, None):
            kept = process._replace(ahead=value) if self.protocol.read_again else process._replace(held=value)
            yield f"reads ahead: {NAME[process.mine]} holds {value}", world, kept
        if world.lane[process.mine] <= 0 or not self.protocol.drain:
            for label, after in self._spread(world, 1 - process.mine, self.bounds.late_replicator):
                yield label, after, process._replace(at="look")

    def _spread(self, world: World, at: int, late: int) -> Iterator[tuple[str, World]]:
        """Assumed: when probe, quiet and the least time have passed, the policy is in effect everywhere."""
        if not self.protocol.spread:
            yield "does not wait", world
            return
        yield f"{NAME[at]} has spread", spread(world, at)
        if late and world.patience and len(world.policy[at]) > 1:
            yield f"{NAME[at]} seems to have spread", world._replace(patience=world.patience - 1)

    def _look(self, world: World, process: Process) -> Iterator[Taken]:
        looked = process._replace(at="copied", ahead=None)
        if not self.protocol.look:
            yield "does not look", world, looked
            return
        if world.touched or process.fence == FENCED_BEFORE:  # a zombie keeps the keys that it has read
            mine, other = NAME[process.mine], NAME[1 - process.mine]
            ahead = process.ahead if self.protocol.read_again else process.held
            value = world.value[process.mine]
            if ahead is not None and ahead == world.value[1 - process.mine]:
                yield f"looks: {other} holds what was read ahead", world, looked
            else:
                yield f"looks: {mine} holds {value}", world, process._replace(at="copy", ahead=None, held=value)
            if self.bounds.late_stream and world.patience:
                yield "looks: sees nothing yet", world._replace(patience=world.patience - 1), looked
        else:
            yield "looks: nothing since the mark", world, looked

    def _copy(self, world: World, process: Process) -> Iterator[Taken]:
        other, held = 1 - process.mine, process.held
        fences = {process.fence} if self.protocol.own_fence else {FENCED, FENCED_BEFORE}
        fences |= set() if self.protocol.fence else {FOLLOWING}
        if held is not None and held == world.value[other]:
            yield "looks: that is what it holds already", world, process._replace(at="copied", held=None)
        if held is not None and let_through(world, other, *fences) and len(world.log[other]) <= self.bounds.log:
            done = process._replace(at="copied", held=None)
            yield f"copies {NAME[other]}:={held}", write(world, other, held), done
            if not self.protocol.answered and process.fence == FENCED and world.zombie is None:
                yield "copies again what got no answer", world._replace(zombie=process), process

    def _copied(self, world: World, process: Process) -> Iterator[Taken]:
        yield "records looked", world, process._replace(at="looked")

    def _looked(self, world: World, process: Process) -> Iterator[Taken]:
        other, lane = 1 - process.mine, world.lane[process.mine]
        if self.protocol.late_found and world.older and lane == PUT_OFF and not world.touched:
            return  # what is put off is older than the mark: the turn has to be undone
        owned = world._replace(owner=other, touched=False)
        if self.protocol.echoes_end and world.lane[other] <= 0:  # all that is on its stream now will be skipped
            owned = owned._replace(log=put(world.log, other, ()), lane=put(world.lane, other, IDLE))
        # What the turn has not seen the hold will find. What it has seen is behind the place where the hold reads on.
        if self.bounds.beyond and world.value[other] != world.last and process.held is None:
            owned = owned._replace(stray=LOST, last=world.value[other])
        then = "open" if self.protocol.open_then_release else "release at once"
        yield f"records the owner {NAME[other]}", owned, process._replace(at=then)

    # ---- after

    def _opening(self, world: World, process: Process) -> Iterator[Taken]:
        other = 1 - process.mine
        then = "hold" if self.protocol.open_then_release else "releasing"
        opened = spread(world, other) if self.protocol.spread else world
        yield f"{NAME[other]} lets clients through", opened, process._replace(at=then)

    def _hold(self, world: World, process: Process) -> Iterator[Taken]:
        # Assumed: by now the seal is in effect everywhere, and the stream shows all that was written before.
        held = spread(world, process.mine)
        found = world.stray == LOST and self.protocol.hold and not self.bounds.late_delivery
        after = fail(held._replace(stray=FOUND), self.protocol) if found else held
        yield "holds: a stray is found" if found else "holds", after, process._replace(at="release")

    def _releasing(self, world: World, process: Process) -> Iterator[Taken]:
        yield "has released", spread(world, process.mine), None

    # ---- undone

    def _closing(self, world: World, process: Process) -> Iterator[Taken]:
        other = 1 - process.mine
        closed = spread(world, other) if self.protocol.spread else world
        yield f"{NAME[other]} refuses the turn", closed, process._replace(at="reopen")

    def _reopened(self, world: World, process: Process) -> Iterator[Taken]:
        yield f"{NAME[process.mine]} lets clients through", world, process._replace(at="end")

    def _unsealed(self, world: World, process: Process) -> Iterator[Taken]:
        yield f"{NAME[process.mine]} lets clients through", world, process._replace(at="end early")

    def _end(self, world: World, process: Process) -> Iterator[Taken]:
        yield "ends undone", world._replace(older=0), None

    _end_early = _end_unchanged = _end

    def _asserted(self, world: World, process: Process) -> Iterator[Taken]:
        yield "is done", world, None

    def _give_back(self, world: World, process: Process) -> Iterator[Taken]:
        yield (
            f"records the owner {NAME[process.mine]}",
            world._replace(owner=process.mine),
            process._replace(at="close"),
        )
