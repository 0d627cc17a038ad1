"""Removing files whose rows are gone: keys are noted in the rows' own transaction, so a crash in between loses none.

A key that ends with a slash is a message's folder, with whatever was kept for it.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from shared.blobs import Blobs
from shared.database import Database

PAGE: Final = 200
_NEXT: Final = "select key from santral.blob_removal where workspace_id = $1 and cause = $2 order by key limit $3"
_LEFT: Final = """
select distinct b.workspace_id, b.cause from santral.blob_removal b
where not exists (select 1 from santral.erasure e where e.workspace_id = b.workspace_id and e.id = b.cause and e.state <> 'done')
limit 100
"""
_DONE: Final = "delete from santral.blob_removal where workspace_id = $1 and key = any($2::text[])"


async def remove_blobs(db: Database, blobs: Blobs, workspace_id: UUID, cause: UUID, *, as_api: bool = False) -> int:
    """Removes every file noted for one cause; how many keys. Twice is harmless. Raises `Unavailable`: what is left stays noted.

    ``as_api``: the database is that role's, which sees one workspace at a time.
    """
    removed, scope = 0, workspace_id if as_api else None
    while True:
        async with db.batch(scope) as connection:
            keys = [row["key"] for row in await connection.fetch(_NEXT, workspace_id, cause, PAGE)]
        if not keys:
            return removed
        for key in keys:
            for one in await blobs.keys(key) if key.endswith("/") else [key]:
                await blobs.delete(one)
        async with db.batch(scope) as connection:
            await connection.execute(_DONE, workspace_id, keys)
        removed += len(keys)


async def remove_left(db: Database, blobs: Blobs) -> int:
    """What others noted and could not remove at once: redactions that met a store that was away. Causes still at work are left."""
    async with db.session() as connection:
        rows = await connection.fetch(_LEFT)
    return sum([await remove_blobs(db, blobs, row["workspace_id"], row["cause"]) for row in rows])
