"""The router's configuration in memory: workspaces, active policies, queues, inboxes; reread when something changed.

A hint wakes the look, and it looks by itself every second, so a change is effective within one. Only workspaces that changed are read
again, and made in a thread, because intake goes on meanwhile. While the database is away the last known configuration serves.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from profiles.own import OwnHandles, own_handles
from router.workspace.stored import StoredWorkspace, active_policy, made_workspace, read_workspaces
from router.workspace.workspace import Workspace, read_figures
from shared.database import Database
from shared.errors import Unavailable
from shared.handle import Handle
from shared.hints import Waiter
from shared.logs import get_log
from shared.metrics import CONFIGURATION_AGE
from shared.own_addresses import OWN_ADDRESSES_MAX
from shared.workspace_parts import WorkspaceParts, changes_of

log = get_log(__name__)
LOOK_S: Final = 1.0
_CHANGES: Final = changes_of("workspace", "queue", "inbox", "calendar", "sla", "plan", "policy where active")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    workspace: Workspace
    own: frozenset[Handle]
    created_at: datetime


class RouterConfiguration:
    """Every workspace as intake sees it. Look-ups never wait; `refresh` and `follow` read."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._parts = WorkspaceParts(db, changes=_CHANGES, read=read_workspaces, made=_made)
        self._changed = asyncio.Event()

    def workspace(self, workspace_id: UUID) -> Workspace | None:
        """A workspace's configuration as last read."""
        part = self._parts.parts.get(workspace_id)
        return None if part is None else part.workspace

    def first(self) -> Workspace | None:
        """The oldest workspace."""
        oldest = min(self._parts.parts.values(), key=lambda one: (one.created_at, one.workspace.id), default=None)
        return None if oldest is None else oldest.workspace

    def alone(self) -> bool:
        """Whether there is one workspace only."""
        return len(self._parts.parts) == 1

    def own_handles(self) -> OwnHandles:
        """Mail addresses and numbers of the workspaces' own inboxes, asked one by one."""
        return OwnHandles(self._own)

    def _own(self, workspace_id: UUID) -> frozenset[Handle]:
        part = self._parts.parts.get(workspace_id)
        return frozenset() if part is None else part.own

    async def refresh(self) -> bool:
        """Rereads what changed; True when something did. Raises `Unavailable`, keeping what it had."""
        if not await self._parts.refresh():
            return False
        self._changed.set()
        self._changed = asyncio.Event()
        log.info("the configuration was read", action="configuration_read", count=len(self._parts.parts))
        return True

    async def next_change(self) -> None:
        """Returns when the configuration was reread the next time."""
        await self._changed.wait()

    async def refresh_figures(self) -> None:
        """Rereads the queues' measures: for rules that ask for them, and for the wait that is foretold to whoever comes."""
        async with self._db.session() as connection:
            figures = await read_figures(connection)
        parts = self._parts.parts
        for workspace_id, found in figures.items():
            if workspace_id in parts:
                parts[workspace_id] = replace(parts[workspace_id], workspace=replace(parts[workspace_id].workspace, figures=found))

    async def follow(self, waiter: Waiter) -> None:
        """Refreshes for ever."""
        while True:
            try:
                await self.refresh()
                await self.refresh_figures()
                CONFIGURATION_AGE.set_to_current_time()
            except Unavailable as error:
                log.warning("the configuration could not be read again", action="configuration_stale", error=str(error))
            await waiter.wait(LOOK_S)


def _made(_: UUID, stored: StoredWorkspace, before: _Part | None) -> _Part:
    known, figures = (None, None) if before is None else (before.workspace.policy, before.workspace.figures)
    return _Part(
        workspace=made_workspace(stored, policy=active_policy(stored, known), figures=figures), created_at=stored.created_at,
        own=own_handles(stored.own[:OWN_ADDRESSES_MAX], region=stored.settings.get("region")),
    )  # fmt: skip
