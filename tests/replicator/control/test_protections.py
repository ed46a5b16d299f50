"""Takes the protections out of the turn, one at a time, and injects what each is there for.

With all of them the same story loses nothing; without the one, the history of acknowledged writes does not fit the
table any more. So none of them is there in vain, and none can be taken out without a test that fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from replication.errors import AccessRefused, Superseded
from replication.look import Look
from replication.pair import Phase, Side
from replication.policies import Mode
from replication.steps import Steps
from replication.stream import Reader
from replication.tables import Tables
from tests.replicator.control.iam import Caller
from tests.replicator.control.world import CLIENTS, SOURCE, TWIN, World

LATE = CLIENTS[2]


class WithoutSettling(Steps):
    def settle(self, reader: Reader) -> Reader:
        return reader


class WithoutSeal(Steps):
    def seal(self, reader: Reader) -> None:
        self.enter(Phase.SEALING)
        self.enter(Phase.SEALED)


class WithoutWaitingForTheSeal(Steps):
    def seal(self, reader: Reader) -> None:
        self.enter(Phase.SEALING)
        self._place(self.turn.to.other, Mode.SEALED)
        self.enter(Phase.SEALED)


class WithoutFence(Steps):
    def fence(self, reader: Reader) -> None:
        self.enter(Phase.FENCING)
        self.enter(Phase.FENCED)


class WithoutLooking(Steps):
    def look(self, reader: Reader) -> None:
        while not self.all_read(reader):
            pass
        self.enter(Phase.LOOKED, LookedAt=self.crew.clock(), Positions=reader.place())


def writers_never_stop(world: World) -> None:
    """Clients go on writing whatever they can, all the time."""


def a_policy_reaches_one_client_late(world: World) -> None:
    """Eight seconds after everybody else; that client writes twice a second."""
    world.account.delay = lambda table, caller, number: 8.0 if caller == LATE.name else 0.0
    others = world.meanwhile

    def meanwhile() -> None:
        others()
        if int(world.account.now * 4) % 2:
            world.client_writes(LATE, table=SOURCE)

    world.account.meanwhile = meanwhile


def a_batch_from_before_the_turn_is_delayed(world: World) -> None:
    """Lambda takes fourteen seconds to deliver a record that is older than the turn."""
    world.traffic = False
    world.account.sleep(5)
    assert world.client_writes(CLIENTS[0], "a", 3, SOURCE)
    world.lanes[Side.SOURCE].busy_until = world.account.now + 14


def a_write_of_the_mirror_lingers(world: World) -> None:
    """It has left before the fence, with a value that is overwritten by then, and lands when the owner has changed."""
    world.traffic = False
    lingering = {"id": {"S": "a"}, "value": {"N": "1"}}
    done: list[str] = []

    def before(_caller: str, operation: str) -> None:
        if operation == "delete_item" and "written" not in done and phase(world) is Phase.SEALING:
            return
        if operation == "get_event_source_mapping" and "written" not in done:  # after the mark
            done.append("written")
            assert world.client_writes(CLIENTS[0], "a", 1, SOURCE)
            assert world.client_writes(CLIENTS[0], "a", 2, SOURCE)
        if operation == "put_resource_policy" and world.pair.owner is Side.TWIN and "landed" not in done:
            done.append("landed")
            try:
                world.account.before = lambda caller, operation: None
                cast("Any", world.account.client(Caller("replicator"))).batch_write_item(
                    RequestItems={TWIN: [{"PutRequest": {"Item": lingering}}]}
                )
            except ClientError:
                done.append("refused")

    world.account.before = before


def the_mirror_is_slow_when_the_table_is_sealed(world: World) -> None:
    """What was written last before the seal does not come to the mirror before the fence; nobody writes later."""

    def before(caller: str, _operation: str) -> None:
        if caller == "probe":
            world.traffic = phase(world) is Phase.SEALING
            world.lanes[Side.SOURCE].busy_until = world.account.now + 5

    world.account.before = before


def phase(world: World) -> Phase | None:
    turn = world.pair.turn
    return turn.phase if turn else None


PROTECTIONS = [
    (WithoutSettling, a_batch_from_before_the_turn_is_delayed),
    (WithoutSeal, writers_never_stop),
    (WithoutWaitingForTheSeal, a_policy_reaches_one_client_late),
    (WithoutFence, a_write_of_the_mirror_lingers),
    (WithoutLooking, the_mirror_is_slow_when_the_table_is_sealed),
]


def story(steps: type[Steps], inject: Callable[[World], None], seed: int) -> World:
    world = World(seed)
    if steps is WithoutFence:  # without a fence, the look writes where the mirror may
        tables = Tables(cast("Any", world.account.client(Caller("replicator"))), world.crew_patience, threads=1)
        world.crew = replace(world.crew, look=lambda token: Look(world.reader, tables))
    inject(world)
    world.turn(world.order(Side.TWIN), steps)
    world.account.before = lambda caller, operation: None
    world.drain()
    return world


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("without", "inject"), PROTECTIONS, ids=lambda found: found.__name__)
def test_with_all_protections_nothing_is_lost(without: type[Steps], inject: Callable[[World], None], seed: int) -> None:
    world = story(Steps, inject, seed)
    assert world.lost() == []
    assert world.equal()
    assert world.open_tables() == [world.owner()]


@pytest.mark.parametrize(("without", "inject"), PROTECTIONS, ids=lambda found: found.__name__)
def test_without_the_one_protection_the_history_does_not_fit(
    without: type[Steps], inject: Callable[[World], None]
) -> None:
    worlds = [story(without, inject, seed) for seed in range(3)]
    assert any(world.lost() for world in worlds)


@pytest.mark.parametrize("protected", [True, False])
def test_a_look_that_lingers_from_a_dead_turn_does_not_pass_the_fence_of_the_next(protected: bool) -> None:
    """Without the session in the fence, the old value would land over the new one and nobody would look at it again."""
    world = World(4, traffic=False)
    if not protected:
        forget_sessions(world)
    world.client_writes(CLIENTS[0], "a", 1, SOURCE)
    order = world.order(Side.TWIN)

    def before(caller: str, operation: str) -> None:
        if operation == "put_resource_policy" and world.mirroring:  # the seal: the look copies what the mirror owes
            world.client_writes(CLIENTS[0], "a", 2, SOURCE)
            world.mirroring = False
        if (caller, operation) == ("look", "batch_write_item"):
            world.mirroring = True
            # the first turn hangs here; it is undone, a client writes, the next turn comes to its fence …
            world.account.before = lambda caller, operation: land(world, caller, operation)
            world.recover(order)
            world.account.sleep(5)
            world.client_writes(CLIENTS[0], "a", 3, SOURCE)
            world.account.sleep(20)
            world.turn(world.order(Side.TWIN, "again"))

    world.account.before = before
    with pytest.raises((Superseded, AccessRefused)):  # the dead turn wakes up and is told off
        world.turn(order)
    world.account.before = lambda caller, operation: None
    world.drain()
    assert (world.lost() == []) is protected


def land(world: World, caller: str, operation: str) -> None:
    """… where the hanging write of turn 2, as its session was called, lands after the next turn's look."""
    turn = world.pair.turn
    if (
        operation == "put_resource_policy"
        and turn is not None
        and turn.request == "again"
        and turn.phase is Phase.OWNED
    ):
        world.account.before = lambda caller, operation: None
        client = cast("Any", world.account.client(Caller("look", "turn-2")))
        try:
            client.batch_write_item(
                RequestItems={TWIN: [{"PutRequest": {"Item": {"id": {"S": "a"}, "value": {"N": "2"}}}}]}
            )
        except ClientError:
            return


def forget_sessions(world: World) -> None:
    """Policies without the statement that names the session."""
    change = world.account.on_policy

    def without(policy: dict[str, Any]) -> dict[str, Any]:
        kept = [one for one in policy["Statement"] if not one.get("Sid", "").endswith("Session")]
        return {**change(policy), "Statement": kept}

    world.account.on_policy = without
