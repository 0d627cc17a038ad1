"""A person's history over every kind of contact, newest first, one cursor: conversations, calls, notes, merges, consent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Final, cast, get_args
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import TypeAdapter

from profiles.timeline import EntryKey, timeline
from router.views.calls import list_calls
from router.views.conversations import list_conversations
from services.api.actors import actor_names
from services.api.conversation_models import ListedConversation
from services.api.lists import Cursor, Limit, cursor_of, identity, instant, text, values_of
from services.api.principal import Principal, ProfileReader
from services.api.profile_seen import note_glances
from services.api.timeline_models import Kind, TimelineEntry, TimelinePage
from services.api.unseen import hidden_people, hide_merged_into, people_in, without_people
from services.api.visibility import conversations_seen_with, require_person
from shared.database import Connection

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])
# Where a conversation stands among entries of the same moment and id: comparing kinds decides, so it is a kind like the others.
_CONVERSATION: Final = "conversation"
_TALK: Final = frozenset({_CONVERSATION, "call"})
Kinds = Annotated[list[Kind] | None, Query(alias="kind", max_length=10, description="Only these; may be given several times")]


_PAGE: Final[TypeAdapter[list[TimelineEntry]]] = TypeAdapter(list[TimelineEntry])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Happened:
    """An entry before it is shown; ``data`` by kind."""

    kind: Kind
    at: datetime
    id: UUID
    data: Mapping[str, Any]


@router.get("/{profile_id}/timeline", summary="A person's history")
async def read_timeline(
    request: Request, principal: ProfileReader, profile_id: UUID, limit: Limit = 50, cursor: Cursor = None, kinds: Kinds = None
) -> TimelinePage:
    """Every kind of contact on every channel, newest first; any id the person ever had finds them.

    What happened in conversations that the caller's visibility does not reach is left out; of people whom it does not reach no id is named.
    Conversations and calls are for who has the scope `conversations:read` too; without it they are left out, and asking for them is 403.
    """
    before = _place(cursor)
    kinds = _readable(principal, kinds)
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        own = await timeline(connection, principal.workspace_id, profile_id, limit=min(limit + 1, 200), before=before, kinds=kinds)
        await require_person(connection, principal, own.handle_ids)
        await note_glances(connection, principal, [own.profile_id])
        entries = [_Happened(kind=one.kind, at=one.at, id=one.id, data=one.data) for one in own.entries]
        talked = own.handle_ids if kinds is None or _CONVERSATION in kinds else ()
        among = await conversations_seen_with(connection, principal, own.handle_ids)
        conversations = await _conversations(connection, principal, talked, among, before, limit + 1)
        called = own.handle_ids if kinds is None or "call" in kinds else ()
        calls = await list_calls(connection, principal.workspace_id, handle_ids=called, among=among, before=before, limit=limit + 1)
        others = await hidden_people(connection, principal, {one for entry in entries for one in people_in(entry.data)})
        entries = [replace(entry, data=without_people(entry.data, others)) for entry in entries]
        actors = await actor_names(connection, principal.workspace_id, [entry.data.get("actor") for entry in entries])
    entries += conversations
    entries += [_Happened(kind="call", at=call.pop("at"), id=call.pop("id"), data=call) for call in calls]
    entries.sort(key=lambda entry: (entry.at, entry.id, entry.kind), reverse=True)
    page = entries[:limit]
    more = len(entries) > limit or own.next_cursor is not None
    return TimelinePage(
        profile_id=own.profile_id,
        items=_PAGE.validate_python([asdict(entry) for entry in page]),
        actors=actors,
        conversations=[ListedConversation(**entry.data) for entry in page if entry.kind == _CONVERSATION],
        next=cursor_of(page[-1].at.isoformat(), page[-1].id, page[-1].kind) if more and page else None,
    )


async def _conversations(
    connection: Connection,
    principal: Principal,
    handle_ids: Any,
    among: Sequence[UUID] | None,
    before: EntryKey | None,
    limit: int,
) -> list[_Happened]:
    upto = before[:2] if before is not None else None
    rows = await list_conversations(
        connection, principal.workspace_id, handle_ids=handle_ids, among=among, before=upto, limit=limit
    )
    await hide_merged_into(connection, principal, rows)
    return [_Happened(kind="conversation", at=row["opened_at"], id=row["id"], data=row) for row in rows]


def _readable(principal: Principal, kinds: list[Kind] | None) -> list[Kind] | None:
    """The kinds that are looked for. Raises `Forbidden` for one that is asked for and not the caller's."""
    if principal.has("conversations:read"):
        return kinds
    if kinds is None:
        return [kind for kind in get_args(Kind) if kind not in _TALK]
    if not _TALK.isdisjoint(kinds):
        principal.require("conversations:read")
    return kinds


def _place(cursor: str | None) -> EntryKey | None:
    return cast("EntryKey | None", values_of(cursor, instant, identity, text))
