"""Conversations: read them, their messages, events and files; write replies and read what became of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from ingest.adapter import Inbox, Reply, require_carried
from ingest.adapters.smtp import own_message_id
from ingest.registry import adapter_for
from router.commands.last_agent import served_in
from router.commands.loop_guard import LoopStopped, tell_of_stop
from router.commands.reply import write_reply
from router.commands.whose_answer import lock_answered
from router.views.answered import ANSWERED, address_of, recipient_in
from router.views.answers import answers_of
from router.views.conversations import conversation_events, is_held, list_conversations, read_conversation
from router.views.messages import messages_at, messages_page
from services.api.audit import audit
from services.api.conversation_models import ConversationOut, ListedConversation, ParticipantOut
from services.api.files import FileOut
from services.api.idempotency import same_reply
from services.api.lists import Cursor, Limit, Page, moment_of, next_of, next_seq, seq_of
from services.api.message_models import MessageOut
from services.api.own_book import OwnBook
from services.api.participants import participants_of
from services.api.principal import ConversationReader, ConversationWriter, Principal
from services.api.profile_consent import require_first_contact
from services.api.recipients import read_recipient, require_recipient
from services.api.records import EventOut
from services.api.reply_words import ReplyWords, provider_of, reply_words
from services.api.unseen import hide_ends, hide_merged_into, require_merged_seen
from services.api.unseen_customers import hide_customers, hide_writers
from services.api.visibility import require_conversation, sight_of
from shared.database import Connection, retried
from shared.errors import NotFound, Unprocessable
from shared.given import Given
from shared.ids import new_id

router = APIRouter(prefix="/v1", tags=["conversations"])
Json = dict[str, Any]
Seq = Annotated[int, Query(ge=0, description="Only what comes after this number")]


class TextContent(Given):
    """Plain text, or HTML where the channel carries it."""

    kind: Literal["text", "html"] = "text"
    text: Annotated[str, Field(min_length=1, max_length=500_000)]
    html: Annotated[str, Field(max_length=1_000_000)] | None = None
    quote: bool = False


class TemplateContent(Given):
    """A template that the provider has approved. After a silence it is a first contact, for ``purpose``: see `may-contact`."""

    kind: Literal["template"]
    name: Annotated[str, Field(min_length=1, max_length=512)]
    language: Annotated[str, Field(max_length=20)] = "tr"
    components: list[dict[str, Any]] = Field(default_factory=list)
    text: Annotated[str, Field(max_length=5000)] = ""
    purpose: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")] = "service"


class MediaContent(Given):
    """Files that were kept with `POST /v1/files`, with a caption. They are this answer's alone: another keeps its own."""

    kind: Literal["media"]
    text: Annotated[str, Field(max_length=5000)] = ""
    files: Annotated[list[FileOut], Field(min_length=1, max_length=20)]


class ReplyIn(Given):
    """An answer. Recipients other than the customer only where the channel knows copies.

    It goes to the conversation's ``reply_to``, unless ``to`` names somebody. Say in ``reply_to`` what you read there: when the answer would
    go to somebody else by now it is refused (409) instead of sent to whom nobody has seen.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"content": {"kind": "text", "text": "Merhaba, hemen bakıyorum."}}]})

    content: Annotated[TextContent | TemplateContent | MediaContent, Field(discriminator="kind")]
    subject: Annotated[str, Field(max_length=500, pattern=r"^[^\r\n\x00]*$")] = ""
    to: Annotated[str, Field(max_length=320)] | None = None
    # Left out of what is compared when it was not given, so that a call of before and the same call now are one.
    reply_to: Annotated[
        str | None,
        Field(max_length=512, exclude_if=lambda given: given is None, description="The recipient as you read it: `reply_to.value`"),
    ] = None
    cc: Annotated[list[Annotated[str, Field(max_length=320)]], Field(max_length=50)] = Field(default_factory=list)
    bcc: Annotated[list[Annotated[str, Field(max_length=320)]], Field(max_length=50)] = Field(default_factory=list)


class ReplyOut(BaseModel):
    """A reply on its way."""

    id: UUID
    conversation_id: UUID
    seq: int
    state: Literal["queued", "sent", "delivered", "read", "failed"]
    reason: str = ""
    attempts: int = 0
    at: datetime


@router.get("/conversations", summary="List conversations, newest first")
async def conversations(
    request: Request, principal: ConversationReader, state: Literal["open", "closed"] | None = None, queue: str | None = None,
    agent: UUID | None = None, limit: Limit = 50, cursor: Cursor = None,
) -> Page[ListedConversation]:  # fmt: skip
    """Those that the caller's visibility reaches."""
    before, sight = moment_of(cursor), sight_of(principal)
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        rows = await list_conversations(
            connection,
            principal.workspace_id,
            state=state,
            queue=queue,
            agent_id=agent,
            seer=sight.seer,
            in_queues=sight.in_queues,
            before=before,
            limit=limit + 1,
        )
        await hide_customers(connection, principal, rows[:limit], named="id")
    return Page(items=[ListedConversation(**row) for row in rows[:limit]], next=next_of(rows, limit, "opened_at"))


@router.get("/conversations/{conversation_id}", summary="Read a conversation")
async def conversation(request: Request, principal: ConversationReader, conversation_id: UUID) -> ConversationOut:
    """One conversation with its newest item, everybody who takes part in it, and who an answer would go to."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        found = await read_conversation(connection, principal.workspace_id, conversation_id)
        await require_conversation(connection, principal, conversation_id)
        await hide_merged_into(connection, principal, [found])
        await hide_customers(connection, principal, [found], named="id")
        others = await participants_of(connection, principal, conversation_id)
        answered = await read_recipient(connection, principal.workspace_id, conversation_id)
        known = found["customer"]["profile_id"] is not None
        held = known and await is_held(connection, principal.workspace_id, conversation_id)
        if answered is not None and not known:
            answered = answered.model_copy(update={"name": found["customer"]["name"]})
    return ConversationOut(**found, participants=[ParticipantOut(**asdict(one)) for one in others], reply_to=answered, held=held)


@router.get("/conversations/{conversation_id}/messages", summary="Messages, oldest first")
async def messages(
    request: Request, principal: ConversationReader, conversation_id: UUID, after_seq: Seq = 0, limit: Limit = 200,
    cursor: Cursor = None,
) -> Page[MessageOut]:  # fmt: skip
    """Messages after a sequence number, each reply with its delivery.

    Of mail: ``verdict``, our border's word on the sender's domain (``pass``, ``none``, ``fail``, ``no_border``); ``reply_to``, where it asks
    to be answered when that is not its writer's own address; ``written_from``, the form's or list's address it came from; ``aside``: it
    moved nothing of who is answered.

    Each stands as it is now: ``edited_at`` with its ``earlier`` words, ``deleted_at``, ``reactions``; of what its writer deleted there are
    neither words nor files. An edit, a deletion or a reaction is a message too, with a number of its own: ``amends`` names the one that it is
    about, and whoever shows bubbles shows that one alone. ``contents`` says what came beside words, ``gone`` why nothing is shown.
    """
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        await read_conversation(connection, principal.workspace_id, conversation_id)
        await require_conversation(connection, principal, conversation_id)
        after = seq_of(cursor) or after_seq
        rows = await messages_page(connection, principal.workspace_id, conversation_id, after_seq=after, limit=limit + 1)
        await add_deliveries(connection, principal.workspace_id, rows[:limit])
        await hide_writers(connection, principal, conversation_id, rows[:limit])
    return Page(items=[MessageOut(**row) for row in rows[:limit]], next=next_seq(rows, limit))


@router.get("/conversations/{conversation_id}/messages/{seq}", summary="One message")
async def message(request: Request, principal: ConversationReader, conversation_id: UUID, seq: int) -> MessageOut:
    """The message with this number as it stands now."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        await read_conversation(connection, principal.workspace_id, conversation_id)
        await require_conversation(connection, principal, conversation_id)
        rows = await messages_at(connection, principal.workspace_id, conversation_id, [seq])
        await add_deliveries(connection, principal.workspace_id, rows)
        await hide_writers(connection, principal, conversation_id, rows)
    if not rows:
        raise NotFound("no such message", field="seq", remedy="a number from the conversation's messages")
    return MessageOut(**rows[0])


async def add_deliveries(connection: Connection, workspace_id: UUID, rows: list[Json]) -> None:
    """Puts ``delivery`` on each message of direction out."""
    replies = [row["id"] for row in rows if row["direction"] == "out"]
    if not replies:
        return
    found = await connection.fetch(
        "select message_id, state, reason, attempts from santral.delivery where workspace_id = $1 and message_id = any($2)",
        workspace_id, replies,
    )  # fmt: skip
    known = {row["message_id"]: {"state": row["state"], "reason": row["reason"], "attempts": row["attempts"]} for row in found}
    for row in rows:
        row["delivery"] = known.get(row["id"])


@router.get("/conversations/{conversation_id}/events", summary="Events, in order")
async def events(
    request: Request, principal: ConversationReader, conversation_id: UUID, after_seq: Seq = 0, limit: Limit = 200,
    cursor: Cursor = None,
) -> Page[EventOut]:  # fmt: skip
    """A conversation's events after a sequence number, without gaps."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        await read_conversation(connection, principal.workspace_id, conversation_id)
        await require_conversation(connection, principal, conversation_id)
        after = seq_of(cursor) or after_seq
        rows = await conversation_events(connection, principal.workspace_id, conversation_id, after_seq=after, limit=limit + 1)
        await hide_ends(connection, principal, rows)
    return Page(items=[EventOut(**row) for row in rows[:limit]], next=next_seq(rows, limit))


@router.post("/conversations/{conversation_id}/replies", status_code=202, summary="Answer")
async def reply(
    request: Request, principal: ConversationWriter, conversation_id: UUID, body: ReplyIn,
    key: Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)] = None,
) -> ReplyOut:  # fmt: skip
    """Stores the reply in the conversation and hands it to the courier; what the channel cannot carry is refused at once."""
    state = request.app.state
    # What may be a call of before is not judged by the channel of now.
    provider = None if key is not None else lambda connection: provider_of(connection, principal, conversation_id)
    words = await reply_words(request, principal, body.content, body.subject, provider=provider)

    async def work() -> ReplyOut:
        async with state.db.batch(principal.workspace_id) as connection:
            return await _write(connection, principal, conversation_id, body, words, key, state.secret, state.own_book)

    try:
        written = await retried(work)
    except LoopStopped as stopped:
        await _tell_of_stop(request, principal, stopped)
        raise
    for topic in ("delivery", "outbox", "dispatch"):
        state.hints.wake(topic)
    state.hints.wake("stream", str(principal.workspace_id))
    return written


async def _tell_of_stop(request: Request, principal: Principal, stopped: LoopStopped) -> None:
    """What was refused left nothing behind, so that it was refused is written by itself."""
    state = request.app.state
    async with state.db.batch(principal.workspace_id) as connection:
        news = await tell_of_stop(
            connection, workspace_id=principal.workspace_id, stopped=stopped, actor=principal.actor, agent_id=principal.agent_id
        )
    if news:
        state.hints.wake("outbox")
        state.hints.wake("stream", str(principal.workspace_id))


async def _write(
    connection: Connection, principal: Principal, conversation_id: UUID, body: ReplyIn, words: ReplyWords, key: str | None,
    secret: bytes, own: OwnBook,
) -> ReplyOut:  # fmt: skip
    reply_id = new_id()
    await read_conversation(connection, principal.workspace_id, conversation_id)
    await require_conversation(connection, principal, conversation_id)
    await require_merged_seen(connection, principal, [conversation_id])
    if key is not None:
        known = await same_reply(connection, principal.workspace_id, conversation_id, principal.actor, key, body, reply_id)
        if known is not None:
            made = await read_reply_state(connection, principal.workspace_id, known)
            await require_conversation(connection, principal, made.conversation_id)  # it may have been moved since
            return made
    if principal.agent_id is not None:
        await served_in(connection, principal.workspace_id, conversation_id, principal.agent_id)
    # Whom it goes to, by which channel and whether that may be: what is asked from here on is so when the answer is written.
    await lock_answered(connection, principal.workspace_id, conversation_id)
    if isinstance(body.content, TemplateContent):
        await require_first_contact(connection, principal, conversation_id, purpose=body.content.purpose)
    reply = await send_reply(connection, principal, conversation_id, body, words, reply_id, secret, own)
    await audit(connection, principal, "reply.written", "conversation", str(conversation_id), {"message_id": str(reply.id)})
    return reply


async def send_reply(
    connection: Connection, principal: Principal, conversation_id: UUID, body: ReplyIn, words: ReplyWords, reply_id: UUID,
    secret: bytes, own: OwnBook,
) -> ReplyOut:  # fmt: skip
    """Stores a reply and hands it to the courier. Raises `Unprocessable` for what the channel cannot carry."""
    workspace_id = principal.workspace_id
    content, subject = words.content, words.subject
    address, to = await _require_carried(connection, workspace_id, conversation_id, reply_id, body, content, secret, own)
    defines = [f"mid:{own_message_id(reply_id, address)}"] if address else []
    written = await write_reply(
        connection, workspace_id=workspace_id, conversation_id=conversation_id, reply_id=reply_id, agent_id=principal.agent_id,
        actor=principal.actor, content=content, subject=subject, copies={"cc": body.cc, "bcc": body.bcc}, defines=defines,
    )  # fmt: skip
    # Mail carries the mark, so that no other machine answers ours (RFC 3834).
    marked = {**content, "automatic": True} if written.automatic else content
    answers = await answers_of(
        connection, workspace_id=workspace_id, conversation_id=conversation_id, handle_id=written.handle_id, reply_id=reply_id
    )
    request = {
        "content": marked, "subject": subject, "to": to, "at_handle": to is None, "cc": body.cc, "bcc": body.bcc, "answers": answers,
    }  # fmt: skip
    if content["kind"] == "media":
        request["files"] = content["files"]
    await connection.execute(
        "insert into santral.delivery (workspace_id, id, conversation_id, message_id, inbox_id, handle_id, item_id, agent_id, request,"
        " created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        workspace_id, new_id(), conversation_id, reply_id, written.inbox_id, written.handle_id, written.item_id, principal.agent_id, request,
        written.at,
    )  # fmt: skip
    return ReplyOut(id=reply_id, conversation_id=conversation_id, seq=written.seq, state="queued", at=written.at)


async def _require_carried(
    connection: Connection,
    workspace_id: UUID,
    conversation_id: UUID,
    reply_id: UUID,
    body: ReplyIn,
    content: Json,
    secret: bytes,
    own: OwnBook,
) -> tuple[str | None, str | None]:
    """Raises `Unprocessable` for what the channel cannot carry, `Conflict` where another is answered than the writer expects.

    Returns a mail inbox's address, and where the answer goes when that is not the customer's handle: whoever asks for another address
    later does not move what is on its way.
    """
    row = await connection.fetchrow(
        "select i.*, c.visibility, c.window_expires_at, h.kind, h.scope, h.value, h.raw, h.name as to_name, clock_timestamp() as now,"
        f" answered.external_id as last_in, answered.body, answered.handle_id = h.id as own"
        " from santral.conversation c join santral.inbox i on i.workspace_id = c.workspace_id and i.id = c.last_inbox_id"
        " join santral.handle h on h.workspace_id = c.workspace_id and h.id = c.last_handle_id"
        f" {ANSWERED} where c.workspace_id = $1 and c.id = $2",
        workspace_id, conversation_id,
    )  # fmt: skip
    assert row is not None
    adapter = adapter_for(row["provider"])
    can = adapter.capabilities
    if (body.cc or body.bcc or body.to) and not can.copies:
        raise Unprocessable("this channel has one recipient", field="cc", remedy="leave to, cc and bcc out")
    require_carried(content, can)
    inbox = Inbox(
        workspace_id=workspace_id, id=row["id"], name=row["name"], channel=row["channel"], provider=row["provider"],
        address=row["address"] or "", settings=row["settings"],
        own=(await own.of(connection, workspace_id)).addresses if row["provider"] == "smtp" else None,
    )  # fmt: skip
    answered = recipient_in({**row, "name": row["to_name"]})
    require_recipient(answered, body.reply_to)
    to = body.to or (answered.value if answered is not None and answered.asked else None)
    adapter.reply(
        Reply(
            id=reply_id, conversation_id=conversation_id, at=row["now"], inbox=inbox, to_kind="email" if to else row["kind"],
            to_scope=row["scope"], to_value=to or address_of(dict(row)), content=content,
            subject=body.subject, cc=body.cc, bcc=body.bcc, visibility=row["visibility"],
            last_in_external_id=row["last_in"], window_expires_at=row["window_expires_at"],
            token_secret=secret,
        )
    )  # fmt: skip
    return (str(row["address"]) if row["provider"] == "smtp" else None), to


async def read_reply_state(connection: Connection, workspace_id: UUID, reply_id: UUID) -> ReplyOut:
    """A reply's delivery. Raises `NotFound`."""
    row = await connection.fetchrow(
        "select d.*, r.seq from santral.delivery d join santral.receipt r on r.workspace_id = d.workspace_id and r.id = d.message_id"
        " where d.workspace_id = $1 and d.message_id = $2",
        workspace_id, reply_id,
    )  # fmt: skip
    if row is None:
        raise NotFound("no such reply", field="reply_id")
    return ReplyOut(
        id=row["message_id"], conversation_id=row["conversation_id"], seq=row["seq"], state=row["state"], reason=row["reason"],
        attempts=row["attempts"], at=row["created_at"],
    )  # fmt: skip


@router.get("/replies/{reply_id}", summary="What became of a reply")
async def reply_by_id(request: Request, principal: ConversationReader, reply_id: UUID) -> ReplyOut:
    """Queued, sent, delivered, read, or failed with the reason."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        found = await read_reply_state(connection, principal.workspace_id, reply_id)
        await require_conversation(connection, principal, found.conversation_id)
    return found


def as_json(value: Any) -> Any:
    """A value of rows as JSON knows it: ids and times as text."""
    return json.loads(json.dumps(value, default=str))
