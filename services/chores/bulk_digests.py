"""Digests of bulk mail, a day each: the days that are over are digested, each workspace in turn, again and again."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final
from uuid import UUID

from router.intake.bulk_digest import digest_next_day
from services.frame.rounds import each_alone
from shared.database import Database, retried
from shared.errors import SantralError
from shared.hints import Hints
from shared.logs import get_log

log = get_log(__name__)
LOOK_EVERY_S: Final = 60.0


async def follow(db: Database, hints: Hints) -> None:
    """Runs for ever; while the database is away the next look tries again."""
    while True:
        more = False
        try:
            more = await day_of_all(db)
        except SantralError as error:
            log.info("digests of bulk mail wait", action="chore_waits", error=str(error))
        if more:
            hints.wake("outbox")
        else:
            await asyncio.sleep(LOOK_EVERY_S)


async def day_of_all(db: Database) -> bool:
    """One day for every workspace that has one to digest; whether any had."""
    async with db.session() as connection:
        ids = [row["id"] for row in await connection.fetch("select id from santral.workspace order by id")]
    return any(await each_alone(ids, lambda one: retried(partial(_one, db, one)), action="chore_waits"))


async def _one(db: Database, workspace_id: UUID) -> bool:
    async with db.batch() as connection:
        return await digest_next_day(connection, workspace_id)
