"""Removing files whose rows are gone: keys are noted in the rows' own transaction, so a crash in between loses none.

A key that ends with a slash is a message's folder, with whatever was kept for it.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from services.frame.rounds import each_alone
from services.privacy.blob_folders import folders_of
from shared.blobs import Blobs
from shared.database import Database

PAGE: Final = 200
_NEXT: Final = "select key from santral.blob_removal where workspace_id = $1 and cause = $2 order by key limit $3"
_LEFT: Final = """
select distinct b.workspace_id, b.cause from santral.blob_removal b
where not exists (select 1 from santral.erasure e where e.workspace_id = b.workspace_id and e.id = b.cause and e.state <> 'done')
limit 100
"""
_BURIED: Final = "select distinct workspace_id from santral.tombstone"
_ERASED: Final = "select id from santral.receipt where workspace_id = $1 and id = any($2::uuid[]) and state = 'erased'"
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
    left = await each_alone(rows, lambda row: remove_blobs(db, blobs, row["workspace_id"], row["cause"]), action="retention_waits")
    return sum(left)


async def remove_come_again(db: Database, blobs: Blobs) -> int:
    """Files of erased messages that a provider delivered once more: their record was refused by its receipt, its files were kept first."""
    async with db.session() as connection:
        workspaces = [row["workspace_id"] for row in await connection.fetch(_BURIED)]
    return sum(await each_alone(workspaces, lambda one: _come_again(db, blobs, one), action="retention_waits"))


async def _come_again(db: Database, blobs: Blobs, workspace_id: UUID) -> int:
    removed = 0
    folders = await folders_of(blobs, workspace_id)
    ids = list(folders)
    for start in range(0, len(ids), PAGE):
        async with db.session() as connection:
            rows = await connection.fetch(_ERASED, workspace_id, ids[start : start + PAGE])
        for key in (key for row in rows for key in folders[row["id"]]):
            await blobs.delete(key)
            removed += 1
    return removed
