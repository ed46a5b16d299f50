"""Numbers as people read them."""

from __future__ import annotations

_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))


def duration(seconds: float | None) -> str:
    """5 s, 2 min, 3.5 h, 4.2 d; None is open-ended."""
    if seconds is None:
        return "open"
    for size, unit in _UNITS:
        if seconds >= size * 1.5 or (unit == "min" and seconds >= size * 2):
            number = seconds / size
            return f"{number:.0f} {unit}" if number >= 10 or unit == "min" else f"{number:.1f} {unit}"
    return f"{seconds:.0f} s"


def amount(number: float) -> str:
    """950, 12.3k, 4.1M, 2.0G."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= size:
            return f"{number / (1e3 if unit == 'k' else size):.1f}{unit}"
    return f"{number:,.0f}"


def dollars(amount_of: float) -> str:
    """$0.42, $12, $1,234."""
    return f"${amount_of:,.2f}" if amount_of < 10 else f"${amount_of:,.0f}"


def size(count: float) -> str:
    """Bytes in binary units, as DynamoDB counts them."""
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "KB")):
        if count >= 1024**power:
            return f"{count / 1024**power:.1f} {unit}"
    return f"{count:.0f} B"


def plural(count: int, noun: str, several: str | None = None) -> str:
    """1 table, 2 tables."""
    return f"{count} {noun}" if count == 1 else f"{count:,} {several or noun + 's'}"
