"""What happened: the workspace's events by time."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from router.views.conversations import list_events
from services.api.lists import Cursor, Limit, Page, plain_id_of
from services.api.principal import Principal
from services.api.shown import Shown
from services.api.visibility import needs_everything

router = APIRouter(prefix="/v1", tags=["records"])
EventReader = Annotated[Principal, Depends(needs_everything("events:read", "events are of everybody"))]


class EventOut(Shown):
    """One thing that happened. ``seq`` counts within the conversation, ``agent_seq`` within the agent."""

    id: UUID
    type: Annotated[str, Field(examples=["item.assigned"])]
    at: datetime
    conversation_id: UUID | None
    seq: int | None
    agent_id: UUID | None
    agent_seq: int | None
    profile_id: UUID | None
    data: Annotated[dict[str, Any], Field(description="Ids, states and measures, by type; never text, names or handles")]


@router.get("/events", summary="Events by time")
async def read_events(
    request: Request, principal: EventReader, after: UUID | None = None, limit: Limit = 100, cursor: Cursor = None
) -> Page[EventOut]:
    """For looking back. A consumer that must miss nothing reads the events topic, which orders by conversation.

    `next` is an event's id, which ``after`` takes too.
    """
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        rows = await list_events(connection, principal.workspace_id, after=plain_id_of(cursor) or after, limit=limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(items=[EventOut(**row) for row in rows[:limit]], next=None if last is None else str(last["id"]))
