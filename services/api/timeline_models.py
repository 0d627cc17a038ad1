"""A person's history as clients read it: what stands in an entry, kind by kind."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from pydantic import Field

from services.api.conversation_models import ListedConversation
from services.api.message_models import CallOut
from services.api.shown import Shown
from shared.message import Assurance

Kind: TypeAlias = Literal[
    "conversation", "call", "note", "consent", "merged", "unmerged", "handle_seen", "linked", "link_retracted", "kept_apart"
]


class _Entry(Shown):
    at: datetime
    id: UUID


class ConversationEntry(_Entry):
    """A conversation, as `GET /v1/conversations` shows it."""

    kind: Literal["conversation"]
    data: ListedConversation


class CalledOut(Shown):
    """A call, a missed one or a voicemail; ``call`` is null of what is gone."""

    conversation_id: UUID
    seq: int
    direction: Literal["in", "out"]
    channel: str
    agent_id: UUID | None
    kind: str
    call: CallOut | None


class CallEntry(_Entry):
    """A telephone call by its corrected record."""

    kind: Literal["call"]
    data: CalledOut


class NotedOut(Shown):
    """What somebody wrote down about the person."""

    handle_id: UUID
    text: str
    actor: str


class NoteEntry(_Entry):
    """A note."""

    kind: Literal["note"]
    data: Annotated[NotedOut, Field(examples=[{"text": "Prefers to be called in the afternoon", "actor": "agent:…"}])]


class StatedConsent(Shown):
    """Consent given or withdrawn. ``explicit`` false: carried over or assumed."""

    handle_id: UUID
    purpose: str
    channel: str
    granted: bool
    explicit: bool
    source: str
    actor: str | None
    expires_at: datetime | None


class ConsentEntry(_Entry):
    """A statement about consent."""

    kind: Literal["consent"]
    data: StatedConsent


class RegroupedOut(Shown):
    """From which people handles came, of those the reader sees, by which links, and who said so; null where it is not known."""

    version: int
    origin: Annotated[list[UUID] | None, Field(alias="from")]
    links: list[str] | None
    actor: str | None


class RegroupedEntry(_Entry):
    """People became one, or two."""

    kind: Literal["merged", "unmerged"]
    data: RegroupedOut


class SeenHandle(Shown):
    """A handle of the person, without its value."""

    handle_id: UUID
    kind: str


class HandleEntry(_Entry):
    """A handle was seen for the first time."""

    kind: Literal["handle_seen"]
    data: SeenHandle


class MadeLink(Shown):
    """Which handles, by what evidence. Null: somebody's whom the reader does not see."""

    a: UUID | None
    b: UUID | None
    kind: str
    assurance: Assurance
    source: str
    actor: str | None


class LinkedEntry(_Entry):
    """A link was made."""

    kind: Literal["linked"]
    data: MadeLink


class RetractedLink(Shown):
    """Which handles, null for somebody's whom the reader does not see, and who took it back."""

    a: UUID | None
    b: UUID | None
    actor: str | None


class RetractedEntry(_Entry):
    """A link was taken back."""

    kind: Literal["link_retracted"]
    data: RetractedLink


class WordApart(Shown):
    """Which handles are never one person, null for somebody's whom the reader does not see, and who said so."""

    a: UUID | None
    b: UUID | None
    reason: str
    actor: str | None


class ApartEntry(_Entry):
    """Somebody said that two handles are two people."""

    kind: Literal["kept_apart"]
    data: WordApart


TimelineEntry: TypeAlias = Annotated[
    ConversationEntry
    | CallEntry
    | NoteEntry
    | ConsentEntry
    | RegroupedEntry
    | HandleEntry
    | LinkedEntry
    | RetractedEntry
    | ApartEntry,
    Field(discriminator="kind"),
]
"""One thing that happened with a person."""


class TimelinePage(Shown):
    """A page. ``conversations`` are those among the items, as `GET /v1/conversations` shows them; ``actors``: names of agents."""

    profile_id: UUID
    items: list[TimelineEntry]
    actors: dict[str, str] = Field(default_factory=dict)
    conversations: list[ListedConversation]
    next: str | None = None
