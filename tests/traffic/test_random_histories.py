"""Histories of a register that works are never accused; the same histories with one fault planted are."""

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from local.traffic.check import Kind, check
from local.traffic.explain import contradiction
from local.traffic.history import Call, Op, Outcome


def working_register(
    seed: int, *, values: int, calls: int = 60, clients: int = 4, unanswered: float = 0.1
) -> tuple[list[Call], str | None]:
    """Calls of several clients at once on one key that behaves, with the value that it ends with.

    Every call takes effect at one moment of its interval; some are never answered. `values` is how many different
    values there are: few of them repeat often; 0 lets none repeat.
    """
    chance = random.Random(seed)
    value: str | None = None
    free_at = dict.fromkeys((f"client-{n}" for n in range(clients)), 0.0)
    history: list[Call] = []
    for number, moment in enumerate(sorted(chance.uniform(0, calls) for _ in range(calls))):
        ready = [name for name, free in free_at.items() if free <= moment]
        if not ready:
            continue
        client = chance.choice(ready)
        start, end = chance.uniform(max(free_at[client], moment - 3), moment), moment + chance.uniform(0, 3)
        free_at[client] = end
        op = chance.choice([Op.PUT, Op.PUT, Op.DELETE, Op.SWAP, Op.SWAP, Op.READ, Op.READ])
        written = f"v{chance.randrange(values) if values else number}"
        call = Call(number, client, op, op.value, "k", "Users", start, end, Outcome.ACKNOWLEDGED)
        if op is Op.READ:
            history.append(replace(call, value=value))
            continue
        before = chance.choice([value, None, written]) if op is Op.SWAP else None
        call = replace(call, value=None if op is Op.DELETE else written, before=before)
        holds = op is not Op.SWAP or before == value
        if chance.random() < unanswered:
            call = replace(call, outcome=Outcome.UNKNOWN)
            holds = holds and chance.random() < 0.5
        elif not holds:
            call = replace(call, outcome=Outcome.FAILED, reason="ConditionalCheckFailedException")
        history.append(call)
        value = call.value if holds else value
    return history, value


def contents(value: str | None) -> dict[str, str]:
    return {} if value is None else {"k": value}


@given(seed=st.integers(0, 2**32), values=st.sampled_from([0, 2, 5]))
@settings(max_examples=300, deadline=None)
def test_a_register_that_works_is_never_accused(seed: int, values: int) -> None:
    history, value = working_register(seed, values=values)
    verdict = check(history, contents(value), turns=0)
    assert verdict.clean, verdict.findings


@given(seed=st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_a_lost_last_write_is_always_found(seed: int) -> None:
    """The table ends as if the last acknowledged write had never been, and no write without an answer can be blamed."""
    history, value = working_register(seed, values=0, unanswered=0)
    late = max(call.end for call in history) + 1
    lost = Call(10_000, "client-0", Op.PUT, "put", "k", "Users", late, late + 1, Outcome.ACKNOWLEDGED, value="lost")
    assert check([*history, lost], contents(value)).count(Kind.LOST) == 1


@given(seed=st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_a_condition_that_is_granted_a_second_time_is_always_found(seed: int) -> None:
    history, _ = working_register(seed, values=0)
    for call in history:
        if call.op is Op.SWAP and call.took_effect and call.before is not None:
            again = replace(call, number=10_000, client="another", value="again")
            assert contradiction([*history, again]) is not None


def test_thousands_of_calls_on_one_key_are_followed() -> None:
    history, value = working_register(7, values=3, calls=4_000, clients=8, unanswered=0.002)
    assert len(history) > 3_000
    assert check(history, contents(value)).clean
