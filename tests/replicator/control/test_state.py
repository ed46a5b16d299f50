"""The state table: what may be written by whom. Runs on moto and on the table in memory that other tests use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from moto import mock_aws

from replication.codec import pack_item, unpack_item
from replication.errors import (
    NotUnderstood,
    RequestError,
    StaleOrder,
    StaleTurn,
    StaleWorker,
    UnknownPair,
    UnknownStream,
)
from replication.notes import item_key
from replication.pair import (
    Comparison,
    Damage,
    Ordered,
    OrderState,
    Pair,
    Phase,
    Placed,
    Population,
    PopulationState,
    Side,
    Turn,
)
from replication.state import State
from tests.replicator.control.aws import Account, stream_arn
from tests.replicator.control.world import PAIR_ID, SOURCE, TWIN
from tests.replicator.data.world import pair as new_pair
from tests.replicator.data.world import state_client


@pytest.fixture(params=["moto", "memory"])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "memory":
        yield Account(SOURCE, TWIN).state
        return
    with mock_aws():
        yield state_client()


@pytest.fixture
def state(client: Any) -> State:
    found = State(client, "State")
    found.create(new_pair())
    return found


def turn(token: int = 1, **changes: Any) -> Turn:
    return replace(Turn("request", token, Side.TWIN, Phase.MARKED, 100.0, 50.0), **changes)


class TestPair:
    def test_what_is_written_is_what_is_read(self, client: Any) -> None:
        ids = ("id-of-Users", "id-of-UsersEncrypted")
        full = new_pair(
            revisions={Side.SOURCE: Placed("r", "open", 3, 12.5, "d")},
            turn=turn(0, positions={"shard": "iterator"}, reason="because"),
            population=Population("job", 0, *ids, PopulationState.RUNNING, 1.0, items=7),
            comparison=Comparison(0, *ids, 2.0, PopulationState.COMPLETE, differences=2),
            damage=(Damage(3.0, "what"),),
            paused="why",
            failed_at=4.25,
            write_rate=100,
        )
        State(client, "State").create(full)
        assert State(client, "State").pair(PAIR_ID) == full

    def test_a_pair_that_was_never_made_is_unknown(self, state: State) -> None:
        assert state.find("other/Users") is None
        with pytest.raises(UnknownPair, match="other/Users"):
            state.pair("other/Users")

    def test_a_stream_leads_to_its_pair_and_side(self, state: State) -> None:
        found, side = state.pair_of_stream(stream_arn(TWIN))
        assert (found.pair_id, side) == (PAIR_ID, Side.TWIN)

    def test_a_stream_that_no_migration_reads_is_unknown(self, state: State) -> None:
        with pytest.raises(UnknownStream, match="Other"):
            state.pair_of_stream(stream_arn("Other"))

    def test_a_stream_whose_record_is_gone_says_so(self, state: State, client: Any) -> None:
        client.delete_item(TableName="State", Key={"Pair": {"S": PAIR_ID}, "Item": {"S": "pair"}})
        with pytest.raises(UnknownStream, match="record is gone"):
            state.pair_of_stream(stream_arn(TWIN))

    def test_making_a_pair_twice_changes_nothing(self, state: State) -> None:
        state.create(new_pair())
        assert state.pair(PAIR_ID) == new_pair()

    def test_a_table_can_be_in_one_migration_only(self, state: State) -> None:
        with pytest.raises(RequestError, match="already belongs to the migration guid/Users"):
            state.create(new_pair(pair_id="guid/Other"))
        assert state.find("guid/Other") is None

    def test_removing_a_pair_takes_everything_along_and_can_be_repeated(self, state: State, client: Any) -> None:
        found = state.pair(PAIR_ID)
        state.keep_stray(PAIR_ID, Side.SOURCE, "1", {"id": {"S": "a"}}, 1.0)
        state.remove(found)
        state.remove(found)
        assert [state.find(PAIR_ID), *(state.pair_id_of_stream(stream_arn(name)) for name in (SOURCE, TWIN))] == [
            None
        ] * 3
        (page,) = client.get_paginator("query").paginate(
            TableName="State",
            KeyConditionExpression="#pair = :pair",
            ExpressionAttributeNames={"#pair": "Pair"},
            ExpressionAttributeValues={":pair": {"S": PAIR_ID}},
        )
        assert page["Items"] == []

    def test_removing_a_pair_that_has_been_begun_anew_takes_nothing(self, state: State, client: Any) -> None:
        before = state.pair(PAIR_ID)
        state.remove(before)
        anew = new_pair(born=2.0)
        state.create(anew)
        state.keep_stray(PAIR_ID, Side.SOURCE, "1", {"id": {"S": "a"}}, 1.0)
        state.remove(before)
        assert state.pair_of_stream(stream_arn(SOURCE)) == (anew, Side.SOURCE)
        assert "Item" in client.get_item(TableName="State", Key=item_key(PAIR_ID, "stray#1"))

    def test_removing_a_pair_once_more_leaves_a_stream_to_the_migration_that_has_it_now(self, state: State) -> None:
        before = state.pair(PAIR_ID)
        state.remove(before)
        state.create(new_pair(pair_id="guid/Other"))
        state.remove(before)
        assert state.pair_id_of_stream(stream_arn(SOURCE)) == "guid/Other"

    def test_all_pairs_are_found_and_one_that_cannot_be_used_hides_no_other(self, state: State, client: Any) -> None:
        broken = pack_item(new_pair(pair_id="guid/Broken").to_item()) | {"Owner": {"S": "nobody"}}
        client.put_item(TableName="State", Item=broken)
        found = list(state.pairs())
        assert {type(one) for one in found} == {Pair, NotUnderstood}


class TestRecordsThatCannotBeUsed:
    @staticmethod
    def put(client: Any, **changes: Any) -> State:
        item: dict[str, Any] = new_pair().to_item()
        for path, value in changes.items():
            *maps, last = path.split("__")
            at = item
            for name in maps:
                at = at[name]
            if value is None:
                at.pop(last)
            else:
                at[last] = value
        client.put_item(TableName="State", Item=pack_item(item))
        return State(client, "State")

    def test_a_later_version_asks_for_a_newer_installation(self, client: Any) -> None:
        with pytest.raises(NotUnderstood, match="has version 2 and this installation understands 1"):
            self.put(client, Version=2).find(PAIR_ID)

    def test_a_half_written_record_names_everything_that_is_missing(self, client: Any) -> None:
        with pytest.raises(
            NotUnderstood, match=r"StackId is missing; Source\.Arn is missing\. Restore the state table"
        ):
            self.put(client, StackId=None, Source__Arn=None).find(PAIR_ID)

    def test_a_value_of_the_wrong_kind_is_named(self, client: Any) -> None:
        with pytest.raises(NotUnderstood, match="Epoch holds str 'one'"):
            self.put(client, Epoch="one").find(PAIR_ID)

    def test_an_owner_that_does_not_fit_the_epoch_is_a_contradiction(self, client: Any) -> None:
        with pytest.raises(NotUnderstood, match="twin cannot own the writes at epoch 0"):
            self.put(client, Owner="twin").find(PAIR_ID)

    def test_a_turn_that_is_further_than_the_owner_is_a_contradiction(self, client: Any) -> None:
        found = {"Request": "r", "Token": 0, "To": "twin", "Phase": "opened", "LeaseUntil": 1.0, "StartedAt": 1.0}
        with pytest.raises(NotUnderstood, match="turn to the twin is opened and the owner is the source"):
            self.put(client, Turn=found).find(PAIR_ID)


class TestTurns:
    def test_a_turn_begins_once_because_two_must_never_hold_the_same_token(self, state: State) -> None:
        found = state.pair(PAIR_ID)
        state.begin_turn(found, turn())
        for again in (turn(), turn(request="other")):
            with pytest.raises(StaleTurn):
                state.begin_turn(found, again)

    def test_two_cannot_claim_a_pair_on_what_both_have_read(self, state: State) -> None:
        found = state.pair(PAIR_ID)
        assert state.claim(found).token == 1
        with pytest.raises(StaleTurn):
            state.claim(found)

    def test_no_turn_begins_on_what_was_read_before_somebody_claimed_the_pair(self, state: State) -> None:
        found = state.pair(PAIR_ID)
        state.claim(found)
        with pytest.raises(StaleTurn):
            state.begin_turn(found, turn())

    def test_nobody_claims_a_pair_under_a_turn(self, state: State) -> None:
        begun = state.begin_turn(state.pair(PAIR_ID), turn())
        with pytest.raises(StaleTurn):
            state.claim(begun)

    def test_whoever_was_taken_over_writes_nothing_any_more(self, state: State) -> None:
        begun = state.begin_turn(state.pair(PAIR_ID), turn())
        taken = state.take_over(begun, 500.0)
        assert taken.turn is not None
        assert (taken.token, taken.turn.token, taken.turn.lease_until) == (2, 2, 500.0)
        old = 1
        writes: tuple[Callable[[], Any], ...] = (
            lambda: state.note_turn(PAIR_ID, old, Phase=Phase.SEALING),
            lambda: state.change_owner(begun, turn(), 1.0, 1.0, 1.0),
            lambda: state.note_policy(PAIR_ID, old, Side.SOURCE, Placed("r", "open", old, 1.0, "d")),
            lambda: state.hold(PAIR_ID, old),
            lambda: state.end_turn(PAIR_ID, old),
            lambda: state.take_over(begun, 1.0),
        )
        for write in writes:
            with pytest.raises(StaleTurn):
                write()
        assert state.pair(PAIR_ID) == taken

    def test_the_owner_changes_only_after_the_look_and_the_change_can_be_repeated(self, state: State) -> None:
        begun = state.begin_turn(state.pair(PAIR_ID), turn())
        with pytest.raises(StaleTurn):
            state.change_owner(begun, turn(), 7.0, 8.0, 1.0)
        looked = state.note_turn(PAIR_ID, 1, Phase=Phase.LOOKED)
        owned = state.change_owner(looked, turn(), 7.0, 8.0, 1.0)
        assert (owned.owner, owned.epoch, owned.marked_at, owned.looked_at) == (Side.TWIN, 1, 7.0, 8.0)
        assert state.change_owner(looked, turn(), 7.0, 8.0, 1.0) == owned

    def test_a_turn_that_has_ended_leaves_what_it_granted(self, state: State) -> None:
        state.begin_turn(state.pair(PAIR_ID), turn())
        ended = state.end_turn(PAIR_ID, 1, Stage=3)
        assert (ended.turn, ended.stage) == (None, 3)


def asked(request: str = "request", state: OrderState = OrderState.DECIDING) -> Ordered:
    return Ordered(request, 10.0, state, Side.TWIN)


class TestRequests:
    def test_the_newest_is_kept_and_what_it_writes_may_be_repeated_when_its_answer_was_lost(self, state: State) -> None:
        found = state.pair(PAIR_ID)
        waiting = asked(state=OrderState.WAITING)
        writes: tuple[Callable[[], Pair], ...] = (
            lambda: state.come(found, asked()),
            lambda: state.keep(PAIR_ID, "request", WriteRate=7, Paused=None),
            lambda: state.order(PAIR_ID, waiting),
            lambda: state.give_up(found, waiting, "dead"),
        )
        for write in writes:
            assert write() == write()
        noted = state.pair(PAIR_ID)
        assert noted.ordered == replace(waiting, state=OrderState.GIVEN_UP, reason="dead")
        assert (noted.answered, noted.write_rate) == (("request",), 7)

    def test_what_was_decided_by_the_gate_may_be_repeated_too(self, state: State) -> None:
        state.come(state.pair(PAIR_ID), asked())
        assert state.end(PAIR_ID, "request", Stage=3) == state.end(PAIR_ID, "request", Stage=3)

    def test_one_that_has_read_the_record_before_another_came_is_not_noted(self, state: State) -> None:
        for another in ("first", "second"):  # a record without a request, and one with
            found = state.pair(PAIR_ID)
            state.come(found, asked(another))
            with pytest.raises(StaleOrder):
                state.come(found, asked("late"))

    def test_whoever_was_overtaken_writes_nothing_any_more(self, state: State) -> None:
        found = state.come(state.pair(PAIR_ID), asked("old"))
        newest = state.come(found, asked("new"))
        old = asked("old", OrderState.WAITING)
        writes: tuple[Callable[[], Any], ...] = (
            lambda: state.keep(PAIR_ID, "old", Stage=3),
            lambda: state.order(PAIR_ID, old),
            lambda: state.end(PAIR_ID, "old", Stage=3),
            lambda: state.give_up(found, old, "dead"),
        )
        for write in writes:
            with pytest.raises(StaleOrder):
                write()
        state.pause(PAIR_ID, "old", "why")
        state.close(PAIR_ID, "old")
        assert state.pair(PAIR_ID) == newest

    def test_a_turn_begins_for_the_order_that_is_noted_and_once(self, state: State) -> None:
        found = state.come(state.pair(PAIR_ID), asked())
        with pytest.raises(StaleTurn):
            state.begin_turn(found, turn())  # it is not ordered yet
        found = state.order(PAIR_ID, asked(state=OrderState.WAITING))
        with pytest.raises(StaleTurn):
            state.begin_turn(found, turn(request="other"))
        begun = state.begin_turn(found, turn())
        assert begun.ordered is not None
        assert begun.ordered.state is OrderState.ENDED
        with pytest.raises(StaleTurn):
            state.begin_turn(state.end_turn(PAIR_ID, 1), turn(2))

    def test_no_request_is_noted_of_a_pair_that_is_gone(self, state: State) -> None:
        found = state.pair(PAIR_ID)
        state.remove(found)
        with pytest.raises(StaleOrder):
            state.come(found, asked())
        assert state.find(PAIR_ID) is None


class TestNotes:
    def test_the_latest_failure_counts(self, state: State) -> None:
        state.note_failure(PAIR_ID, 20.0)
        state.note_failure(PAIR_ID, 10.0)
        assert state.pair(PAIR_ID).failed_at == 20.0

    def test_a_failure_of_a_pair_that_is_gone_is_not_passed_over(self, state: State) -> None:
        with pytest.raises(UnknownPair):
            state.note_failure("other/Users", 1.0)

    def test_damages_add_up_and_void_comparisons(self, state: State) -> None:
        state.note_damage(PAIR_ID, Damage(1.0, "one"))
        state.note_damage(PAIR_ID, Damage(2.0, "two"))
        found = state.pair(PAIR_ID)
        assert [one.what for one in found.damage] == ["one", "two"]
        assert found.failed_at == 2.0

    def test_a_pause_has_a_reason_and_goes_again(self, state: State) -> None:
        state.pause(PAIR_ID, "request", "why")
        assert state.pair(PAIR_ID).paused == "why"
        state.pause(PAIR_ID, "request", None)
        assert state.pair(PAIR_ID).paused is None

    def test_a_change_can_take_an_attribute_away(self, state: State) -> None:
        state.change(PAIR_ID, WriteRate=10)
        assert state.change(PAIR_ID, WriteRate=None, Stage=1).write_rate is None

    def test_only_the_population_that_is_known_is_noted(self, state: State) -> None:
        found = state.pair(PAIR_ID)
        population = Population("job", 0, "a", "b", PopulationState.RUNNING, 1.0)
        state.start_population(found, population)
        state.count_population(PAIR_ID, "job", 3, 2)
        noted = state.note_population(PAIR_ID, "job", State=PopulationState.COMPLETE).population
        assert noted is not None
        assert (noted.state, noted.items, noted.written) == (PopulationState.COMPLETE, 3, 2)
        for write in (
            lambda: state.note_population(PAIR_ID, "other", State=PopulationState.FAILED),
            lambda: state.count_population(PAIR_ID, "other", 1, 1),
        ):
            with pytest.raises(StaleWorker):
                write()

    def test_a_comparison_under_another_owner_is_not_kept(self, state: State) -> None:
        with pytest.raises(StaleWorker):
            state.note_comparison(PAIR_ID, Comparison(1, "a", "b", 1.0, PopulationState.COMPLETE))


class TestComparison:
    ids = ("id-of-Users", "id-of-UsersEncrypted")

    def found(self, **changes: Any) -> Comparison:
        return replace(Comparison(0, *self.ids, 50.0, PopulationState.COMPLETE, finished_at=90.0), **changes)

    def test_counts_when_it_began_after_the_last_failure(self) -> None:
        """Not when it ended after it: what failed meanwhile may not have been seen."""
        assert new_pair(comparison=self.found()).compared
        assert new_pair(comparison=self.found(), failed_at=49.0).compared
        assert not new_pair(comparison=self.found(), failed_at=70.0).compared

    def test_counts_when_what_failed_cannot_land_any_more(self, client: Any) -> None:
        state = State(client, "State", lingering=60)
        state.create(new_pair(comparison=self.found(started_at=100.0)))
        state.note_failure(PAIR_ID, 45.0)
        assert not state.pair(PAIR_ID).compared
        state.note_comparison(PAIR_ID, self.found(started_at=105.0))
        assert state.pair(PAIR_ID).compared

    def test_counts_for_these_very_tables_without_differences(self) -> None:
        assert not new_pair(comparison=self.found(differences=1)).compared
        assert not new_pair(comparison=self.found(twin_id="of another table of this name")).compared
        assert not new_pair().compared


def test_the_table_in_memory_gives_back_what_it_was_given() -> None:
    """So that what other tests rely on is what DynamoDB does: a floating time comes back as it was written."""
    client = cast("Any", Account(SOURCE, TWIN).state)
    State(client, "State").create(new_pair(failed_at=1.5))
    item = client.get_item(Key={"Pair": {"S": PAIR_ID}, "Item": {"S": "pair"}})["Item"]
    assert unpack_item(item)["FailedAt"] == 1.5
