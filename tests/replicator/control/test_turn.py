"""A turn under traffic, from beginning to end, and what it does when the world is not as it should be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from botocore.exceptions import ReadTimeoutError

from replication.errors import PoisonRecord
from replication.order import Ended
from replication.pair import Phase, Side
from replication.release import release
from replication.turn import run
from tests.replicator.control.aws import Killed
from tests.replicator.control.iam import refusal
from tests.replicator.control.world import CLIENTS, PAIR_ID, SOURCE, TWIN, WAITS, World


@pytest.mark.parametrize("seed", range(10))
def test_there_and_back_under_traffic_loses_nothing(seed: int) -> None:
    world = World(seed)
    for to, name in ((Side.TWIN, "there"), (Side.SOURCE, "back")):
        assert world.turn(world.order(to, name)) is Ended.RELEASED
        assert str(world.pair.owner) == str(to)
    assert [one["Status"] for one in world.answers] == ["SUCCESS", "SUCCESS"]
    world.check()
    assert world.pair.damage == ()
    assert world.pair.failed_at is None


def test_its_log_reads_as_a_story_and_holds_no_key() -> None:
    world = World(1)
    world.turn(world.order(Side.TWIN))
    assert [message for message, _ in world.logged] == [
        "A turn begins: the mark is set.",
        "The mirror has brought over all that is older than the mark.",
        "The owner is being closed: writes of clients are refused from here on.",
        "Nobody writes the owner any more.",
        "The other table is being closed to the mirror.",
        "Nobody but the turn writes the other table.",
        "Every key written since the mark is copied.",
        "The other table is the owner now.",
        "The new owner is open to clients.",
        "The old owner follows: the turn has ended.",
    ]
    told = {name: value for _, fields in world.logged for name, value in fields.items()}
    assert told.keys() == {"to", "owner", "other", "keys", "refused_seconds"}
    assert isinstance(told["keys"], int)


def test_writes_are_refused_for_the_waits_and_little_more() -> None:
    world = World(1)
    world.turn(world.order(Side.TWIN))
    phases: dict[Phase, float] = {}
    world = World(1)

    def note(_caller: str, _operation: str) -> None:
        turn = world.pair.turn
        if turn is not None:
            phases.setdefault(turn.phase, world.account.now)

    world.account.before = note
    world.turn(world.order(Side.TWIN))
    waits = world.waits
    # a fence, two spreads, the quiet after the last write, and a poll of each
    assert (
        phases[Phase.OPENED] - phases[Phase.SEALING] <= 2 * waits.spread + world.spread + waits.quiet + 4 * waits.poll
    )


def at_put(world: World, number: int, then: Callable[[], None]) -> None:
    """Does something ahead of the policy of this number that the turn puts: its seal is 1, its fence 2."""
    puts = 0

    def before(_caller: str, operation: str) -> None:
        nonlocal puts
        puts += operation == "put_resource_policy"
        if puts == number:
            world.account.before = lambda caller, operation: None
            then()

    world.account.before = before


def test_an_invocation_that_began_before_the_fence_is_waited_for() -> None:
    """For as long as Lambda may let it run: for it the table may still be open."""
    world = World(5, traffic=False)
    ends_at = 0.0

    def begin() -> None:
        nonlocal ends_at
        ends_at = world.account.now + 12
        world.register.begin(PAIR_ID, Side.SOURCE, "1", "hanging", ends_at, world.account.now)

    at_put(world, 2, begin)
    assert world.turn(world.order(Side.TWIN)) is Ended.RELEASED
    looked_at = world.pair.looked_at
    assert looked_at is not None
    assert looked_at >= ends_at


def test_a_turn_says_that_it_lives_as_long_as_it_waits() -> None:
    """With a lease shorter than any of its waits."""
    world = World(6, waits=replace(WAITS, lease=3))
    run_out: list[Phase] = []

    def look(_caller: str, _operation: str) -> None:
        turn = world.pair.turn
        if turn is not None and turn.lease_until < world.account.now:
            run_out.append(turn.phase)

    world.account.before = look
    assert world.turn(world.order(Side.TWIN)) is Ended.RELEASED
    assert run_out == []


class TestUndone:
    """Before the owner has changed: everything is as it was, and the update fails with the reason."""

    def undone(self, world: World, reason: str) -> None:
        assert world.turn(world.order(Side.TWIN)) is Ended.UNDONE
        (answer,) = world.answers
        assert (answer["Status"], reason in answer["Reason"]) == ("FAILED", True)
        assert world.pair.turn is None
        world.check()
        assert world.pair.owner is Side.SOURCE

    def test_when_a_policy_does_not_reach_the_clients_in_time(self) -> None:
        world = World(1)
        world.account.reaches_no_more("probe")
        self.undone(world, "Users could not be closed to its clients, for 20 s")

    def test_when_the_fence_does_not_reach_the_replicator_in_time(self) -> None:
        world = World(2)
        world.account.reaches_no_more("replicator")
        assert world.turn(world.order(Side.TWIN)) is Ended.UNDONE
        assert "UsersEncrypted could not be closed to the mirror" in world.answers[0]["Reason"]

    def test_when_the_probes_prove_nothing_and_then_nobody_is_refused(self) -> None:
        world = World(3)
        world.account.delay = lambda table, caller, number: float("inf") if caller == "probe" else 0.0
        refused = world.refused
        self.undone(world, "The probes are not let in")
        assert [one.policy["Statement"][-1]["Sid"] for one in world.account.tables[SOURCE].policies if one.policy] == [
            "EncryptMigrateOpen1Probe"
        ]
        assert world.refused >= refused

    def test_when_the_mirror_does_not_catch_up(self) -> None:
        world = World(4)
        world.mirroring = False
        world.account.sleep(1)
        assert world.turn(world.order(Side.TWIN)) is Ended.UNDONE
        assert "did not settle within 40 s, so nothing was changed" in world.answers[0]["Reason"]
        world.check()

    def test_when_a_record_from_before_the_mark_comes_to_the_mirror_behind_the_fence(self) -> None:
        world = World(2, traffic=False)

        def come_late() -> None:
            before = world.account.now - 60
            held, _ = world.register.begin(PAIR_ID, Side.SOURCE, "1", "late", world.account.now + 1, before)
            world.register.put_off(held)

        at_put(world, 2, come_late)
        assert world.turn(world.order(Side.TWIN)) is Ended.UNDONE
        assert "came to the mirror later than they may" in world.answers[-1]["Reason"]
        world.account.sleep(5)
        assert world.open_tables() == [SOURCE]

    def test_when_a_mapping_is_disabled(self) -> None:
        world = World(5)
        world.account.mappings["reverse-mapping"] = {"State": "Disabled", "StateTransitionReason": "USER_INITIATED"}
        self.undone(
            world, "reverse-mapping that reads the stream of UsersEncrypted is Disabled, not Enabled (USER_INIT"
        )

    def test_when_a_write_has_failed_since_the_last_comparison(self) -> None:
        world = World(6)
        world.state.note_failure(PAIR_ID, world.account.now)
        self.undone(world, "has failed since the tables were last compared")

    def test_when_the_invocation_has_no_time_left(self) -> None:
        world = World(7)
        assert run(world.crew, world.order(Side.TWIN), world.account.now + 8) is Ended.UNDONE
        assert "in the time that one invocation has" in world.answers[0]["Reason"]
        world.check()

    def test_when_a_write_of_the_look_is_not_answered_and_the_comparison_is_void(self) -> None:
        """R5: it may still land, so that it is not repeated but waited for until it cannot."""
        world = World(8)

        def lose(caller: str, operation: str) -> None:
            world.mirroring &= operation != "put_resource_policy"  # from the seal on, so that the look has to write
            if (caller, operation) == ("look", "batch_write_item"):
                world.mirroring = True
                raise ReadTimeoutError(endpoint_url="x")

        world.account.before = lose
        self.undone(world, "got no answer")
        assert not world.pair.compared

    def test_when_an_item_cannot_be_brought_along(self) -> None:
        world = World(9)

        def reject(caller: str, operation: str) -> None:
            world.mirroring &= operation != "put_resource_policy"
            if (caller, operation) == ("look", "batch_write_item"):
                world.mirroring = True
                raise refusal("ValidationException", message="too large")

        world.account.before = reject
        self.undone(world, "could not be brought to UsersEncrypted")

    def test_when_the_streams_iterators_expire(self) -> None:
        world = World(10)

        def hang(caller: str, operation: str) -> None:
            turn = world.pair.turn
            if operation == "put_resource_policy" and turn is not None and turn.phase is Phase.SEALING:
                world.account.before = lambda caller, operation: None
                world.account.now += 901

        world.account.before = hang
        self.undone(world, "cannot be read on")


class TestStream:
    def test_shards_that_are_split_during_the_turn_are_followed(self) -> None:
        """R6."""
        world = World(11)
        count = 0

        def split(_caller: str, operation: str) -> None:
            nonlocal count
            if operation == "get_records":
                count += 1
                if count in (3, 9):
                    world.account.split(SOURCE)

        world.account.before = split
        assert world.turn(world.order(Side.TWIN)) is Ended.RELEASED
        world.check()

    def test_a_shard_that_throttles_for_a_while_only_takes_longer(self) -> None:
        world = World(12)
        until = world.account.now + 15

        def throttle(_caller: str, operation: str) -> None:
            world.account.throttled = {"shard-0"} if world.account.now < until else set()

        world.account.before = throttle
        assert world.turn(world.order(Side.TWIN)) is Ended.RELEASED
        world.check()


class TestWayBack:
    """Damage must not keep anybody from going back: the turn brings along what the mirror owes."""

    def cut_over(self, seed: int) -> World:
        world = World(seed)
        assert world.turn(world.order(Side.TWIN, "there")) is Ended.RELEASED
        return world

    def test_with_a_mirror_that_stands_still_every_write_comes_along(self) -> None:
        world = self.cut_over(13)
        world.mirroring = False
        world.account.sleep(30)
        world.traffic = False  # what is written again behind the mark would come along without it
        assert world.turn(world.order(Side.SOURCE, "back")) is Ended.RELEASED
        assert world.pair.owner is Side.SOURCE
        assert world.lost() == []
        assert not world.pair.compared  # nobody has looked at what was brought along like this

    def test_with_a_record_that_fails_and_is_not_in_the_stream_any_more_its_keys_come_along(self) -> None:
        world = self.cut_over(14)
        world.traffic = False
        world.account.sleep(5)
        assert world.client_writes(CLIENTS[0], "a", 3, TWIN)
        record = world.account.tables[TWIN].log[-1]
        held, _ = world.register.begin(PAIR_ID, Side.TWIN, record.sequence, "i", world.account.now + 60)
        error = PoisonRecord("no")
        world.register.failed(held, record.sequence, error, [{"id": {"S": "a"}}], keys_missing=False)
        world.state.note_failure(PAIR_ID, world.account.now)
        world.lanes[Side.TWIN].position += 1  # given up after hours
        for shard in world.account.tables[TWIN].shards:
            shard.records.clear()  # and forgotten by the stream
        assert world.turn(world.order(Side.SOURCE, "back")) is Ended.RELEASED
        world.check()
        assert world.register.work(PAIR_ID) == []

    def test_with_keys_that_are_not_known_is_made_and_reported(self) -> None:
        world = self.cut_over(15)
        held, _ = world.register.begin(PAIR_ID, Side.TWIN, "1", "i", world.account.now + 60)
        world.register.failed(held, "1", PoisonRecord("no"), [], keys_missing=True)
        world.state.note_failure(PAIR_ID, world.account.now)
        assert world.turn(world.order(Side.SOURCE, "back")) is Ended.RELEASED
        assert ["are known: repair the pair" in one.what for one in world.pair.damage] == [True]


class TestReadersOfTheSourcesStream:
    """They are owed every change that clients make in the twin, and the look brings only the last of each key."""

    def back(self, late_by: float) -> tuple[list[str], list[str]]:
        """The values of one key on the twin's stream and on the source's, when the mirror is late as the turn seals."""
        world = World(23, traffic=False)
        world.state.change(PAIR_ID, StreamConsumers=True)
        assert world.turn(world.order(Side.TWIN, "there")) is Ended.RELEASED

        def write(_caller: str, operation: str) -> None:
            turn = world.pair.turn
            if operation == "put_resource_policy" and turn is not None and turn.phase is Phase.SEALING:
                world.account.before = lambda caller, operation: None
                for value in (1, 2, 3):
                    assert world.client_writes(CLIENTS[0], "a", value, TWIN)
                world.lanes[Side.TWIN].busy_until = world.account.now + late_by

        world.account.before = write
        assert world.turn(world.order(Side.SOURCE, "back")) is Ended.RELEASED
        world.check()
        return told(world, TWIN), told(world, SOURCE)

    def test_see_what_was_written_right_before_a_turn_back(self) -> None:
        twin, source = self.back(late_by=6)
        assert source == twin == ["1", "2", "3"]

    def test_miss_what_the_mirror_does_not_bring_in_time_but_not_the_last(self) -> None:
        twin, source = self.back(late_by=60)
        assert (source, twin) == (["3"], ["1", "2", "3"])


def told(world: World, table: str) -> list[str]:
    """What a reader of a table's stream is told of the key `a`."""
    return [record.item["value"]["N"] for record in world.account.tables[table].log if record.item is not None]


class TestRequests:
    def test_one_that_comes_while_another_turn_runs_waits_and_decides_anew(self) -> None:
        """R7: the user goes back while the cutover is still being held."""
        world = World(16)
        assert run(world.crew, world.order(Side.TWIN, "there"), world.account.now + 800) is Ended.OPENED
        others, done = world.meanwhile, world.account.now + 20

        def meanwhile() -> None:
            others()
            if world.account.now > done and world.pair.turn is not None and world.pair.turn.request == "there":
                release(world.crew, PAIR_ID)

        world.account.meanwhile = meanwhile
        assert world.turn(world.order(Side.SOURCE, "back")) is Ended.RELEASED
        world.check()
        assert world.pair.epoch == 2

    def test_one_whose_invocation_dies_while_it_waits_is_told_so_and_the_other_turn_goes_on(self) -> None:
        world = World(3, traffic=False)
        assert run(world.crew, world.order(Side.TWIN), world.account.now + 800) is Ended.OPENED
        before = world.pair
        assert world.recover(world.order(Side.SOURCE, "other")) is Ended.DONE
        assert world.answers[-1]["RequestId"] == "other"
        assert world.answers[-1]["Status"] == "FAILED"
        assert world.pair == before

    def test_one_that_waits_for_too_long_is_told_so(self) -> None:
        world = World(17)
        run(world.crew, world.order(Side.TWIN, "there"), world.account.now + 800)
        assert world.turn(world.order(Side.SOURCE, "back")) is Ended.DONE
        assert "Another turn of guid/Users has not ended yet" in world.answers[-1]["Reason"]

    def test_one_that_comes_twice_is_one_turn(self) -> None:
        world = World(18)
        order = world.order(Side.TWIN)

        def die(_caller: str, operation: str) -> None:
            if operation == "put_resource_policy":
                raise Killed

        world.account.before = die
        with pytest.raises(Killed):
            world.turn(order)
        world.account.before = lambda caller, operation: None
        assert world.turn(order) is Ended.UNDONE
        world.check()

    def test_one_for_what_is_so_already_changes_nothing(self) -> None:
        world = World(19)
        before = world.pair
        assert world.turn(world.order(Side.SOURCE)) is Ended.DONE
        assert world.answers[0]["Status"] == "SUCCESS"
        assert replace(world.pair, stage=before.stage) == before

    def test_one_of_a_pair_that_is_gone_is_answered(self) -> None:
        world = World(20, traffic=False)
        world.mirroring = False
        world.state.remove(world.pair)
        assert world.turn(world.order(Side.TWIN)) is Ended.DONE
        assert world.turn(world.order(Side.SOURCE, deleting=True)) is Ended.DONE
        assert [one["Status"] for one in world.answers] == ["FAILED", "SUCCESS"]

    def test_an_answer_that_cannot_be_delivered_holds_nothing_up(self) -> None:
        world = World(21)

        def refuse(_caller: str, operation: str) -> None:
            if operation == "answer":
                raise OSError("unreachable")

        world.account.before = refuse
        assert world.turn(world.order(Side.TWIN)) is Ended.RELEASED
        world.account.before = lambda caller, operation: None
        world.check()
        assert any("could not be answered" in message for message, _ in world.logged)


def test_a_client_with_an_old_configuration_is_refused_and_never_told_a_lie() -> None:
    world = World(22)
    world.turn(world.order(Side.TWIN))
    last = max(at for history in world.acknowledged.values() for at, _, name in history if name == SOURCE)
    first = min(at for history in world.acknowledged.values() for at, _, name in history if name == TWIN)
    assert last < first
