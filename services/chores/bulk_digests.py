"""Digests of bulk mail, a day each: the days that are over are digested, each workspace in turn, again and again."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from router.intake.bulk_digest import digest_next_day
from services.chores.every_workspace import follow_all, step_of_each
from shared.database import Database
from shared.hints import Hints

LOOK_EVERY_S: Final = 60.0


async def follow(db: Database, hints: Hints) -> None:
    """Runs for ever."""

    async def days() -> bool:
        more = await day_of_all(db)
        if more:
            hints.wake("outbox")
        return more

    await follow_all(days, again_s=0, look_s=LOOK_EVERY_S, waits="digests of bulk mail wait")


async def day_of_all(db: Database) -> bool:
    """One day for every workspace that has one to digest; whether any had."""
    async with db.session() as connection:
        ids = [row["id"] for row in await connection.fetch("select id from santral.workspace order by id")]
    return any(await step_of_each(db, ids, _one))


async def _one(db: Database, workspace_id: UUID) -> bool:
    async with db.batch() as connection:
        return await digest_next_day(connection, workspace_id)
