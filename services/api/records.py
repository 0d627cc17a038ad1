"""What happened: the workspace's events by time."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from router.views.conversations import list_events
from services.api.lists import Limit, Page
from services.api.principal import Principal, needs

router = APIRouter(prefix="/v1", tags=["records"])
EventReader = Annotated[Principal, Depends(needs("events:read"))]


@router.get("/events", summary="Events by time")
async def read_events(
    request: Request, principal: EventReader, after: UUID | None = None, limit: Limit = 100
) -> Page[dict[str, Any]]:
    """For looking back. A consumer that must miss nothing reads the events topic, which orders by conversation."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        rows = await list_events(connection, principal.workspace_id, after=after, limit=limit)
    return Page(items=rows, next=str(rows[-1]["id"]) if len(rows) == limit else None)
