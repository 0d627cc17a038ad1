"""The real servers of a test run: PostgreSQL and Kafka, embedded unless the environment names others.

One of each per pytest process (so one per xdist worker), made in a folder of its own that is removed at the end. With
`SANTRAL_DATABASE_URL` (plus `…_WORKER_URL`, `…_OWNER_URL`; the owner may create databases) or
`SANTRAL_KAFKA_BOOTSTRAP_SERVERS` set, those are used and nothing is started.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from shared.embedded.kafka import EmbeddedKafka
from shared.embedded.postgres import EmbeddedPostgres, PostgresUrls


class PostgresServer(Protocol):
    """What a test may ask of the run's PostgreSQL."""

    async def create_database(self, name: str, template: str | None = None) -> PostgresUrls:
        """An empty database, or a copy of `template` (nobody may be connected to that one)."""
        ...

    async def drop_database(self, name: str) -> None:
        """Removes it, connections and all."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenPostgres:
    """A server that somebody else runs, reached by the three addresses of one of its databases."""

    urls: PostgresUrls

    def _at(self, name: str) -> PostgresUrls:
        owner, api, worker = (
            urlunsplit(urlsplit(url)._replace(path=f"/{name}")) for url in (self.urls.owner, self.urls.api, self.urls.worker)
        )
        return PostgresUrls(owner=owner, api=api, worker=worker)

    async def _run(self, statement: str) -> None:
        connection = await asyncpg.connect(self.urls.owner)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def create_database(self, name: str, template: str | None = None) -> PostgresUrls:
        await self._run(f'create database "{name}"' + (f' template "{template}"' if template else ""))
        return self._at(name)

    async def drop_database(self, name: str) -> None:
        await self._run(f'drop database if exists "{name}" with (force)')


@contextlib.asynccontextmanager
async def postgres_server(environment: Mapping[str, str]) -> AsyncIterator[PostgresServer]:
    """The run's PostgreSQL, for a fixture of session scope."""
    given = environment.get("SANTRAL_DATABASE_URL")
    if given:
        urls = PostgresUrls(
            owner=environment["SANTRAL_DATABASE_OWNER_URL"], api=given, worker=environment["SANTRAL_DATABASE_WORKER_URL"]
        )
        yield GivenPostgres(urls=urls)
        return
    with tempfile.TemporaryDirectory(prefix="santral-postgres-") as folder:
        async with EmbeddedPostgres(Path(folder), durable=False) as server:
            yield server


@contextlib.asynccontextmanager
async def kafka_server(environment: Mapping[str, str]) -> AsyncIterator[str]:
    """The bootstrap address of the run's Kafka, for a fixture of session scope. Tests give their topics names of their own."""
    given = environment.get("SANTRAL_KAFKA_BOOTSTRAP_SERVERS")
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="santral-kafka-") as folder:
        async with EmbeddedKafka(Path(folder)) as server:
            yield server.bootstrap
