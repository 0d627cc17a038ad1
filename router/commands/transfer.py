"""Handing an item over: to an agent, who is asked, or to a queue, where anybody but the giver may take it.

The giver's capacity stays taken until somebody accepted. Declined, unanswered or unreachable, the item is the giver's again; if the
giver is gone meanwhile, it waits for anybody. The giver may also take it back before anybody did (`router.commands.work.claim`).
**Units**: ``wait_s`` seconds until a transfer that nobody took goes back; without it an agent is waited for as long as a sticky
owner would be, a queue without end.
"""

from __future__ import annotations

from uuid import UUID

from router.commands.work import ItemView, move_item
from router.item.transition import Change
from shared.database import Connection
from shared.errors import Conflict, NotFound, Unprocessable


async def transfer(
    connection: Connection,
    *,
    workspace_id: UUID,
    item_id: UUID,
    agent_id: UUID,
    to_agent: UUID | None = None,
    to_queue: str | None = None,
    note: str = "",
    wait_s: float | None = None,
) -> ItemView:
    """The agent who has an item gives it away. Raises `NotFound`, `Unprocessable`, or `Conflict` with nothing written.

    A second call is a `Conflict`: the item is on its way.
    """
    if (to_agent is None) == (to_queue is None):
        raise Unprocessable("one target is needed", field="to_agent", remedy="name to_agent or to_queue")
    queue_id = None if to_queue is None else await _queue(connection, workspace_id, to_queue)
    if to_agent is not None:
        await _require_present(connection, workspace_id, to_agent)
    change = Change(trigger="transfer", agent=agent_id, target=to_agent, queue=queue_id, wait_s=wait_s)
    return await move_item(
        connection, workspace_id=workspace_id, item_id=item_id, change=change, actor=f"agent:{agent_id}", note=note, author=agent_id
    )


async def _queue(connection: Connection, workspace_id: UUID, name: str) -> UUID:
    found: UUID | None = await connection.fetchval(
        "select id from santral.queue where workspace_id = $1 and name = $2 and enabled", workspace_id, name
    )
    if found is None:
        raise NotFound("no such queue", field="to_queue", remedy="the name of a queue that is enabled")
    return found


async def _require_present(connection: Connection, workspace_id: UUID, agent_id: UUID) -> None:
    """Whoever is not there cannot be asked: the giver learns it at once and keeps the item."""
    row = await connection.fetchrow(
        "select enabled, presence in ('online', 'busy') and (kind = 'bot' or lease_until > clock_timestamp()) as there"
        " from santral.agent where workspace_id = $1 and id = $2",
        workspace_id, agent_id,
    )  # fmt: skip
    if row is None or not row["enabled"]:
        raise NotFound("no such agent", field="to_agent", remedy="the id of an agent who is enabled")
    if not row["there"]:
        raise Conflict("the agent is not online", field="to_agent", remedy="choose another agent, or a queue")
