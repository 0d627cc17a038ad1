"""What a person agreed to, and whether they may be written to first. Every read for outreach names its purpose."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from profiles.consent import Consent, Statement, consent_for
from profiles.consent_store import state_consent, statements_of
from profiles.contact import Verdict, may_contact
from profiles.store import profile_view
from services.api.audit import audit
from services.api.principal import Principal, ProfileReader, ProfileWriter
from services.api.profiles import require_standing
from services.api.visibility import require_person, seen_of
from shared.database import Connection, retried
from shared.errors import Conflict, Unprocessable
from shared.given import Given
from shared.ids import HandleId, WorkspaceId
from shared.moments import Moment

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Asked = Annotated[
    str, Query(pattern=r"^[a-z][a-z0-9_]{0,31}$", description="What for: `service`, `survey` …", examples=["marketing"])
]
On = Annotated[str, Query(pattern=r"^[a-z][a-z0-9_]{0,31}$", description="`chat`, `phone`, `social` …", examples=["email"])]
_NOW: Final = """
select clock_timestamp() as now, coalesce(settings->>'time_zone', 'UTC') as time_zone from santral.workspace where id = $1
"""

_SUPERVISOR: Final = "ask a supervisor"
ANSWER_WITHIN_S: Final = 24 * 3600
_LAST: Final = f"""
select last_handle_id as handle_id, channel,
       coalesce(last_in_at > clock_timestamp() - interval '{ANSWER_WITHIN_S} s', false) as answers
from santral.conversation where workspace_id = $1 and id = $2
"""


class ConsentIn(Given):
    """A statement; `all` stands for every purpose or every channel. ``explicit``: the person said so themselves."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"purpose": "marketing", "channel": "email", "granted": True, "source": "newsletter form"}]
        },
    )

    purpose: Word
    channel: Word
    granted: bool
    explicit: bool = True
    source: Annotated[str, Field(min_length=1, max_length=200)]
    handle_id: UUID | None = None
    stated_at: Moment | None = None
    expires_at: Moment | None = None


class ConsentOut(BaseModel):
    """The statement, and what holds now for its purpose and channel."""

    statement: Statement
    effective: Consent


class ConsentsOut(BaseModel):
    """What holds for the purpose and channel asked for, and every statement, newest first."""

    effective: Consent
    items: list[Statement]


@router.post("/{profile_id}/consents", status_code=201, summary="Record what a person agreed to, or took back")
async def state_profile_consent(request: Request, principal: ProfileWriter, profile_id: UUID, body: ConsentIn) -> ConsentOut:
    """Never overwrites an earlier one. What is not ``explicit`` can only narrow what the person said."""
    for field, moment in (("stated_at", body.stated_at), ("expires_at", body.expires_at)):
        if moment is not None and moment.tzinfo is None:
            raise Unprocessable("a time without a zone", field=field, remedy="like 2026-03-01T09:00:00Z")
    state = request.app.state

    async def work() -> ConsentOut:
        async with state.db.batch(principal.workspace_id) as connection:
            handle_id = await _handle(connection, principal, profile_id, body.handle_id, writing=True)
            said = await state_consent(
                connection, principal.workspace_id, handle_id, purpose=body.purpose, channel=body.channel, granted=body.granted,
                explicit=body.explicit, source=body.source, actor=principal.actor, stated_at=body.stated_at,
                expires_at=body.expires_at,
            )  # fmt: skip
            details = {"purpose": body.purpose, "channel": body.channel, "granted": body.granted, "statement": str(said.id)}
            await audit(connection, principal, "profile.consent", "profile", str(profile_id), details)
            effective, _ = await _effective(connection, principal.workspace_id, profile_id, body.purpose, body.channel)
        return ConsentOut(statement=said, effective=effective)

    done = await retried(work)
    state.hints.wake("outbox")
    return done


@router.get("/{profile_id}/consents", summary="What holds for a purpose on a channel, and every statement")
async def list_profile_consents(
    request: Request, principal: ProfileReader, profile_id: UUID, purpose: Asked, channel: On
) -> ConsentsOut:
    """After a merge never wider than the latest explicit statement, nor, without one, than any unexpired one."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        await _handle(connection, principal, profile_id, None)
        effective, statements = await _effective(connection, principal.workspace_id, profile_id, purpose, channel)
    return ConsentsOut(effective=effective, items=statements)


@router.get("/{profile_id}/may-contact", summary="May we write to this person first?")
async def may_contact_profile(request: Request, principal: ProfileReader, profile_id: UUID, purpose: Asked, channel: On) -> Verdict:
    """Consent, preferred channel and quiet hours in the person's zone; a refusal says why and, for the hour, until when."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        await _handle(connection, principal, profile_id, None)
        return await verdict_on(connection, principal.workspace_id, profile_id, purpose=purpose, channel=channel)


async def verdict_on(connection: Connection, workspace_id: UUID, any_id: UUID, *, purpose: str, channel: str) -> Verdict:
    """Whether the person may be written to first now. Raises `NotFound`."""
    workspace = WorkspaceId(workspace_id)
    view = await profile_view(connection, workspace, any_id)
    row = await connection.fetchrow(_NOW, workspace_id)
    now, zone = (row["now"], row["time_zone"]) if row is not None else (view.changed_at, "UTC")
    attributes = {name: kept["value"] for name, kept in view.attributes.items()}
    statements = await statements_of(connection, workspace, any_id)
    return may_contact(statements, attributes, purpose=purpose, channel=channel, now=now, time_zone=zone)


async def require_first_contact(connection: Connection, principal: Principal, conversation_id: UUID, *, purpose: str) -> None:
    """Raises `Conflict` when writing in this conversation is a first contact that consent or preferences stand against.

    Within a day of the customer's last message it is an answer, which nothing stands against. What stands against it is told to who sees
    the person; what somebody agreed to, wants or does at night is nobody else's to ask by writing.
    """
    workspace_id = principal.workspace_id
    row = await connection.fetchrow(_LAST, workspace_id, conversation_id)
    if row is None or row["answers"]:
        return
    verdict = await verdict_on(connection, workspace_id, row["handle_id"], purpose=purpose, channel=row["channel"])
    if verdict.allowed:
        return
    if row["handle_id"] not in await seen_of(connection, principal, [row["handle_id"]]):
        raise Conflict("this person is not to be written to first now", field="content.purpose", remedy=_SUPERVISOR)
    reason = verdict.reason.replace("_", " ")
    raise Conflict(
        f"this person is not to be written to first now: {reason}", field="content.purpose", remedy=verdict.remedy,
        reason=verdict.reason,
    )  # fmt: skip


async def _effective(
    connection: Connection, workspace_id: UUID, any_id: UUID, purpose: str, channel: str
) -> tuple[Consent, list[Statement]]:
    statements = await statements_of(connection, WorkspaceId(workspace_id), any_id)
    now = await connection.fetchval("select clock_timestamp()")
    return consent_for(statements, purpose=purpose, channel=channel, as_of=now), statements


async def _handle(
    connection: Connection, principal: Principal, profile_id: UUID, handle_id: UUID | None, *, writing: bool = False
) -> HandleId:
    """The handle a statement is made at: the one named, else the id asked for, which is a handle's too."""
    view = await profile_view(connection, WorkspaceId(principal.workspace_id), profile_id)
    ids = [handle.id for handle in view.handles]
    await require_person(connection, principal, ids)
    if writing:
        require_standing(view)
    if handle_id is None:
        return HandleId(profile_id)
    if handle_id not in ids:
        raise Unprocessable("not a handle of this profile", field="handle_id", remedy="one of the profile's handles")
    return HandleId(handle_id)
