"""`POST /v1/messages`: another system hands a message in; `GET` tells at once what became of it.

The idempotency rows, of the key and of the
message's own id, are written first, then the record is produced, then ``published_at`` is set; a retry, or a second call at the same
time, produces again and gets the equal answer, because equal external ids give equal message ids and the receipt drops duplicates.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel

from ingest.adapter import Inbox, Target
from ingest.adapters.api import PostedMessage, draft_of
from ingest.masks import Masks
from services.api.document import located
from services.api.idempotency import same_call, same_message
from services.api.principal import Principal, needs
from services.api.unseen import unseen_people
from services.api.visibility import require_conversation
from shared.database import Connection
from shared.errors import Forbidden, NotFound, Unprocessable

router = APIRouter(prefix="/v1/messages", tags=["messages"])

_INBOX: Final = """
select i.id, i.name, i.channel, i.provider, i.settings, coalesce(i.settings->>'region', w.settings->>'region') as region,
       w.settings->'mask_numbers' as mask_numbers
from santral.inbox i join santral.workspace w on w.workspace_id = i.workspace_id
where i.workspace_id = $1 and i.name = $2 and i.enabled
"""
_STATE: Final = """
select r.id, r.state, r.conversation_id, r.seq, r.taken_at, h.profile_id, q.name as queue, i.id as item_id,
       (select d.id from santral.decision d where d.workspace_id = r.workspace_id and d.message_id = r.id limit 1) as decision_id,
       k.reason
from santral.receipt r
left join santral.message m on m.workspace_id = r.workspace_id and m.conversation_id = r.conversation_id and m.seq = r.seq
left join santral.handle h on h.workspace_id = m.workspace_id and h.id = m.handle_id
left join lateral (
    select i.id, i.queue_id, i.decision_id from santral.work_item i
    where i.workspace_id = r.workspace_id and i.conversation_id = r.conversation_id order by i.enqueued_at desc limit 1
) i on true
left join santral.queue q on q.workspace_id = r.workspace_id and q.id = i.queue_id
left join santral.quarantine k on k.workspace_id = r.workspace_id and k.message_id = r.id
where r.workspace_id = $1 and r.id = $2
"""


class Taken(BaseModel):
    """A message that is durable and will be routed once."""

    id: UUID


class MessageState(BaseModel):
    """What became of a message."""

    id: UUID
    state: Literal["accepted", "routed", "quarantined", "erased"]
    conversation_id: UUID | None = None
    seq: int | None = None
    profile_id: UUID | None = None
    queue: str | None = None
    item_id: UUID | None = None
    decision_id: UUID | None = None
    reason: str | None = None
    at: datetime | None = None


Writer = Annotated[Principal, Depends(needs("messages:write"))]
Reader = Annotated[Principal, Depends(needs("messages:read"))]
Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=200, description="Equal calls with it have one effect"),
]


@router.post("", status_code=202, summary="Hand a message in", responses=located(202))
async def post_message(request: Request, principal: Writer, body: PostedMessage, response: Response, key: Key = None) -> Taken:
    """Takes the message in: 202 when it is durable, with its id; 503 with Retry-After when it is not.

    The same message again is answered the same. An ``external_id`` that is known with another body is refused (409) and names the message
    that has it; a key that was used for another body is 422.
    """
    if body.sender.verified and principal.kind != "key":
        raise Forbidden("only a system vouches for who wrote", field="from.verified", remedy="leave it out, or use an API key")
    state = request.app.state
    async with state.db.batch(principal.workspace_id) as connection:
        inbox = await _inbox(connection, principal.workspace_id, body.inbox)
        draft = draft_of(inbox, body)
        message_id = state.receiver.identify(draft)
        # A key is its caller's: two systems may both count 1, 2, 3. Rows are taken in the order of their names, below too.
        call, marker = f"call:{principal.id}:{key}", f"message:{message_id}"
        if key is not None:
            await same_call(connection, principal.workspace_id, call, body, message_id)
        await same_message(connection, principal.workspace_id, marker, body, message_id)
    target = Target(id=inbox.id, workspace_id=inbox.workspace_id, provider=inbox.provider, inboxes=(inbox,))
    await state.receiver.receive(target, [draft])
    async with state.db.batch(principal.workspace_id) as connection:
        await connection.execute(
            "update santral.idempotency set published_at = coalesce(published_at, now()) where workspace_id = $1 and key = any($2)",
            principal.workspace_id, [call, marker],
        )  # fmt: skip
    response.headers["location"] = f"/v1/messages/{message_id}"
    return Taken(id=message_id)


async def _inbox(connection: Connection, workspace_id: UUID, name: str) -> Inbox:
    row = await connection.fetchrow(_INBOX, workspace_id, name)
    if row is None or row["provider"] != "api":
        raise Unprocessable("no such inbox for posted messages", field="inbox", remedy="create an inbox with provider api")
    return Inbox(
        workspace_id=workspace_id, id=row["id"], name=row["name"], channel=row["channel"], provider=row["provider"],
        settings=row["settings"], region=row["region"], mask_numbers=Masks(row["mask_numbers"]).of(row["name"]),
    )  # fmt: skip


@router.get("/{message_id}", summary="What became of a message")
async def read_message_state(request: Request, principal: Reader, message_id: UUID) -> MessageState:
    """``accepted`` until a router has taken it, then ``routed`` with conversation, profile, queue and decision."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        row = await connection.fetchrow(_STATE, principal.workspace_id, message_id)
        if row is not None:
            if row["conversation_id"] is not None:
                await require_conversation(connection, principal, row["conversation_id"])
            unseen = await unseen_people(connection, principal, [row["profile_id"]])
            return _shown({**row, "profile_id": None if row["profile_id"] in unseen else row["profile_id"]})
        published = await connection.fetchval(
            "select max(published_at) from santral.idempotency where workspace_id = $1 and message_id = $2",
            principal.workspace_id,
            message_id,
        )
    if published is None:
        raise NotFound("no such message", field="message_id")
    return MessageState(id=message_id, state="accepted", at=published)


def _shown(row: dict[str, Any]) -> MessageState:
    state = "routed" if row["state"] == "taken" else row["state"]
    return MessageState(
        id=row["id"], state=state, conversation_id=row["conversation_id"], seq=row["seq"], profile_id=row["profile_id"],
        queue=row["queue"], item_id=row["item_id"], decision_id=row["decision_id"],
        reason=row["reason"] if state == "quarantined" else None, at=row["taken_at"],
    )  # fmt: skip
