"""The database while its schema changes under it, and while another process stands still with locks in its hands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from shared.database import Contended, Database, retried
from shared.embedded.postgres import PostgresUrls
from shared.errors import Unavailable


async def test_a_column_that_comes_costs_a_transaction_one_more_try(database_urls: PostgresUrls, worker_db: Database) -> None:
    """The driver keeps statements with the columns they return, and a transaction that used one cannot go on."""
    tries = 0

    async def read() -> list[str]:
        nonlocal tries
        tries += 1
        async with worker_db.batch() as connection:
            row = await connection.fetchrow("select w.* from (values (1)) v left join santral.workspace w on w.id = $1", uuid4())
            assert row is not None
            return list(row.keys())

    before = await retried(read)
    owner = await asyncpg.connect(database_urls.owner)
    await owner.execute("alter table santral.workspace add column later text")
    await owner.close()
    assert await retried(read) == [*before, "later"]
    assert tries == 3


_LOCKED = "select lease.slot from santral.lease where kind = 'test' for update"


@pytest.fixture
async def other(database_urls: PostgresUrls, worker_db: Database) -> AsyncIterator[Database]:
    """Another process's connection, and a row that both want."""
    async with worker_db.batch() as connection:
        await connection.execute("insert into santral.lease (kind, slot) values ('test', 0)")
    opened = await Database.open(database_urls.worker, name="other", pool_size=1)
    yield opened
    await opened.close()


async def _lock(db: Database) -> int:
    async with db.batch() as connection:
        return int(await connection.fetchval(_LOCKED))


async def test_a_process_that_stands_still_between_preparing_and_executing_holds_nothing_up(
    worker_db: Database, other: Database
) -> None:
    """No time-out of the server's sees it: the session waits for its client, yet in the middle of a statement."""
    got = asyncio.Event()

    async def stand_still() -> None:
        async with other.batch() as frozen:
            await frozen.fetch(_LOCKED)
            await frozen.prepare("select 42")
            assert await retried(lambda: _lock(worker_db)) == 0
            got.set()
            await frozen.fetch("select 42")

    with pytest.raises(Unavailable):
        await stand_still()
    assert got.is_set()


async def test_a_process_that_works_keeps_its_locks(worker_db: Database, other: Database) -> None:
    """Long work is not standing still: who waits for it gives up, and it goes on."""
    async with other.batch() as working:
        await working.fetch(_LOCKED)
        slow = asyncio.create_task(working.fetchval("select count(*) from pg_sleep(7)"))
        with pytest.raises(Contended):
            await retried(lambda: _lock(worker_db), tries=3)
        assert await slow == 1
