"""Rows of the audit linked into their workspace's chain, soon after they are there: batch by batch, each workspace in turn."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from services.audit_chain.links import link_next
from services.chores.every_workspace import follow_all, step_of_each
from shared.database import Database

LOOK_EVERY_S: Final = 5.0


async def follow(db: Database) -> None:
    """Runs for ever."""
    await follow_all(lambda: batch_of_all(db), again_s=0, look_s=LOOK_EVERY_S, waits="rows of the audit wait to be linked")


async def batch_of_all(db: Database) -> int:
    """One batch for every workspace; how many rows."""
    async with db.session() as connection:
        ids = [row["id"] for row in await connection.fetch("select id from santral.workspace order by id")]
    return sum(await step_of_each(db, ids, _batch))


async def _batch(db: Database, workspace_id: UUID) -> int:
    async with db.batch() as connection:
        return await link_next(connection, workspace_id)
