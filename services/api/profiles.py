"""Profiles: read a person by any id they ever had, look people up by handle, and their history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from profiles.erasure_covers import ERASED_KIND
from profiles.store import ProfileView, links_of, lookup, profile_view
from profiles.versions import Version, versions_of
from router.views.conversations import list_conversations
from services.api.actors import actor_names
from services.api.lists import Cursor, Limit, Page, cursor_of, values_of
from services.api.principal import Principal, ProfileReader
from services.api.profile_seen import note_view
from shared.database import Connection
from shared.errors import Conflict, Forbidden, InputRejected, Unprocessable
from shared.handle import Handle, normalized
from shared.ids import ProfileId

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])
Json = dict[str, Any]


class HandleIn(BaseModel):
    """A handle as a person would write it; it is normalized here."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"kind": "email", "value": "ayse@ornek.com"}]})

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
        await require_profile(connection, principal, [handle.id for handle in view.handles])
        await note_view(connection, principal, view.id)
    return asdict(view)


async def require_profile(
    connection: Connection, principal: Principal, handle_ids: Sequence[UUID], *, field: str = "profile_id"
) -> None:
    """Raises `Forbidden` naming the field unless the caller may see some conversation with this person: the customer in front of them always."""
    if principal.visibility == "workspace":
        return
    member = principal.agent_id
    if not await list_conversations(connection, principal.workspace_id, handle_ids=handle_ids, member_id=member, limit=1):
        raise Forbidden("this person is outside the role's visibility", field=field, remedy="ask a supervisor")


@router.get("/{profile_id}/links", summary="Why handles are one person")
async def read_links(request: Request, principal: ProfileReader, profile_id: UUID) -> Json:
    """The ledger: every link with its evidence, retracted ones included; ``actors``: names of agents."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        view = await profile_view(connection, principal.workspace_id, profile_id)
        await require_profile(connection, principal, [handle.id for handle in view.handles])
        links = await links_of(connection, principal.workspace_id, profile_id)
        actors = await actor_names(
            connection, principal.workspace_id, [one for link in links for one in (link.actor, link.retracted_by)]
        )
        return {"items": [asdict(link) for link in links], "actors": actors}


@router.get("/{profile_id}/versions", summary="What changed about a person, and why")
async def list_profile_versions(
    request: Request, principal: ProfileReader, profile_id: UUID, limit: Limit = 50, cursor: Cursor = None
) -> Page[Version]:
    """Every version after the first, newest first: merges, un-merges, attributes, consent, each with its cause.

    Of exactly this id: one that was merged away keeps the versions it had.
    """
    values = values_of(cursor, 1)
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        view = await profile_view(connection, principal.workspace_id, profile_id)
        await require_profile(connection, principal, [handle.id for handle in view.handles])
        before = int(values[0]) if values is not None else None
        rows = await versions_of(connection, principal.workspace_id, ProfileId(profile_id), before=before, limit=limit + 1)
    return Page(items=rows[:limit], next=cursor_of(rows[limit - 1].version) if len(rows) > limit else None)


@router.post("/lookup", summary="Whose handles are these?")
async def look_up(request: Request, principal: ProfileReader, body: Lookup) -> FoundAll:
    """Handles as written; each is normalized with the workspace's region."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        wanted = normalized_all(body.handles, await region_of(connection, principal.workspace_id))
        known = await lookup(connection, principal.workspace_id, wanted)
    items = []
    for handle in wanted:
        handle_id, profile = known.get(handle, (None, None))
        items.append(Found(kind=handle.kind, scope=handle.scope, value=handle.value, handle_id=handle_id, profile_id=profile))
    return FoundAll(items=items)


def require_standing(view: ProfileView, *, field: str = "profile_id") -> None:
    """Raises `Conflict` for somebody who was erased: nothing is written about them any more."""
    if all(handle.shared_by == ERASED_KIND for handle in view.handles):
        raise Conflict("this person was erased", field=field, remedy="what they write later is a new profile's")


async def region_of(connection: Connection, workspace_id: UUID) -> str | None:
    """The workspace's region, for numbers without a country."""
    region: str | None = await connection.fetchval("select settings->>'region' from santral.workspace where id = $1", workspace_id)
    return region


def normalized_all(given: Sequence[HandleIn], region: str | None) -> list[Handle]:
    """The handles, in the order given. Raises `Unprocessable` naming the one that is none."""
    found: list[Handle] = []
    for place, one in enumerate(given):
        try:
            found.append(normalized(one.kind, one.value, scope=one.scope, region=region))
        except InputRejected as error:
            raise Unprocessable(error.message, field=f"handles.{place}.{error.field}", remedy=error.remedy) from error
    return found
