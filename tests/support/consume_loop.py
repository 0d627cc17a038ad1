"""A router's intake at work on real Kafka and PostgreSQL, and messages published for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from services.router.intake_loop import IntakeLoop
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.hints import Hints
from shared.kafka import KafkaSettings, Publisher, Record
from shared.kafka_reader import Reader
from shared.topics import Topics
from tests.support.intake_line import Member, member_of, message_to, record_of, rows
from tests.support.workspaces import Workspace


@dataclass(slots=True)
class Running:
    """One router's intake at work."""

    member: Member
    loop: IntakeLoop
    task: asyncio.Task[None]

    async def stop(self) -> None:
        """Ends it as a process's end does."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@contextlib.asynccontextmanager
async def running(db: Database, urls: PostgresUrls, kafka: str, topics: Topics) -> AsyncIterator[Running]:
    """An intake loop as a router runs it."""
    member = await member_of(db, topic=topics.messages)
    reader = Reader(KafkaSettings(bootstrap=kafka), topic=topics.messages, group=f"{topics.messages}-router")
    loop = IntakeLoop(reader=reader, leases=member.leases, intake=member.intake, hints=Hints(urls.worker, listening=False))
    one = Running(member=member, loop=loop, task=asyncio.create_task(loop.run()))
    try:
        yield one
    finally:
        await one.stop()


@contextlib.asynccontextmanager
async def publishing(kafka: str) -> AsyncIterator[Publisher]:
    """A gateway's publisher."""
    publisher = Publisher(KafkaSettings(bootstrap=kafka), deadline_s=20)
    try:
        yield publisher
    finally:
        await publisher.stop()


async def until(db: Database, statement: str, wanted: int) -> None:
    """Waits until a count is reached; the test's own time-out ends it else."""
    async with asyncio.timeout(60):
        while (await rows(db, statement))[0]["count"] < wanted:
            await asyncio.sleep(0.05)


def records(workspace: Workspace, numbers: Sequence[int], who: int = 20) -> list[Record]:
    """One mail a number, from so many senders in turn."""
    found = []
    for number in numbers:
        record = record_of(message_to(workspace, "smtp", str(number), who=f"c{number % who}@ornek.com"))
        found.append(Record(key=f"c{number % who}".encode(), value=record.value, headers=record.headers))
    return found
