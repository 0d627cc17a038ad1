"""One `santral serve --demo` for everything here: its processes and servers are killed, it stays."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.desks import Desks
from tests.support.load import Load, open_load
from tests.support.serving import Served, serving


@pytest.fixture(scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """The running Santral."""
    async with serving(tmp_path_factory.mktemp("house")) as served:
        yield served


@pytest.fixture
async def load(house: Served) -> AsyncIterator[Load]:
    """A load with nothing sent yet."""
    made = await open_load(house.facts)
    yield made
    await made.close()


@pytest.fixture
async def desks(house: Served) -> Desks:
    """The demo's agents, at home."""
    return Desks(http=house.facts["http"], agents=house.facts["agents"])
