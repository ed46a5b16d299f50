"""The code takes the steps of the model: recorded runs of it are runs of the model.

Turns there and back, under traffic; turns that die or hang between any two of their steps and are ended by somebody
else. And the other way round: a run with a step left out, or of a turn without one of its protections, is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import pytest

from replication.errors import Superseded
from replication.order import Ended
from replication.pair import Phase, Side
from replication.policies import Mode
from replication.steps import Steps
from replication.stream import Reader
from replication.turn import resume
from tests.model.acceptance import refusal
from tests.model.recording import Event, Recording
from tests.replicator.control.aws import Killed
from tests.replicator.control.world import PAIR_ID

BUSY = 0.1
BOTH = (Side.TWIN, Side.SOURCE)


def turned(recording: Recording, to: Side, request: str = "request", steps: type[Steps] = Steps) -> Ended:
    """A whole turn, as the state machine makes it."""
    try:
        return recording.account.turn(recording.account.order(to, request), steps)
    except Superseded:
        return Ended.SUPERSEDED
    finally:
        recording.note()


def ended(recording: Recording) -> None:
    """What the watchdog does with a turn whose lease has run out."""
    account = recording.account
    account.account.sleep(account.waits.lease)
    account.machine(lambda: resume(account.crew, PAIR_ID, account.account.now + 800), account.order(Side.TWIN))
    recording.note()


def prepared(to: Side, seed: int) -> Recording:
    """A recording in which a turn to this side comes next."""
    recording = Recording(seed, BUSY)
    if to is Side.SOURCE:
        turned(recording, Side.TWIN, "before")
    return recording


@cache
def between_steps(to: Side, seed: int) -> Sequence[int]:
    """The numbers of those calls of a turn that come next after an effect of it, the first after its mark."""
    recording = prepared(to, seed)
    recording.at_call(0, kill)
    turned(recording, to)
    return tuple(recording.after_effects)


def kill() -> None:
    raise Killed


class TestRecordedRuns:
    @pytest.mark.parametrize("seed", range(6))
    def test_turns_there_and_back_under_traffic(self, seed: int) -> None:
        recording = Recording(seed, BUSY)
        for number, to in enumerate((*BOTH, *BOTH)):
            assert turned(recording, to, f"request {number}") is Ended.RELEASED
        assert refusal(recording.events) is None

    @pytest.mark.parametrize("to", BOTH)
    def test_a_turn_that_dies_between_any_two_steps(self, to: Side) -> None:
        seed = 7
        effects = between_steps(to, seed)
        for number in sorted({*effects, *(number - 1 for number in effects)}):
            recording = prepared(to, seed)
            recording.at_call(number, kill)
            with pytest.raises(Killed):
                turned(recording, to)
            ended(recording)
            turned(recording, to, "again")
            assert refusal(recording.events) is None, number

    @pytest.mark.parametrize("to", BOTH)
    def test_a_turn_that_hangs_between_any_two_steps_and_wakes_up_after_it_was_ended(self, to: Side) -> None:
        seed = 8
        for number in between_steps(to, seed):
            recording = prepared(to, seed)

            def given_up(recording: Recording = recording) -> None:
                ended(recording)
                recording.who = "zombie"

            recording.at_call(number, given_up)
            turned(recording, to)
            recording.who = "turn"
            assert refusal(recording.events) is None, number

    @pytest.mark.parametrize("seed", range(6))
    def test_recoveries_that_die_too(self, seed: int) -> None:
        recording = prepared(BOTH[seed % 2], seed)
        work: Callable[[], object] = lambda: turned(recording, BOTH[seed % 2])  # noqa: E731 - replaced below
        for _ in range(10):
            recording.at_call(recording.random.randrange(1, 120), kill)
            try:
                work()
            except Killed:
                work = lambda: ended(recording)  # noqa: E731
        recording.at_call(0, kill)
        ended(recording)
        assert refusal(recording.events) is None


class WithoutSettling(Steps):
    def settle(self, reader: Reader) -> Reader:
        self.enter(Phase.SETTLED, MarkedAt=self.marked_at)
        return reader


class WithoutSeal(Steps):
    def seal(self, reader: Reader) -> None:
        self.enter(Phase.SEALING)
        self.enter(Phase.SEALED)


class WithoutFence(Steps):
    def fence(self, reader: Reader) -> None:
        self.enter(Phase.FENCING)
        self.enter(Phase.FENCED)


class WithoutLooking(Steps):
    def look(self, reader: Reader) -> None:
        self.enter(Phase.LOOKED, LookedAt=self.crew.clock())


class WithTheFenceFirst(Steps):
    def seal(self, reader: Reader) -> None:
        self._place(self.turn.to, Mode.FENCED)
        super().seal(reader)


class TestRunsOfAnotherProtocol:
    """The model refuses them, or it would prove nothing about the code."""

    @pytest.mark.parametrize("steps", [WithoutSettling, WithoutSeal, WithoutFence, WithoutLooking, WithTheFenceFirst])
    def test_a_turn_without_a_protection(self, steps: type[Steps]) -> None:
        recording = Recording(0, BUSY)
        account = recording.account
        before_settling = WithoutSettling is steps

        def slow_mirror() -> None:
            """What a client writes once, before the mark or after it, does not come to the mirror."""
            phase = account.pair.turn.phase if account.pair.turn else None
            written = recording.seen().value[0] != 1
            if not written and (before_settling or phase is Phase.SEALING or (phase and steps is WithoutSeal)):
                recording.client(Side.SOURCE, 2)

        account.account.meanwhile = slow_mirror
        slow_mirror()
        turned(recording, Side.TWIN, steps=steps)
        assert refusal(recording.events) is not None

    @pytest.mark.parametrize("to", BOTH)
    def test_a_run_with_one_step_left_out(self, to: Side) -> None:
        recording = prepared(to, seed=1)
        turned(recording, to)
        for number, event in enumerate(recording.events[:-1]):  # without the last it is a run that is not over
            if event.what.startswith("turn: "):
                assert refusal(_without(recording.events, number)) is not None, event.what


def _without(events: Sequence[Event], number: int) -> list[Event]:
    return [event for at, event in enumerate(events) if at != number]
