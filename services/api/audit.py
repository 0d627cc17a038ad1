"""The audit: one row per changing operation, in its transaction. No runtime role may change or delete one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.api.principal import Principal
from services.schema.tables import audit as audit_table
from shared.database import Connection
from shared.ids import new_id


async def audit(
    connection: AsyncConnection | Connection,
    principal: Principal,
    action: str,
    kind: str,
    target: str,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Writes the row: who did what to which."""
    row = {
        "workspace_id": principal.workspace_id, "id": new_id(), "actor": principal.actor, "action": action, "target_kind": kind,
        "target_id": target, "details": dict(details or {}),
    }  # fmt: skip
    if isinstance(connection, AsyncConnection):
        await connection.execute(sa.insert(audit_table).values(row))
        return
    await connection.execute(
        "insert into santral.audit (workspace_id, id, actor, action, target_kind, target_id, details) values ($1, $2, $3, $4, $5, $6, $7)",
        *row.values(),
    )
