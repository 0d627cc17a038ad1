"""Handles of earlier releases read again in the background after an upgrade: page by page, each workspace in turn, once."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from profiles.renewal import renew
from services.frame.rounds import each_alone
from shared.database import Database, retried
from shared.errors import SantralError
from shared.ids import WorkspaceId
from shared.logs import get_log

log = get_log(__name__)
# Nothing before the revision that brings the walk's table: this release also runs on the one before.
_WORKSPACES: Final = "select id from santral.workspace where to_regclass('santral.handle_renewal') is not null order by id"
LOOK_EVERY_S: Final = 30.0
PAGE_EVERY_S: Final = 0.05


async def follow(db: Database) -> None:
    """Runs for ever, because workspaces are begun; while the database is away the next look tries again."""
    while True:
        more = False
        try:
            more = await page_of_all(db)
        except SantralError as error:
            log.info("handles of earlier releases wait", action="chore_waits", error=str(error))
        await asyncio.sleep(PAGE_EVERY_S if more else LOOK_EVERY_S)


async def page_of_all(db: Database) -> bool:
    """One page for every workspace that has one to do; whether any has more."""
    async with db.session() as connection:
        ids = [WorkspaceId(row["id"]) for row in await connection.fetch(_WORKSPACES)]
    return any(await each_alone(ids, lambda one: retried(partial(_page, db, one)), action="chore_waits"))


async def _page(db: Database, workspace_id: WorkspaceId) -> bool:
    async with db.batch() as connection:
        return await renew(connection, workspace_id)
