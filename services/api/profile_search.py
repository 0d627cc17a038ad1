"""Finding people, and why two handles are one. No handle and no name ever stands in an address."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import ConfigDict, Field

from profiles.explain import Explanation, explain
from profiles.search import Found, search
from profiles.store import lookup
from services.api.document import may_answer
from services.api.lists import Page, cursor_of, moment_of
from services.api.principal import Principal, ProfileReader
from services.api.profile_seen import note_glances
from services.api.profiles import HandleIn, normalized_all, region_of
from services.api.visibility import require_person, seen_of
from shared.database import Connection
from shared.errors import NotFound
from shared.given import Given
from shared.ids import HandleId, WorkspaceId

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])
_MEMBERS: Final = """
select m.id from santral.handle h join santral.handle m on m.workspace_id = h.workspace_id and m.profile_id = h.profile_id
where h.workspace_id = $1 and h.id = $2
"""


_WHOSE: Final = "select profile_id from santral.handle where workspace_id = $1 and id = any($2::uuid[])"


class SearchIn(Given):
    """What somebody typed, and attributes a person must have. Letters with and without their Turkish marks are the same."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"text": "ayse yilmaz", "attributes": {"city": "İzmir"}, "limit": 20}],
            "anyOf": [
                {"required": ["text"], "properties": {"text": {"minLength": 1}}},
                {"required": ["attributes"], "properties": {"attributes": {"minProperties": 1}}},
            ],
        }
    )

    text: Annotated[str, Field(max_length=200)] = ""
    attributes: Annotated[dict[str, str | int | float | bool], Field(max_length=10)] = Field(default_factory=dict)
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=500)] | None = None


class ExplainIn(Given):
    """Two handles as written."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"handles": [{"kind": "email", "value": "ayse@ornek.com"}, {"kind": "phone", "value": "+905321234567"}]}]
        },
    )

    handles: Annotated[list[HandleIn], Field(min_length=2, max_length=2)]


@router.post("/search", summary="Find people by name, handle, attribute or note")
async def search_profiles(request: Request, principal: ProfileReader, body: SearchIn) -> Page[Found]:
    """Every word typed has to begin one of the person's words; people changed last come first. Who is found was looked at."""
    before: tuple[datetime, UUID] | None = moment_of(body.cursor)
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        rows = await search(
            connection, WorkspaceId(principal.workspace_id), body.text, attributes=body.attributes,
            seen_of=lambda people: seen_of(connection, principal, people), before=before, limit=body.limit + 1,
        )  # fmt: skip
        await note_glances(connection, principal, [one.id for one in rows[: body.limit]])
    more = len(rows) > body.limit
    last = rows[body.limit - 1] if more else None
    return Page(items=rows[: body.limit], next=cursor_of(last.changed_at.isoformat(), last.id) if last is not None else None)


@router.get("/explain", summary="Why two handles are one person, or two", responses=may_answer(404))
async def explain_handles(
    request: Request,
    principal: ProfileReader,
    a: Annotated[UUID, Query(description="A handle's id")],
    b: Annotated[UUID, Query(description="Another handle's id")],
) -> Explanation:
    """Link by link with the evidence; for two people what speaks for it and the rule against it."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        return await _explained(connection, principal, HandleId(a), HandleId(b))


@router.post("/explain", summary="The same for two handles as written", responses=may_answer(404))
async def explain_written_handles(request: Request, principal: ProfileReader, body: ExplainIn) -> Explanation:
    """404 names the handle that nobody ever used."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        wanted = normalized_all(body.handles, await region_of(connection, principal.workspace_id))
        known = await lookup(connection, WorkspaceId(principal.workspace_id), wanted)
        seen = await seen_of(connection, principal, [found[0] for found in known.values()])
        for place, handle in enumerate(wanted):
            if handle not in known or known[handle][0] not in seen:  # whom one does not see is nobody
                raise NotFound("nobody has this handle", field=f"handles.{place}", remedy="a handle that was seen")
        return await _explained(connection, principal, known[wanted[0]][0], known[wanted[1]][0])


async def _explained(connection: Connection, principal: Principal, a: HandleId, b: HandleId) -> Explanation:
    workspace_id = WorkspaceId(principal.workspace_id)
    found = await explain(connection, workspace_id, a, b)
    if principal.visibility != "workspace":
        for field, handle_id in (("a", a), ("b", b)):
            members: list[Any] = await connection.fetch(_MEMBERS, workspace_id, handle_id)
            await require_person(connection, principal, [row["id"] for row in members], field=field)
    await note_glances(connection, principal, [row["profile_id"] for row in await connection.fetch(_WHOSE, workspace_id, [a, b])])
    return found
