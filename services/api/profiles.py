"""Profiles: read a person by any id they ever had, look people up by handle, and their history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from profiles.store import links_of, lookup, profile_view
from profiles.timeline import timeline
from router.conversations import list_conversations
from services.api.lists import Cursor, Limit, moment_of, next_of
from services.api.principal import Principal, ProfileReader
from shared.database import Connection
from shared.errors import Forbidden, InputRejected, Unprocessable
from shared.handle import Handle, normalized

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])
Json = dict[str, Any]


class HandleIn(BaseModel):
    """A handle as a person would write it; it is normalized here."""

    model_config = ConfigDict(extra="forbid")

    kind: Annotated[str, Field(max_length=40)]
    scope: Annotated[str, Field(max_length=200)] = ""
    value: Annotated[str, Field(min_length=1, max_length=512)]


class Lookup(BaseModel):
    """Up to a hundred handles. No handle ever stands in an address."""

    model_config = ConfigDict(extra="forbid")

    handles: Annotated[list[HandleIn], Field(min_length=1, max_length=100)]


class Found(BaseModel):
    """A handle asked for, and whose it is; null when nobody's."""

    kind: str
    scope: str
    value: str
    handle_id: UUID | None = None
    profile_id: UUID | None = None


class FoundAll(BaseModel):
    """In the order asked."""

    items: list[Found]


@router.get("/{profile_id}", summary="Read a profile")
async def read_profile(request: Request, principal: ProfileReader, profile_id: UUID) -> Json:
    """Looks through merges: any id the person ever had finds them."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        view = await profile_view(connection, principal.workspace_id, profile_id)
        await _require_profile(connection, principal, [handle.id for handle in view.handles])
    return asdict(view)


async def _require_profile(connection: Connection, principal: Principal, handle_ids: Sequence[UUID]) -> None:
    """Raises `Forbidden` unless the caller may see some conversation with this person: the customer in front of them always."""
    if principal.visibility == "workspace":
        return
    member = principal.agent_id
    if not await list_conversations(connection, principal.workspace_id, handle_ids=handle_ids, member_id=member, limit=1):
        raise Forbidden("this person is outside the role's visibility", field="profile_id", remedy="ask a supervisor")


@router.get("/{profile_id}/links", summary="Why handles are one person")
async def read_links(request: Request, principal: ProfileReader, profile_id: UUID) -> Json:
    """The ledger: every link with its evidence, retracted ones included."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        await profile_view(connection, principal.workspace_id, profile_id)
        return {"items": [asdict(link) for link in await links_of(connection, principal.workspace_id, profile_id)]}


@router.get("/{profile_id}/timeline", summary="A person's history")
async def read_timeline(
    request: Request, principal: ProfileReader, profile_id: UUID, limit: Limit = 50, cursor: Cursor = None
) -> Json:
    """Every conversation on every channel, newest first; with the first page what changed about who they are."""
    before = moment_of(cursor)
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        page = await timeline(connection, principal.workspace_id, profile_id)
        await _require_profile(connection, principal, page.handle_ids)
        rows = await list_conversations(
            connection, principal.workspace_id, handle_ids=[*page.handle_ids], before=before, limit=limit + 1
        )
    history = [asdict(entry) for entry in page.entries] if cursor is None else []
    return {
        "profile_id": page.profile_id,
        "conversations": rows[:limit],
        "items": history,
        "next": next_of(rows, limit, "opened_at"),
    }


@router.post("/lookup", summary="Whose handles are these?")
async def look_up(request: Request, principal: ProfileReader, body: Lookup) -> FoundAll:
    """Handles as written; each is normalized with the workspace's region."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        region = await connection.fetchval("select settings->>'region' from santral.workspace")
        wanted: list[Handle] = []
        for place, given in enumerate(body.handles):
            try:
                wanted.append(normalized(given.kind, given.value, scope=given.scope, region=region))
            except InputRejected as error:
                raise Unprocessable(error.message, field=f"handles.{place}.{error.field}", remedy=error.remedy) from error
        known = await lookup(connection, principal.workspace_id, wanted)
    items = []
    for handle in wanted:
        handle_id, profile = known.get(handle, (None, None))
        items.append(Found(kind=handle.kind, scope=handle.scope, value=handle.value, handle_id=handle_id, profile_id=profile))
    return FoundAll(items=items)
