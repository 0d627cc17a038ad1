"""Messages between conversations: merge, split, move a message, each with its undo.

For those who see the whole workspace, and for an agent who has the work of one of the conversations and sees both, and all of both people
where they are two; work that a colleague has they do not merge away. An undo also for who did it.
Merging a conversation into the same one again and undoing twice answer what is there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from router.placements import commands
from router.placements.commands import Operated
from router.placements.placements import Placed
from router.placements.rows import MESSAGES_MAX, read_operation
from router.placements.view import list_operations, read_view
from router.views.conversations import read_conversation
from services.api.audit import audit
from services.api.principal import ConversationReader, ConversationWriter, Principal
from services.api.unseen import require_merged_seen, unseen_conversations
from services.api.visibility import require_conversation, require_holder, require_joinable, require_known, sight_of
from shared.database import Connection, retried
from shared.given import Given

router = APIRouter(prefix="/v1", tags=["conversations"])
Reason = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$", description="Kept with the operation; not in events")]
_FOLLOW: Final = """
update santral.delivery d set conversation_id = w.t from unnest($2::uuid[], $3::uuid[]) as w(m, t)
where d.workspace_id = $1 and d.message_id = w.m
"""
_EXAMPLE: Final[dict[str, Any]] = {
    "id": "01990000-0000-7000-8000-000000000001", "kind": "split", "from": "01990000-0000-7000-8000-000000000002",
    "to": "01990000-0000-7000-8000-000000000003", "messages": ["8f0c0000-0000-8000-8000-000000000004"], "reason": "İki ayrı sipariş",
    "actor": {"kind": "agent", "id": "01990000-0000-7000-8000-000000000005", "name": "Deniz"}, "at": "2026-05-04T09:30:00Z",
    "undone_at": None, "undoable": True, "why_not": None,
}  # fmt: skip


class Merged(Given):
    """The conversation that goes on, with the messages of both."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"into": "01990000-0000-7000-8000-000000000003", "reason": "Aynı sipariş"}]},
    )

    into: UUID
    reason: Reason | None = None


class Split(Given):
    """The messages that become a conversation of their own."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"messages": ["8f0c0000-0000-8000-8000-000000000004"], "reason": "İki ayrı sipariş"}]},
    )

    messages: Annotated[list[UUID], Field(min_length=1, max_length=MESSAGES_MAX)]
    reason: Reason | None = None


class Moved(Given):
    """The conversation into which a message goes."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"conversation": "01990000-0000-7000-8000-000000000003", "reason": "Yanlış konuşma"}]},
    )

    conversation: UUID
    reason: Reason | None = None


class OperationActor(BaseModel):
    """Who did it: an agent or a key, with an agent's name."""

    kind: str
    id: str
    name: str | None = None


class PlacementOut(BaseModel):
    """An operation. ``why_not`` says what keeps it from being undone. ``from``, ``to``: null for one that the reader does not see."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    id: UUID
    kind: Literal["merge", "split", "move"]
    from_: Annotated[UUID | None, Field(alias="from")]
    to: UUID | None
    messages: list[UUID]
    reason: str | None
    actor: OperationActor
    at: datetime
    undone_at: datetime | None
    undoable: bool
    why_not: str | None


class Placements(BaseModel):
    """The operations of a conversation, newest first; at most 200."""

    data: list[PlacementOut]


async def _command(
    request: Request, principal: Principal, action: str, work: Callable[[Connection], Awaitable[Operated]]
) -> PlacementOut:  # fmt: skip
    """Runs an operation in a transaction of its own, audited; replies on their way follow their messages."""
    state = request.app.state

    async def once() -> PlacementOut:
        async with state.db.batch(principal.workspace_id) as connection:
            done = await work(connection)
            await take_along(connection, principal.workspace_id, done.placed)
            details = {"operation_id": str(done.id), "to": str(done.to_id), "messages": len(done.placed)}
            await audit(connection, principal, action, "conversation", str(done.from_id), details)
            return PlacementOut(**await read_view(connection, principal.workspace_id, done.id))

    result = await retried(once)
    for topic in ("dispatch", "outbox", "delivery"):
        state.hints.wake(topic)
    state.hints.wake("stream", str(principal.workspace_id))
    return result


async def take_along(connection: Connection, workspace_id: UUID, placed: Sequence[Placed]) -> None:
    """Puts the replies among moved messages, sent or on their way, where their messages are."""
    if placed:
        await connection.execute(_FOLLOW, workspace_id, [one.message_id for one in placed], [one.to_id for one in placed])


async def _require_both(connection: Connection, principal: Principal, conversations: Sequence[UUID]) -> None:
    """Raises `NotFound`, `Forbidden`: both are seen, so are their customers, of two people all is, and the caller may decide over one."""
    for one in conversations:
        await read_conversation(connection, principal.workspace_id, one)
        await require_conversation(connection, principal, one)
    await require_merged_seen(connection, principal, conversations)
    await require_known(connection, principal, conversations)
    await require_joinable(connection, principal, conversations)
    await require_holder(connection, principal, conversations)


@router.post("/conversations/{conversation_id}/merge", summary="Merge a conversation into another one")
async def merge_conversation(
    request: Request, principal: ConversationWriter, conversation_id: UUID, body: Merged
) -> PlacementOut:  # fmt: skip
    """All its messages go into the other, and what the customer writes next. Of two open items one stays; the other ends as merged.

    403 for an agent where a colleague has the work of either, and of two people's conversations where they do not see all of both people.
    """

    async def work(connection: Connection) -> Operated:
        await _require_both(connection, principal, [conversation_id, body.into])
        return await commands.merge(
            connection, workspace_id=principal.workspace_id, conversation_id=conversation_id, into=body.into, reason=body.reason,
            actor=principal.actor, by=sight_of(principal).seer,
        )  # fmt: skip

    return await _command(request, principal, "conversation.merge", work)


@router.post("/conversations/{conversation_id}/split", status_code=201, summary="Make messages a conversation of their own")
async def split_conversation(
    request: Request, principal: ConversationWriter, conversation_id: UUID, body: Split
) -> PlacementOut:  # fmt: skip
    """`to` is the new one. It gets an item when the customer waits for an answer in it."""

    async def work(connection: Connection) -> Operated:
        await _require_both(connection, principal, [conversation_id])
        return await commands.split(
            connection, workspace_id=principal.workspace_id, conversation_id=conversation_id,
            messages=list(dict.fromkeys(body.messages)), reason=body.reason, actor=principal.actor,
            by=sight_of(principal).seer,
        )  # fmt: skip

    return await _command(request, principal, "conversation.split", work)


@router.post("/messages/{message_id}/move", summary="Move a message into another conversation")
async def move_message(request: Request, principal: ConversationWriter, message_id: UUID, body: Moved) -> PlacementOut:
    """What answers it later lands where it is then."""

    async def work(connection: Connection) -> Operated:
        where = await commands.where_is(connection, principal.workspace_id, message_id)
        await _require_both(connection, principal, [where, body.conversation])
        return await commands.move(
            connection, workspace_id=principal.workspace_id, message_id=message_id, into=body.conversation, reason=body.reason,
            actor=principal.actor, by=sight_of(principal).seer,
        )  # fmt: skip

    return await _command(request, principal, "message.move", work)


@router.get("/conversations/{conversation_id}/placements", summary="What was moved into a conversation and out of it")
async def list_placements(request: Request, principal: ConversationReader, conversation_id: UUID) -> Placements:
    """Merges, splits and moves, newest first, each with whether it can be undone."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        await read_conversation(connection, principal.workspace_id, conversation_id)
        await require_conversation(connection, principal, conversation_id)
        found = await list_operations(connection, principal.workspace_id, conversation_id)
        unseen = await unseen_conversations(connection, principal, [one[end] for one in found for end in ("from", "to")])
    ends = ({end: None for end in ("from", "to") if one[end] in unseen} for one in found)
    return Placements(data=[PlacementOut(**one | hidden) for one, hidden in zip(found, ends, strict=True)])


@router.post("/placements/{operation_id}/undo", summary="Undo a merge, a split or a move")
async def undo_placement(request: Request, principal: ConversationWriter, operation_id: UUID) -> PlacementOut:
    """Everything is as it was; 409 names the later operation that is to be undone first."""

    async def work(connection: Connection) -> Operated:
        known = await read_operation(connection, principal.workspace_id, operation_id)
        both = [known.from_id, known.to_id]
        for one in both:
            await require_conversation(connection, principal, one)
        await require_merged_seen(connection, principal, both)
        await require_known(connection, principal, both)
        if known.actor != principal.actor:
            await require_holder(connection, principal, both)
        return await commands.undo(
            connection,
            workspace_id=principal.workspace_id,
            operation_id=operation_id,
            actor=principal.actor,
            by=sight_of(principal).seer,
        )

    return await _command(request, principal, "placement.undo", work)
