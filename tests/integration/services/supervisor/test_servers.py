"""The supervisor and the schema of a data folder: one of before is migrated before anything starts, a newer one is left or refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from services.frame.settings import Settings
from services.schema.migrate import current
from services.schema.migrations import HEAD
from services.supervisor.servers import Servers
from shared.embedded.postgres import PostgresUrls
from shared.errors import Conflict
from shared.topics import Topics
from tests.support.schema import migrate_to, say_revision
from tests.support.servers import PostgresServer


@asynccontextmanager
async def started(urls: PostgresUrls, kafka: str, topics: Topics, folder: Path) -> AsyncIterator[list[str]]:
    """Servers of one's own, as `santral serve` starts them; what it said."""
    settings = Settings.model_validate(
        {
            "database_url": urls.api, "database_worker_url": urls.worker, "database_owner_url": urls.owner,
            "kafka_bootstrap_servers": kafka, "topic_prefix": topics.messages.partition(".")[0],
        }
    )  # fmt: skip
    said: list[str] = []
    servers = Servers(folder, settings, said.append)
    try:
        addresses = await servers.start()
        await servers.settled(addresses)
        yield said
    finally:
        await servers.stop(asyncio.Event())


async def test_a_folder_of_the_first_release_is_migrated(
    postgres: PostgresServer, kafka: str, topics: Topics, tmp_path: Path
) -> None:
    name = f"test_{uuid4().hex[:12]}"
    urls = await postgres.create_database(name)
    try:
        await migrate_to(urls.owner, "0003")
        async with started(urls, kafka, topics, tmp_path) as said:
            assert said == [f"The database schema is at 0003, this release's at {HEAD}.", f"database schema is at {HEAD}"]
            assert await current(urls.owner) == HEAD
        async with started(urls, kafka, topics, tmp_path) as said:
            assert said == []
    finally:
        await postgres.drop_database(name)


async def test_a_folder_of_a_newer_release_is_used_as_it_is_or_refused(
    database_urls: PostgresUrls, kafka: str, topics: Topics, tmp_path: Path
) -> None:
    await say_revision(database_urls.owner, "9999", HEAD)
    async with started(database_urls, kafka, topics, tmp_path) as said:
        assert said[-1] == f"database schema is at 9999, newer than this release's {HEAD}, and stays as it is"
    await say_revision(database_urls.owner, "9999", "9999")
    with pytest.raises(Conflict, match="start the release that migrated it, or a newer one"):
        async with started(database_urls, kafka, topics, tmp_path):
            pass
    assert await current(database_urls.owner) == "9999"
