"""One engine after the other, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.replicator.engines.engine import NAMES, Engine, running


@pytest.fixture(scope="package", params=NAMES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with running(request.param) as found:
        yield found
