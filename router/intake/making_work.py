"""Work after all: a message that was kept out of work becomes a person's, and an item is opened for it as intake would have.

| what is there | what becomes of it |
|---|---|
| an absence note, an automatic answer, a campaign | a person's message: who is answered follows as for any other, unless a person wrote since |
| a report of mail (a bounce, a receipt, a complaint) | work; its author is not answered, unless the caller says that a person wrote it |
| such a report where nobody else is | refused: its author would be answered by mistake |
| an open item in the conversation | that one is woken; none is opened |

One transaction, the caller's, in the order of every writer's locks (receipt, handle, conversation, item). A second call finds what the
first one did. Waiting begins now: nobody waited for what nobody was to see.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.intake import store
from router.intake.batch import wake_items
from router.intake.batch_view import BatchView, Conversation, Person
from router.intake.effects import Effects
from router.intake.leaving_bulk import leave_bulk
from router.intake.opening import Opening
from router.intake.taking_in import answered_as
from router.moves.marks import mark_own_word_of_waiting
from router.signals.signals import Signals, signals_of
from router.workspace.workspace import Workspace
from shared import outbox
from shared.database import Connection, Contended
from shared.errors import Conflict, NotFound
from shared.message import Automatic, InboundMessage

REPORTS: Final = ("bounce", "disposition", "feedback")
"""Kinds of automatic mail that tell of a mail instead of speaking to us."""
Snapshots = Callable[[Connection, Sequence[Any]], Awaitable[Mapping[Any, Any]]]
_RECEIPT: Final = """
select conversation_id, seq, clock_timestamp() as now from santral.receipt
where workspace_id = $1 and id = $2 and state = 'taken' and seq is not null for no key update
"""
_MESSAGE: Final = """
select m.id, m.workspace_id, m.inbox_id, m.external_id, m.channel, m.provider, m.kind, m.direction, m.visibility, m.subject, m.text,
       m.accepted_at, m.sent_at, m.handle_id, m.body, m.signals,
       case when h.id is not null then jsonb_build_object('kind', h.kind, 'scope', h.scope, 'value', h.value) end as sender
from santral.message m left join santral.handle h on h.workspace_id = m.workspace_id and h.id = m.handle_id
where m.workspace_id = $1 and m.conversation_id = $2 and m.seq = $3 and m.direction = 'in'
"""
_PROFILE: Final = """
select c.last_handle_id, h.profile_id from santral.conversation c
join santral.handle h on h.workspace_id = c.workspace_id and h.id = c.handle_id where c.workspace_id = $1 and c.id = $2
"""
_MADE: Final = "update santral.message set body = $4, signals = $5 where workspace_id = $1 and conversation_id = $2 and seq = $3"
_READ_AGAIN: Final = ("text_stripped", "parts", "participants", "filtered", "authenticated", "in_reply_to", "traits")


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeWork:
    """Where the work is. ``queue`` and ``decision_id`` are None where an open item was woken; ``news`` for the call that did it."""

    message_id: UUID
    conversation_id: UUID
    item_id: UUID
    queue: str | None = None
    decision_id: UUID | None = None
    news: bool = True


async def make_work(
    connection: Connection, *, workspace: Workspace, message_id: UUID, actor: str, person: bool | None, snapshots: Snapshots,
    own_word: bool = False,
) -> MadeWork:  # fmt: skip
    """Makes a message that was kept out of work a work item. Calling it again returns what the first call did.

    ``person``: whether a person wrote it and is to be answered; None: as its kind says. ``own_word``: an agent says so who sees less than
    the workspace. Raises `NotFound`, `Conflict` for what is work
    already and where nobody could be answered, `InputRejected` without a queue; nothing is written then.
    """
    receipt = await connection.fetchrow(_RECEIPT, workspace.id, message_id)
    row = None if receipt is None else await connection.fetchrow(_MESSAGE, workspace.id, receipt["conversation_id"], receipt["seq"])
    if receipt is None or row is None:
        raise NotFound("no such message of a customer", field="message_id")
    place, now, body = receipt["conversation_id"], receipt["now"], row["body"]
    if (before := body.get("made_work")) is not None:
        return MadeWork(
            message_id=message_id, conversation_id=place, item_id=UUID(before["item_id"]), queue=before.get("queue"),
            decision_id=UUID(before["decision_id"]) if "decision_id" in before else None, news=False,
        )  # fmt: skip
    if "automatic" not in body:
        raise Conflict("this message is a person's, and work already", field="message_id", remedy="see its conversation's item")
    seen = Automatic.model_validate(body["automatic"])
    wrote = seen.kind not in REPORTS if person is None else person
    message = _message_of(dict(row), seen if not wrote else seen.model_copy(update={"marked_only": True}))
    signals = replace(
        signals_of(message, words=workspace.words, languages=workspace.languages, marked_mail="work"), thanks=False
    )  # somebody said that there is more to it
    conversation, who = await _locked(connection, workspace, place, row["handle_id"] if wrote else None, now, snapshots)
    signals = signals.said_after(conversation.language)
    if not wrote and conversation.last_in_at is None and conversation.last_out_at is None:
        raise Conflict(
            "nobody but the author of this report is in its conversation, and reports are not answered", field="message_id",
            remedy="say person: true if a person wrote it",
        )  # fmt: skip
    if wrote and not (conversation.last_in_at is not None and conversation.last_in_at > row["accepted_at"]):
        if not answered_as(conversation, message, who.handle_id, row["accepted_at"], is_left=who.is_left):
            body["aside"] = True
        conversation.language = signals.language or conversation.language
    waits = conversation.item is not None and conversation.item.state == "queued"
    made = await _opened(connection, workspace, conversation, who, message, signals, dict(row), receipt["seq"], now, actor)
    if own_word and not waits:
        await mark_own_word_of_waiting(connection, workspace.id, made.item_id, now)
    return made


async def _locked(
    connection: Connection, workspace: Workspace, place: UUID, handle_id: UUID | None, now: datetime, snapshots: Snapshots
) -> tuple[Conversation, Person]:
    """The conversation with its item, and who is to be answered: the writer, or whoever is answered there now."""
    owner = await connection.fetchrow(_PROFILE, workspace.id, place)
    if owner is None:
        raise Contended("the conversation moved meanwhile", retry_after_s=1)
    handle = (workspace.id, handle_id or owner["last_handle_id"])
    owners = await store.lock_handles(connection, [handle])
    if handle not in owners:
        raise Conflict("its sender was erased", field="message_id")
    found = await store.lock_conversations(connection, {(workspace.id, place): owner["profile_id"]})
    conversation = found[workspace.id, place]
    if conversation.merged_into is not None:
        raise Contended("the conversation was merged meanwhile", retry_after_s=1)
    snapshot = (await snapshots(connection, [handle])).get(handle)
    profile_id = owners[handle].profile_id
    asked = {(workspace.id, profile_id)} if workspace.policy.asks_open_conversations else set()
    counted = await store.open_conversations(connection, asked) if asked else {}
    return conversation, Person(
        handle_id=handle[1], profile_id=profile_id, assurance="asserted", is_left=owners[handle].is_left, snapshot=snapshot,
        open_conversations=counted.get((workspace.id, profile_id)), degraded=snapshot is None,
    )  # fmt: skip


async def _opened(
    connection: Connection, workspace: Workspace, conversation: Conversation, who: Person, message: InboundMessage, signals: Signals,
    row: Mapping[str, Any], seq: int, now: datetime, actor: str,
) -> MadeWork:  # fmt: skip
    view, effects = BatchView(now=now), Effects()
    opening = Opening(view, effects)
    route = opening.route(message, conversation, signals, who, workspace)
    data: dict[str, Any] = {"message_id": message.id, "kind": row["body"]["automatic"]["kind"], "actor": actor}
    effects.event("message.made_work", conversation, now, data)
    decision_id: UUID | None = None
    queue: str | None = None
    if route is None:
        opening.wake(conversation, now, workspace)
        opening.leave_bulk(message, conversation, signals, who, workspace, now)
    else:
        opening.open_item(message, conversation, route, now, workspace, who, made_work_by=actor)
        decision_id, queue = effects.decisions[-1]["i"], effects.decisions[-1]["r"]["queue"]
    assert conversation.item is not None, "opened, or open before"
    data["item_id"] = conversation.item.id
    await store.write(
        connection, conversations=[conversation], messages=[], refs=[], items=effects.items, decisions=effects.decisions, receipts=[],
    )  # fmt: skip
    made = {"by": actor, "at": now.isoformat(), "item_id": str(conversation.item.id)}
    if queue is not None:
        made |= {"queue": queue, "decision_id": str(decision_id)}
    body = {**row["body"], "made_work": made}
    if not signals.automatic:
        body["marks"] = body.pop("automatic")
    stored = {**signals.values(), "language": signals.language or row["signals"].get("language", "")}
    await outbox.record(connection, effects.events)
    await wake_items(connection, effects, now)
    await leave_bulk(connection, effects.leaving, now)
    await connection.execute(_MADE, workspace.id, conversation.id, seq, body, stored)
    return MadeWork(
        message_id=message.id, conversation_id=conversation.id, item_id=conversation.item.id, queue=queue, decision_id=decision_id
    )


def _message_of(row: Mapping[str, Any], seen: Automatic) -> InboundMessage:
    """The stored row as a message again, as far as routing looks at it."""
    body = row["body"]
    columns = (
        "id", "workspace_id", "inbox_id", "external_id", "channel", "provider", "kind", "direction", "visibility", "subject", "text",
        "accepted_at", "sent_at", "sender",
    )  # fmt: skip
    values = {name: row[name] for name in columns} | {name: body[name] for name in _READ_AGAIN if name in body}
    return InboundMessage.model_validate({**values, "automatic": seen})
