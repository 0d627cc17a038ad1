"""Looking for duplicates among profiles that changed: a bounded round per workspace, again and again, one process at a time each."""

from __future__ import annotations

from typing import Final

from profiles.suggestions.suggestions import look_for_duplicates
from services.chores.every_workspace import follow_all, step_of_each
from shared.database import Database
from shared.ids import WorkspaceId

ROUND_EVERY_S: Final = 5.0
BACKLOG_EVERY_S: Final = 0.2


async def follow(db: Database) -> None:
    """Runs for ever."""
    await follow_all(
        lambda: round_of_all(db), again_s=BACKLOG_EVERY_S, look_s=ROUND_EVERY_S, waits="duplicates are looked for a little later"
    )  # fmt: skip


async def round_of_all(db: Database) -> int:
    """One round over every workspace; how many profiles were looked at."""
    async with db.session() as connection:
        ids = [WorkspaceId(row["id"]) for row in await connection.fetch("select id from santral.workspace order by id")]
    return sum(await step_of_each(db, ids, _one))


async def _one(db: Database, workspace_id: WorkspaceId) -> int:
    async with db.batch() as connection:
        return await look_for_duplicates(connection, workspace_id)
