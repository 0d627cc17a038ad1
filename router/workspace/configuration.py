"""The router's configuration in memory: workspaces, active policies, queues, inboxes; reread when something changed.

One statement of counts and versions tells whether; a hint wakes the look, and it looks by itself every second, so a change is
effective within one. While the database is away the last known configuration serves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from profiles.own import ADDRESSES, own_handles
from profiles.sighting import Key as HandleKey
from router.calendars.calendar import Calendar
from router.calendars.sla import Sla
from router.calendars.store import read_calendars, read_slas
from router.policy.policy import NO_POLICY, Policy, kept_policy
from router.workspace.workspace import Queue, Workspace, read_figures, read_plans, read_policies, read_queues, workspace_of
from shared.database import Connection, Database
from shared.errors import Unavailable
from shared.hints import Waiter
from shared.ids import WorkspaceId
from shared.logs import get_log
from shared.metrics import CONFIGURATION_AGE

log = get_log(__name__)
LOOK_S: Final = 1.0
_STAMP: Final = """
select jsonb_build_array(
    (select jsonb_build_array(count(*), sum(version)) from santral.workspace),
    (select jsonb_build_array(count(*), sum(version)) from santral.queue),
    (select jsonb_build_array(count(*), sum(version)) from santral.inbox),
    (select jsonb_build_array(count(*), sum(version), sum(xmin::text::bigint)) from santral.calendar),
    (select jsonb_build_array(count(*), sum(version), sum(xmin::text::bigint)) from santral.sla),
    (select jsonb_build_array(count(*), sum(version), sum(xmin::text::bigint)) from santral.plan),
    (select coalesce(jsonb_object_agg(workspace_id, version), '{}') from santral.policy where active))::text
"""
_WORKSPACES: Final = f"select w.id, w.settings, {ADDRESSES} as addresses from santral.workspace w order by w.created_at, w.id"
_INBOXES: Final = "select workspace_id, id, name from santral.inbox"


class RouterConfiguration:
    """Every workspace as intake sees it. Look-ups never wait; `refresh` and `follow` read."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._stamp = ""
        self._workspaces: dict[UUID, Workspace] = {}
        self._own: frozenset[HandleKey] = frozenset()
        self._compiled: dict[tuple[UUID, int], Policy] = {}
        self._reading = asyncio.Lock()
        self._changed = asyncio.Event()

    def workspace(self, workspace_id: UUID) -> Workspace | None:
        """A workspace's configuration as last read."""
        return self._workspaces.get(workspace_id)

    def first(self) -> Workspace | None:
        """The oldest workspace."""
        return next(iter(self._workspaces.values()), None)

    def own_handles(self) -> frozenset[HandleKey]:
        """Mail addresses and numbers of the workspaces' own inboxes."""
        return self._own

    async def refresh(self) -> bool:
        """Rereads when something changed; True when it did. Raises `Unavailable`, keeping what it had."""
        async with self._reading, self._db.session() as connection:
            stamp = await connection.fetchval(_STAMP)
            if stamp == self._stamp:
                return False
            await self._read(connection)
            self._stamp = stamp
        self._changed.set()
        self._changed = asyncio.Event()
        log.info("the configuration was read", action="configuration_read", count=len(self._workspaces))
        return True

    async def next_change(self) -> None:
        """Returns when the configuration was reread the next time."""
        await self._changed.wait()

    async def refresh_figures(self) -> None:
        """Rereads the queues' measures: for rules that ask for them, and for the wait that is foretold to whoever comes."""
        async with self._db.session() as connection:
            figures = await read_figures(connection)
        for workspace_id, found in figures.items():
            if workspace_id in self._workspaces:
                self._workspaces[workspace_id] = replace(self._workspaces[workspace_id], figures=found)

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

    async def _read(self, connection: Connection) -> None:
        policies = await read_policies(connection)
        queues = await read_queues(connection)
        calendars, slas = await read_calendars(connection), await read_slas(connection)
        plans = await read_plans(connection)
        inboxes = await connection.fetch(_INBOXES)
        names: dict[UUID, dict[UUID, str]] = {}
        for row in inboxes:
            names.setdefault(row["workspace_id"], {})[row["id"]] = row["name"]
        rows = await connection.fetch(_WORKSPACES)
        self._own = frozenset(key for row in rows for key in _own_keys(row))
        self._workspaces = {
            row["id"]: self._workspace(
                row["id"], row["settings"], policies, queues, names.get(row["id"], {}), calendars.get(row["id"], {}),
                slas.get(row["id"], {}), plans.get(row["id"], {}),
            )
            for row in rows
        }  # fmt: skip

    def _workspace(
        self, workspace_id: UUID, settings: Mapping[str, Any], policies: Mapping[UUID, tuple[int, Mapping[str, Any]]],
        queues: Mapping[UUID, list[Queue]], inboxes: Mapping[UUID, str], calendars: Mapping[str, Calendar], slas: Mapping[str, Sla],
        plans: Mapping[str, Sequence[Any]],
    ) -> Workspace:  # fmt: skip
        before = self._workspaces.get(workspace_id)
        workspace = workspace_of(
            workspace_id, settings, policy=self._policy(workspace_id, policies), queues=queues.get(workspace_id, ()),
            inboxes=inboxes, calendars=calendars, slas=slas, plans=plans,
        )  # fmt: skip
        return workspace if before is None else replace(workspace, figures=before.figures)

    def _policy(self, workspace_id: UUID, policies: Mapping[UUID, tuple[int, Mapping[str, Any]]]) -> Policy:
        active = policies.get(workspace_id)
        if active is None:
            return NO_POLICY
        version, document = active
        key = (workspace_id, version)
        if key not in self._compiled:
            self._compiled[key], error = kept_policy(version, document)
            if error is not None:
                # Only a document that an older release accepted: routing goes on with its default queue.
                log.error(
                    "a stored policy is not acceptable any more", action="configuration_stale", workspace=str(workspace_id),
                    revision=version, error=str(error),
                )  # fmt: skip
        return self._compiled[key]


def _own_keys(workspace: Any) -> Iterable[HandleKey]:
    settings = workspace["settings"]
    for handle in own_handles(workspace["addresses"] or (), settings.get("own_addresses"), region=settings.get("region")):
        yield (WorkspaceId(workspace["id"]), handle)
