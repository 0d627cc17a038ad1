"""Profiles: read a person by any id they ever had, look people up by handle, and their history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from profiles.erasure_covers import ERASED_KIND
from profiles.store import HandleView, LinkView, ProfileView, links_of, lookup, profile_view
from profiles.versions import Version, versions_of
from services.api.actors import actor_names
from services.api.lists import Cursor, Limit, Page, cursor_of, number, values_of
from services.api.principal import ProfileReader
from services.api.profile_seen import note_view
from services.api.shown import Shown
from services.api.unseen import hidden_people, people_in, without_people
from services.api.visibility import require_person, seen_of
from shared.database import Connection
from shared.errors import Conflict, InputRejected, Unprocessable
from shared.given import Given
from shared.handle import KINDS, Handle, normalized
from shared.ids import ProfileId
from shared.message import Assurance

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])


class AttributeOut(BaseModel):
    """The value of an attribute that counts, and who says so."""

    value: Any
    source: str
    assurance: Assurance
    observed_at: datetime


class ProfileOut(Shown):
    """A person. ``asked_id`` is what was asked for, ``id`` what it is now; ``held``: a legal hold stands."""

    asked_id: UUID
    id: UUID
    version: int
    name: str
    handles: list[HandleView]
    attributes: dict[str, AttributeOut]
    last_agent_id: UUID | None
    first_seen_at: datetime
    changed_at: datetime
    held: bool


def shown_profile(view: ProfileView) -> ProfileOut:
    """A person as clients read them."""
    return ProfileOut.model_validate(view, from_attributes=True)


class LinksOut(Shown):
    """The ledger of a person, oldest first; ``actors``: names of agents by what stands in a link."""

    items: list[LinkView]
    actors: dict[str, str]


class HandleIn(Given):
    """A handle as a person would write it; it is normalized here."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "email", "value": "ayse@ornek.com"}]})

    kind: Annotated[str, Field(max_length=40, json_schema_extra={"enum": sorted(KINDS)})]
    scope: Annotated[str, Field(max_length=200)] = ""
    value: Annotated[str, Field(min_length=1, max_length=512)]


class Lookup(Given):
    """Up to a hundred handles. No handle ever stands in an address."""

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
async def read_profile(request: Request, principal: ProfileReader, profile_id: UUID) -> ProfileOut:
    """Looks through merges: any id the person ever had finds them."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        view = await profile_view(connection, principal.workspace_id, profile_id)
        await require_person(connection, principal, [handle.id for handle in view.handles])
        await note_view(connection, principal, view.id)
    return shown_profile(view)


@router.get("/{profile_id}/links", summary="Why handles are one person")
async def read_links(request: Request, principal: ProfileReader, profile_id: UUID) -> LinksOut:
    """The ledger: every link with its evidence, retracted ones included; ``actors``: names of agents.

    Left out is a link to somebody whom the caller's visibility does not reach.
    """
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        view = await profile_view(connection, principal.workspace_id, profile_id)
        await require_person(connection, principal, [handle.id for handle in view.handles])
        known = await links_of(connection, principal.workspace_id, profile_id)
        others = await hidden_people(connection, principal, [end for link in known for end in (link.a, link.b)])
        links = [link for link in known if others.isdisjoint((link.a, link.b))]
        actors = await actor_names(
            connection, principal.workspace_id, [one for link in links for one in (link.actor, link.retracted_by)]
        )
    return LinksOut(items=links, actors=actors)


@router.get("/{profile_id}/versions", summary="What changed about a person, and why")
async def list_profile_versions(
    request: Request, principal: ProfileReader, profile_id: UUID, limit: Limit = 50, cursor: Cursor = None
) -> Page[Version]:
    """Every version after the first, newest first: merges, un-merges, attributes, consent, each with its cause.

    Of exactly this id: one that was merged away keeps the versions it had.
    """
    values = values_of(cursor, number)
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        view = await profile_view(connection, principal.workspace_id, profile_id)
        await require_person(connection, principal, [handle.id for handle in view.handles])
        before = values[0] if values is not None else None
        rows = await versions_of(connection, principal.workspace_id, ProfileId(profile_id), before=before, limit=limit + 1)
        others = await hidden_people(
            connection, principal, [one for row in rows for part in (row.what, row.cause) for one in people_in(part)]
        )
    shown = [replace(row, what=without_people(row.what, others), cause=without_people(row.cause, others)) for row in rows[:limit]]
    return Page(items=shown, next=cursor_of(rows[limit - 1].version) if len(rows) > limit else None)


@router.post("/lookup", summary="Whose handles are these?")
async def look_up(request: Request, principal: ProfileReader, body: Lookup) -> FoundAll:
    """Handles as written; each is normalized with the workspace's region. Whom the caller's visibility does not reach is nobody."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        wanted = normalized_all(body.handles, await region_of(connection, principal.workspace_id))
        known = await lookup(connection, principal.workspace_id, wanted)
        seen = await seen_of(connection, principal, [handle_id for handle_id, _ in known.values()])
    items = []
    for handle in wanted:
        handle_id, profile = known.get(handle, (None, None))
        if handle_id not in seen:
            handle_id = profile = None
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
