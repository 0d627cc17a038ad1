"""What was moved between conversations, by whom and why, and whether it can be undone. Reads only, one workspace."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from router.placements.rows import later_one, read_operation
from shared.database import Connection

LIST_MAX: Final = 200
_OPERATIONS: Final = """
select o.id, o.number, o.kind, o.from_conversation_id, o.to_conversation_id, o.reason, o.actor, o.done_at, o.undone_at, a.name as actor_name,
       array(select p.message_id from santral.placement p
             where p.workspace_id = o.workspace_id and p.operation_id = o.id and not p.undo order by p.number) as messages
from santral.placement_operation o
left join santral.agent a on a.workspace_id = o.workspace_id and o.actor = 'agent:' || a.id
"""


async def list_operations(connection: Connection, workspace_id: UUID, conversation_id: UUID) -> list[dict[str, Any]]:
    """The operations that took messages out of a conversation or into it, newest first."""
    found = await connection.fetch(
        _OPERATIONS + "where o.workspace_id = $1 and $2 in (o.from_conversation_id, o.to_conversation_id) order by o.number desc limit $3",
        workspace_id, conversation_id, LIST_MAX,
    )  # fmt: skip
    return [await _view(connection, workspace_id, row) for row in found]


async def read_view(connection: Connection, workspace_id: UUID, operation_id: UUID) -> dict[str, Any]:
    """One operation. It exists."""
    row = await connection.fetchrow(_OPERATIONS + "where o.workspace_id = $1 and o.id = $2", workspace_id, operation_id)
    assert row is not None
    return await _view(connection, workspace_id, row)


async def _view(connection: Connection, workspace_id: UUID, row: Any) -> dict[str, Any]:
    why_not = None
    if row["undone_at"] is not None:
        why_not = "it was undone"
    else:
        later = await later_one(connection, workspace_id, await read_operation(connection, workspace_id, row["id"]))
        if later is not None:
            why_not = f"a later {later['kind']} builds on it: undo {later['id']} first"
    kind, _, actor_id = row["actor"].partition(":")
    return {
        "id": row["id"],
        "kind": row["kind"],
        "from": row["from_conversation_id"],
        "to": row["to_conversation_id"],
        "messages": row["messages"],
        "reason": row["reason"],
        "actor": {"kind": kind, "id": actor_id, "name": row["actor_name"]},
        "at": row["done_at"],
        "undone_at": row["undone_at"],
        "undoable": why_not is None,
        "why_not": why_not,
    }
