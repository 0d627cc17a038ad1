"""Who is who, decided later: handles whose people a message may have joined while somebody else decided, or too many hang together.

A message does not wait for either: its handles and links are written with it, and a row here says that the partition around them is to
be decided. The courier does so within seconds (`services/chores/undecided_handles.py`). Until then the message stands with the person its
handle was.

**Identity**: workspace and handle. **Units**: times aware UTC from the database's clock.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from profiles.identity_lock import lock_identity
from profiles.recompute import HandleRef, recompute
from shared import outbox
from shared.database import Connection
from shared.ids import WorkspaceId

PAGE: Final = 200
# Whoever decides holds no row here: it takes only those away that nobody put off again meanwhile.
_PUT_OFF: Final = """
insert into santral.undecided_handle (workspace_id, handle_id, put_off_at)
select workspace_id, handle_id, clock_timestamp() from unnest($1::uuid[], $2::uuid[]) as g(workspace_id, handle_id) order by 1, 2
on conflict (workspace_id, handle_id) do update set put_off_at = excluded.put_off_at, due_at = default
"""
_DUE: Final = """
select w.id from santral.workspace w
where exists (select 1 from santral.undecided_handle u where u.workspace_id = w.id and u.due_at <= now()) order by w.id
"""
_COUNT: Final = "select count(*) from santral.undecided_handle"
_PAGE: Final = """
select handle_id, put_off_at from santral.undecided_handle where workspace_id = $1 and due_at <= now()
order by due_at, handle_id limit $2
"""
_DECIDED: Final = """
delete from santral.undecided_handle u using unnest($2::uuid[], $3::timestamptz[]) as g(handle_id, put_off_at)
where u.workspace_id = $1 and u.handle_id = g.handle_id and u.put_off_at = g.put_off_at
"""
_LATER: Final = """
update santral.undecided_handle set due_at = now() + make_interval(secs => $2) where workspace_id = $1 and due_at <= now()
"""
# One workspace's people, in one thread: others wait for no lock of it, and the statement's own bound stays.
_THINKS: Final = "set local idle_in_transaction_session_timeout = '60s'"


async def put_off(connection: Connection, handles: Collection[HandleRef]) -> None:
    """Writes down that the people around these handles are to be decided, in the transaction that wrote what may join them."""
    if handles:
        pairs = sorted(handles)
        await connection.execute(_PUT_OFF, [workspace_id for workspace_id, _ in pairs], [handle_id for _, handle_id in pairs])


async def workspaces_due(connection: Connection) -> list[WorkspaceId]:
    """Where somebody is to be decided now."""
    return [WorkspaceId(row["id"]) for row in await connection.fetch(_DUE)]


async def count_undecided(connection: Connection) -> int:
    """Handles whose people are still to be decided, of all workspaces."""
    found: int = await connection.fetchval(_COUNT)
    return found


async def decide_page(connection: Connection, workspace_id: WorkspaceId, *, page: int = PAGE) -> bool:
    """Decides the people around the first that were put off; whether there may be more. Waits for the identity lock."""
    await connection.execute(_THINKS)
    await lock_identity(connection, [workspace_id])
    rows = await connection.fetch(_PAGE, workspace_id, page)
    if not rows:
        return False
    seeds = {(workspace_id, row["handle_id"]) for row in rows}
    await outbox.record(connection, await recompute(connection, seeds, cause={"actor": "router"}))
    await connection.execute(_DECIDED, workspace_id, [row["handle_id"] for row in rows], [row["put_off_at"] for row in rows])
    return len(rows) == page


async def decide_later(connection: Connection, workspace_id: WorkspaceId, *, after_s: float) -> None:
    """What is due in a workspace, and could not be decided, is looked at again after so many seconds."""
    await connection.execute(_LATER, workspace_id, after_s)
