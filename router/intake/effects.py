"""The rows a batch will write, gathered message by message and written at once. Keys are column names; ids and times
stay what they are until the driver writes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from router.commands.external_calls import CallRecord
from router.intake.batch_view import Conversation, Key, ProviderWord
from router.moves.new_items import NewItem
from router.signals.signals import Signals
from shared.event import Event, EventType
from shared.ids import new_id
from shared.message import InboundMessage

_BODY_FIELDS = ("text_stripped", "in_reply_to", "original", "digest", "trace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """An open item that the customer's message moves; ``due_at`` and ``due_class`` are the key should it queue again."""

    workspace_id: UUID
    item_id: UUID
    due_at: datetime
    due_class: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """A waiting item of a queue for bulk mail in whose conversation a person's words came: where the policy puts it from then on."""

    queue_id: UUID
    queue: str
    channel: str
    due_at: datetime
    due_class: int
    enqueued_at: datetime
    plan: Any
    skills: Any
    decision_id: UUID


@dataclass(slots=True)
class Effects:
    """What one transaction writes."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    refs: list[dict[str, Any]] = field(default_factory=list)
    items: list[NewItem] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    receipts: list[dict[str, Any]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    wakes: dict[Key, Wake] = field(default_factory=dict)
    leaving: dict[Key, Leaving] = field(default_factory=dict)
    persons: set[Key] = field(default_factory=set)  # open items whose customer asks for a person
    words: list[ProviderWord] = field(default_factory=list)
    calls: list[CallRecord] = field(default_factory=list)
    called: set[Key] = field(default_factory=set)  # handles of who called or was called
    touched: dict[Key, Conversation] = field(default_factory=dict)
    rule_errors: int = 0
    rule_seconds: list[float] = field(default_factory=list)

    def event(
        self, kind: EventType, conversation: Conversation, at: datetime, data: dict[str, Any], *, seq: int | None = None
    ) -> None:
        """An event of a conversation, with the next number unless the caller took one already."""
        self.events.append(
            Event(
                id=new_id(), workspace_id=conversation.workspace_id, type=kind, at=at, conversation_id=conversation.id,
                seq=conversation.next_seq() if seq is None else seq, profile_id=conversation.profile_id, data=data,
            )
        )  # fmt: skip

    def receipt(self, message: InboundMessage, conversation_id: UUID | None = None, seq: int | None = None) -> None:
        """Where the message ended up."""
        self.receipts.append(
            {
                "w": message.workspace_id,
                "i": message.id,
                "c": conversation_id,
                "s": seq,
            }
        )

    def message(
        self, message: InboundMessage, conversation: Conversation, seq: int, *, handle_id: UUID | None, language: str,
        signals: Signals, accepted_at: datetime, aside: bool = False, bulk: bool = False,
    ) -> None:  # fmt: skip
        """The message's row, its receipt and the references others may answer. ``aside``: it moved nothing of how is answered."""
        told = [name for name, holds in (("aside", aside), ("bulk", bulk)) if holds]
        workspace, owner, identity = message.workspace_id, conversation.id, message.id
        self.messages.append(
            {
                "workspace_id": workspace,
                "conversation_id": owner,
                "seq": seq,
                "id": identity,
                "direction": message.direction,
                "kind": message.kind,
                "channel": message.channel,
                "provider": message.provider,
                "inbox_id": message.inbox_id,
                "handle_id": handle_id,
                "visibility": message.visibility,
                "external_id": message.external_id,
                "subject": message.subject,
                "text": message.text,
                "body": body_of(message, machine=signals.automatic) | dict.fromkeys(told, True),
                "signals": {"language": language, **signals.values()},
                "accepted_at": accepted_at,
                "sent_at": message.sent_at,
            }
        )
        self.receipts.append({"w": workspace, "i": identity, "c": owner, "s": seq})
        for ref in message.defines:
            self.refs.append({"w": workspace, "r": ref, "c": owner, "m": identity})
        self.touched[conversation.workspace_id, conversation.id] = conversation


def body_of(message: InboundMessage, *, machine: bool) -> dict[str, Any]:
    """What a message carries beside its text; only what is there.

    ``automatic`` stands for a machine's word, and statements ask for that name; what only forbids automatic answers are ``marks``.
    """
    body: dict[str, Any] = {"authenticated": message.authenticated}
    for name in _BODY_FIELDS:
        value = getattr(message, name)
        if value is not None:
            body[name] = value
    if message.sender is not None:
        body["sender"] = {"name": message.sender.name, "assurance": message.sender.assurance}
    if message.contents:
        body["contents"] = list(message.contents)
    if message.about:
        body["about"] = message.about
    if message.traits:
        body["traits"] = message.traits
    if message.parts:
        body["parts"] = [part.model_dump(mode="json") for part in message.parts]
    if message.participants:
        body["participants"] = [one.model_dump(mode="json") for one in message.participants]
    if message.automatic is not None:
        body["automatic" if machine else "marks"] = message.automatic.model_dump(mode="json")
    if message.filtered is not None:
        body["filtered"] = message.filtered.model_dump(mode="json")
    if message.call is not None:
        body["call"] = message.call.model_dump(mode="json")
    return body
