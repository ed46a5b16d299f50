"""Taken out of the register is what nobody will sign off any more, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from replication.errors import UnknownPair
from replication.pair import Phase
from replication.register import Standing
from replication.segments import Part
from replication.sweep import sweep
from tests.replicator.data.engine import Killed, event_record, refusal
from tests.replicator.data.world import PAIR_ID, SOURCE, World, pair, turn, world

BEFORE, NOW = 1_000.0, 2_000.0  # when the record was made, and the one that took its place


def record(number: int) -> dict[str, Any]:
    key = {"id": {"S": str(number)}}
    return event_record(SOURCE, number, key, {**key, "value": {"S": "v"}}, {}, 1_000_000.0)


def begun_anew(at: World) -> None:
    """The migration is removed with all that is known of it, and begun again: same id, same source, same stream."""
    at.state.remove(at.state.pair(PAIR_ID))
    at.is_now(pair(born=NOW))


def test_a_worker_that_died_once_it_is_certainly_over_and_comparisons_are_void() -> None:
    with world() as at:
        at.engine.put(SOURCE, {"id": {"S": "a"}})
        at.plan()

        def die(operation: str, request: dict[str, Any]) -> None:
            if operation == "batch_get_item":
                raise Killed

        at.engine.before = die
        with pytest.raises(Killed):
            at.work(Part.COPY, seconds=900)
        at.time.now += 890
        assert sweep(at.means, PAIR_ID) == 0
        assert len(at.register.work(PAIR_ID)) == 1
        at.time.now += 20
        assert sweep(at.means, PAIR_ID) == 1
        assert at.register.work(PAIR_ID) == []
        assert at.state.pair(PAIR_ID).failed_at == at.time.now


def test_a_batch_that_the_closed_twin_refused_after_its_migration_was_removed() -> None:
    """Race: its mapping is gone, so it never comes again, and the next migration of the table could never settle."""
    with world(born=BEFORE) as at:

        def remove(operation: str, request: dict[str, Any]) -> None:
            at.engine.before = lambda operation, request: None
            at.is_now(pair(born=BEFORE, turn=turn(Phase.FENCING)))
            at.client.before = lambda operation, request: begun_anew(at) if _puts_off(at, request) else None
            raise refusal("AccessDeniedException")

        at.engine.before = remove
        assert at.mirror(record(0)).put_off
        assert [one.standing for one in at.register.work(PAIR_ID)] == [Standing.PUT_OFF]
        assert sweep(at.means, PAIR_ID) == 1
        assert at.register.work(PAIR_ID) == []
        assert at.state.pair(PAIR_ID).failed_at is None


def _puts_off(at: World, request: dict[str, Any]) -> bool:
    """Whether this call puts a batch off; only the first is asked for."""
    if request.get("ExpressionAttributeValues", {}).get(":Standing") != {"S": Standing.PUT_OFF}:
        return False
    at.client.before = lambda operation, request: None
    return True


def test_a_batch_of_an_earlier_migration_that_may_still_be_writing_only_when_it_is_over() -> None:
    with world(born=NOW) as at:
        at.register.begin(PAIR_ID, "source", "1", "invocation", at.time.now + 60, life=BEFORE)
        assert sweep(at.means, PAIR_ID) == 0
        at.time.now += 70
        assert sweep(at.means, PAIR_ID) == 1


def test_not_a_batch_that_this_migration_has_put_off_however_long_ago() -> None:
    with world(born=NOW) as at:
        at.is_now(pair(born=NOW, turn=turn(Phase.FENCED)))
        assert at.mirror(record(0)).put_off
        at.time.now += 100_000
        assert sweep(at.means, PAIR_ID) == 0
        assert len(at.register.work(PAIR_ID)) == 1


@pytest.mark.parametrize(("born", "life"), [(NOW, None), (None, None)])
def test_not_what_an_earlier_version_has_registered_because_it_does_not_say_for_what(
    born: float | None, life: float | None
) -> None:
    with world(born=born) as at:
        held, _ = at.register.begin(PAIR_ID, "source", "1", "invocation", at.time.now + 60, life=life)
        at.register.put_off(held)
        at.time.now += 70
        assert sweep(at.means, PAIR_ID) == 0


def test_begun_anew_between_reading_and_registering_the_batch_is_left_to_come_again() -> None:
    """Race: what the old mapping has in hand may be older than what the new one has mirrored already."""
    with world(born=BEFORE) as at:

        def anew(operation: str, request: dict[str, Any]) -> None:
            if operation == "update_item":
                at.client.before = lambda operation, request: None
                begun_anew(at)

        at.client.before = anew
        with pytest.raises(UnknownPair, match="has begun anew"):
            at.mirror(record(0))
        assert at.engine.calls == []
        assert at.register.work(PAIR_ID) == []
