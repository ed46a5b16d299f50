"""Says whether the model allows a recorded run: some way through the model does what the run did, step by step.

The model may do more than the code, for it knows no time. But what the code records, puts and copies must come in an
order in which the model can do it too, and leave tables, policies and streams as the model has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from tests.model.protocol import Protocol
from tests.model.recording import Event, Seen
from tests.model.whole import steps_of
from tests.model.world import FOLLOWING, NAME, OPEN, PUT_OFF, SOURCE, TWIN, Bounds, World, first

BOUNDS = Bounds("a recorded run", values=(0, 1, 2), log=8, zombies=True)


def refusal(events: Sequence[Event], protocol: Protocol | None = None) -> str | None:
    """What the model does not allow in this run, told with what came before; None when it allows all of it."""
    walk = Walk(protocol or Protocol())
    for number, event in enumerate(events):
        if not walk.take(event):
            before = " | ".join(one.what for one in events[max(0, number - 12) : number])
            return f"after {before}: not {event.what}, leaving {event.seen}"
    return None


class Walk:
    """All worlds in which the model can be after a run."""

    def __init__(self, protocol: Protocol) -> None:
        self._steps = steps_of(protocol, BOUNDS)
        self.worlds = self._with_unseen({first(BOUNDS)})

    def take(self, event: Event) -> bool:
        """Whether the model can go along with this event."""
        worlds = self.worlds
        for what in _parts(event.what):
            worlds = self._with_unseen(set(self._along(worlds, what)))
        self.worlds = {world for world in worlds if looks_like(world, event.seen)}
        return bool(self.worlds)

    def _along(self, worlds: Iterable[World], what: str) -> Iterator[World]:
        for world in worlds:
            if _changes_nothing(world, what):
                yield world
            for label, following in self._steps(world):
                if _told(label, world, following) == what:
                    yield following

    def _with_unseen(self, worlds: set[World]) -> set[World]:
        """These worlds, and all that come of them by steps that nobody can see."""
        found, new = set(worlds), list(worlds)
        while new:
            world = new.pop()
            for label, following in self._steps(world):
                if following not in found and _told(label, world, following) is None:
                    found.add(following)
                    new.append(following)
        return found


def looks_like(world: World, seen: Seen) -> bool:
    """Whether a world of the model is what was seen."""
    modes = tuple(versions[-1] if versions[-1] in (OPEN, FOLLOWING) else "closed" for versions in world.policy)
    have = tuple(mode if mode in (OPEN, FOLLOWING) else "closed" for mode in seen.mode)
    waiting = (len(world.log[SOURCE]), len(world.log[TWIN]))
    return (world.value, world.owner, waiting, modes) == (seen.value, seen.owner, seen.waiting, have)


def _parts(what: str) -> list[str]:
    """The steps of the model that one event stands for."""
    if found := re.fullmatch(r"mirror (\d+) to (\w+):=(\d)", what):
        return [f"take {found[1]} of {_other(found[2])}", f"mirror {found[2]}:={found[3]}"]
    if found := re.fullmatch(r"(\w+) refuses (\d+)", what):
        return [f"take {found[2]} of {_other(found[1])}", f"{found[1]} refuses the replicator"]
    if found := re.fullmatch(r"skip (\d+) of (\w+)", what):
        return [f"skip {found[2]}"] * int(found[1])
    return [what]


def _other(name: str) -> str:
    return NAME[1 - NAME.index(name)]


_UNSEEN = ("reads ahead", "looks", "refuses the turn", "another revision", "the zombie dies", "compare")
_RECORDED = {
    "does not settle in time: reads all of the stream": "settled",
    "holds": "released",
    "holds: a stray is found": "released",
    "has released": "ended",
    "ends undone": "ended",
}
_UNDOING = frozenset(("close", "closing", "reopen", "reopened", "unseal", "unsealed"))
_OWNED = frozenset(("open", "opening", "hold", "release", "releasing"))
_UNDONE = frozenset(("end", "end early"))


def _told(label: str, before: World, after: World) -> str | None:
    """The event by which a step of the model is seen in a run; None when it is not."""
    if any(words in label for words in _UNSEEN):
        return None
    if label.startswith("mark "):
        return "turn: marked"
    who, _, step = label.partition(": ")
    if who not in ("turn", "zombie"):
        return label
    process = before.turn if who == "turn" else before.zombie
    at = process.at if process else ""
    if "recovery" in step:
        return f"{who}: {'taken over' if at in _UNDOING | _OWNED else 'undoing'}"
    if step.startswith("copies") and before.value == after.value:
        return None
    if step.endswith("has spread"):
        step = "sealed" if at == "sealing" else "fenced"
    elif step.endswith("lets clients through"):
        step = "opened" if at == "opening" else "undone"
    elif step.startswith("records the owner"):
        step = "owned"
    return f"{who}: {_RECORDED.get(step, step.removeprefix('records '))}"


def _changes_nothing(world: World, what: str) -> bool:
    """Whether an event leaves a world as it is: what the code does twice, or in two steps where the model has one."""
    if what.startswith("put off"):
        return world.lane[SOURCE if what.endswith(NAME[SOURCE]) else TWIN] == PUT_OFF
    at = world.turn.at if world.turn else ""
    if at == "end unchanged":
        return what in ("turn: undoing", "turn: undone", "turn: taken over")
    return what == "turn: taken over" and at not in _UNDOING | _OWNED
