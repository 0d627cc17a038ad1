"""Which of the agents and conversations that somebody watches have moved on: one statement, sequences only. Reads only.

Sequences grow with each event under the row's lock and are seen when the event is, so a sequence that has not grown hides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from shared.database import Connection

_CHANGED: Final = """
select 'agent' as kind, a.id, a.seq from unnest($2::uuid[], $3::bigint[]) as known(id, seq)
join santral.agent a on a.workspace_id = $1 and a.id = known.id and a.seq > known.seq
union all
select 'conversation', c.id, c.seq from unnest($4::uuid[], $5::bigint[]) as known(id, seq)
join santral.conversation c on c.workspace_id = $1 and c.id = known.id and c.seq > known.seq
"""


async def moved_on(
    connection: Connection, workspace_id: UUID, *, agents: Mapping[UUID, int], conversations: Mapping[UUID, int]
) -> dict[tuple[str, UUID], int]:
    """(``agent`` | ``conversation``, id) → its sequence now, of those past the sequence given."""
    rows = await connection.fetch(
        _CHANGED, workspace_id, list(agents), list(agents.values()), list(conversations), list(conversations.values())
    )
    return {(row["kind"], row["id"]): row["seq"] for row in rows}
