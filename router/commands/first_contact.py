"""A conversation that begins on our side: an agent writes first, or a call that the telephone system connected.

Opened with an item that an agent has already: its capacity is taken, and only a call may exceed it, because it is on the line
whatever we say. The message itself is `router.commands.reply.write_reply`'s, the call's end `router/commands/external_calls.py`'s.
**Identity**: conversation and item get new ids; whether the same thing was opened before is the caller's to know.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from router.item.goals import due_key
from router.moves.capacity import Claim, hold, lock_agents
from router.moves.moves import numbered
from router.moves.new_items import NewItem, begin_item
from shared.database import Connection
from shared.errors import Conflict, NotFound
from shared.event import Event
from shared.ids import new_id
from shared.outbox import record

_QUEUE: Final = """
select q.id, q.name, q.goals_s from santral.queue q
left join santral.queue_member m on m.workspace_id = q.workspace_id and m.queue_id = q.id and m.agent_id = $2
where q.workspace_id = $1 and q.enabled and ($3::text is null or q.name = $3)
order by m.agent_id is null, m.priority, q.name limit 1
"""
_OPEN_WORK: Final = """
select c.id from santral.conversation c
join santral.work_item i on i.workspace_id = c.workspace_id and i.conversation_id = c.id
where c.workspace_id = $1 and c.visibility = 'private' and c.id in (
    select coalesce(n.merged_into, n.id) from santral.conversation n
    where n.workspace_id = $1 and (n.handle_id = $2 or n.last_handle_id = $2))
  and i.state not in ('completed', 'abandoned', 'canceled') order by c.id desc
"""
_CONVERSATION: Final = """
insert into santral.conversation (workspace_id, id, handle_id, inbox_id, last_inbox_id, last_handle_id, channel, channels, subject,
    state, last_agent_id, opened_at)
values ($1, $2, $3, $4, $4, $3, $5, array[$5], $6, 'open', $7, $8)
"""


async def open_conversation(
    connection: Connection, *, workspace_id: UUID, handle_id: UUID, inbox_id: UUID, channel: str, subject: str, agent_id: UUID, at: datetime
) -> UUID:  # fmt: skip
    """A conversation with a customer's handle through an inbox, before anything was said in it. Writes its first event."""
    conversation_id = new_id()
    await connection.execute(_CONVERSATION, workspace_id, conversation_id, handle_id, inbox_id, channel, subject, agent_id, at)
    data = {"channel": channel, "inbox_id": str(inbox_id), "visibility": "private", "actor": f"agent:{agent_id}"}
    event = Event(
        id=new_id(), workspace_id=workspace_id, type="conversation.opened", at=at, conversation_id=conversation_id, data=data
    )
    await record(connection, await numbered(connection, [event]))
    return conversation_id


async def open_work_with(connection: Connection, workspace_id: UUID, handle_id: UUID) -> list[UUID]:
    """The conversations in which work for this customer's handle goes on, newest first. Locks the handle, so that no other is begun."""
    await connection.execute(
        "select 1 from santral.handle where workspace_id = $1 and id = $2 for no key update", workspace_id, handle_id
    )
    return [row["id"] for row in await connection.fetch(_OPEN_WORK, workspace_id, handle_id)]


async def assigned_item(
    connection: Connection,
    *,
    workspace_id: UUID,
    conversation_id: UUID,
    channel: str,
    agent_id: UUID,
    actor: str,
    at: datetime,
    queue: str | None = None,
    kind: str = "conversation",
    external: bool = False,
    begun_by: UUID | None = None,
    own_word: bool = False,
) -> UUID:
    """An item that the agent has from the start; ``external`` may exceed their capacity, and an event says so.

    Without ``queue`` it counts to the agent's first one. ``begun_by``: the agent, where they did not see this customer before;
    ``own_word``: an agent says so who sees less than the workspace.
    Raises `NotFound` (queue), `Conflict` (no room, or not online). The caller holds the conversation's lock.
    """
    found = await connection.fetchrow(_QUEUE, workspace_id, agent_id, queue)
    if found is None:
        raise NotFound("no such queue", field="queue", remedy="the name of a queue that is enabled")
    await lock_agents(connection, [(workspace_id, agent_id)])
    claim = Claim(workspace_id=workspace_id, agent_id=agent_id, channel=channel, queue_id=found["id"], override=external)
    granted = (await hold(connection, [claim])).get(agent_id)
    if granted is None:
        raise Conflict("the agent has no room for it", field="agent", remedy="finish or park something first, or go online")
    key = due_key(at, channel=channel, goals=found["goals_s"])
    item = NewItem(
        workspace_id=workspace_id, conversation_id=conversation_id, queue_id=found["id"], channel=channel, kind=kind, state="assigned",
        due_class=key.due_class, due_at=key.due_at, enqueued_at=at, queued_at=at, assigned_at=at,
        held={str(agent_id): dict(granted.prices[channel])}, agent_id=agent_id, last_agent_id=agent_id, external=external,
        begun_by=begun_by, own_word_at=at if own_word else None,
    )  # fmt: skip
    return await begin_item(
        connection, item, kind="item.assigned", trigger="call_connected" if external else "first_contact", actor=actor, at=at,
        queue=found["name"], agent_id=agent_id, over_capacity=external and granted.over,
    )  # fmt: skip
