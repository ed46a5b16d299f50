"""Copying a live table: the simpler ways revive deleted items or bring old values back."""

from __future__ import annotations

import pytest

from tests.model import copying


@pytest.mark.parametrize("way", [copying.PUT, copying.IF_ABSENT, copying.AND_REMOVE])
def test_a_simpler_copy_leaves_the_tables_different(way: str) -> None:
    outcome = copying.check(way)
    assert outcome.fault is not None
    assert "the tables differ" in outcome.fault


def test_a_plain_put_revives_a_deleted_item() -> None:
    assert copying.check(copying.PUT).story == ("scan 1", "client source:=0", "mirror 0", "copy 1")


def test_writing_and_looking_again_copies_beside_a_live_mirror() -> None:
    assert copying.check(copying.LOOK_AGAIN).holds


def test_a_page_that_is_copied_again_forgets_the_item_that_a_dead_worker_revived() -> None:
    """So a worker that dies over a page must void the comparison."""
    outcome = copying.check(copying.LOOK_AGAIN, failures_void=False)
    assert outcome.story == ("scan 1", "client source:=0", "mirror 0", "copy 1", "kill the worker", "scan 0")
