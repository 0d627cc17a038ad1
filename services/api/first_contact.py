"""Writing first: an agent opens a conversation with a customer by mail, a template or whatever the inbox may begin with.

The agent's capacity is taken, the reply goes through the courier as any other, and consent and preferences may stand against it.
**Identity**: the `Idempotency-Key`; an equal call answers with what the first one made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, ConfigDict, Field

from profiles.facts import note_agent
from profiles.identify import Identification, identify
from router.commands.first_contact import assigned_item, open_conversation, open_work_with
from router.commands.work import database_now
from services.api.audit import audit
from services.api.conversations import (
    MediaContent,
    ReplyIn,
    ReplyOut,
    TemplateContent,
    TextContent,
    read_reply_state,
    send_reply,
)
from services.api.document import may_answer
from services.api.idempotency import same_call
from services.api.own_book import OwnBook
from services.api.principal import ConversationWriter, Principal
from services.api.profile_consent import require_first_contact
from services.api.reply_words import ReplyWords, reply_words
from services.api.visibility import began_unseen, conversations_seen, require_conversation, seen_of, sight_of
from shared.database import Connection, retried
from shared.errors import Conflict, Forbidden, InputRejected, NotFound, Unprocessable
from shared.given import Given
from shared.handle import Handle, normalized
from shared.ids import AgentId, WorkspaceId, new_id

router = APIRouter(prefix="/v1", tags=["conversations"])
_KINDS: Final = {"smtp": "email", "api": "email", "whatsapp": "wa_id", "messenger": "psid", "instagram": "igsid"}
_INBOX: Final = """
select i.id, i.provider, i.channel, i.address, coalesce(i.settings->>'region', w.settings->>'region') as region
from santral.inbox i join santral.workspace w on w.workspace_id = i.workspace_id
where i.workspace_id = $1 and i.name = $2 and i.enabled
"""


class To(Given):
    """Whom to write to. ``kind`` is the inbox's usual one unless it is given."""

    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")] | None = None
    value: Annotated[str, Field(min_length=1, max_length=320)]
    name: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] = ""


class FirstIn(Given):
    """The first words of a conversation. ``purpose`` is what consent is asked for; ``queue`` where the work counts."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "inbox": "destek",
                    "to": {"value": "ayse@ornek.com", "name": "Ayşe"},
                    "subject": "Siparişiniz hakkında",
                    "content": {"kind": "text", "text": "Merhaba Ayşe Hanım, siparişiniz yola çıktı."},
                }
            ]
        },
    )

    inbox: Annotated[str, Field(max_length=100)]
    to: To
    content: Annotated[TextContent | TemplateContent | MediaContent, Field(discriminator="kind")]
    subject: Annotated[str, Field(max_length=500, pattern=r"^[^\r\n\x00]*$")] = ""
    cc: Annotated[list[Annotated[str, Field(max_length=320)]], Field(max_length=50)] = Field(default_factory=list)
    bcc: Annotated[list[Annotated[str, Field(max_length=320)]], Field(max_length=50)] = Field(default_factory=list)
    queue: Annotated[str, Field(max_length=100)] | None = None
    purpose: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")] = "service"


class Begun(BaseModel):
    """The conversation, the agent's item and the reply on its way."""

    conversation_id: UUID
    item_id: UUID
    reply: ReplyOut


@router.post("/conversations", status_code=202, summary="Write to a customer first", responses=may_answer(404))
async def write_first(
    request: Request, principal: ConversationWriter, body: FirstIn,
    key: Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)] = None,
) -> Begun:  # fmt: skip
    """409 when the agent has no room, when the customer has an open conversation, or when consent stands against it."""
    state = request.app.state
    _agent(principal)

    async def provider(connection: Connection) -> str:
        return str((await _inbox(connection, principal, body.inbox))["provider"])

    # What may be a call of before is not judged by the channel of now.
    words = await reply_words(request, principal, body.content, body.subject, provider=None if key is not None else provider)

    async def work() -> Begun:
        async with state.db.batch(principal.workspace_id) as connection:
            return await _begin(connection, principal, body, words, key, state.secret, state.own_book)

    begun = await retried(work)
    for topic in ("delivery", "outbox", "dispatch"):
        state.hints.wake(topic)
    state.hints.wake("stream", str(principal.workspace_id))
    return begun


def _agent(principal: Principal) -> UUID:
    if principal.agent_id is None:
        raise Forbidden("only an agent writes first", field="Authorization", remedy="use the agent's token")
    return principal.agent_id


async def _inbox(connection: Connection, principal: Principal, name: str) -> Any:
    inbox = await connection.fetchrow(_INBOX, principal.workspace_id, name)
    if inbox is None:
        raise NotFound("no such inbox", field="inbox", remedy="the name of an inbox that is enabled")
    return inbox


async def _begin(
    connection: Connection, principal: Principal, body: FirstIn, words: ReplyWords, key: str | None, secret: bytes, own: OwnBook
) -> Begun:  # fmt: skip
    agent_id = _agent(principal)
    workspace_id, reply_id = principal.workspace_id, new_id()
    if key is not None:
        known = await same_call(connection, workspace_id, f"first:{agent_id}:{key}", body, reply_id)
        if known is not None:
            return await _again(connection, principal, known)
    inbox = await _inbox(connection, principal, body.inbox)
    handle = _handle(inbox, body.to)
    at = await database_now(connection)
    who = Identification(
        workspace_id=WorkspaceId(workspace_id), handles=(handle,), raws=(body.to.value,), source="agent", assurance="asserted",
        observed_at=at, actor=principal.actor, name=body.to.name,
    )  # fmt: skip
    ours = (await own.of(connection, workspace_id)).handles
    (attached,) = (await identify(connection, who, own=ours)).handles
    going_on = await open_work_with(connection, workspace_id, attached.id)
    unseen = await began_unseen(connection, principal, attached.id)
    seen = await conversations_seen(connection, principal, going_on)
    met = attached.id in await seen_of(connection, principal, [attached.id])
    _require_none_open([one for one in going_on if one in seen], elsewhere=met and not seen.issuperset(going_on))
    await note_agent(connection, WorkspaceId(workspace_id), attached.id, AgentId(agent_id))
    conversation_id = await open_conversation(
        connection, workspace_id=workspace_id, handle_id=attached.id, inbox_id=inbox["id"], channel=inbox["channel"],
        subject=words.subject, agent_id=agent_id, at=at,
    )  # fmt: skip
    await require_first_contact(connection, principal, conversation_id, purpose=body.purpose)
    item_id = await assigned_item(
        connection, workspace_id=workspace_id, conversation_id=conversation_id, channel=inbox["channel"], agent_id=agent_id,
        actor=principal.actor, at=at, queue=body.queue, begun_by=unseen,
        own_word=sight_of(principal).seer is not None,
    )  # fmt: skip
    written = ReplyIn(content=body.content, subject=body.subject, cc=body.cc, bcc=body.bcc)
    reply = await send_reply(connection, principal, conversation_id, written, words, reply_id, secret, own)
    details = {"inbox": body.inbox, "message_id": str(reply.id)}
    await audit(connection, principal, "conversation.begun", "conversation", str(conversation_id), details)
    return Begun(conversation_id=conversation_id, item_id=item_id, reply=reply)


def _require_none_open(going_on: Sequence[UUID], *, elsewhere: bool) -> None:
    """Raises `Conflict` where work with the customer goes on: in these conversations, or ``elsewhere``, which is not named.

    Of whom the writer does not see nothing is said: they are answered about as nobody.
    """
    if going_on:
        raise Conflict(
            "this customer has an open conversation",
            field="to",
            remedy=f"answer in {going_on[0]}",
            conversation_id=str(going_on[0]),
        )
    if elsewhere:
        raise Conflict("this customer has an open conversation with others", field="to", remedy="ask a supervisor")


def _handle(inbox: Any, to: To) -> Handle:
    """The customer's handle, as the inbox's provider knows it. Raises `Unprocessable`."""
    if inbox["provider"] == "webchat":
        raise Unprocessable("a chat is begun by its visitor", field="inbox", remedy="use mail or a template")
    kind = to.kind or _KINDS.get(inbox["provider"])
    if kind is None:
        raise Unprocessable(f"what kind of handle {inbox['provider']} has is not known", field="to.kind", remedy="name it")
    scope = inbox["address"] or "" if kind in ("psid", "igsid") else ""
    try:
        # A person types or pastes it.
        return normalized(kind, to.value.strip(), scope=scope, region=inbox["region"])
    except InputRejected as error:
        raise Unprocessable(error.message, field=f"to.{error.field or 'value'}", remedy=error.remedy) from error


async def _again(connection: Connection, principal: Principal, reply_id: UUID) -> Begun:
    """What the first call made. Raises `Forbidden` once it went where its writer does not see it."""
    workspace_id = principal.workspace_id
    reply = await read_reply_state(connection, workspace_id, reply_id)
    await require_conversation(connection, principal, reply.conversation_id)
    item_id = await connection.fetchval(
        "select id from santral.work_item where workspace_id = $1 and conversation_id = $2 order by id limit 1",
        workspace_id, reply.conversation_id,
    )  # fmt: skip
    return Begun(conversation_id=reply.conversation_id, item_id=item_id, reply=reply)
