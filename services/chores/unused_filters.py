"""Filters over agents that nothing names any more, removed: looked for in each workspace, and gone at the second look."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from router.workspace.unused_filters import Use, remove_unused, unused_filters
from services.chores.every_workspace import follow_all, step_of_each
from shared.database import Database

LOOK_EVERY_S: Final = 600.0


class UnusedFilters:
    """What the last look found unused, by workspace; of one process, so after its start the first look removes nothing."""

    def __init__(self) -> None:
        self._seen: dict[UUID, set[Use]] = {}

    async def follow(self, db: Database) -> None:
        """Runs for ever."""
        await follow_all(lambda: self.look(db), again_s=LOOK_EVERY_S, look_s=LOOK_EVERY_S, waits="unused filters stay a while")

    async def look(self, db: Database) -> int:
        """One look at every workspace that has any; how many filters went."""
        async with db.session() as connection:
            rows = await connection.fetch("select distinct workspace_id from santral.agent_filter order by workspace_id")
        ids = [row["workspace_id"] for row in rows]
        self._seen = {workspace: seen for workspace, seen in self._seen.items() if workspace in ids}
        return sum(await step_of_each(db, ids, self._one))

    async def _one(self, db: Database, workspace_id: UUID) -> int:
        async with db.batch() as connection:
            gone = await remove_unused(connection, workspace_id, self._seen.get(workspace_id, set()))
            found = await unused_filters(connection, workspace_id)
        self._seen[workspace_id] = found
        return gone
