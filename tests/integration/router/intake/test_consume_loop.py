"""The consume loop on real Kafka and real PostgreSQL: rebalances, fences, the whole topic again, the database away."""

from __future__ import annotations

import asyncio
import json
import struct
import zlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiokafka

from shared.database import Connection, Database
from shared.embedded.postgres import PostgresUrls
from shared.errors import Unavailable
from shared.handle import Handle, partition_key
from shared.ids import WorkspaceId
from shared.kafka import Record, partition_of
from shared.spool import Spool
from shared.topics import Topics
from tests.support.consume_loop import publishing, records, running, until
from tests.support.intake_line import assert_contiguous, counts, message_to, record_of, rows
from tests.support.log_reader import read_topic
from tests.support.workspaces import Workspace


async def test_what_is_published_is_taken_in_once_in_order(
    worker_db: Database, database_urls: PostgresUrls, workspace: Workspace, kafka: str, topics: Topics
) -> None:
    async with publishing(kafka) as publisher:
        await publisher.publish(topics.messages, records(workspace, range(300)))
        async with running(worker_db, database_urls, kafka, topics) as first:
            await until(worker_db, "select count(*) from santral.message", 300)
            async with running(worker_db, database_urls, kafka, topics) as second:
                # Everything again (a spool that drained twice) while the partitions are shared out anew, and more.
                await publisher.publish(topics.messages, records(workspace, range(600)))
                await until(worker_db, "select count(*) from santral.message", 600)
                async with asyncio.timeout(60):
                    while not second.member.leases.held:
                        await asyncio.sleep(0.05)
                assert await second.loop.check()
            await publisher.publish(topics.messages, records(workspace, range(600, 700)))
            await until(worker_db, "select count(*) from santral.message", 700)
            assert not first.task.done()
    found = await counts(worker_db)
    assert (found["receipt"], found["message"], found["quarantine"]) == (700, 700, 0)
    wrong = await rows(
        worker_db,
        "select 1 from (select external_id::int as n, lag(external_id::int) over (partition by conversation_id order by seq) as before"
        " from santral.message) m where n < before",
    )
    assert wrong == []
    await assert_contiguous(worker_db)
    # From the start of the log: nothing changes.
    async with worker_db.batch() as connection:
        await connection.execute("update santral.partition_lease set next_offset = 0")
    async with running(worker_db, database_urls, kafka, topics):
        await until(
            worker_db, "select count(*) from (select sum(next_offset) as n from santral.partition_lease) s where n >= 1000", 1
        )
    assert await counts(worker_db) == found


async def test_while_the_database_refuses_everything_waits(
    worker_db: Database, database_urls: PostgresUrls, workspace: Workspace, kafka: str, topics: Topics
) -> None:
    async with publishing(kafka) as publisher, running(worker_db, database_urls, kafka, topics) as one:
        tries = 0
        whole = one.member.intake.batch

        class Down:
            """The database as it is while it restarts."""

            async def take(self, connection: Connection, arrivals: Any, resolved: Any, **more: Any) -> Any:
                nonlocal tries
                tries += 1
                if tries <= 3:
                    raise Unavailable("away")
                return await whole.take(connection, arrivals, resolved, **more)

        one.member.intake.batch = Down()  # type: ignore[assignment]
        await publisher.publish(topics.messages, records(workspace, range(50)))
        await until(worker_db, "select count(*) from santral.message", 50)
        assert tries > 3
    await assert_contiguous(worker_db)


def spooled_by_the_first_release(folder: Path, topic: str, given: Sequence[Record]) -> None:
    """A spool as 0.1.0 wrote it: length and CRC-32 of a JSON object with topic, key, value and headers in Base64."""
    folder.mkdir()
    with open(folder / "spool.log", "wb") as file:
        for record in given:
            told = [[name, b64encode(value).decode()] for name, value in record.headers]
            frame = {"t": topic, "k": b64encode(record.key).decode(), "v": b64encode(record.value).decode(), "h": told}
            body = json.dumps(frame).encode()
            file.write(struct.pack(">II", len(body), zlib.crc32(body)) + body)


async def test_one_sender_under_octets_and_under_text_is_one_line(
    worker_db: Database, database_urls: PostgresUrls, workspace: Workspace, kafka: str, topics: Topics, tmp_path: Path
) -> None:
    """0.1.0 published 16 octets as the key: it and this release work side by side, and what it spooled is drained by this one."""
    key = partition_key(b"s" * 32, WorkspaceId(workspace.id), Handle(kind="email", value="ayse@ornek.com"))
    numbered = [replace(record_of(message_to(workspace, "smtp", str(number))), key=key) for number in range(9)]
    spooled_by_the_first_release(tmp_path / "spool", topics.messages, numbered[3:6])
    spool = Spool(tmp_path / "spool")
    async with publishing(kafka) as publisher:
        await published_by_the_first_release(kafka, topics.messages, numbered[:3])
        assert await spool.drain(publisher.publish) == 3
        await published_by_the_first_release(kafka, topics.messages, numbered[6:7])
        await publisher.publish(topics.messages, numbered[7:])
    spool.close()
    found = await read_topic(kafka, topics.messages)
    assert {one.partition for one in found} == {partition_of(key)}
    text = key.hex().encode()
    assert [one.key for one in found] == [key, key, key, text, text, text, key, text, text]
    async with running(worker_db, database_urls, kafka, topics):
        await until(worker_db, "select count(*) from santral.message", 9)
    order = await rows(worker_db, "select external_id from santral.message order by seq")
    assert [one["external_id"] for one in order] == [str(number) for number in range(9)]
    assert (await counts(worker_db))["quarantine"] == 0


async def published_by_the_first_release(kafka: str, topic: str, given: Sequence[Record]) -> None:
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True)
    await producer.start()
    try:
        for record in given:
            partition = partition_of(record.key)
            await producer.send_and_wait(topic, record.value, record.key, partition, headers=list(record.headers))
    finally:
        await producer.stop()
