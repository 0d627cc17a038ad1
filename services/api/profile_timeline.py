"""A person's history over every kind of contact, newest first, one cursor: conversations, calls, notes, merges, consent."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from profiles.timeline import EntryKey, timeline
from router.views.calls import list_calls
from router.views.conversations import list_conversations
from services.api.actors import actor_names
from services.api.lists import Cursor, Limit, cursor_of, values_of
from services.api.principal import ProfileReader
from services.api.profile_seen import note_glances
from services.api.profiles import require_profile
from shared.database import Connection
from shared.errors import Unprocessable

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])
# Where a conversation stands among entries of the same moment and id: comparing kinds decides, so it is a kind like the others.
_CONVERSATION: Final = "conversation"
Kind: TypeAlias = Literal[
    "conversation", "call", "note", "consent", "merged", "unmerged", "handle_seen", "linked", "link_retracted", "kept_apart"
]
Kinds = Annotated[list[Kind] | None, Query(alias="kind", max_length=10, description="Only these; may be given several times")]


class TimelineEntry(BaseModel):
    """One thing that happened with a person; ``data`` by kind."""

    kind: Kind
    at: datetime
    id: UUID
    data: dict[str, Any] = Field(examples=[{"text": "Prefers to be called in the afternoon", "actor": "agent:…"}])


class TimelinePage(BaseModel):
    """A page. ``conversations`` are those among the items, as `GET /v1/conversations` shows them; ``actors``: names of agents."""

    profile_id: UUID
    items: list[TimelineEntry]
    actors: dict[str, str] = Field(default_factory=dict)
    conversations: list[dict[str, Any]]
    next: str | None = None


@router.get("/{profile_id}/timeline", summary="A person's history")
async def read_timeline(
    request: Request, principal: ProfileReader, profile_id: UUID, limit: Limit = 50, cursor: Cursor = None, kinds: Kinds = None
) -> TimelinePage:
    """Every kind of contact on every channel, newest first; any id the person ever had finds them."""
    before = _place(cursor)
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        own = await timeline(connection, principal.workspace_id, profile_id, limit=min(limit + 1, 200), before=before, kinds=kinds)
        await require_profile(connection, principal, own.handle_ids)
        await note_glances(connection, principal, [own.profile_id])
        entries = [TimelineEntry(**asdict(entry)) for entry in own.entries]
        talked = own.handle_ids if kinds is None or _CONVERSATION in kinds else ()
        conversations = await _conversations(connection, principal.workspace_id, talked, before, limit + 1)
        called = own.handle_ids if kinds is None or "call" in kinds else ()
        calls = await list_calls(connection, principal.workspace_id, handle_ids=called, before=before, limit=limit + 1)
        actors = await actor_names(connection, principal.workspace_id, [entry.data.get("actor") for entry in entries])
    entries += conversations
    entries += [TimelineEntry(kind="call", at=call.pop("at"), id=call.pop("id"), data=call) for call in calls]
    entries.sort(key=lambda entry: (entry.at, entry.id, entry.kind), reverse=True)
    page = entries[:limit]
    more = len(entries) > limit or own.next_cursor is not None
    return TimelinePage(
        profile_id=own.profile_id,
        items=page,
        actors=actors,
        conversations=[entry.data for entry in page if entry.kind == _CONVERSATION],
        next=cursor_of(page[-1].at.isoformat(), page[-1].id, page[-1].kind) if more and page else None,
    )


async def _conversations(
    connection: Connection, workspace_id: UUID, handle_ids: Any, before: EntryKey | None, limit: int
) -> list[TimelineEntry]:
    upto = before[:2] if before is not None else None
    rows = await list_conversations(connection, workspace_id, handle_ids=handle_ids, before=upto, limit=limit)
    return [TimelineEntry(kind="conversation", at=row["opened_at"], id=row["id"], data=row) for row in rows]


def _place(cursor: str | None) -> EntryKey | None:
    values = values_of(cursor, 3)
    if values is None:
        return None
    try:
        return datetime.fromisoformat(values[0]), UUID(values[1]), str(values[2])
    except (ValueError, TypeError, AttributeError) as error:
        raise Unprocessable("not a cursor of this list", field="cursor", remedy="copy `next` of the page before") from error
