"""Intake from a backlog on real Kafka and PostgreSQL, beside the SQL floor: the same rows written by bare asyncpg, same run."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import pytest

from router.signals import language
from services.frame.process import calm_collector
from services.router.intake_loop import IntakeLoop
from shared.database import Connection, Database
from shared.embedded.postgres import PostgresUrls
from shared.hints import Hints
from shared.kafka import KafkaSettings, Publisher
from shared.kafka_reader import Reader
from shared.topics import Topics
from tests.support.figures import Figures
from tests.support.intake_line import TABLES, member_of, message_to, record_of
from tests.support.workspaces import Workspace, make_workspace

MESSAGES = int(os.environ.get("SANTRAL_BENCH_MESSAGES", "20000"))
PEOPLE = MESSAGES // 4
BATCH = 500
PHASES = (("handle",), ("profile", "conversation"))  # what others refer to is written before them; a few commits more
TEXTS = (
    "Merhaba, 1042 numaralı siparişim hâlâ gelmedi, ne zaman teslim edilir acaba?",
    "İade etmek istiyorum, kargo ücretini kim ödüyor?",
    "Hello, my discount code does not work at checkout. Could you help me please?",
    "Faturamı e-posta ile gönderebilir misiniz? Teşekkürler, iyi çalışmalar.",
)

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]


async def backlog(workspace: Workspace, kafka: str, topics: Topics) -> None:
    publisher = Publisher(KafkaSettings(bootstrap=kafka), deadline_s=120)
    for start in range(0, MESSAGES, 1000):
        await publisher.publish(
            topics.messages,
            [
                record_of(
                    message_to(
                        workspace, "smtp", f"m{n}", who=f"musteri{n % PEOPLE}@ornek.com", text=TEXTS[n % 4], subject="Sipariş"
                    )
                )
                for n in range(start, start + 1000)
            ],
        )
    await publisher.stop()


async def take_in(db: Database, urls: PostgresUrls, kafka: str, topics: Topics) -> tuple[float, float]:
    """Messages a second, and this process's processor time per message in seconds."""
    member = await member_of(db, topic=topics.messages)
    reader = Reader(KafkaSettings(bootstrap=kafka), topic=topics.messages, group=f"{topics.messages}-bench")
    loop = IntakeLoop(reader=reader, leases=member.leases, intake=member.intake, hints=Hints(urls.worker, listening=False))
    calm_collector()
    running = asyncio.create_task(loop.run())
    # Joining the group and taking the leases is a start, not a rate: the clock begins with the first messages taken.
    first = await taken_of(db, 1)
    began, cpu = time.perf_counter(), time.process_time()
    await taken_of(db, MESSAGES)
    took, used = time.perf_counter() - began, time.process_time() - cpu
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return (MESSAGES - first) / took, used / (MESSAGES - first)


async def taken_of(db: Database, wanted: int) -> int:
    """How many have a receipt, once at least so many have."""
    while True:
        async with db.session() as connection:
            taken = int(await connection.fetchval("select count(*) from santral.receipt"))
        if taken >= wanted:
            return taken
        await asyncio.sleep(0.05)


async def written_rows(db: Database) -> dict[str, tuple[list[str], list[tuple[Any, ...]]]]:
    found = {}
    async with db.session() as connection:
        for table in TABLES:
            rows = await connection.fetch(f"select * from santral.{table} order by 1, 2")
            if rows:
                found[table] = (list(rows[0].keys()), [tuple(row.values()) for row in rows])
    return found


async def floor(db: Database, found: dict[str, tuple[list[str], list[tuple[Any, ...]]]]) -> float:
    """The same rows, the same number of transactions, nothing decided and nothing looked up."""
    transactions = -(-MESSAGES // BATCH)
    first = {table for phase in PHASES for table in phase}
    began = time.perf_counter()
    for phase in (*PHASES, tuple(table for table in found if table not in first)):
        for turn in range(transactions):
            async with db.batch() as connection:
                for table in phase:
                    await write_share(connection, table, *found[table], turn=turn, turns=transactions)
    return time.perf_counter() - began


async def write_share(
    connection: Connection, table: str, columns: list[str], rows: list[tuple[Any, ...]], *, turn: int, turns: int
) -> None:
    share = -(-len(rows) // turns)
    names = ", ".join(f'"{name}"' for name in columns)
    places = ", ".join(f"${place + 1}" for place in range(len(columns)))
    part = rows[turn * share : (turn + 1) * share]
    if part:
        await connection.executemany(f"insert into santral.{table} ({names}) values ({places})", part)


async def emptied(urls: PostgresUrls) -> None:
    owner = await Database.open(urls.owner, name="bench")
    async with owner.session() as connection:
        await connection.execute(f"truncate {', '.join(f'santral.{table}' for table in TABLES)} cascade")
    await owner.close()


async def test_intake_beside_the_sql_floor(database_urls: PostgresUrls, kafka: str, topics: Topics) -> None:
    language.load()
    db = await Database.open(database_urls.worker, name="bench")
    workspace = await make_workspace(db)
    await backlog(workspace, kafka, topics)
    ours, used = await take_in(db, database_urls, kafka, topics)
    found = await written_rows(db)
    await emptied(database_urls)
    floor_took = await floor(db, found)
    await db.close()
    figures = Figures(f"Intake of {MESSAGES} mails from {PEOPLE} people, policy on, one process")
    bare = MESSAGES / floor_took
    figures.add("intake", f"{ours:,.0f} messages/s", f"SQL floor {bare:,.0f} messages/s", f"{ours / bare:.2f}")
    figures.add("processor", f"{used * 1e6:,.0f} µs a message", f"{ours * used * 100:.0f} % of one core while it ran")
    figures.add("rows written", f"{sum(len(rows) for _, rows in found.values()):,}", f"{len(found)} tables")
    print(figures.show())
    assert len(found["receipt"][1]) == MESSAGES
