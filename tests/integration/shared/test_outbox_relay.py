"""The outbox: the log's order per key is the sequence's, nothing is skipped, a relay that lost its lease writes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from jsonschema import Draft202012Validator

from shared import outbox
from shared.asyncapi import asyncapi_document
from shared.database import Connection, Database
from shared.errors import Unavailable
from shared.event import BUCKETS, Event
from shared.hints import Waiter
from shared.kafka import KafkaSettings, Publisher, Record
from shared.leases import Leases
from shared.outbox_relay import OnPublished, OutboxRelay, nothing_more
from shared.topics import Topics
from tests.support.log_reader import read_topic
from tests.support.workspaces import Workspace, add_item


@dataclass(slots=True)
class Log:
    """A broker in memory: what it holds, and a gate before its acknowledgement."""

    held: list[Record] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    away: bool = False

    def __post_init__(self) -> None:
        self.gate.set()

    async def publish(self, topic: str, records: Sequence[Record]) -> None:
        self.asked.set()
        await self.gate.wait()
        if self.away:
            raise Unavailable("away")
        self.held += records

    def ids(self) -> list[str]:
        return [dict(record.headers)["ce_id"].decode() for record in self.held]


@dataclass(slots=True)
class Courier:
    """One relay with its leases, and the events it said it had published."""

    relay: OutboxRelay
    leases: Leases
    published: list[UUID] = field(default_factory=list)


async def courier_of(db: Database, log: Log | Publisher, topic: str = "t.events.v1", hook: OnPublished = nothing_more) -> Courier:
    leases = Leases(db, kind="outbox", slots=BUCKETS, owner=uuid4())
    done: list[UUID] = []

    async def on_published(connection: Connection, events: Sequence[Event]) -> None:
        done.extend(event.id for event in events)
        await hook(connection, events)

    relay = OutboxRelay(db=db, publisher=log, topic=topic, leases=leases, on_published=on_published)
    await leases.round()
    return Courier(relay=relay, leases=leases, published=done)


async def conversation_of(db: Database, workspace: Workspace) -> UUID:
    """A new conversation; the outbox is empty afterwards (making the workspace's agent left an event in it)."""
    item = await add_item(db, workspace)
    async with db.session() as connection:
        await connection.execute("delete from santral.outbox")
        found: UUID = await connection.fetchval("select conversation_id from santral.work_item where id = $1", item)
    return found


async def happen(connection: Connection, workspace: Workspace, conversation: UUID, count: int = 1) -> list[Event]:
    """Events of a conversation, under its lock, as every writer makes them."""
    last = await connection.fetchval(
        "update santral.conversation set seq = seq + $3 where workspace_id = $1 and id = $2 returning seq",
        workspace.id, conversation, count,
    )  # fmt: skip
    events = [
        Event(
            id=uuid4(), workspace_id=workspace.id, type="item.rekeyed", at=datetime.now(UTC), conversation_id=conversation,
            seq=last - count + 1 + place,
        )
        for place in range(count)
    ]  # fmt: skip
    await outbox.record(connection, events)
    return events


async def depth(db: Database) -> int:
    async with db.session() as connection:
        return int(await connection.fetchval("select count(*) from santral.outbox"))


class Undone(Exception):
    """A writer that changes its mind."""


async def write(db: Database, workspace: Workspace, conversations: Sequence[UUID], seed: int, written: list[Event]) -> None:
    """Thirty transactions with random lengths, a few of which are rolled back."""
    chance = random.Random(seed)
    for _ in range(30):
        events: list[Event] = []
        with contextlib.suppress(Undone):
            async with db.batch() as connection:
                await asyncio.sleep(chance.uniform(0, 0.003))
                events = await happen(connection, workspace, chance.choice(conversations), chance.randint(1, 3))
                await asyncio.sleep(chance.uniform(0, 0.003))
                if chance.random() < 0.1:
                    raise Undone
            written += events


async def test_the_logs_order_is_the_conversations(worker_db: Database, workspace: Workspace, kafka: str, topics: Topics) -> None:
    one = await conversation_of(worker_db, workspace)
    others = [await conversation_of(worker_db, workspace) for _ in range(3)]
    publisher = Publisher(KafkaSettings(bootstrap=kafka), deadline_s=20)
    couriers = [await courier_of(worker_db, publisher, topics.events) for _ in range(2)]
    for courier in couriers:
        await courier.leases.round()
    assert len(couriers[0].leases.held) == len(couriers[1].leases.held)
    assert sorted([*couriers[0].leases.held, *couriers[1].leases.held]) == list(range(BUCKETS))
    written: list[Event] = []
    relays = [asyncio.create_task(courier.relay.run(Waiter())) for courier in couriers]
    keeping = [asyncio.create_task(courier.leases.run()) for courier in couriers]
    try:
        await asyncio.gather(*(write(worker_db, workspace, [one, *others[: seed % 2 * 3]], seed, written) for seed in range(8)))
        async with asyncio.timeout(30):
            while await depth(worker_db):
                await asyncio.sleep(0.02)
    finally:
        for task in (*relays, *keeping):
            task.cancel()
        await asyncio.gather(*relays, *keeping, return_exceptions=True)
    await publisher.stop()
    found: dict[str, list[int]] = {}
    seen: set[str] = set()
    document = asyncapi_document(topics, version="test")
    told = document["components"]["messages"]["event"]
    headers, payload = (
        Draft202012Validator({**told[part], "components": document["components"]}) for part in ("headers", "payload")
    )
    for record in await read_topic(kafka, topics.events):
        headers.validate({name: value.decode() for name, value in record.headers})
        payload.validate(json.loads(record.value))
        identity = dict(record.headers)["ce_id"].decode()
        if identity in seen:
            continue
        seen.add(identity)
        body = json.loads(record.value)
        assert record.key == body["conversation_id"].encode()
        found.setdefault(body["conversation_id"], []).append(body["seq"])
    assert seen == {str(event.id) for event in written}
    assert len(found[str(one)]) > 100
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in found.values())


async def test_who_began_first_and_committed_last_is_not_skipped(worker_db: Database, workspace: Workspace) -> None:
    early, late = await conversation_of(worker_db, workspace), await conversation_of(worker_db, workspace)
    log = Log()
    courier = await courier_of(worker_db, log)
    async with worker_db.batch() as first:
        slow = await happen(first, workspace, early)
        async with worker_db.batch() as second:
            fast = await happen(second, workspace, late)
        assert await courier.relay.round() == 1
    assert await courier.relay.round() == 1
    assert log.ids() == [str(event.id) for event in (*fast, *slow)]
    assert await depth(worker_db) == 0


async def test_a_relay_that_lost_its_lease_meanwhile_writes_nothing(worker_db: Database, workspace: Workspace) -> None:
    conversation = await conversation_of(worker_db, workspace)
    log, later = Log(), Log()
    zombie = await courier_of(worker_db, log)
    async with worker_db.batch() as connection:
        events = await happen(connection, workspace, conversation, 3)
    log.gate.clear()
    stuck = asyncio.create_task(zombie.relay.round())
    await log.asked.wait()
    async with worker_db.batch() as connection:
        await connection.execute("update santral.lease set until = clock_timestamp() - interval '1 s'")
    heir = await courier_of(worker_db, later)
    async with worker_db.batch() as connection:
        more = await happen(connection, workspace, conversation)
    assert await heir.relay.round() == 4
    log.gate.set()
    assert await stuck == 0
    assert zombie.published == []
    assert heir.published == [event.id for event in (*events, *more)]
    assert log.ids() == [str(event.id) for event in events]
    assert later.ids() == [str(event.id) for event in (*events, *more)]
    assert events[0].bucket not in zombie.leases.held


async def test_while_the_broker_is_away_events_wait_in_order(worker_db: Database, workspace: Workspace) -> None:
    conversation = await conversation_of(worker_db, workspace)
    log = Log(away=True)
    courier = await courier_of(worker_db, log)
    async with worker_db.batch() as connection:
        events = await happen(connection, workspace, conversation, 5)
    with pytest.raises(Unavailable):
        await courier.relay.round()
    assert await depth(worker_db) == 5
    assert courier.published == []
    log.away = False
    assert await courier.relay.round() == 5
    assert await courier.relay.round() == 0
    assert log.ids() == [str(event.id) for event in events]


async def test_what_events_cause_is_written_with_their_deletion_or_not_at_all(worker_db: Database, workspace: Workspace) -> None:
    conversation = await conversation_of(worker_db, workspace)
    log, failing = Log(), True

    async def cause(connection: Connection, events: Sequence[Event]) -> None:
        await connection.execute(
            "insert into santral.dispatch_change (workspace_id, slot, kind, id) select $1, 0, 'test', unnest($2::uuid[])",
            workspace.id, [event.id for event in events],
        )  # fmt: skip
        if failing:
            raise Unavailable("the database went away")

    courier = await courier_of(worker_db, log, hook=cause)
    async with worker_db.batch() as connection:
        events = await happen(connection, workspace, conversation, 2)
    with pytest.raises(Unavailable):
        await courier.relay.round()
    assert await depth(worker_db) == 2
    failing = False
    assert await courier.relay.round() == 2
    async with worker_db.session() as connection:
        caused = await connection.fetch("select id from santral.dispatch_change where kind = 'test'")
    assert {row["id"] for row in caused} == {event.id for event in events}
    assert len(caused) == 2
    # Published twice, with the same ids: that is what readers drop.
    assert log.ids() == [str(event.id) for event in events] * 2


async def test_without_buckets_a_relay_does_nothing(worker_db: Database, workspace: Workspace) -> None:
    conversation = await conversation_of(worker_db, workspace)
    log = Log()
    relay = OutboxRelay(
        db=worker_db, publisher=log, topic="t", leases=Leases(worker_db, kind="outbox", slots=BUCKETS, owner=uuid4())
    )
    async with worker_db.batch() as connection:
        await happen(connection, workspace, conversation)
    assert await relay.round() == 0
    assert log.held == []
    await relay.measure()
