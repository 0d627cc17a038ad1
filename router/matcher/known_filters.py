"""The filters over agents that plans of each workspace name, as dispatch has them in memory: read once for a workspace, not with each agent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Final
from uuid import UUID

from router.policy.agent_filter import NO_FILTERS, Filters
from shared.database import Connection

_FILTERS: Final = "select workspace_id, name, source from santral.agent_filter where workspace_id = any($1::uuid[])"


async def read_filters(connection: Connection, workspaces: Collection[UUID]) -> dict[UUID, dict[str, str]]:
    """The filters of these workspaces as they stand: sources by the skill that each stands for."""
    sources: dict[UUID, dict[str, str]] = {workspace: {} for workspace in workspaces}
    if workspaces:
        for row in await connection.fetch(_FILTERS, list(workspaces)):
            sources[row["workspace_id"]][row["name"]] = row["source"]
    return sources


class KnownFilters:
    """Of one process. What agents were found to meet is kept while their filters stay."""

    def __init__(self) -> None:
        self._known: dict[UUID, Filters] = {}

    async def of(self, workspace: UUID, sources: Mapping[str, str]) -> Filters:
        """The filters that were read, ready to be asked; outside a transaction, as compiling takes a while."""
        before = self._known.get(workspace)
        if before is None or before.sources != sources:
            self._known[workspace] = await asyncio.to_thread(Filters, sources, before)
        return self._known[workspace]

    def known(self, workspace: UUID, sources: Mapping[str, str]) -> Filters | None:
        """The filters that were read, where they are the ones in memory or there are none; else they are to be compiled (`of`)."""
        if not sources:
            return NO_FILTERS
        before = self._known.get(workspace)
        return before if before is not None and before.sources == sources else None

    def forget(self, gone: Callable[[UUID], bool]) -> None:
        """Of workspaces that somebody else serves."""
        for workspace in [one for one in self._known if gone(one)]:
            del self._known[workspace]
