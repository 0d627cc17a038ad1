"""What happened and why: decisions, and the workspace's events by time."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from router.conversations import list_events
from services.api.lists import Limit, Page
from services.api.principal import ConversationReader, Principal, needs, require_conversation
from shared.errors import NotFound

router = APIRouter(prefix="/v1", tags=["records"])
EventReader = Annotated[Principal, Depends(needs("events:read"))]


@router.get("/decisions/{decision_id}", summary="Why")
async def read_decision(request: Request, principal: ConversationReader, decision_id: UUID) -> dict[str, Any]:
    """The record of a routing or dispatch decision: candidates, exclusions, scores, versions."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        row = await connection.fetchrow(
            "select id, kind, conversation_id, item_id, message_id, record, decided_at from santral.decision"
            " where workspace_id = $1 and id = $2",
            principal.workspace_id, decision_id,
        )  # fmt: skip
        if row is None:
            raise NotFound("no such decision", field="decision_id")
        await require_conversation(connection, principal, row["conversation_id"])
    return dict(row)


@router.get("/events", summary="Events by time")
async def read_events(
    request: Request, principal: EventReader, after: UUID | None = None, limit: Limit = 100
) -> Page[dict[str, Any]]:
    """For looking back. A consumer that must miss nothing reads the events topic, which orders by conversation."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        rows = await list_events(connection, principal.workspace_id, after=after, limit=limit)
    return Page(items=rows, next=str(rows[-1]["id"]) if len(rows) == limit else None)
