"""What happened: the workspace's events by time."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from router.views.conversations import list_events
from services.api.lists import Cursor, Limit, Page, plain_id_of
from services.api.principal import Principal, needs

router = APIRouter(prefix="/v1", tags=["records"])
EventReader = Annotated[Principal, Depends(needs("events:read"))]


@router.get("/events", summary="Events by time")
async def read_events(
    request: Request, principal: EventReader, after: UUID | None = None, limit: Limit = 100, cursor: Cursor = None
) -> Page[dict[str, Any]]:
    """For looking back. A consumer that must miss nothing reads the events topic, which orders by conversation.

    `next` is an event's id, which ``after`` takes too.
    """
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        rows = await list_events(connection, principal.workspace_id, after=plain_id_of(cursor) or after, limit=limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(items=rows[:limit], next=None if last is None else str(last["id"]))
