"""One thing that happened, as published on ``events.v1`` and streamed to agents and customers.

What leaves the conversation carries ids, states and measures; never text, names or handles: who may see those asks the API. What people wrote
about their work and what a provider said of a reply (:func:`wordless`) stands in the row, for who sees the conversation, and goes with its
erasure. An event belongs to at most one conversation and at most one agent; ``seq`` is contiguous per conversation, ``agent_seq`` per agent.

**Identity**: ``id`` (UUIDv7); a consumer drops an id it has seen.
Source: CloudEvents 1.0.2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

EventType = Literal[
    "message.received", "message.quarantined", "message.replayed", "message.amended", "message.redacted",
    "message.made_work",
    "conversation.opened", "conversation.closed",
    "conversation.left", "conversation.merged", "conversation.split", "message.moved",
    "item.queued", "item.offered", "item.assigned", "item.parked", "item.woken", "item.wrapping", "item.completed",
    "item.abandoned", "item.canceled", "item.requeued", "item.rekeyed", "item.escalated",
    "offer.made", "offer.accepted", "offer.declined", "offer.expired", "offer.rescinded", "offer.revoked",
    "reply.queued", "reply.sent", "reply.delivered", "reply.read", "reply.failed", "reply.stopped",
    "sla.warned", "sla.breached", "sla.met",
    "presence.changed", "agent.over_capacity",
    "bulk.digested",
    "profile.created", "profile.changed", "profile.merged", "profile.unmerged", "profile.erased",
    "configuration.changed",
]  # fmt: skip
SOURCE: Final = "/santral"
BUCKETS: Final = 64
_PEOPLE: Final = ("agent:", "key:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event, before or after it has its place. ``data`` holds JSON values only."""

    id: UUID
    workspace_id: UUID
    type: EventType
    at: datetime
    conversation_id: UUID | None = None
    seq: int | None = None
    agent_id: UUID | None = None
    agent_seq: int | None = None
    profile_id: UUID | None = None
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> UUID:
        """What its order belongs to: conversation, else agent, else profile, else workspace."""
        return self.conversation_id or self.agent_id or self.profile_id or self.workspace_id

    @property
    def bucket(self) -> int:
        """The relay's bucket, 0..63."""
        return self.key.int % BUCKETS

    def body(self) -> bytes:
        """The JSON data of the CloudEvent, as published."""
        return json.dumps(self.payload(), separators=(",", ":"), default=str).encode()

    def payload(self) -> dict[str, Any]:
        """``data`` without anybody's words, with the places the event holds."""
        known: dict[str, Any] = {
            "conversation_id": str(self.conversation_id) if self.conversation_id else None,
            "seq": self.seq,
            "agent_id": str(self.agent_id) if self.agent_id else None,
            "agent_seq": self.agent_seq,
            "profile_id": str(self.profile_id) if self.profile_id else None,
        }
        return {**{name: value for name, value in known.items() if value is not None}, **wordless(self.type, self.data)}


def wordless(kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """An event's data without what people or providers wrote: notes, a person's reasons for what they did, why a reply failed."""
    shown = dict(data)
    by_somebody = kind.startswith(("item.", "offer.", "agent.")) and str(shown.get("actor", "")).startswith(_PEOPLE)
    if by_somebody or kind == "reply.failed":
        shown.pop("reason", None)
    if isinstance(shown.get("outcome"), Mapping):
        shown["outcome"] = {name: value for name, value in shown["outcome"].items() if name not in ("note", "failed")}
    return {name: value for name, value in shown.items() if value != {} or name != "outcome"}
