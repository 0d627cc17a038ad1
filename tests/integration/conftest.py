"""Fixtures of tests that drive the API, or a shift of agents, against the real database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from tests.support.api import Api, running_api
from tests.support.shift import Shift, shift_of
from tests.support.workspaces import Workspace


@pytest.fixture
async def api(api_db: Database, worker_db: Database) -> AsyncIterator[Api]:
    """The API in this process, over the test's database."""
    async with running_api(api_db, worker_db) as running:
        yield running


@pytest.fixture
async def shift(worker_db: Database, database_urls: PostgresUrls, workspace: Workspace) -> Shift:
    """A workspace's day: customers who write through intake, agents, dispatch."""
    return await shift_of(worker_db, database_urls, workspace)
