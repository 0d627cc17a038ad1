"""Rules of identity that a workspace changed, carried to its people in the background: page by page, each workspace in turn."""

from __future__ import annotations

from typing import Any, Final

from profiles.own import ADDRESSES, own_handles
from profiles.rules_pass import pass_on
from services.chores.every_workspace import follow_all, step_of_each
from shared.database import Database
from shared.ids import WorkspaceId

LOOK_EVERY_S: Final = 5.0
PAGE_EVERY_S: Final = 0.05
_SETTINGS: Final = f"""
select w.id, w.settings->>'region' as region, w.settings->'own_addresses' as own, w.settings->'profile' as profile,
       {ADDRESSES} as inboxes
from santral.workspace w order by w.id
"""


async def follow(db: Database) -> None:
    """Runs for ever."""
    await follow_all(lambda: page_of_all(db), again_s=PAGE_EVERY_S, look_s=LOOK_EVERY_S, waits="changed rules of identity wait")


async def page_of_all(db: Database) -> bool:
    """One page for every workspace that has one to do; whether any has more."""
    async with db.session() as connection:
        settings = await connection.fetch(_SETTINGS)
    return any(await step_of_each(db, settings, _page))


async def _page(db: Database, row: Any) -> bool:
    own = own_handles(row["inboxes"] or (), row["own"], region=row["region"])
    async with db.batch() as connection:
        return await pass_on(connection, WorkspaceId(row["id"]), row["profile"], own)
