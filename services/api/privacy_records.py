"""Redacting messages, seeing who looked at whom, and what retention would remove."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from profiles.store import profile_view
from services.api.audit import audit
from services.api.document import may_answer
from services.api.lists import Cursor, Limit, Page, plain_id_of
from services.api.principal import ConfigReader, ConfigWriter, ConversationWriter, Principal, needs
from services.api.profile_seen import View, views_of
from services.api.shown import Shown
from services.api.visibility import require_everything, require_holder, require_person
from services.privacy.blob_removals import remove_blobs
from services.privacy.redaction import RedactionReason, redact
from services.privacy.retention import RetentionClass, plan
from services.privacy.retention_presets import PRESETS, preset_named
from shared.database import retried
from shared.errors import Unavailable
from shared.given import Given
from shared.logs import get_log

router = APIRouter(prefix="/v1", tags=["profiles"])
log = get_log(__name__)
Watcher = Annotated[Principal, Depends(needs("events:read"))]
Number = Annotated[int, Path(ge=0)]


class RedactIn(Given):
    """Why, as a closed word: free text would be a place for what must go."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "card_number"}]})

    reason: RedactionReason


class RedactedOut(BaseModel):
    """``changed`` is False when it was redacted before."""

    conversation_id: UUID
    seq: int
    changed: bool


@router.post("/conversations/{conversation_id}/messages/{seq}/redact", summary="Take a message's words and files away for good")
async def redact_message(
    request: Request, principal: ConversationWriter, conversation_id: UUID, seq: Number, body: RedactIn
) -> RedactedOut:
    """Text, HTML, original, files and what was sent; a marker with who, when and why stays. Twice is harmless; 409 under a legal hold.

    Of who sees the whole workspace, or is the agent who has the work; 403 for who only sees the conversation.
    """
    return await _redacted(request, principal, conversation_id, seq, None, body)


@router.post("/conversations/{conversation_id}/messages/{seq}/parts/{n}/redact", summary="Take one file of a message away for good")
async def redact_part(
    request: Request, principal: ConversationWriter, conversation_id: UUID, seq: Number, n: Number, body: RedactIn
) -> RedactedOut:
    """``n``: its place in `files` of what came, in `content.files` of an answer. What holds it goes too: the original of what came; an
    answer that waits is not sent. Twice is harmless; 409 under a legal hold; of whom the message's redaction is."""
    return await _redacted(request, principal, conversation_id, seq, n, body)


async def _redacted(
    request: Request, principal: Principal, conversation_id: UUID, seq: int, part: int | None, body: RedactIn
) -> RedactedOut:
    state = request.app.state

    async def work() -> UUID | None:
        async with state.db.batch(principal.workspace_id) as connection:
            await require_holder(connection, principal, [conversation_id])
            cause = await redact(
                connection, workspace_id=principal.workspace_id, conversation_id=conversation_id, seq=seq, part=part,
                reason=body.reason, actor=principal.actor,
            )  # fmt: skip
            if cause is not None:
                details = {"seq": seq, "reason": body.reason, **({} if part is None else {"part": part})}
                await audit(connection, principal, "message.redacted", "conversation", str(conversation_id), details)
            return cause

    cause = await retried(work)
    if cause is not None:
        try:
            await remove_blobs(state.db, state.blobs, principal.workspace_id, cause, as_api=True)
        except Unavailable as error:
            log.warning("files go with the courier's next look", action="erasure_waits", error=str(error))
        state.hints.wake("privacy")
        state.hints.wake("outbox")
        state.hints.wake("stream", str(principal.workspace_id))
    return RedactedOut(conversation_id=conversation_id, seq=seq, changed=cause is not None)


@router.get("/profiles/{profile_id}/views", summary="Who looked at a person")
async def list_profile_views(
    request: Request, principal: Watcher, profile_id: UUID, limit: Limit = 50, cursor: Cursor = None
) -> Page[View]:
    """Newest first, under every id the person ever had; who and when, never what was shown."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        view = await profile_view(connection, principal.workspace_id, profile_id)
        ids = [handle.id for handle in view.handles]
        await require_person(connection, principal, ids)
        found = await views_of(connection, principal.workspace_id, ids, before=plain_id_of(cursor), limit=limit + 1)
    return Page(items=found[:limit], next=str(found[limit - 1].id) if len(found) > limit else None)


class PeriodOut(BaseModel):
    """How many days a class is kept, why, and what that rests on."""

    days: int
    why: str
    source: str


class PresetOut(BaseModel):
    """Periods to begin with, as somebody compared them with the rules on ``as_of``. No legal advice."""

    name: str
    title: str
    as_of: date
    periods: dict[str, PeriodOut]


class PlannedClass(Shown):
    """A class of data: how many rows are older than its days, and the time before which they go."""

    name: Annotated[RetentionClass, Field(alias="class")]
    days: int
    before: datetime
    rows: int


class RetentionPlan(Shown):
    """What retention would remove now, by class; those without days are left out."""

    items: list[PlannedClass]


@router.get("/retention/presets", summary="Periods to begin with, by place")
async def list_retention_presets(principal: ConfigReader) -> Page[PresetOut]:
    """Dated data with sources; a workspace takes them over by writing their days into its setting `retention`."""
    return Page(items=[PresetOut.model_validate(asdict(preset)) for preset in PRESETS.values()])


@router.get("/retention/plan", summary="What retention would remove now", responses=may_answer(404))
async def plan_retention(
    request: Request, principal: ConfigReader, preset: Annotated[str | None, Query(max_length=20)] = None
) -> RetentionPlan:
    """Counts by class, with the time before which rows go; nothing is changed. ``preset``: with its days in place of the workspace's.

    Of who sees the whole workspace: the numbers are of everybody.
    """
    require_everything(principal, "these numbers are of everybody")
    days = None if preset is None else preset_named(preset).days()
    return await _planned(request, principal, days)


@router.post("/retention/run", status_code=202, summary="Let retention run now")
async def run_retention(request: Request, principal: ConfigWriter) -> RetentionPlan:
    """The courier starts at once instead of within ten minutes; what it removed stands in its runs."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        await audit(connection, principal, "retention.asked", "workspace", str(principal.workspace_id))
    request.app.state.hints.wake("privacy")
    return await _planned(request, principal)


async def _planned(request: Request, principal: Principal, days: Mapping[str, int] | None = None) -> RetentionPlan:
    # Under a legal hold quarantine is read for it: one such question of a workspace at a time.
    async with request.app.state.thought_turns.of(principal):
        planned = await plan(request.app.state.db, request.app.state.blobs, principal.workspace_id, days)
    return RetentionPlan(items=[PlannedClass(**one) for one in planned])
