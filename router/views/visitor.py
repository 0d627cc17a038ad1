"""What a visitor of the chat widget may see: their own conversation, and of it only what was said on this widget by them and to them.

A conversation can span channels and people, and may have been merged into another customer's; here a message is shown only when it
belongs to one of the visitor's own handles in this inbox, whichever conversation somebody put it into. Who signs in may have several.
Reads only. **Identity** of a visitor: the handles (``visitor``, inbox, visitor id).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from shared.database import Connection

_HANDLES: Final = "select id from santral.handle where workspace_id = $1 and kind = 'visitor' and scope = $2 and value = any($3)"
_NEWEST: Final = """
select m.conversation_id, c.seq, c.state, h.value as visitor_id from santral.conversation n
join santral.conversation c on c.workspace_id = n.workspace_id and c.id = coalesce(n.merged_into, n.id)
join lateral (
    select m.conversation_id, m.handle_id from santral.message m where m.workspace_id = c.workspace_id and m.conversation_id = c.id
      and m.handle_id = any($2) and m.inbox_id = $3 order by m.seq desc limit 1
) m on true
join santral.handle h on h.workspace_id = n.workspace_id and h.id = m.handle_id
where n.workspace_id = $1 and (n.handle_id = any($2) or n.last_handle_id = any($2))
order by c.last_in_at desc nulls last, c.opened_at desc limit 1
"""
_MESSAGES: Final = """
select m.seq, m.direction, m.text, coalesce(m.sent_at, m.accepted_at) as at, m.body, a.name as agent_name
from santral.message m left join santral.agent a on a.workspace_id = m.workspace_id and a.id = m.agent_id
where m.workspace_id = $1 and m.conversation_id = $2 and m.handle_id = any($3) and m.inbox_id = $4 and m.seq > $5
  and m.kind = 'text' and m.text <> ''
order by m.seq desc limit $6
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """A visitor's conversation: its id, the sequence it is true at, the handles that make it theirs, who spoke in it last."""

    conversation_id: UUID
    handle_ids: tuple[UUID, ...]
    visitor_id: UUID
    seq: int
    closed: bool


async def own_conversation(connection: Connection, workspace_id: UUID, inbox_id: UUID, visitor_ids: Sequence[UUID]) -> Own | None:
    """The newest conversation of a visitor by any of their ids; None before the first message was routed."""
    found = await connection.fetch(_HANDLES, workspace_id, str(inbox_id), [str(one) for one in visitor_ids])
    handle_ids = tuple(sorted(row["id"] for row in found))
    row = await connection.fetchrow(_NEWEST, workspace_id, list(handle_ids), inbox_id) if handle_ids else None
    if row is None:
        return None
    return Own(
        conversation_id=row["conversation_id"], handle_ids=handle_ids, visitor_id=UUID(row["visitor_id"]), seq=row["seq"],
        closed=row["state"] == "closed",
    )  # fmt: skip


async def public_messages(
    connection: Connection, workspace_id: UUID, inbox_id: UUID, own: Own, *, after_seq: int = 0, limit: int = 200
) -> list[dict[str, Any]]:
    """The newest ``limit`` messages after a sequence, oldest first, with public fields only."""
    rows = await connection.fetch(_MESSAGES, workspace_id, own.conversation_id, list(own.handle_ids), inbox_id, after_seq, limit)
    return [_public(row) for row in reversed(rows)]


def _public(row: Any) -> dict[str, Any]:
    shown = {"seq": row["seq"], "direction": row["direction"], "text": row["text"], "at": row["at"]}
    if row["direction"] == "out":
        return {**shown, "agent_name": row["agent_name"]}
    client_id = (row["body"].get("traits") or {}).get("client_id")
    return {**shown, "client_id": client_id} if client_id else shown
