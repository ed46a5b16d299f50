"""Who acts for a pair: the holder of the token, and whoever has lost it without knowing.

Two things stop a holder that was given up for dead. It cannot write the record, because every write of it names the
token. And it cannot put a policy, because a put names the revision that it replaces, and that was read before the
token was last proved:
    read the revision > prove the token by a guarded write > put
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.protocol import Protocol
from tests.model.tables import Step, change, rename
from tests.model.turn import CHANGES, Program, Taken, table_of
from tests.model.world import (
    CLEAN,
    FENCED,
    FENCED_BEFORE,
    LOST,
    NAME,
    NO_STRAY,
    SEALED,
    SOURCE,
    Bounds,
    Process,
    World,
)


def begin(world: World, protocol: Protocol) -> Iterator[Step]:
    """A turn begins with its mark. Towards the twin it needs evidence; the way back is never refused."""
    mine = world.owner
    if world.turn or world.older or (mine == SOURCE and (world.evidence != CLEAN or world.worker)):
        return
    lingering = world.lingering and (*world.lingering[:2], True)
    begun = world._replace(turn=Process("settle", mine), older=len(world.log[mine]), touched=False, lingering=lingering)
    yield f"mark {NAME[mine]}", begun
    if not protocol.one_holder and world.zombie is None:
        yield f"mark {NAME[mine]}, twice", begun._replace(zombie=begun.turn)


def reassert(world: World) -> Iterator[Step]:
    """The gate, at an update of the same stage, sees no turn, proves it, and is about to put both policies again."""
    if world.turn is None and world.zombie is None:
        for at in ("assert owner", "assert other"):
            yield f"the gate is to {at}", world._replace(zombie=prove(world, Process(at, world.owner, FENCED_BEFORE)))


def holder(world: World, protocol: Protocol, bounds: Bounds) -> Iterator[Step]:
    """The next step of whoever holds the token."""
    if world.turn:
        for label, after, process in advance(world, world.turn, protocol, bounds):
            ended = after._replace(turn=None, touched=False, young=False)
            yield f"turn: {label}", after._replace(turn=process) if process else ended


def zombie(world: World, protocol: Protocol, bounds: Bounds) -> Iterator[Step]:
    """Somebody who lost the token takes the step before which it hung, and goes no further than its next record."""
    hung = world.zombie
    if hung:
        yield "the zombie dies", _bury(world)
        counts = not protocol.token or (not protocol.one_holder and hung.fence == FENCED)
        for label, after, process in advance(world, hung, protocol, bounds):
            alive = process and (counts or process.at == "copy")
            yield f"zombie: {label}", after._replace(zombie=process) if alive else _bury(after)


def _bury(world: World) -> World:
    return rename(world._replace(zombie=None), FENCED_BEFORE, SEALED)


def recover(world: World, protocol: Protocol, bounds: Bounds) -> Iterator[Step]:
    """Somebody takes the next token, whether the last holder is dead, slow or has given up, and ends its turn.

    A turn that undoes itself is a holder that died: it does nothing more of what it had begun. One that undoes itself
    because a write of its look got no answer is one that hangs before that write.
    """
    hung = world.turn
    if hung is None:
        return
    hangs = bounds.zombies and world.zombie is None and (not protocol.token or _has_effect(world, hung))
    if hangs:
        world = rename(world._replace(zombie=hung._replace(fence=FENCED_BEFORE)), FENCED, FENCED_BEFORE)
    elif world.zombie and world.zombie.fence == FENCED:
        world = rename(world._replace(zombie=world.zombie._replace(fence=FENCED_BEFORE)), FENCED, FENCED_BEFORE)
    else:
        world = rename(world, FENCED, SEALED)
    at = _recovery(hung, protocol)
    if world.stray == LOST and world.owner == hung.mine:  # undone in time: that write counts after all
        world = world._replace(stray=NO_STRAY, last=world.value[hung.mine])
    fate = "hangs" if hangs else "dies"
    yield f"turn: {fate} before {hung.at}; recovery: {at}", world._replace(turn=prove(world, Process(at, hung.mine)))


def _has_effect(world: World, hung: Process) -> bool:
    """Whether its next step is more than a record, which it can no longer write."""
    return hung.at in CHANGES or hung.at == "copy" or (hung.at == "look" and world.touched)


def _recovery(hung: Process, protocol: Protocol) -> str:
    """Where to go on: decided by the recorded phase alone."""
    if hung.at in ("settle", "settled", "end unchanged"):
        return "end unchanged"
    if hung.at in ("seal", "sealing", "sealed", "unseal", "unsealed", "end early"):
        return "unseal"
    if hung.at in ("release at once", "open", "opening", "hold"):
        then = "open" if hung.at == "opening" else hung.at
        return then if protocol.forward_only else "give back"
    if hung.at in ("release", "releasing"):
        return "release"
    return "close" if protocol.undo_in_order else "reopen first"


def advance(world: World, process: Process, protocol: Protocol, bounds: Bounds) -> Iterator[Taken]:
    """All ways in which a process may take its next step, whoever it is."""
    if process.at in CHANGES:
        yield from _put(world, process, protocol)
        return
    for label, after, then in Program(protocol, bounds).steps(world, process):
        yield label, after, prove(after, then) if then else None


def prove(world: World, process: Process) -> Process:
    """Read the revision of the policy that comes next, then prove the token."""
    if process.at in CHANGES:
        return process._replace(revision=world.policy[table_of(process)][-1])
    return process


def _put(world: World, process: Process, protocol: Protocol) -> Iterator[Taken]:
    _, mode, then = CHANGES[process.at]
    at = table_of(process)
    if protocol.revision and process.revision != world.policy[at][-1]:
        yield f"{NAME[at]} has another revision", world, prove(world, process)
        return
    after = change(world, at, process.fence if mode == FENCED else mode)
    if protocol.fresh_revisions:
        after = _outdate(after, process, at)
    yield f"puts {NAME[at]} {mode}", after, prove(after, process._replace(at=then, revision=None))


def _outdate(world: World, writer: Process, at: int) -> World:
    """The policy has a new revision; whoever else was about to put one has an old one in hand."""

    def other(process: Process | None) -> Process | None:
        if process is None or process is writer or process.at not in CHANGES or table_of(process) != at:
            return process
        return process._replace(revision="outdated")

    return world._replace(turn=other(world.turn), zombie=other(world.zombie))
