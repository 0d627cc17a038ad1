"""Conversations as clients read them: with whom, what came last, and the newest item."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from router.item.item import State
from services.api.participants import Role
from services.api.recipients import RecipientOut
from services.api.shown import Shown
from shared.message import Assurance


class CustomerOut(Shown):
    """With whom it is: the handle they wrote from, and the profile it belongs to."""

    profile_id: Annotated[
        UUID | None,
        Field(description="Null where the caller does not see this person; name and assurance are the messages' own then"),
    ]
    name: str
    kind: str
    value: str
    assurance: Assurance


class GroupOut(Shown):
    """A group of the channel, where others read it too."""

    id: str


class Previewed(Shown):
    """The last that came, as it stands now."""

    preview: Annotated[str, Field(description="The beginning of its words")]
    preview_contents: Annotated[list[str], Field(description="What came beside words or instead: photo, voice, deleted …")]
    group: Annotated[GroupOut | None, Field(description="It was written in a group")]


class NewestItem(Shown):
    """The newest item of a conversation."""

    id: UUID
    state: State
    version: int
    queue: str
    agent_id: UUID | None
    agent_name: str | None
    due_at: datetime
    decision_id: UUID | None


class ListedConversation(Previewed):
    """A conversation with its newest item and what came last. ``window_expires_at``: until when the channel lets us answer freely."""

    id: UUID
    state: Literal["open", "closed"]
    seq: int
    channel: str
    channels: list[str]
    visibility: str
    subject: str
    language: str
    inbox: str
    provider: str
    customer: CustomerOut
    opened_at: datetime
    last_in_at: datetime | None
    last_out_at: datetime | None
    window_expires_at: datetime | None
    closed_at: datetime | None
    merged_into: Annotated[UUID | None, Field(description="The conversation that has its messages now")]
    item: NewestItem | None


class HandleOut(Shown):
    """A handle; an agent's kind is `agent` and the value their id."""

    kind: str
    value: str


class ParticipantOut(Shown):
    """Who takes part, in the strongest part they ever had. ``profile_id``: whose handle it is, where known."""

    role: Role
    handle: HandleOut
    name: str
    profile_id: UUID | None


class ConversationOut(ListedConversation):
    """A conversation with its newest item, who takes part in it and who is answered."""

    reply_to: Annotated[RecipientOut | None, Field(description="Who an answer goes to; null where nobody's address is known")]
    participants: list[ParticipantOut]
    held: Annotated[bool, Field(description="A legal hold stands: nothing of it is removed; false of whom the caller does not see")]
