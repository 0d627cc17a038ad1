"""Filters over agents that nothing names any more, removed.

A filter is kept for the plans and queues that name it and for the open items that carry such a plan. A router may open an item with the plan
of a moment ago, so a filter goes only when two looks, some minutes apart, found it unused and nobody saved a plan with it in between.
An item that comes back after its filters have gone gets its queue's plan of then (`router/moves/plan_again.py`).

**Identity**: a use of a filter by (name, the transaction that wrote its row last).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from uuid import UUID

from shared.database import Connection

_UNUSED: Final = """
with named as (
    select jsonb_path_query(p.steps, '$[*].skills.keyvalue().key') #>> '{}' as name from santral.plan p where p.workspace_id = $1
    union
    select jsonb_path_query(q.plan, '$[*].skills.keyvalue().key') #>> '{}' from santral.queue q where q.workspace_id = $1
    union
    select jsonb_path_query(i.plan, '$[*].skills.keyvalue().key') #>> '{}' from santral.work_item i
    where i.workspace_id = $1 and i.state not in ('completed', 'abandoned', 'canceled') and i.plan <> '[]'
)
select f.name, f.xmin::text as written from santral.agent_filter f
where f.workspace_id = $1 and not exists (select from named n where n.name = f.name)
"""
_LOCK: Final = """
select name from santral.agent_filter where workspace_id = $1 and name = any($2::text[]) order by name for update
"""
_REMOVE: Final = "delete from santral.agent_filter where workspace_id = $1 and name = any($2::text[])"
Use = tuple[str, str]


async def unused_filters(connection: Connection, workspace_id: UUID) -> set[Use]:
    """The filters that nothing names now."""
    return {(row["name"], row["written"]) for row in await connection.fetch(_UNUSED, workspace_id)}


async def remove_unused(connection: Connection, workspace_id: UUID, seen: Collection[Use]) -> int:
    """Removes those of ``seen`` that are unused still; how many. Twice is the same as once.

    Whoever saves a plan, or brings an item back, holds the row; so what they did is seen once it is locked.
    """
    if not seen:
        return 0
    await connection.fetch(_LOCK, workspace_id, [name for name, _ in seen])
    gone = await unused_filters(connection, workspace_id) & set(seen)
    await connection.execute(_REMOVE, workspace_id, [name for name, _ in gone])
    return len(gone)
