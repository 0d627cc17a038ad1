"""The database while its schema changes under it, and while another process stands still with locks in its hands."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from shared import database
from shared.database import COMMAND_S, Contended, Database, Overlong, concerns_all, retried
from shared.embedded.postgres import PostgresUrls
from shared.errors import InputRejected, Unavailable


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


async def test_the_server_ends_a_statement_before_the_client_gives_it_up(worker_db: Database) -> None:
    """Else what one workspace asks for too much looks as if the database were away, which everybody would wait for."""
    async with worker_db.session() as connection:
        ends_s = await connection.fetchval("select extract(epoch from current_setting('statement_timeout')::interval)::float")
    assert 0 < ends_s < COMMAND_S - 5


async def test_a_statement_that_takes_too_long_is_not_a_database_that_is_away(worker_db: Database) -> None:
    async def count() -> None:
        async with worker_db.batch() as connection:
            await connection.execute("set local statement_timeout = '20ms'")
            await connection.fetchval("select count(*) from generate_series(1, 100000000)")

    with pytest.raises(Overlong) as told:
        await count()
    assert not concerns_all(told.value)
    assert concerns_all(Unavailable("away"))


async def test_who_thinks_too_long_in_a_transaction_is_told_so(worker_db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "IDLE_S", 0.1)

    async def think() -> None:
        async with worker_db.batch() as connection:
            await connection.execute("set local idle_in_transaction_session_timeout = '20ms'")
            await asyncio.sleep(0.3)  # what is tested is the time
            await connection.fetchval("select 1")

    with pytest.raises(Overlong):
        await think()


async def test_a_value_that_no_index_takes_is_rejected(worker_db: Database) -> None:
    letters = "".join(chr(number) for number in random.Random(1).choices(range(0x20000, 0x2A000), k=1000))

    async def keep() -> None:
        async with worker_db.batch() as connection:
            await connection.execute("insert into santral.lease (kind, slot) values ($1, 0)", letters)

    with pytest.raises(InputRejected):
        await keep()


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


async def test_a_workspace_that_asks_for_every_connection_leaves_some_to_another(worker_db: Database) -> None:
    loud, quiet, go_on = uuid4(), uuid4(), asyncio.Event()
    entered = asyncio.Semaphore(0)

    async def hold(door: Callable[[UUID], AbstractAsyncContextManager[Any]]) -> None:
        async with door(loud):
            entered.release()
            await go_on.wait()

    for door in (worker_db.batch, worker_db.transaction):
        held = [asyncio.create_task(hold(door)) for _ in range(2 * worker_db.pool_size)]
        for _ in range(worker_db.pool_size // 2):
            await entered.acquire()
        async with asyncio.timeout(2), door(quiet):
            pass
        go_on.set()
        await asyncio.gather(*held)
        go_on.clear()
