"""The calls of a person, in whichever conversation they stand: what a history of every kind of contact shows beside conversations.

Reads only, one workspace. **Identity**: the message's id. **Units**: times aware UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.item.calls import CALLS
from shared.database import Connection

_CALLS: Final = """
select m.id, m.conversation_id, m.seq, m.kind, m.direction, m.channel, m.agent_id, m.body->'call' as call, m.accepted_at as at
from santral.conversation c join santral.message m on m.workspace_id = c.workspace_id and m.conversation_id = c.id
where c.workspace_id = $1 and m.kind = any($3) and (m.handle_id is null or m.handle_id = any($2::uuid[]))
  and c.id in (
      select coalesce(n.merged_into, n.id) from santral.conversation n
      where n.workspace_id = $1 and n.handle_id = any($2::uuid[]))
  and ($4::timestamptz is null or (m.accepted_at, m.id, 'call') < ($4, $5::uuid, $6))
order by m.accepted_at desc, m.id desc limit $7
"""


async def list_calls(
    connection: Connection,
    workspace_id: UUID,
    *,
    handle_ids: Sequence[UUID],
    before: tuple[datetime, UUID, str] | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Calls, missed ones and voicemails with these handles, newest first; those before (time, id, kind) in a mixed history."""
    at, row_id, kind = before or (None, None, None)
    rows = await connection.fetch(_CALLS, workspace_id, list(handle_ids), list(CALLS), at, row_id, kind, limit)
    return [dict(row) for row in rows]
