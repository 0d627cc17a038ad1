"""What a visitor of the chat widget may see: their own conversation, and of it only what was said on this widget by them and to them.

A conversation can span channels and people, and may have been merged into another customer's; here a message is shown only when it
belongs to the visitor's own handle in this inbox, whichever conversation somebody put it into.
Reads only. **Identity** of a visitor: the handle (``visitor``, inbox, visitor id).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from shared.database import Connection

_HANDLE: Final = "select id from santral.handle where workspace_id = $1 and kind = 'visitor' and scope = $2 and value = $3"
_NEWEST: Final = """
select m.conversation_id, c.seq, c.state from santral.conversation n
join santral.conversation c on c.workspace_id = n.workspace_id and c.id = coalesce(n.merged_into, n.id)
join lateral (
    select conversation_id from santral.message m where m.workspace_id = c.workspace_id and m.conversation_id = c.id
      and m.handle_id = $2 and m.inbox_id = $3 limit 1
) m on true
where n.workspace_id = $1 and (n.handle_id = $2 or n.last_handle_id = $2)
order by c.last_in_at desc nulls last, c.opened_at desc limit 1
"""
_MESSAGES: Final = """
select m.seq, m.direction, m.text, coalesce(m.sent_at, m.accepted_at) as at, m.body, a.name as agent_name
from santral.message m left join santral.agent a on a.workspace_id = m.workspace_id and a.id = m.agent_id
where m.workspace_id = $1 and m.conversation_id = $2 and m.handle_id = $3 and m.inbox_id = $4 and m.seq > $5
  and m.kind = 'text' and m.text <> ''
order by m.seq desc limit $6
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """A visitor's conversation: its id, the sequence it is true at, and the handle that makes it theirs."""

    conversation_id: UUID
    handle_id: UUID
    seq: int
    closed: bool


async def own_conversation(connection: Connection, workspace_id: UUID, inbox_id: UUID, visitor_id: UUID) -> Own | None:
    """The visitor's newest conversation; None before the first message was routed."""
    handle_id = await connection.fetchval(_HANDLE, workspace_id, str(inbox_id), str(visitor_id))
    if handle_id is None:
        return None
    row = await connection.fetchrow(_NEWEST, workspace_id, handle_id, inbox_id)
    if row is None:
        return None
    return Own(conversation_id=row["conversation_id"], handle_id=handle_id, seq=row["seq"], closed=row["state"] == "closed")


async def public_messages(
    connection: Connection, workspace_id: UUID, inbox_id: UUID, own: Own, *, after_seq: int = 0, limit: int = 200
) -> list[dict[str, Any]]:
    """The newest ``limit`` messages after a sequence, oldest first, with public fields only."""
    rows = await connection.fetch(_MESSAGES, workspace_id, own.conversation_id, own.handle_id, inbox_id, after_seq, limit)
    return [_public(row) for row in reversed(rows)]


def _public(row: Any) -> dict[str, Any]:
    shown = {"seq": row["seq"], "direction": row["direction"], "text": row["text"], "at": row["at"]}
    if row["direction"] == "out":
        return {**shown, "agent_name": row["agent_name"]}
    client_id = (row["body"].get("traits") or {}).get("client_id")
    return {**shown, "client_id": client_id} if client_id else shown
