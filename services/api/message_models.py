"""A message as clients read it: as it stands now, with what later words and the courier made of it.

What processes of another release may have written is no closed list here, so that a page is never refused for a word it does not know.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from services.api.conversation_models import GroupOut
from services.api.shown import Shown
from shared.message import Call, Filtered, Participant

_AS_KEPT: Final = ConfigDict(extra="ignore")
DeliveryState = Literal["queued", "sent", "delivered", "read", "failed"]


class SenderOut(Shown):
    """Who wrote, as the channel shows it."""

    name: str | None
    kind: str | None
    value: str | None


class ShownFile(Shown):
    """A file of a message; ``n`` is its place there, for `…/parts/{n}`."""

    n: int
    name: str
    content_type: str | None
    size_bytes: int


class CallOut(Call):
    """A telephone call by its corrected record. Durations in seconds."""

    model_config = _AS_KEPT


class FilteredOut(Filtered):
    """What the filter at the own mail border says."""

    model_config = _AS_KEPT


class AlsoWritten(Participant):
    """Somebody else who takes part, as this message names them."""

    model_config = _AS_KEPT


class EarlierWords(Shown):
    """Words of a message before they were edited, and when they were written."""

    text: str
    at: datetime


class ReactionOut(Shown):
    """The last reaction of each who reacted."""

    text: str
    direction: Literal["in", "out"]
    at: datetime


class AmendedOut(Shown):
    """The message that this one is about, and that shows it."""

    id: UUID
    seq: int


class DeliveryOut(Shown):
    """What became of a reply."""

    state: DeliveryState
    reason: str
    attempts: int


class MessageOut(Shown):
    """A message as it stands now; what each member means is told with the list of them."""

    id: UUID
    conversation_id: UUID
    seq: int
    direction: Literal["in", "out", "note"]
    kind: str
    channel: str
    visibility: str
    subject: str
    text: str
    text_stripped: str | None
    html: Annotated[bool, Field(description="A sanitized view can be fetched")]
    files: list[ShownFile]
    call: CallOut | None
    edited_at: datetime | None
    earlier: Annotated[list[EarlierWords], Field(description="Oldest first; the newest 100")]
    edits: Annotated[int, Field(description="How often it was edited")]
    deleted_at: datetime | None
    gone: Literal["deleted", "erased", "redacted", "expired"] | None
    reactions: Annotated[list[ReactionOut], Field(description="The newest 100")]
    reacted: Annotated[int, Field(description="How many reacted")]
    amends: AmendedOut | None
    automatic: Annotated[str | None, Field(description="A machine wrote it: auto_reply, bounce, bulk …")]
    marks: Annotated[list[str], Field(description="What says that no machine may answer")]
    contents: Annotated[list[str], Field(description="What came beside words: photo, voice, order …")]
    about: Annotated[str | None, Field(description="An ad's headline, a story's address, a template's name")]
    group: GroupOut | None
    filtered: FilteredOut | None
    authenticated: bool
    verdict: str | None
    reply_to: str | None
    written_from: str | None
    aside: bool
    in_reply_to: str | None
    participants: list[AlsoWritten]
    sender: SenderOut | None
    agent_id: UUID | None
    agent_name: str | None
    client_id: str | None
    at: datetime
    accepted_at: datetime
    delivery: Annotated[DeliveryOut | None, Field(description="Of a reply")] = None
