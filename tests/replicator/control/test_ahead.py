"""The owner is read while the fence spreads; what slips through its seal after that is not passed over."""

from __future__ import annotations

from replication.order import Ended
from replication.pair import Phase, Side
from tests.replicator.control.world import CLIENTS, SOURCE, TWIN, World

LATE = CLIENTS[2]
NEVER = float("inf")


def phase(world: World) -> Phase | None:
    turn = world.pair.turn
    return turn.phase if turn else None


class Story:
    """A client writes `a` while a turn settles, and is mirrored; `slips` through the seal once the owner was read."""

    def __init__(self, *, slips: bool) -> None:
        self.world = World(4, traffic=False)
        self.reads: list[Phase | None] = []  # the phases in which items were read
        self._written = 0
        self._slips = slips
        self.world.account.delay = lambda table, caller, number: NEVER if caller == LATE.name else 0.0
        self.world.account.before = self._before

    def _before(self, caller: str, operation: str) -> None:
        if (caller, operation) == ("turn", "batch_get_item"):
            self.reads.append(phase(self.world))
        elif operation == "get_event_source_mapping" and not self._written:  # after the mark
            self._writes(1)
        elif self._slips and self._written == 1 and self.reads:
            self._writes(2)

    def _writes(self, value: int) -> None:
        self._written = value
        assert self.world.client_writes(LATE, "a", value, SOURCE)


def test_the_owner_is_read_while_the_fence_spreads_and_the_other_table_after_that() -> None:
    story = Story(slips=False)
    assert story.world.turn(story.world.order(Side.TWIN)) is Ended.RELEASED
    assert story.reads == [Phase.FENCING, Phase.FENCED]


def test_a_write_that_slips_through_the_seal_after_the_owner_was_read_comes_along() -> None:
    """R1. The mirror cannot bring it over any more, so that the twin still holds what was read ahead."""
    story = Story(slips=True)
    assert story.world.turn(story.world.order(Side.TWIN)) is Ended.RELEASED
    assert story.reads == [Phase.FENCING, Phase.FENCED, Phase.FENCED]
    assert story.world.owner() == TWIN
    assert story.world.lost() == []
