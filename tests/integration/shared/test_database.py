"""The database while its schema changes under it: a migration of the next release runs beside this one's processes."""

from __future__ import annotations

from uuid import uuid4

import asyncpg

from shared.database import Database, retried
from shared.embedded.postgres import PostgresUrls


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
