"""Items that a table can hold, for properties."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

_digits = st.text("0123456789", min_size=1, max_size=38)


def numbers() -> st.SearchStrategy[str]:
    """Numbers of up to 38 digits in the form that DynamoDB gives back."""
    return st.builds(
        lambda sign, digits, exponent: f"{sign}{digits.lstrip('0') or '0'}" + (f"E{exponent}" if exponent else ""),
        st.sampled_from(["", "-"]),
        _digits,
        st.integers(-120, 80),
    )


@st.composite
def numbers_alike(draw: st.DrawFn) -> tuple[str, str]:
    """Two ways to write one number."""
    number = Decimal(draw(numbers()))
    sign, digits, exponent = number.as_tuple()
    zeros = draw(st.integers(0, 5))
    longer = Decimal((sign, (*digits, *[0] * zeros), int(exponent) - zeros))
    return str(number), draw(st.sampled_from([str(longer), f"{longer:f}", f"{longer:E}"]))


def _values(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    plain = st.one_of(
        st.builds(lambda value: {"S": value}, text),
        st.builds(lambda value: {"N": value}, numbers()),
        st.builds(lambda value: {"B": value}, st.binary(max_size=8)),
        st.builds(lambda value: {"BOOL": value}, st.booleans()),
        st.just({"NULL": True}),
        st.builds(lambda values: {"SS": values}, st.lists(text, min_size=1, max_size=3, unique=True)),
        st.builds(lambda values: {"NS": values}, st.lists(numbers(), min_size=1, max_size=3, unique_by=Decimal)),
        st.builds(lambda values: {"BS": values}, st.lists(st.binary(max_size=4), min_size=1, max_size=3, unique=True)),
    )
    if depth == 0:
        return plain
    inner = _values(depth - 1)
    return st.one_of(
        plain,
        st.builds(lambda values: {"L": values}, st.lists(inner, max_size=3)),
        st.builds(lambda values: {"M": values}, st.dictionaries(text, inner, max_size=3)),
    )


def items() -> st.SearchStrategy[dict[str, Any]]:
    """Whole items, with lists and maps inside each other."""
    names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
    return st.dictionaries(names.filter(lambda name: name != "one more"), _values(2), max_size=5)
