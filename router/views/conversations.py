"""Reading conversations and their events: what the API and the sockets show. Reads only, one workspace.

Messages and events share one sequence per conversation: a message and the event that tells of it carry the same number.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.views.amendments import Amendments, read_amendments
from router.views.messages import SAID, preview_of
from router.views.seen import SEEN
from shared.database import Connection
from shared.errors import NotFound
from shared.event import wordless

_CONVERSATION: Final = f"""
select c.id, c.handle_id, c.channel, c.channels, c.visibility, c.subject, c.language, c.state, c.seq, c.opened_at, c.last_in_at,
       c.last_out_at, c.window_expires_at, c.closed_at, c.last_agent_id, c.merged_into,
       h.profile_id, h.name as customer_name, h.kind as customer_kind,
       h.value as customer_value, h.assurance as customer_assurance, x.name as inbox, x.provider,
       i.id as item_id, i.state as item_state, i.version as item_version, i.agent_id as item_agent_id, i.due_at as item_due_at,
       i.decision_id as item_decision_id, q.name as queue, g.name as agent_name, said.*
from santral.conversation c
join santral.handle h on h.workspace_id = c.workspace_id and h.id = c.handle_id
join santral.inbox x on x.workspace_id = c.workspace_id and x.id = c.last_inbox_id
left join lateral (
    select * from santral.work_item i where i.workspace_id = c.workspace_id and i.conversation_id = c.id order by i.enqueued_at desc limit 1
) i on true
left join santral.queue q on q.workspace_id = c.workspace_id and q.id = i.queue_id
left join santral.agent g on g.workspace_id = c.workspace_id and g.id = i.agent_id
{SAID}
"""
_HELD: Final = "select $2::uuid in (select santral.held_conversations($1))"


def conversation_view(row: Any, amendments: Amendments) -> dict[str, Any]:
    """A conversation with its newest item and a preview of what came last (`preview_of`)."""
    item = None
    if row["item_id"] is not None:
        item = {
            "id": row["item_id"], "state": row["item_state"], "version": row["item_version"], "queue": row["queue"],
            "agent_id": row["item_agent_id"], "agent_name": row["agent_name"], "due_at": row["item_due_at"],
            "decision_id": row["item_decision_id"],
        }  # fmt: skip
    return {
        "id": row["id"],
        "state": row["state"],
        "seq": row["seq"],
        "channel": row["channel"],
        "channels": row["channels"],
        "visibility": row["visibility"],
        "subject": row["subject"],
        "language": row["language"],
        "inbox": row["inbox"],
        "provider": row["provider"],
        "customer": {
            "profile_id": row["profile_id"], "name": row["customer_name"], "kind": row["customer_kind"],
            "value": row["customer_value"], "assurance": row["customer_assurance"],
        },
        **preview_of(row, amendments),
        "opened_at": row["opened_at"],
        "last_in_at": row["last_in_at"],
        "last_out_at": row["last_out_at"],
        "window_expires_at": row["window_expires_at"],
        "closed_at": row["closed_at"],
        "merged_into": row["merged_into"],
        "item": item,
    }  # fmt: skip


async def read_conversation(connection: Connection, workspace_id: UUID, conversation_id: UUID) -> dict[str, Any]:
    """One conversation. Raises `NotFound`."""
    row = await connection.fetchrow(_CONVERSATION + "where c.workspace_id = $1 and c.id = $2", workspace_id, conversation_id)
    if row is None:
        raise NotFound("no such conversation", field="conversation_id")
    return conversation_view(row, await read_amendments(connection, workspace_id, [conversation_id]))


async def is_held(connection: Connection, workspace_id: UUID, conversation_id: UUID) -> bool:
    """Whether a legal hold reaches the conversation."""
    held: bool = await connection.fetchval(_HELD, workspace_id, conversation_id)
    return held


async def list_conversations(
    connection: Connection,
    workspace_id: UUID,
    *,
    state: str | None = None,
    queue: str | None = None,
    agent_id: UUID | None = None,
    handle_ids: Sequence[UUID] | None = None,
    among: Sequence[UUID] | None = None,
    seer: UUID | None = None,
    in_queues: bool = False,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Conversations, newest first. ``seer`` keeps what this agent sees (`seen.py`), ``handle_ids`` those of a person,
    ``among`` these.

    What was merged into another conversation is listed among a person's only.
    """
    before_at, before_id = before or (None, None)
    rows = await connection.fetch(
        _CONVERSATION
        + f"""
where c.workspace_id = $1 and (c.merged_into is null or $5::uuid[] is not null)
  and ($2::text is null or c.state = $2) and ($3::text is null or q.name = $3)
  and ($4::uuid is null or i.agent_id = $4) and ($5::uuid[] is null or c.handle_id = any($5))
  and ($6::uuid is null or {SEEN.format(seer="$6", in_queues="$7")})
  and ($8::timestamptz is null or (c.opened_at, c.id) < ($8, $9::uuid)) and ($11::uuid[] is null or c.id = any($11))
order by c.opened_at desc, c.id desc limit $10
""",
        workspace_id, state, queue, agent_id, list(handle_ids) if handle_ids is not None else None, seer, in_queues, before_at, before_id, limit,
        list(among) if among is not None else None,
    )  # fmt: skip
    amendments = await read_amendments(connection, workspace_id, [row["id"] for row in rows])
    return [conversation_view(row, amendments) for row in rows]


def event_view(row: Any) -> dict[str, Any]:
    """An event as sockets and REST show it."""
    return {
        "id": row["id"],
        "type": row["type"],
        "at": row["at"],
        "conversation_id": row["conversation_id"],
        "seq": row["seq"],
        "agent_id": row["agent_id"],
        "agent_seq": row["agent_seq"],
        "profile_id": row["profile_id"],
        "data": row["data"],
    }


async def conversation_events(
    connection: Connection, workspace_id: UUID, conversation_id: UUID, *, after_seq: int, limit: int = 500
) -> list[dict[str, Any]]:
    """A conversation's events after a sequence, in order, without gaps."""
    rows = await connection.fetch(
        "select * from santral.event where workspace_id = $1 and conversation_id = $2 and seq > $3 order by seq limit $4",
        workspace_id, conversation_id, after_seq, limit,
    )  # fmt: skip
    return [event_view(row) for row in rows]


async def agent_events(
    connection: Connection, workspace_id: UUID, agent_id: UUID, *, after_seq: int, limit: int = 500
) -> list[dict[str, Any]]:
    """An agent's events after a sequence, in order, without gaps."""
    rows = await connection.fetch(
        "select * from santral.event where workspace_id = $1 and agent_id = $2 and agent_seq > $3 order by agent_seq limit $4",
        workspace_id, agent_id, after_seq, limit,
    )  # fmt: skip
    return [event_view(row) for row in rows]


async def list_events(connection: Connection, workspace_id: UUID, *, after: UUID | None, limit: int) -> list[dict[str, Any]]:
    """A workspace's events by id (time of making), without anybody's words. For order and completeness consumers read the topic."""
    rows = await connection.fetch(
        "select * from santral.event where workspace_id = $1 and ($2::uuid is null or id > $2) order by id limit $3",
        workspace_id, after, limit,
    )  # fmt: skip
    return [{**event_view(row), "data": wordless(row["type"], row["data"])} for row in rows]
