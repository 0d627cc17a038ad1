"""PostgreSQL and Kafka under `santral serve`: embedded, unless settings name servers of one's own. Started together, looked after."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from services.frame.settings import Settings
from services.schema.migrate import current, head, migrate
from shared.embedded.errors import EmbeddedError, ServerFailed
from shared.embedded.folder import Progress
from shared.embedded.kafka import EmbeddedKafka
from shared.embedded.postgres import EmbeddedPostgres, PostgresUrls
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
        self._brokering: asyncio.Task[str] | None = None

    async def start(self, topics_known: str | None = None) -> Addresses:
        """Starts both at once and migrates if the revision differs; returns when the database is there and the brokers' address is known.

        With ``topics_known`` naming our topics (what :meth:`settled` returned at an earlier start) an embedded broker is not waited for:
        processes wait for it by themselves, and loading them takes as long as its start. Raises `EmbeddedError` or what migrating and
        the topics say; whatever was started is left to :meth:`stop`.
        """
        self._brokering = asyncio.create_task(self._broker())
        database = asyncio.create_task(self._database())
        try:
            until = asyncio.FIRST_COMPLETED if topics_known == self._topics else asyncio.FIRST_EXCEPTION
            await asyncio.wait([database, self._brokering], return_when=until)
            if self._brokering.done():
                self._brokering.result()
            urls = await database
            early = self._kafka is not None and self._kafka.running and topics_known == self._topics
            bootstrap = self._kafka.bootstrap if self._kafka is not None and early else await self._brokering
        finally:
            database.cancel()
        return Addresses(owner=urls.owner, api=urls.api, worker=urls.worker, bootstrap=bootstrap)

    @property
    def _topics(self) -> str:
        topics = self._settings.topics()
        return f"{topics.messages} {topics.events}"

    async def settled(self, addresses: Addresses) -> str:
        """Returns once the brokers answer with our topics there; what to give :meth:`start` the next time. Raises as that does."""
        assert self._brokering is not None, "start the servers first"
        if await self._brokering != addresses.bootstrap:
            raise ServerFailed("Another program took Kafka's port while it started: start again.")
        return self._topics

    async def _database(self) -> PostgresUrls:
        if self._postgres is None:
            owner = self._settings.database_owner_url.get_secret_value()
            urls = PostgresUrls(owner=owner, api=self._settings.database("api"), worker=self._settings.database("worker"))
        else:
            urls = await self._postgres.start(self._progress)
        if urls.owner and (found := await current(urls.owner)) != head():
            self._progress(f"The database schema is at {found or 'nothing'}, this release's at {head()}.")
            await migrate(urls.owner, self._progress)
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
        if self._brokering is not None:
            self._brokering.cancel()
            await asyncio.gather(self._brokering, return_exceptions=True)
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
