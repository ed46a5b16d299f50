"""Short names for the values of items, so that a history stays small and readable.

A label and a key determine the whole item (`items.py`), so comparing labels compares items. None is an absent item.
"""

_COUNT = "count:"
_ALTERED = "altered:"


def count_label(count: int) -> str:
    """The label of a counter that stands at `count`."""
    return f"{_COUNT}{count}"


def count_of(label: str | None) -> int | None:
    """Where a counter stands; None for any other label."""
    return int(label.removeprefix(_COUNT)) if label is not None and label.startswith(_COUNT) else None


def altered_label(digest: str) -> str:
    """The label of an item that no client ever wrote in this form."""
    return f"{_ALTERED}{digest}"
