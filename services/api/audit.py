"""The audit: one row per changing operation, in its transaction. No runtime role may change or delete one.

Configuration says what stood there and what stands there now. Of customers a row holds ids and names of fields, never values: it would
outlive them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.api.principal import Principal
from services.frame.peers import Origin, origin
from services.schema.tables import audit as audit_table
from shared.database import Connection
from shared.ids import new_id

BLANK: Final = "•••"
_BLANKED: Final = frozenset({"webhook_path", "widget_token"})
"""Addresses that admit whoever knows them."""
_OF_THE_ANSWER: Final = frozenset({"version", "warnings", "secrets_made", "updated_at"})
_VALUE_CHARS_MAX: Final = 8_000


def changed(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, *, secrets: Sequence[str] = ()) -> dict[str, Any]:
    """``before`` and ``after`` with what differs: all of a new or a removed object. ``secrets`` are names of those that were set; what
    opens something is blanked, a long value is told by its length.
    """
    old, new = before or {}, after or {}
    names = [name for name in {**old, **new} if name not in _OF_THE_ANSWER and old.get(name) != new.get(name)]
    told = {
        side: {name: _told(name, values[name]) for name in names if name in values}
        for side, values in (("before", before), ("after", after)) if values is not None
    }  # fmt: skip
    return {**told, "secrets": dict.fromkeys(sorted(secrets), BLANK)} if secrets else told


def _told(name: str, value: Any) -> Any:
    if name in _BLANKED:
        return BLANK if value else value
    length = len(json.dumps(value, ensure_ascii=False))
    return value if length <= _VALUE_CHARS_MAX else f"… {length} characters"


async def audit(
    connection: AsyncConnection | Connection,
    principal: Principal,
    action: str,
    kind: str,
    target: str,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Writes the row: who did what to which, and from where. A visitor is a customer: where they are is not kept."""
    came = Origin() if principal.kind == "visitor" else origin()
    row = {
        "workspace_id": principal.workspace_id, "id": new_id(), "actor": principal.actor, "action": action, "target_kind": kind,
        "target_id": target, "details": dict(details or {}), "address": came.address or None, "software": came.software or None,
        "request_id": came.request_id or None,
    }  # fmt: skip
    if isinstance(connection, AsyncConnection):
        await connection.execute(sa.insert(audit_table).values(row))
        return
    await connection.execute(
        "insert into santral.audit (workspace_id, id, actor, action, target_kind, target_id, details, address, software, request_id)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        *row.values(),
    )
