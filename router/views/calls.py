"""The calls of a person, in whichever conversation they stand: what a history of every kind of contact shows beside conversations.

Reads only, one workspace. **Identity**: the message's id. **Units**: times aware UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.item.calls import CALLS
from router.views.amendments import Amendments, read_amendments
from router.views.messages import said_columns, said_of
from shared.database import Connection

_CALLS: Final = f"""
select m.id, m.conversation_id, m.seq, m.kind, m.direction, m.channel, m.agent_id, m.accepted_at as at,
       {said_columns("w", "m.body - 'original'")}
from santral.conversation c join santral.message m on m.workspace_id = c.workspace_id and m.conversation_id = c.id
left join santral.handle w on w.workspace_id = m.workspace_id and w.id = m.handle_id
where c.workspace_id = $1 and m.kind = any($3) and (m.handle_id is null or m.handle_id = any($2::uuid[]))
  and c.id in (
      select coalesce(n.merged_into, n.id) from santral.conversation n
      where n.workspace_id = $1 and n.handle_id = any($2::uuid[]))
  and ($4::timestamptz is null or (m.accepted_at, m.id, 'call') < ($4, $5::uuid, $6)) and ($8::uuid[] is null or c.id = any($8))
order by m.accepted_at desc, m.id desc limit $7
"""


async def list_calls(
    connection: Connection,
    workspace_id: UUID,
    *,
    handle_ids: Sequence[UUID],
    among: Sequence[UUID] | None = None,
    before: tuple[datetime, UUID, str] | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Calls, missed ones and voicemails with these handles by their corrected records, newest first.

    Those before (time, id, kind) in a mixed history, in whichever conversation or ``among`` these.
    """
    at, row_id, kind = before or (None, None, None)
    shown = None if among is None else list(among)
    rows = await connection.fetch(_CALLS, workspace_id, list(handle_ids), list(CALLS), at, row_id, kind, limit, shown)
    amendments = await read_amendments(connection, workspace_id, list({row["conversation_id"] for row in rows}))
    return [_view(row, amendments) for row in rows]


def _view(row: Any, amendments: Amendments) -> dict[str, Any]:
    stands = amendments.standing(said_of(row))
    told = ("id", "conversation_id", "seq", "direction", "channel", "agent_id", "at")
    return {**{name: row[name] for name in told}, "kind": stands.kind, "call": stands.call}
