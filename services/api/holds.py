"""Legal holds over REST: placed on a person or a conversation, listed, lifted.

While one is in force nothing of its subject is removed by erasure, retention, redaction or discarding; everything else goes on. Who may
read records about people (`events:read`) and sees the whole workspace reads them; placing and lifting has a scope of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from profiles.store import profile_view
from router.views.conversations import read_conversation
from services.api.audit import audit
from services.api.document import may_answer
from services.api.lists import Cursor, Limit, Page, cursor_of, id_of
from services.api.principal import Principal
from services.api.profiles import require_standing
from services.api.visibility import needs_everything
from services.privacy.held import lock_holds
from services.privacy.holds import REASON_CHARS_MAX, Hold, HoldKind, lift_hold, list_holds, place_hold, read_hold
from shared.database import Connection, retried
from shared.errors import NotFound
from shared.moments import Moment

router = APIRouter(prefix="/v1/holds", tags=["profiles"])
_OF_ALL: Final = "a hold may be on anybody"
Reader = Annotated[Principal, Depends(needs_everything("events:read", _OF_ALL))]
Keeper = Annotated[Principal, Depends(needs_everything("holds:write", _OF_ALL))]


class HoldIn(BaseModel):
    """On whom, and why. ``person``: a profile, by any id it ever had; ``case``: a conversation. Without ``until`` it is lifted by hand."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"kind": "person", "subject_id": "0198c5f2-7b1e-7c3a-9d42-5f0e8a6b1c2d", "reason": "claim 2026/118"}]
        },
    )

    kind: HoldKind
    subject_id: UUID
    reason: Annotated[str, Field(min_length=1, max_length=REASON_CHARS_MAX)]
    until: Moment | None = None


class HoldOut(BaseModel):
    """A hold. ``in_force`` until ``until`` has passed or it was lifted; ended ones stay."""

    id: UUID
    kind: HoldKind
    subject_id: UUID
    reason: str
    placed_by: str
    placed_at: datetime
    until: datetime | None
    lifted_by: str | None
    lifted_at: datetime | None
    in_force: bool


@router.post("", status_code=201, summary="Place a legal hold", responses=may_answer(404))
async def make_hold(request: Request, principal: Keeper, body: HoldIn, response: Response) -> HoldOut:
    """Once this has answered, nothing that it reaches is removed any more. A second one on the same subject is another hold.

    A person's hold follows merges, and keeps what was theirs when it was placed through un-merges; a conversation's goes with its messages.
    409 for a person who was erased.
    """

    async def work() -> Hold:
        async with request.app.state.db.batch(principal.workspace_id) as connection:
            # Before the subject is read: who is being erased at this moment is nobody to hold afterwards.
            await lock_holds(connection, principal.workspace_id, alone=True)
            subject, handles = await _subject(connection, principal, body)
            hold = await place_hold(
                connection, principal.workspace_id, kind=body.kind, subject_id=subject, handles=handles, reason=body.reason,
                until=body.until, actor=principal.actor,
            )  # fmt: skip
            details = {"kind": hold.kind, "subject": str(hold.subject_id), "until": hold.until and hold.until.isoformat()}
            await audit(connection, principal, "hold.placed", "hold", str(hold.id), details)
            return hold

    hold = await retried(work)
    response.headers["location"] = f"/v1/holds/{hold.id}"
    return _shown(hold)


async def _subject(connection: Connection, principal: Principal, body: HoldIn) -> tuple[UUID, Sequence[UUID]]:
    """The subject's id as it is now, and a person's handles. Raises `NotFound`, `Conflict`."""
    try:
        if body.kind == "case":
            await read_conversation(connection, principal.workspace_id, body.subject_id)
            return body.subject_id, ()
        view = await profile_view(connection, principal.workspace_id, body.subject_id)
    except NotFound as error:
        remedy = "a conversation's id" if body.kind == "case" else "any id of a profile of this workspace"
        raise NotFound(error.message, field="subject_id", remedy=remedy) from error
    require_standing(view, field="subject_id")
    return view.id, [handle.id for handle in view.handles]


@router.get("", summary="Legal holds, newest first")
async def list_legal_holds(
    request: Request, principal: Reader, subject_id: UUID | None = None,
    in_force: Annotated[bool | None, Query(description="Only those that stand, or only those that ended")] = None,
    limit: Limit = 50, cursor: Cursor = None,
) -> Page[HoldOut]:  # fmt: skip
    """Ended ones too."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        found = await list_holds(
            connection, principal.workspace_id, subject_id=subject_id, in_force=in_force, before=id_of(cursor), limit=limit + 1
        )
    return Page(items=[_shown(one) for one in found[:limit]], next=cursor_of(found[limit - 1].id) if len(found) > limit else None)


@router.get("/{hold_id}", summary="One legal hold")
async def read_legal_hold(request: Request, principal: Reader, hold_id: UUID) -> HoldOut:
    """With its reason, and how it ended."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        return _shown(await read_hold(connection, principal.workspace_id, hold_id))


@router.delete("/{hold_id}", status_code=204, summary="Lift a legal hold")
async def lift_legal_hold(request: Request, principal: Keeper, hold_id: UUID) -> None:
    """What waited for its end goes on at once, unless another hold stands. Twice, or after its end, is harmless."""
    state = request.app.state

    async def work() -> bool:
        async with state.db.batch(principal.workspace_id) as connection:
            lifted = await lift_hold(connection, principal.workspace_id, hold_id, actor=principal.actor)
            if lifted:
                await audit(connection, principal, "hold.lifted", "hold", str(hold_id))
            return lifted

    if await retried(work):
        state.hints.wake("privacy")


def _shown(hold: Hold) -> HoldOut:
    return HoldOut(**asdict(hold))
