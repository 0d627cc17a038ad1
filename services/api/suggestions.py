"""Suggestions: two people who may be one, with the evidence; confirmed they are merged, rejected they are never suggested again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from profiles.merge import Merged
from profiles.store import profile_view
from profiles.suggestions.suggestions import decide, list_suggestions, look_again, people_of, progress_of
from services.api.audit import audit
from services.api.lists import Cursor, Limit, Page, cursor_of, id_of
from services.api.principal import Principal, ProfileReader, ProfileWriter
from services.api.shown import Shown
from services.api.unseen import unseen_people
from services.api.visibility import require_all_of, require_everything, require_person
from services.privacy.awaited import require_no_erasure
from shared.database import Connection, retried

router = APIRouter(prefix="/v1", tags=["profiles"])
State = Annotated[Literal["open", "confirmed", "rejected"] | None, Query(description="Left out: all of them")]


class EvidenceOut(BaseModel):
    """What one field says, in bits; no value of anybody is in it."""

    field: str
    level: str
    weight: float


class SuggestionOut(Shown):
    """Two people who may be one, with what speaks for it. ``weight`` in bits."""

    id: UUID
    one_id: UUID
    other_id: UUID
    weight: float
    probability: float
    evidence: list[EvidenceOut]
    state: Literal["open", "confirmed", "rejected"]
    actor: str | None
    made_at: datetime
    decided_at: datetime | None


class ProgressOut(Shown):
    """People there are and were, how many are left to look at, and open suggestions."""

    people: int
    left: int
    open: int


class DecidedOut(Shown):
    """What became of a suggestion. ``changed`` false: it was decided so before; ``merged``: what was done now."""

    state: Literal["confirmed", "rejected"]
    changed: bool
    merged: Merged | None = None


_EVIDENCE: Final = 'Evidence: `{"field": "email", "level": "equal", "weight": 14.2}`, in bits; no value of anybody is in it.'


@router.get("/suggestions", summary="People who may be one", description=_EVIDENCE)
async def list_all_suggestions(
    request: Request, principal: ProfileReader, state: State = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[SuggestionOut]:
    """Newest first."""
    require_everything(principal, "this list is about everybody", remedy="ask for those of one profile")
    before = id_of(cursor)
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        rows = await list_suggestions(connection, principal.workspace_id, state=state, before=before, limit=limit + 1)
    return _page(rows, limit)


def _page(rows: Sequence[Mapping[str, Any]], limit: int) -> Page[SuggestionOut]:
    following = cursor_of(rows[limit - 1]["id"]) if len(rows) > limit else None
    return Page(items=[SuggestionOut(**row) for row in rows[:limit]], next=following)


@router.get("/profiles/{profile_id}/suggestions", summary="Who else this person may be", description=_EVIDENCE)
async def list_profile_suggestions(
    request: Request, principal: ProfileReader, profile_id: UUID, state: State = "open", limit: Limit = 50, cursor: Cursor = None
) -> Page[SuggestionOut]:
    """Of one person, by any id they ever had: of the others, those whom the caller's visibility reaches."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        view = await profile_view(connection, principal.workspace_id, profile_id)
        await require_person(connection, principal, [handle.id for handle in view.handles])
        rows = await _seen_suggestions(connection, principal, view.id, state=state, before=id_of(cursor), limit=limit + 1)
    return _page(rows, limit)


async def _seen_suggestions(
    connection: Connection, principal: Principal, profile_id: UUID, *, state: State, before: UUID | None, limit: int
) -> list[Mapping[str, Any]]:
    """A person's suggestions with people whom the caller sees, as many as were asked for as long as there are more."""
    found: list[Mapping[str, Any]] = []
    while True:
        rows = await list_suggestions(
            connection, principal.workspace_id, state=state, profile_id=profile_id, before=before, limit=limit
        )
        unseen = await unseen_people(connection, principal, [one for row in rows for one in (row["one_id"], row["other_id"])])
        found += [row for row in rows if unseen.isdisjoint((row["one_id"], row["other_id"]))]
        if len(rows) < limit or len(found) >= limit:
            return found[:limit]
        before = rows[-1]["id"]


@router.get("/suggestions/progress", summary="How far looking for duplicates is")
async def read_suggestion_progress(request: Request, principal: ProfileReader) -> ProgressOut:
    """People there are, how many are left to look at, and open suggestions."""
    require_everything(principal, "these numbers are of everybody", remedy="use a key of the workspace")
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        return ProgressOut(**await progress_of(connection, principal.workspace_id))


@router.post("/suggestions/again", summary="Look for duplicates among everybody again")
async def look_for_suggestions_again(request: Request, principal: ProfileWriter) -> ProgressOut:
    """As after learning weights. It is done in the background; what was decided is not asked again."""
    require_everything(principal, "this is about everybody", remedy="use a key of the workspace")

    async def work() -> ProgressOut:
        async with request.app.state.db.batch(principal.workspace_id) as connection:
            await look_again(connection, principal.workspace_id)
            await audit(connection, principal, "suggestions.again", "workspace", str(principal.workspace_id))
            return ProgressOut(**await progress_of(connection, principal.workspace_id))

    return await retried(work)


@router.post("/suggestions/{suggestion_id}/confirm", summary="They are one person")
async def confirm_suggestion(request: Request, principal: ProfileWriter, suggestion_id: UUID) -> DecidedOut:
    """Merges them by a link of kind `agent`, which an un-merge takes back."""
    return await _decided(request, principal, suggestion_id, same=True)


@router.post("/suggestions/{suggestion_id}/reject", summary="They are two people")
async def reject_suggestion(request: Request, principal: ProfileWriter, suggestion_id: UUID) -> DecidedOut:
    """Remembered: they are kept apart, whatever evidence comes."""
    return await _decided(request, principal, suggestion_id, same=False)


async def _decided(request: Request, principal: Principal, suggestion_id: UUID, *, same: bool) -> DecidedOut:
    async def work() -> DecidedOut:
        async with request.app.state.db.batch(principal.workspace_id) as connection:
            people = await people_of(connection, principal.workspace_id, suggestion_id)
            for handle_id in people:
                await _may_see(connection, principal, handle_id)
            if same:
                await require_all_of(connection, principal, list(people), field="id")
                await require_no_erasure(connection, principal.workspace_id, list(people), field="suggestion_id")
            done = await decide(connection, principal.workspace_id, suggestion_id, same=same, actor=principal.actor)
            if done["changed"]:
                await audit(connection, principal, f"suggestion.{done['state']}", "suggestion", str(suggestion_id))
            return DecidedOut(**done)

    return await retried(work)


async def _may_see(connection: Connection, principal: Principal, handle_id: UUID) -> None:
    view = await profile_view(connection, principal.workspace_id, handle_id)
    await require_person(connection, principal, [handle.id for handle in view.handles], field="id")
