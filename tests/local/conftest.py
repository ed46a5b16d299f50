"""One cloud for all tests of this folder; every test gets an account of its own in it."""

import itertools
from typing import TYPE_CHECKING

import pytest

from local.cloud import Cloud, Settings
from tests.local.lab import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = Settings(policy_spread=0.5, policy_interval=0.7, retry_limit=0.5, ttl_interval=0.2, schedule_minute=1.0)
_numbers = itertools.count(100_000_000_001)


@pytest.fixture(scope="session")
def cloud() -> "Iterator[Cloud]":
    with Cloud(SETTINGS) as running:
        yield running


@pytest.fixture
def lab(cloud: Cloud) -> Lab:
    return Lab(cloud.tenant(str(next(_numbers))))
