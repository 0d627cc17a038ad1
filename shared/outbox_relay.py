"""The outbox onto the log: published in order per key, deleted after the broker's ack, under a bucket's lease.

No reader remembers a cursor, so a transaction that began first and committed last is never skipped. No transaction is open while
publishing; the one that deletes checks the lease first, and is where what an event causes is written (``on_published``). A relay that
lost its lease meanwhile may have published twice: consumers drop an event id they have seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol
from uuid import UUID

from shared.cloudevent import encode_event
from shared.database import Connection, Database
from shared.errors import SantralError
from shared.event import Event
from shared.hints import Waiter
from shared.kafka import Record
from shared.leases import Leases
from shared.logs import get_log
from shared.metrics import OUTBOX_AGE, OUTBOX_DEPTH, OUTBOX_PUBLISHED

log = get_log(__name__)
BATCH: Final = 500
LOOK_S: Final = 1.0
OnPublished = Callable[[Connection, Sequence[Event]], Awaitable[None]]

_KEY: Final = "coalesce(e.conversation_id, e.agent_id, e.profile_id, e.workspace_id)"
_READ: Final = f"""
select o.bucket, {_KEY} as key, e.* from santral.outbox o
join santral.event e on e.workspace_id = o.workspace_id and e.id = o.event_id
where o.bucket = any($1::smallint[]) and {_KEY} <> all($3::uuid[]) order by o.position limit $2
"""
_DELETE: Final = """
delete from santral.outbox o using unnest($1::uuid[], $2::uuid[]) as n(w, i) where o.workspace_id = n.w and o.event_id = n.i
"""
_DEPTH: Final = """
select count(*) as depth, coalesce(extract(epoch from clock_timestamp() - min(e.at)), 0) as age
from santral.outbox o join santral.event e on e.workspace_id = o.workspace_id and e.id = o.event_id
"""


async def nothing_more(_connection: Connection, _events: Sequence[Event]) -> None:
    """Events cause nothing of their own."""


class Publishing(Protocol):
    """The part of `shared.kafka.Publisher` that is used."""

    async def publish(self, topic: str, records: Sequence[Record]) -> None:
        """Returns when the broker has every record. Raises `Unavailable`."""
        ...


class OutboxRelay:
    """One process's share of the outbox; any number of couriers share the buckets by lease."""

    def __init__(
        self, *, db: Database, publisher: Publishing, topic: str, leases: Leases, on_published: OnPublished = nothing_more
    ) -> None:
        self._db = db
        self._publisher = publisher
        self._topic = topic
        self._leases = leases
        self._on_published = on_published
        self._stuck: set[UUID] = set()  # keys passed over until the end of what waits was seen

    async def run(self, waiter: Waiter) -> None:
        """Publishes for ever; while a dependency is away events wait in the outbox."""
        while True:
            try:
                published = await self.round()
            except SantralError as error:
                log.warning("events wait in the outbox", action="relay_waits", error=str(error))
                await asyncio.sleep(LOOK_S)
                continue
            if published < BATCH:
                await waiter.wait(LOOK_S)

    async def round(self) -> int:
        """Publishes one batch of our buckets; returns how many events."""
        buckets = sorted(self._leases.held)
        if not buckets:
            return 0
        told = await self._next(buckets)
        if not told:
            return 0
        await self._publisher.publish(self._topic, [record for _, _, record in told])
        async with self._db.batch() as connection:
            ours = await self._leases.lock_and_check(connection, {row["bucket"] for row, _, _ in told})
            kept = [event for row, event, _ in told if row["bucket"] in ours]
            await connection.execute(_DELETE, [event.workspace_id for event in kept], [event.id for event in kept])
            await self._on_published(connection, kept)
        OUTBOX_PUBLISHED.inc(len(kept))
        return len(kept)

    async def _next(self, buckets: Sequence[int]) -> list[tuple[Any, Event, Record]]:
        """What is published next, with its records; a batch of what cannot be encoded is passed over."""
        while True:
            async with self._db.session() as connection:
                rows = await connection.fetch(_READ, buckets, BATCH, list(self._stuck))
            told = _told(rows, self._stuck)
            if len(rows) < BATCH:
                self._stuck.clear()  # who was passed over is tried again at the next look
                return told
            if told:
                return told

    async def measure(self) -> None:
        """Sets depth and age of the outbox; for the process's slow loop."""
        async with self._db.session() as connection:
            row = await connection.fetchrow(_DEPTH)
        assert row is not None
        OUTBOX_DEPTH.set(row["depth"])
        OUTBOX_AGE.set(float(row["age"]))


def _told(rows: Sequence[Any], stuck: set[UUID]) -> list[tuple[Any, Event, Record]]:
    """Rows with their records. One that cannot be encoded waits in the outbox, with what comes later of the same conversation or
    agent, because the log keeps their order; others go on. Its key is added to ``stuck``.
    """
    told: list[tuple[Any, Event, Record]] = []
    for row in rows:
        if row["key"] in stuck:
            continue
        try:
            event = _event(row)
            told.append((row, event, encode_event(event)))
        except Exception as error:
            stuck.add(row["key"])
            log.error("an event cannot be encoded", action="relay_waits", id=str(row["id"]), error=type(error).__name__)  # noqa: TRY400
    return told


def _event(row: Any) -> Event:
    return Event(
        id=row["id"], workspace_id=row["workspace_id"], type=row["type"], at=row["at"], conversation_id=row["conversation_id"],
        seq=row["seq"], agent_id=row["agent_id"], agent_seq=row["agent_seq"], profile_id=row["profile_id"], data=row["data"],
    )  # fmt: skip
