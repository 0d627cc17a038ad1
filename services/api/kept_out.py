"""What is kept out of work over REST: listed with its reason, searched, and made work.

It is read and changed with the rights over conversations: who sees the whole workspace sees all of it, who sees queues what came into
conversations that had work there.
"""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from profiles.snapshot import snapshots
from router.calendars.store import read_calendars, read_slas
from router.intake.bulk_digest import list_digests
from router.intake.making_work import make_work
from router.policy.policy import NO_POLICY, kept_policy
from router.views.kept_out import list_kept_out
from router.workspace.workspace import Workspace, read_figures, read_plans, read_policies, read_queues, workspace_of
from services.api.audit import audit
from services.api.lists import Cursor, Limit, Page, cursor_of, moment_of, next_of, values_of
from services.api.principal import ConversationReader, ConversationWriter, Principal, require_conversation
from shared.database import Connection, retried
from shared.errors import Forbidden, NotFound, Unprocessable

router = APIRouter(prefix="/v1/kept-out", tags=["conversations"])
Kind = Literal["auto_reply", "out_of_office", "bounce", "bulk", "disposition", "feedback", "echo"]
_INBOXES: Final = "select id, name from santral.inbox where workspace_id = $1"
_WHERE: Final = "select conversation_id from santral.receipt where workspace_id = $1 and id = $2 and state = 'taken'"


class KeptOutSender(BaseModel):
    """Who wrote, as the channel shows it."""

    kind: str | None
    value: str | None
    name: str | None


class FilteredOut(BaseModel):
    """What the filter at the own mail border says."""

    verdict: Literal["clean", "bulk", "spam", "phishing"]
    by: str
    score: float | None = None


class KeptOut(BaseModel):
    """A message that nobody works on. ``evidence`` names the fields and parts that say so; ``marked_only``: nothing says a machine wrote it.

    ``reason`` is what a report says of the mail that came back.
    """

    id: UUID
    conversation_id: UUID
    seq: int
    at: datetime
    kind: Kind
    marked_only: bool
    evidence: list[str]
    reason: str
    filtered: FilteredOut | None
    inbox: str
    sender: KeptOutSender
    subject: str
    preview: str
    preview_contents: list[str]


class DigestedMessage(BaseModel):
    """A bulk mail as a digest names it."""

    id: UUID
    conversation_id: UUID
    at: datetime
    subject: str
    sender: str | None


class BulkDigest(BaseModel):
    """What came in one day in bulk from nobody we know, by the workspace's own clock; ``messages`` are the newest that are still there."""

    day: date
    mails: int
    senders: int
    made_at: datetime
    messages: list[DigestedMessage]


class MadeWorkIn(BaseModel):
    """``person``: a person wrote it and is to be answered. Left out: yes, but for reports of mail, whose author is never answered."""

    model_config = ConfigDict(extra="forbid")

    person: bool | None = None


class MadeWorkOut(BaseModel):
    """Where the work is: a new item with its decision, or the open one of the conversation."""

    message_id: UUID
    conversation_id: UUID
    item_id: UUID
    queue: str | None = Field(default=None, description="The queue of a new item")
    decision_id: UUID | None = None


@router.get("", summary="What is kept out of work, newest first")
async def list_kept(
    request: Request, principal: ConversationReader, kind: Annotated[list[Kind] | None, Query()] = None, inbox: str | None = None,
    since: AwareDatetime | None = None, marked_only: bool | None = None,
    q: Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$", description="Words of the subject or the sender")] = "",
    limit: Limit = 50, cursor: Cursor = None,
) -> Page[KeptOut]:  # fmt: skip
    """Messages that machines wrote, or that count as theirs, each with the reason."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        rows = await list_kept_out(
            connection, principal.workspace_id, kinds=kind, inbox=inbox, since=since, marked_only=marked_only, text=q,
            agent_id=None if principal.visibility == "workspace" else principal.agent_id,
            in_queues=principal.visibility in ("queue", "team"), before=moment_of(cursor), limit=limit + 1,
        )  # fmt: skip
    return Page(items=[KeptOut.model_validate(row) for row in rows[:limit]], next=next_of(rows, limit, "at"))


@router.get("/digests", summary="Days of bulk mail from nobody we know, newest first")
async def list_bulk_digests(
    request: Request, principal: ConversationReader, limit: Annotated[int, Query(ge=1, le=31)] = 7, cursor: Cursor = None
) -> Page[BulkDigest]:
    """One a day, where a queue for bulk mail is there: for those who see the whole workspace."""
    if principal.visibility != "workspace":
        raise Forbidden("digests are of the whole workspace", field="Authorization", remedy="ask a supervisor")
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        rows = await list_digests(connection, principal.workspace_id, before=_day_of(cursor), limit=limit + 1)
    more = cursor_of(rows[limit - 1]["day"].isoformat()) if len(rows) > limit else None
    return Page(items=[BulkDigest.model_validate(row) for row in rows[:limit]], next=more)


def _day_of(cursor: str | None) -> date | None:
    values = values_of(cursor, 1)
    try:
        return None if values is None else date.fromisoformat(values[0])
    except (ValueError, TypeError) as error:
        raise Unprocessable("not a cursor of this list", field="cursor", remedy="copy `next` of the page before") from error


@router.post("/{message_id}/work", summary="Make it work")
async def make_kept_work(
    request: Request, principal: ConversationWriter, message_id: UUID, body: MadeWorkIn | None = None
) -> MadeWorkOut:
    """Opens an item by the policy, as if it had come as work, and its author is answered from then on. Again: the same answer.

    409 for what is work already, and for a report in whose conversation nobody else could be answered.
    """
    state = request.app.state

    async def once() -> MadeWorkOut:
        async with state.db.batch(principal.workspace_id) as connection:
            return await _made(connection, principal, message_id, (body or MadeWorkIn()).person)

    made = await retried(once)
    for topic in ("outbox", "dispatch"):
        state.hints.wake(topic)
    state.hints.wake("stream", str(principal.workspace_id))
    return made


async def _made(connection: Connection, principal: Principal, message_id: UUID, person: bool | None) -> MadeWorkOut:
    place = await connection.fetchval(_WHERE, principal.workspace_id, message_id)
    if place is None:
        raise NotFound("no such message", field="message_id")
    await require_conversation(connection, principal, place)
    made = await make_work(
        connection, workspace=await _workspace(connection, principal.workspace_id), message_id=message_id, actor=principal.actor,
        person=person, snapshots=snapshots,
    )  # fmt: skip
    if made.news:
        details: dict[str, Any] = {"item_id": str(made.item_id), "conversation_id": str(made.conversation_id)}
        await audit(connection, principal, "message.made_work", "message", str(message_id), details)
    return MadeWorkOut(
        message_id=made.message_id, conversation_id=made.conversation_id, item_id=made.item_id, queue=made.queue,
        decision_id=made.decision_id,
    )  # fmt: skip


async def _workspace(connection: Connection, workspace_id: UUID) -> Workspace:
    """The workspace as a router has it in memory, read for this one message."""
    settings = await connection.fetchval("select settings from santral.workspace where id = $1", workspace_id)
    version, document = (await read_policies(connection)).get(workspace_id, (None, None))
    policy = NO_POLICY if document is None else (await asyncio.to_thread(kept_policy, version, document))[0]
    return workspace_of(
        workspace_id, settings, policy=policy, queues=(await read_queues(connection)).get(workspace_id, ()),
        inboxes={row["id"]: row["name"] for row in await connection.fetch(_INBOXES, workspace_id)},
        calendars=(await read_calendars(connection)).get(workspace_id), slas=(await read_slas(connection)).get(workspace_id),
        plans=(await read_plans(connection)).get(workspace_id),
        figures=(await read_figures(connection)).get(workspace_id) if policy.asks_queues else None,
    )  # fmt: skip
