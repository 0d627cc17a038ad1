"""PostgreSQL and Kafka under `santral serve`: embedded, unless settings name servers of one's own. Started together, looked after."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from services.migrate import current, head, migrate
from services.settings import Settings
from shared.embedded_errors import EmbeddedError
from shared.embedded_folder import Progress
from shared.embedded_kafka import EmbeddedKafka
from shared.embedded_postgres import EmbeddedPostgres, PostgresUrls
from shared.kafka import KafkaSettings
from shared.kafka_topics import ensure_topics
from shared.logs import get_log

log = get_log(__name__)
_BACKOFF_S = (0.2, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the servers are. ``owner`` is empty when somebody else migrates."""

    owner: str = field(repr=False)
    api: str = field(repr=False)
    worker: str = field(repr=False)
    bootstrap: str


class Servers:
    """Both servers of a data folder."""

    def __init__(self, folder: Path, settings: Settings, progress: Progress) -> None:
        self._settings = settings
        self._progress = progress
        self._postgres = None if settings.database_url.get_secret_value() else EmbeddedPostgres(folder)
        self._kafka = None if settings.kafka_bootstrap_servers else EmbeddedKafka(folder)

    async def start(self) -> Addresses:
        """Starts both at once, migrates if the revision differs, makes missing topics; returns when all that is done.

        Raises `EmbeddedError` or what migrating and the topics say; whatever was started is left to :meth:`stop`.
        """
        async with asyncio.TaskGroup() as group:
            database = group.create_task(self._database())
            broker = group.create_task(self._broker())
        urls = database.result()
        return Addresses(owner=urls.owner, api=urls.api, worker=urls.worker, bootstrap=broker.result())

    async def _database(self) -> PostgresUrls:
        if self._postgres is None:
            owner = self._settings.database_owner_url.get_secret_value()
            urls = PostgresUrls(owner=owner, api=self._settings.database("api"), worker=self._settings.database("worker"))
        else:
            urls = await self._postgres.start(self._progress)
        if urls.owner and await current(urls.owner) != head():
            self._progress("Bringing the database schema to this release.")
            await migrate(urls.owner)
        return urls

    async def _broker(self) -> str:
        own = self._kafka
        settings = self._settings.kafka() if own is None else KafkaSettings(bootstrap=await own.start(self._progress))
        for name in await ensure_topics(settings, self._settings.topics()):
            self._progress(f"Made the topic {name}.")
        return settings.bootstrap

    async def supervise(self) -> None:
        """Starts an embedded server that dies again, for ever."""
        async with asyncio.TaskGroup() as group:
            if self._postgres is not None:
                group.create_task(_kept("PostgreSQL", self._postgres.wait, self._postgres.start, self._progress))
            if self._kafka is not None:
                group.create_task(_kept("Apache Kafka", self._kafka.wait, self._kafka.start, self._progress))
            await asyncio.Event().wait()

    async def stop(self, hurry: asyncio.Event) -> None:
        """Ends Kafka, then PostgreSQL, in order; at once when ``hurry`` is set, which both survive."""
        for server in (self._kafka, self._postgres):
            if server is None:
                continue
            stopping = asyncio.create_task(server.stop())
            hurrying = asyncio.create_task(hurry.wait())
            await asyncio.wait([stopping, hurrying], return_when=asyncio.FIRST_COMPLETED)
            hurrying.cancel()
            if not stopping.done():
                await server.kill()
            await stopping


async def _kept(
    name: str, wait: Callable[[], Awaitable[int]], start: Callable[[Progress], Awaitable[object]], progress: Progress
) -> None:
    least_s, most_s = _BACKOFF_S
    while True:
        status = await wait()
        log.warning("an embedded server died and is started again", action="died", name=name, status=status)
        wait_s = least_s
        while True:
            await asyncio.sleep(wait_s)
            try:
                await start(progress)
            except EmbeddedError as error:
                log.warning("it did not start", action="died", name=name, error=str(error))
                wait_s = min(most_s, wait_s * 2)
            else:
                log.info("an embedded server runs again", action="restarted", name=name)
                break
