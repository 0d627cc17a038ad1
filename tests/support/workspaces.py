"""A workspace as tests need it, written through the worker role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from router.commands.presence import set_presence
from services.api.principal import ROLES
from shared.database import Database
from shared.ids import new_id

INBOXES: Mapping[str, tuple[str, str | None]] = {
    "smtp": ("email", "destek@ornek.com"),
    "webchat": ("chat", None),
    "asterisk": ("phone", None),
    "api": ("email", None),
}


@dataclass(slots=True, kw_only=True)
class Workspace:
    """Ids by name."""

    id: UUID
    queue_id: UUID
    agent_id: UUID
    inboxes: dict[str, UUID] = field(default_factory=dict)


async def make_workspace(db: Database, *, name: str = "ornek", settings: Mapping[str, Any] | None = None) -> Workspace:
    """A workspace with queue ``genel``, agent ``Deniz`` (online), a policy and the inboxes above."""
    made = Workspace(id=new_id(), queue_id=new_id(), agent_id=new_id())
    base = {"region": "TR", "languages": ["tr", "en"], "time_zone": "Europe/Istanbul"}
    async with db.batch() as connection:
        await connection.execute(
            "insert into santral.workspace (workspace_id, id, name, settings) values ($1, $1, $2, $3)",
            made.id, f"{name}-{made.id}", {**base, **(settings or {})},
        )  # fmt: skip
        for role, (scopes, visibility) in ROLES.items():
            await connection.execute(
                "insert into santral.role (workspace_id, name, scopes, visibility) values ($1, $2, $3, $4)",
                made.id, role, list(scopes), visibility,
            )  # fmt: skip
        await connection.execute(
            "insert into santral.queue (workspace_id, id, name, title, mode) values ($1, $2, 'genel', 'Genel', 'both')",
            made.id, made.queue_id,
        )  # fmt: skip
        await connection.execute(
            "insert into santral.policy (workspace_id, version, document, active) values ($1, 1, $2, true)",
            made.id, {"rules": [], "default_queue": "genel"},
        )  # fmt: skip
        for provider, (channel, address) in INBOXES.items():
            made.inboxes[provider] = new_id()
            await connection.execute(
                "insert into santral.inbox (workspace_id, id, name, channel, provider, address, path_token, grace)"
                " values ($1, $2, $3, $4, $3, $5, $6, true)",
                made.id, made.inboxes[provider], provider, channel, address, f"token-{made.inboxes[provider]}",
            )  # fmt: skip
    await add_agent(db, made, made.agent_id, "Deniz")
    return made


async def add_agent(db: Database, workspace: Workspace, agent_id: UUID, name: str, **columns: Any) -> UUID:
    """An agent who is a member of ``genel`` and online."""
    async with db.batch() as connection:
        await connection.execute(
            "insert into santral.agent (workspace_id, id, name) values ($1, $2, $3)", workspace.id, agent_id, name
        )
        for column, value in columns.items():
            await connection.execute(
                f"update santral.agent set {column} = $3 where workspace_id = $1 and id = $2", workspace.id, agent_id, value
            )
        await connection.execute(
            "insert into santral.queue_member (workspace_id, queue_id, agent_id) values ($1, $2, $3)",
            workspace.id, workspace.queue_id, agent_id,
        )  # fmt: skip
        await set_presence(connection, workspace_id=workspace.id, agent_id=agent_id, presence="online")
    return agent_id


async def add_item(
    db: Database, workspace: Workspace, *, channel: str = "chat", provider: str = "webchat", age_s: float = 0
) -> UUID:
    """A conversation with one waiting item, as intake leaves it; returns the item's id."""
    handle, conversation, item = new_id(), new_id(), new_id()
    async with db.batch() as connection:
        await connection.execute(
            "insert into santral.handle (workspace_id, id, kind, value, profile_id) values ($1, $2, 'visitor', $3, $2)",
            workspace.id, handle, str(handle),
        )  # fmt: skip
        await connection.execute(
            "insert into santral.conversation (workspace_id, id, handle_id, inbox_id, last_inbox_id, last_handle_id, channel, opened_at)"
            " values ($1, $2, $3, $4, $4, $3, $5, now())",
            workspace.id, conversation, handle, workspace.inboxes[provider], channel,
        )  # fmt: skip
        await connection.execute(
            "insert into santral.work_item (workspace_id, id, conversation_id, queue_id, channel, state, due_at, enqueued_at, queued_at, step_at)"
            " values ($1, $2, $3, $4, $5, 'queued', now() - $6 * interval '1 s', now() - $6 * interval '1 s', now(), now())",
            workspace.id, item, conversation, workspace.queue_id, channel, age_s,
        )  # fmt: skip
        await connection.execute(
            "insert into santral.dispatch_change (workspace_id, slot, kind, id) values ($1, $2, 'item', $3)",
            workspace.id, workspace.id.int % 64, item,
        )  # fmt: skip
    return item
