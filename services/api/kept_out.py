"""What is kept out of work over REST: listed with its reason, searched, and made work.

It is read and changed with the rights over conversations: who sees the whole workspace sees all of it, who sees queues what came into
conversations that had work there.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from profiles.snapshot import snapshots
from router.intake.bulk_digest import list_digests
from router.intake.making_work import make_work
from router.views.kept_out import list_kept_out
from router.workspace.stored import made_workspace, read_workspaces
from router.workspace.workspace import Workspace, read_figures
from services.api.audit import audit
from services.api.lists import Cursor, Limit, Page, cursor_of, day, moment_of, next_of, values_of
from services.api.message_models import FilteredOut, SenderOut
from services.api.principal import ConversationReader, ConversationWriter, Principal
from services.api.unseen_customers import hide_writers
from services.api.visibility import require_conversation, require_everything, sight_of
from shared.database import Connection, retried
from shared.errors import NotFound
from shared.given import Given
from shared.moments import Moment

router = APIRouter(prefix="/v1/kept-out", tags=["conversations"])
Kind = Literal["auto_reply", "out_of_office", "bounce", "bulk", "disposition", "feedback", "echo"]
_WHERE: Final = "select conversation_id from santral.receipt where workspace_id = $1 and id = $2 and state = 'taken'"


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
    sender: SenderOut
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


class MadeWorkIn(Given):
    """``person``: a person wrote it and is to be answered. Left out: yes, but for reports of mail, whose author is never answered."""

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
    since: Moment | None = None, marked_only: bool | None = None,
    q: Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$", description="Words of the subject or the sender")] = "",
    limit: Limit = 50, cursor: Cursor = None,
) -> Page[KeptOut]:  # fmt: skip
    """Messages that machines wrote, or that count as theirs, each with the reason."""
    sight = sight_of(principal)
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        rows = await list_kept_out(
            connection, principal.workspace_id, kinds=kind, inbox=inbox, since=since, marked_only=marked_only, text=q,
            seer=sight.seer, in_queues=sight.in_queues, before=moment_of(cursor), limit=limit + 1,
        )  # fmt: skip
        await hide_writers(connection, principal, None, rows)
    return Page(items=[KeptOut.model_validate(row) for row in rows[:limit]], next=next_of(rows, limit, "at"))


@router.get("/digests", summary="Days of bulk mail from nobody we know, newest first")
async def list_bulk_digests(
    request: Request, principal: ConversationReader, limit: Annotated[int, Query(ge=1, le=31)] = 7, cursor: Cursor = None
) -> Page[BulkDigest]:
    """One a day, where a queue for bulk mail is there: for those who see the whole workspace."""
    require_everything(principal, "digests are of the whole workspace")
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        rows = await list_digests(connection, principal.workspace_id, before=_day_of(cursor), limit=limit + 1)
    more = cursor_of(rows[limit - 1]["day"].isoformat()) if len(rows) > limit else None
    return Page(items=[BulkDigest.model_validate(row) for row in rows[:limit]], next=more)


def _day_of(cursor: str | None) -> date | None:
    values = values_of(cursor, day)
    return None if values is None else values[0]


@router.post("/{message_id}/work", summary="Make it work")
async def make_kept_work(
    request: Request, principal: ConversationWriter, message_id: UUID, body: MadeWorkIn | None = None
) -> MadeWorkOut:
    """Opens an item by the policy, as if it had come as work, and its author is answered from then on. Again: the same answer.

    409 for what is work already, and for a report in whose conversation nobody else could be answered.
    """
    state = request.app.state

    async def once() -> MadeWorkOut:
        # In the workspace's turn: its policy is compiled for this one message.
        async with state.thought_turns.of(principal), state.db.batch(principal.workspace_id) as connection:
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
        person=person, snapshots=snapshots, own_word=sight_of(principal).seer is not None,
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
    stored = (await read_workspaces(connection, [workspace_id]))[workspace_id]
    workspace = await asyncio.to_thread(made_workspace, stored)
    if not workspace.policy.asks_queues:
        return workspace
    return replace(workspace, figures=(await read_figures(connection)).get(workspace_id, {}))
