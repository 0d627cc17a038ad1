"""Handles of earlier releases read again in the background after an upgrade: page by page, each workspace in turn, once."""

from __future__ import annotations

from typing import Final

from profiles.renewal import renew
from services.chores.every_workspace import follow_all, step_of_each
from shared.database import Database
from shared.ids import WorkspaceId

# Nothing before the revision that brings the walk's table: this release also runs on the one before.
_WORKSPACES: Final = "select id from santral.workspace where to_regclass('santral.handle_renewal') is not null order by id"
LOOK_EVERY_S: Final = 30.0
PAGE_EVERY_S: Final = 0.05


async def follow(db: Database) -> None:
    """Runs for ever, because workspaces are begun."""
    await follow_all(
        lambda: page_of_all(db), again_s=PAGE_EVERY_S, look_s=LOOK_EVERY_S, waits="handles of earlier releases wait"
    )  # fmt: skip


async def page_of_all(db: Database) -> bool:
    """One page for every workspace that has one to do; whether any has more."""
    async with db.session() as connection:
        ids = [WorkspaceId(row["id"]) for row in await connection.fetch(_WORKSPACES)]
    return any(await step_of_each(db, ids, _page))


async def _page(db: Database, workspace_id: WorkspaceId) -> bool:
    async with db.batch() as connection:
        return await renew(connection, workspace_id)
