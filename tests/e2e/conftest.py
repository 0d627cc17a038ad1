"""One `santral serve --demo` for all end-to-end tests, used as its users use it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.counter import Counter, counter_of
from tests.support.serving import serving


@pytest.fixture(scope="session")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Counter]:
    """The running Santral, seen from the outside."""
    async with serving(tmp_path_factory.mktemp("served")) as served, counter_of(served) as made:
        yield made


@pytest.fixture
async def counter(running: Counter) -> Counter:
    """The same with nothing left over from the test before: no work waits, nobody holds any, all agents are away."""
    await running.cleared()
    return running
