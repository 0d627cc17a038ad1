"""Looking for duplicates among profiles that changed: a bounded round per workspace, again and again, one process at a time each."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from profiles.suggestions.suggestions import look_for_duplicates
from services.frame.rounds import each_alone
from shared.database import Database, retried
from shared.errors import SantralError
from shared.ids import WorkspaceId
from shared.logs import get_log

log = get_log(__name__)
ROUND_EVERY_S: Final = 5.0
BACKLOG_EVERY_S: Final = 0.2


async def follow(db: Database) -> None:
    """Runs for ever; while the database is away the next round tries again."""
    while True:
        looked = 0
        try:
            looked = await round_of_all(db)
        except SantralError as error:
            log.info("duplicates are looked for a little later", action="chore_waits", error=str(error))
        await asyncio.sleep(BACKLOG_EVERY_S if looked else ROUND_EVERY_S)


async def round_of_all(db: Database) -> int:
    """One round over every workspace; how many profiles were looked at."""
    async with db.session() as connection:
        ids = [WorkspaceId(row["id"]) for row in await connection.fetch("select id from santral.workspace order by id")]
    return sum(await each_alone(ids, lambda one: retried(partial(_one, db, one)), action="chore_waits"))


async def _one(db: Database, workspace_id: WorkspaceId) -> int:
    async with db.batch() as connection:
        return await look_for_duplicates(connection, workspace_id)
