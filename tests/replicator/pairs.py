"""The record of a pair, as tests begin with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from replication.pair import Pair, Side, Table


def pair_of(pair_id: str, stack_id: str, source: Table, twin: Table, /, **changes: Any) -> Pair:
    """A pair at stage 2 that nothing has been noted of yet: the source is the owner, and nothing is under way."""
    found = Pair(
        pair_id=pair_id,
        stack_id=stack_id,
        source_logical_id="Users",
        twin_logical_id="UsersEncrypted",
        source=source,
        twin=twin,
        replication="mapping",
        reverse_replication="reverse-mapping",
        owner=Side.SOURCE,
        epoch=0,
        stage=2,
        token=0,
    )
    return replace(found, **changes)
