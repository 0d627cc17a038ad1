"""Fixtures: real servers once per run, a migrated database of its own for each test that asks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from hypothesis import settings

from services.schema.migrate import migrate
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.kafka import KafkaSettings
from shared.kafka_topics import ensure_topics
from shared.topics import Topics
from tests.support.servers import PostgresServer, kafka_server, postgres_server
from tests.support.workspaces import Workspace, make_workspace

# What an example costs is no promise: a busy machine makes any bound wrong.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
async def no_task_left_behind() -> AsyncIterator[None]:
    """Fails a test that leaves a task running: with one loop for the whole run it would disturb those after it."""
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=2)
    assert not left, f"left running: {[task.get_coro() for task in left]}"


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[PostgresServer]:
    """The run's PostgreSQL."""
    async with postgres_server(os.environ) as server:
        yield server


@pytest.fixture(scope="session")
async def template(postgres: PostgresServer) -> str:
    """The name of a migrated database that tests are cloned from."""
    name = f"template_{uuid4().hex[:12]}"
    urls = await postgres.create_database(name)
    await migrate(urls.owner)
    return name


@pytest.fixture
async def database_urls(postgres: PostgresServer, template: str) -> AsyncIterator[PostgresUrls]:
    """A migrated database of this test's own: addresses of its three roles."""
    name = f"test_{uuid4().hex[:12]}"
    yield await postgres.create_database(name, template=template)
    await postgres.drop_database(name)


@pytest.fixture
async def worker_db(database_urls: PostgresUrls) -> AsyncIterator[Database]:
    """The worker role's connections."""
    db = await Database.open(database_urls.worker, name="test")
    yield db
    await db.close()


@pytest.fixture
async def api_db(database_urls: PostgresUrls) -> AsyncIterator[Database]:
    """The API role's connections."""
    db = await Database.open(database_urls.api, name="test")
    yield db
    await db.close()


@pytest.fixture(scope="session")
async def kafka() -> AsyncIterator[str]:
    """The run's Kafka: its bootstrap address."""
    async with kafka_server(os.environ) as bootstrap:
        yield bootstrap


@pytest.fixture
async def topics(kafka: str) -> Topics:
    """Both topics under a prefix of this test's own."""
    topics = Topics.under(f"t{uuid4().hex[:12]}")
    await ensure_topics(KafkaSettings(bootstrap=kafka), topics, replication=1)
    return topics


@pytest.fixture
async def workspace(worker_db: Database) -> Workspace:
    """A workspace with a queue, an agent and one inbox per provider."""
    return await make_workspace(worker_db)


@pytest.fixture
def secret() -> bytes:
    """A deployment's secret."""
    return b"a secret of thirty-two characters!"


@pytest.fixture
def owner() -> UUID:
    """A process's id."""
    return uuid4()
