"""What the two tables do, whoever writes: values, streams, and policies that take time to spread."""

from __future__ import annotations

from typing import TypeVar

from tests.model.world import ABSENT, EXPIRING, FOLLOWING, SEALED, SOURCE, TTL_DELETE, World

T = TypeVar("T")
Step = tuple[str, World]


def put(two: tuple[T, T], at: int, new: T) -> tuple[T, T]:
    """A pair of which one half is new."""
    return (new, two[1]) if at == SOURCE else (two[0], new)


def write(world: World, at: int, image: int) -> World:
    """One accepted write. One that changes nothing leaves no record in the stream; a TTL delete is marked there."""
    value = value_of(image)
    if value == world.value[at]:
        return world
    turn = world.turn
    known = turn is not None and turn.mine == at and turn.reads
    return world._replace(
        value=put(world.value, at, value),
        log=put(world.log, at, (*world.log[at], image)),
        touched=world.touched or known,
        turn=turn._replace(ahead=None) if turn is not None and known else turn,
    )


def value_of(image: int) -> int:
    """What a table holds after this record."""
    return ABSENT if image == TTL_DELETE else image


def same(value: int, other: int) -> bool:
    """Whether two tables count as equal: an item past its TTL may be there or gone."""
    return value == other or {value, other} == {ABSENT, EXPIRING}


def let_through(world: World, at: int, *modes: str) -> bool:
    """Some version of the policy that is in effect somewhere lets the caller write."""
    return any(version in modes for version in world.policy[at])


def refused(world: World, at: int, *modes: str) -> bool:
    """Some version of the policy that is in effect somewhere refuses the caller."""
    return any(version not in modes for version in world.policy[at])


def change(world: World, at: int, mode: str) -> World:
    """A change of policy was accepted. From now on old and new versions are in effect side by side, for whomever.

    That covers callers whom a change reaches at different times, any number of them. Old versions that let nobody
    through are forgotten where nothing depends on a refusal.
    """
    older = sorted(set(world.policy[at]) - ({mode} if mode == FOLLOWING else {mode, SEALED}))
    return world._replace(policy=put(world.policy, at, (*older, mode)))


def spread(world: World, at: int) -> World:
    """The newest version is in effect everywhere."""
    return world._replace(policy=put(world.policy, at, world.policy[at][-1:]))


def rename(world: World, old: str, new: str) -> World:
    """The same world with another name for a mode."""
    if old not in world.policy[0] and old not in world.policy[1]:
        return world
    source, twin = (tuple(new if mode == old else mode for mode in versions) for versions in world.policy)
    return world._replace(policy=(source, twin))
