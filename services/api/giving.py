"""Nobody can give what they have not: roles made and given, tokens and keys minted.

Whoever writes a role, gives one to a user or an agent, or makes a key must hold every scope in it, before and after; that they see as far
is asked with these rights themselves (`principal.py`, `DECIDING`). A program that signs agents in (`agents:token`) may do so for every role
of the desk, because that is what it is for; a role with a scope that administers needs a minter who has it. Nor is anything minted that
outlives a key that expires: not by the key, and not by a session that it minted.

Who mints and who ends what was minted (another role, an agent or user disabled, everywhere signed out) come one after the other, by a lock of
their workspace that minters share. It is no row's: who comes after a waiting writer shares a row's lock all the same, so masses of mints would keep
out for ever whoever disables their agent. For this one they stand in a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.api.principal import SCOPES, Principal, Visibility
from services.schema.tables import role as role_table
from services.schema.tables import user as user_table
from shared.database import Connection
from shared.errors import Forbidden, Unprocessable

DESK: Final = frozenset(
    ("config:read", "messages:write", "messages:read", "conversations:read", "conversations:write", "profiles:read", "profiles:write",
     "events:read", "quarantine:read")
)  # fmt: skip
"""Scopes of people at work; every other one administers."""
_MINTING: Final = "select pg_advisory_xact_lock_shared(hashtextextended('santral.sessions ' || $1::uuid, 0))"
_ENDING: Final = "select pg_advisory_xact_lock(hashtextextended('santral.sessions ' || $1::uuid, 0))"
_SIGHT: Final[Mapping[Visibility, int]] = {"own": 0, "queue": 1, "team": 1, "workspace": 2}


async def lock_minting(connection: Connection, workspace_id: UUID) -> None:
    """Until the transaction ends nobody ends sessions. Before what decides over minting is read, which then is what holds."""
    await connection.execute(_MINTING, workspace_id)


async def lock_ending(connection: Connection | AsyncConnection, workspace_id: UUID) -> None:
    """Until the transaction ends nobody mints. Before the statement that ends sessions, which then sees all that were minted."""
    if isinstance(connection, AsyncConnection):
        await connection.exec_driver_sql(_ENDING, (workspace_id,))
    else:
        await connection.execute(_ENDING, workspace_id)


def require_scopes(principal: Principal, scopes: Iterable[str], *, field: str) -> None:
    """Raises `Unprocessable` for what is no scope, `Forbidden` naming one that the caller has not."""
    given = set(scopes)
    unknown = sorted(given - set(SCOPES))
    if unknown:
        raise Unprocessable(f"no such scope: {unknown[0]}", field=field, remedy=f"of {', '.join(SCOPES)}")
    beyond = sorted(given - principal.scopes) if "admin" not in principal.scopes else []
    if beyond:
        raise Forbidden(f"the caller has no {beyond[0]} to give", field=field, remedy="ask an administrator")


def require_no_longer(principal: Principal, ends_at: datetime | None, *, field: str) -> None:
    """Raises `Forbidden` for what would outlive the caller's key, or the key that minted the caller's session."""
    if principal.until is not None and (ends_at is None or ends_at > principal.until):
        raise Forbidden(
            f"the key this comes from ends at {principal.until.isoformat()}", field=field, remedy="that time at the latest"
        )


def is_more(scopes: Iterable[str], visibility: Visibility, *, than: Mapping[str, Any]) -> bool:
    """Whether these allow, or see, what a role (``scopes``, ``visibility``) did not."""
    return bool(set(scopes) - set(than["scopes"])) or _SIGHT[visibility] > _SIGHT[than["visibility"]]


async def require_named_role(
    connection: AsyncConnection, principal: Principal, name: str | None, *, field: str, known: bool = False
) -> None:
    """The same for a role of the workspace. Raises `Unprocessable` when there is none of the name, unless it is ``known`` from before."""
    if name is None:
        return
    scopes: list[str] | None = await connection.scalar(
        sa.select(role_table.c.scopes).where(role_table.c.workspace_id == principal.workspace_id, role_table.c.name == name)
    )
    if scopes is None:
        if known:
            return
        raise Unprocessable(f"there is no role {name!r}", field=field, remedy="create the role first")
    require_scopes(principal, scopes, field=field)


async def role_of_user(connection: AsyncConnection, workspace_id: UUID, user_id: UUID | None) -> str | None:
    """The role a user has; None for nobody, or one who is gone."""
    if user_id is None:
        return None
    found: str | None = await connection.scalar(
        sa.select(user_table.c.role).where(user_table.c.workspace_id == workspace_id, user_table.c.id == user_id)
    )
    return found


def require_minter(principal: Principal, scopes: Iterable[str]) -> None:
    """Raises `Forbidden` when an agent's role (``scopes``) may more than the caller gives."""
    beyond = sorted(set(scopes) - DESK)
    if beyond:
        require_scopes(principal, beyond, field="agent_id")
