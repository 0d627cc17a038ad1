"""Who is who, decided where a message could not wait for it: page by page, each workspace in turn."""

from __future__ import annotations

from typing import Final

from profiles.undecided import count_undecided, decide_later, decide_page, workspaces_due
from services.chores.every_workspace import follow_all, step_of_each
from shared.database import Contended, Database, Overlong, retried
from shared.ids import WorkspaceId
from shared.logs import get_log
from shared.metrics import HANDLES_UNDECIDED

log = get_log(__name__)
LOOK_EVERY_S: Final = 1.0
AFTER_S: Final = 60.0
"""What could not be decided is looked at again then: a workspace's crowd takes the others' turns once a minute at most."""


async def follow(db: Database) -> None:
    """Runs for ever."""
    await follow_all(lambda: page_of_all(db), again_s=0, look_s=LOOK_EVERY_S, waits="people that are to be decided wait")


async def page_of_all(db: Database) -> bool:
    """One page for every workspace where somebody is to be decided; whether any has more."""
    async with db.session() as connection:
        due = await workspaces_due(connection)
        HANDLES_UNDECIDED.set(await count_undecided(connection))
    return any(await step_of_each(db, due, _page))


async def _page(db: Database, workspace_id: WorkspaceId) -> bool:
    async def decide() -> bool:
        async with db.batch() as connection:
            return await decide_page(connection, workspace_id)

    try:
        return await retried(decide, tries=2)
    except (Contended, Overlong) as error:
        log.warning("people cannot be decided now", action="chore_waits", workspace=str(workspace_id), error=type(error).__name__)
        async with db.batch() as connection:
            await decide_later(connection, workspace_id, after_s=1.0 if isinstance(error, Contended) else AFTER_S)
        return False
