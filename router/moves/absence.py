"""Whether the agent to whom an item would return is still there.

Gone is who does not exist any more, who is disabled, or whose lease ran out longer ago than the channel's grace. An agent who is
busy or away is there: what they had stays theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from router.moves.item_store import StoredItem
from shared.database import Connection

_GONE: Final = """
select g.i from jsonb_to_recordset($1::jsonb) as g(w uuid, i uuid, a uuid, s double precision)
left join santral.agent a on a.workspace_id = g.w and a.id = g.a
where a.id is null or not a.enabled or (
    a.kind <> 'bot' and g.s is not null and coalesce(a.lease_until, '-infinity') + g.s * interval '1 s' <= clock_timestamp())
"""


async def gone(connection: Connection, items: Iterable[StoredItem]) -> set[UUID]:
    """The items (ids) whose giver, or whose agent where nobody gave them away, is gone. Items of nobody are left out."""
    rows = []
    for one in items:
        agent = one.state.giver or one.state.agent
        if agent is not None:
            grace_s = one.state.terms.grace_s
            rows.append({"w": str(one.workspace_id), "i": str(one.state.id), "a": str(agent), "s": grace_s})
    if not rows:
        return set()
    return {row["i"] for row in await connection.fetch(_GONE, rows)}
