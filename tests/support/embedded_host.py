"""A program that starts one embedded server, writes to it without end and says what was acknowledged: made to be killed.

``python embedded_host.py postgres|kafka DATA_FOLDER``; prints ``server PID``, then ``ack N`` for each write.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.embedded.errors import EmbeddedError
from shared.embedded.kafka import EmbeddedKafka
from shared.embedded.postgres import EmbeddedPostgres

TOPIC = "kept"


def say(line: str) -> None:
    print(line, flush=True)


async def create_topic(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def write_rows(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    urls = await server.start()
    say(f"server {server.pid}")
    connection = await asyncpg.connect(urls.owner)
    await connection.execute("create table if not exists kept (n int primary key)")
    n = await connection.fetchval("select count(*) from kept")
    while True:
        await connection.execute("insert into kept values ($1)", n)
        say(f"ack {n}")
        n += 1


async def write_records(folder: Path) -> None:
    server = EmbeddedKafka(folder)
    bootstrap = await server.start()
    say(f"server {server.pid}")
    await create_topic(bootstrap)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    n = 0
    while True:
        await producer.send_and_wait(TOPIC, str(n).encode())
        say(f"ack {n}")
        n += 1


if __name__ == "__main__":
    try:
        asyncio.run({"postgres": write_rows, "kafka": write_records}[sys.argv[1]](Path(sys.argv[2])))
    except EmbeddedError as error:
        say(f"refused {error}")
