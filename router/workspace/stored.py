"""What is stored of workspaces' routing, read for those that are asked for, and a workspace made of it.

`router/workspace/configuration.py` keeps every workspace so; the API reads one for one question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.calendars.store import calendars_of, slas_of
from router.policy.policy import NO_POLICY, Policy, kept_policy
from router.workspace.workspace import Queue, Workspace, workspace_of
from shared.database import Connection
from shared.logs import get_log
from shared.own_addresses import OWN_ADDRESSES

log = get_log(__name__)
Row = Mapping[str, Any]
_WORKSPACES: Final = f"""
select w.id, w.created_at, w.settings, {OWN_ADDRESSES} as own from santral.workspace w where w.id = any($1::uuid[])
"""
_ROWS: Final[Mapping[str, str]] = {
    "policies": "select workspace_id, version, document from santral.policy where workspace_id = any($1::uuid[]) and active",
    "queues": "select workspace_id, id, name, goals_s, targets_s, plan, calendar, enabled, purpose from santral.queue"
    " where workspace_id = any($1::uuid[]) order by name",
    "inboxes": "select workspace_id, id, name from santral.inbox where workspace_id = any($1::uuid[])",
    "calendars": "select workspace_id, name, time_zone, hours, holidays, overrides from santral.calendar where workspace_id = any($1::uuid[])",
    "slas": "select workspace_id, name, calendar, escalate_to, warn_share, targets from santral.sla where workspace_id = any($1::uuid[])",
    "plans": "select workspace_id, name, steps from santral.plan where workspace_id = any($1::uuid[])",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWorkspace:
    """The rows of one workspace by kind; ``own`` are entries of `shared/own_addresses.py`."""

    id: UUID
    created_at: datetime
    settings: Row
    own: Sequence[Any]
    policies: list[Row] = field(default_factory=list)
    queues: list[Row] = field(default_factory=list)
    inboxes: list[Row] = field(default_factory=list)
    calendars: list[Row] = field(default_factory=list)
    slas: list[Row] = field(default_factory=list)
    plans: list[Row] = field(default_factory=list)


async def read_workspaces(connection: Connection, wanted: Sequence[UUID]) -> dict[UUID, StoredWorkspace]:
    """The workspaces that are there, each kind of row in one statement."""
    found = {row["id"]: StoredWorkspace(**row) for row in await connection.fetch(_WORKSPACES, wanted)}
    for kind, statement in _ROWS.items():
        for row in await connection.fetch(statement, wanted):
            if row["workspace_id"] in found:
                getattr(found[row["workspace_id"]], kind).append(row)
    return found


def made_workspace(stored: StoredWorkspace, *, policy: Policy | None = None, figures: Mapping[str, Any] | None = None) -> Workspace:
    """The workspace as intake sees it, with its active policy or with the one that is given.

    Rules of any length are compiled here: not on an event loop.
    """
    queues = [
        Queue(
            id=row["id"], name=row["name"], goals_s=row["goals_s"], targets_s=row["targets_s"], plan=row["plan"],
            calendar=row["calendar"], enabled=row["enabled"], purpose=row["purpose"],
        )
        for row in stored.queues
    ]  # fmt: skip
    return workspace_of(
        stored.id, stored.settings, policy=active_policy(stored) if policy is None else policy, queues=queues,
        inboxes={row["id"]: row["name"] for row in stored.inboxes}, calendars=calendars_of(stored.calendars), slas=slas_of(stored.slas),
        plans={row["name"]: row["steps"] for row in stored.plans}, figures=figures,
    )  # fmt: skip


def active_policy(stored: StoredWorkspace, known: Policy | None = None) -> Policy:
    """The active policy, compiled; ``known`` was compiled before, and is taken where it is that version."""
    for row in stored.policies:
        if known is not None and known.version == row["version"]:
            return known
        policy, error = kept_policy(row["version"], row["document"])
        if error is not None:
            # Only a document that an older release accepted: routing goes on with its default queue.
            log.error(
                "a stored policy is not acceptable any more", action="configuration_stale", workspace=str(stored.id),
                revision=row["version"], error=str(error),
            )  # fmt: skip
        return policy
    return NO_POLICY
