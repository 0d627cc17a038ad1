"""Identities. Distinct types over UUIDs, so that one cannot stand where another belongs.

A message's id is computed where the message enters: UUIDv8 (RFC 9562 §5.8) of a keyed hash of workspace, inbox and the
provider's external id, so any number of parallel deliveries give the same id. Every other id is a UUIDv7 made here.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import NewType
from uuid import UUID

import uuid_utils.compat as uuid_utils

WorkspaceId = NewType("WorkspaceId", UUID)
ConnectionId = NewType("ConnectionId", UUID)
InboxId = NewType("InboxId", UUID)
HandleId = NewType("HandleId", UUID)
ProfileId = NewType("ProfileId", UUID)
MessageId = NewType("MessageId", UUID)
ConversationId = NewType("ConversationId", UUID)
ItemId = NewType("ItemId", UUID)
QueueId = NewType("QueueId", UUID)
AgentId = NewType("AgentId", UUID)
UserId = NewType("UserId", UUID)
OfferId = NewType("OfferId", UUID)
DecisionId = NewType("DecisionId", UUID)
PolicyId = NewType("PolicyId", UUID)
EventId = NewType("EventId", UUID)


def new_id() -> UUID:
    """A fresh UUIDv7: sorted by time of making, unique across processes."""
    return uuid_utils.uuid7()


def first_id_at(at: datetime) -> UUID:
    """The smallest UUIDv7 of that millisecond: ids made from then on are not smaller, so a range of ids is a range of time."""
    return UUID(int=(int(at.timestamp() * 1000) << 80) | (0x7 << 76) | (0x2 << 62))


def message_id(secret: bytes, workspace_id: WorkspaceId, inbox_id: InboxId, external_id: str) -> MessageId:
    """The id of the message that ``external_id`` names in this inbox; equal inputs give equal ids for ever.

    ``secret`` is the deployment's, so ids cannot be guessed from external ids.
    """
    digest = hashlib.blake2b(
        workspace_id.bytes + inbox_id.bytes + external_id.encode("utf-8", "surrogatepass"),
        key=secret[:64],
        digest_size=16,
        person=b"santral.message",
    ).digest()
    number = int.from_bytes(digest)
    number = (number & ~(0xF << 76)) | (0x8 << 76)
    number = (number & ~(0x3 << 62)) | (0x2 << 62)
    return MessageId(UUID(int=number))
