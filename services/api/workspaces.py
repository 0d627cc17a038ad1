"""A workspace's beginning: the row, its default roles, its first admin key. Written through the worker role, audited.

Identity: a workspace is its name. The key is shown once; the database holds a hash of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from services.api.credentials import new_token
from services.api.principal import ROLES
from shared.database import Connection, Database
from shared.errors import Conflict, NotFound
from shared.ids import new_id

SETTINGS: Final[dict[str, Any]] = {
    "region": "TR", "languages": ["tr", "en"], "time_zone": "Europe/Istanbul", "marked_mail": "work", "mask_numbers": "cards",
}  # fmt: skip
"""What a workspace begins with. ``marked_mail`` and ``mask_numbers`` are said here, because without a word they mean what they meant
before there was a choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminKey:
    """A new key with the scope ``admin`` of a workspace."""

    workspace_id: UUID
    workspace: str
    key: str = field(repr=False)


async def make_workspace(db: Database, *, name: str, title: str = "", key_name: str = "first admin key") -> AdminKey:
    """Makes the workspace with its roles and a key. Raises `Conflict` when there is one of that name; nothing is written then."""
    id_ = new_id()
    try:
        async with db.batch() as connection:
            await connection.execute(
                "insert into santral.workspace (workspace_id, id, name, title, settings) values ($1, $1, $2, $3, $4)",
                id_, name, title or name, SETTINGS,
            )  # fmt: skip
            await connection.executemany(
                "insert into santral.role (workspace_id, name, scopes, visibility) values ($1, $2, $3, $4)",
                [(id_, role, list(scopes), visibility) for role, (scopes, visibility) in ROLES.items()],
            )
            key = await _add_key(connection, id_, key_name)
    except Conflict as error:
        raise Conflict(f"there is a workspace {name} already", field="name", remedy="another name, or --new-key") from error
    return AdminKey(workspace_id=id_, workspace=name, key=key)


async def add_admin_key(db: Database, *, workspace: str, key_name: str = "admin key") -> AdminKey:
    """Another admin key for a workspace that exists: the way back in when every key is lost. Raises `NotFound`."""
    async with db.batch() as connection:
        id_ = await connection.fetchval("select id from santral.workspace where name = $1", workspace)
        if id_ is None:
            raise NotFound(f"there is no workspace {workspace}", field="name", remedy="santral init --name …")
        key = await _add_key(connection, id_, key_name)
    return AdminKey(workspace_id=id_, workspace=workspace, key=key)


async def _add_key(connection: Connection, workspace_id: UUID, name: str) -> str:
    token, key_id = new_token("live"), new_id()
    await connection.execute(
        "insert into santral.api_key (workspace_id, id, public_id, secret_hash, name, scopes) values ($1, $2, $3, $4, $5, $6)",
        workspace_id, key_id, token.public_id, token.secret_hash, name, ["admin"],
    )  # fmt: skip
    await connection.execute(
        "insert into santral.audit (workspace_id, id, actor, action, target_kind, target_id) values ($1, $2, $3, $4, $5, $6)",
        workspace_id, new_id(), "console", "create", "key", str(key_id),
    )  # fmt: skip
    return token.text
