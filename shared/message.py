"""The normalized message as it travels on ``messages.v1``: what an adapter makes and intake takes.

A CloudEvent 1.0 in Kafka's binary binding: ``ce_*`` headers, this model as JSON data. One record is one message, at most
256 kB: long bodies and files go to the blob store first and are named here.

**Identity**: ``id`` (see `shared/ids.py`), computed from workspace, inbox and ``external_id``.
**Units**: times aware UTC; sizes in bytes.
Source: CloudEvents 1.0.2; CloudEvents Kafka protocol binding §3.2.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from shared.handle import HANDLE_BYTES_MAX, Handle
from shared.moments import moment_or_none

RECORD_BYTES_MAX: Final = 256 * 1024
ORIGINAL_INLINE_BYTES_MAX: Final = 64 * 1024
TEXT_INLINE_CHARS_MAX: Final = 48 * 1024
ABOUT_CHARS_MAX: Final = 1000
UNVERIFIED_SCOPE: Final = "unverified"
"""The scope of a mail handle whose domain denied the mail: a person of its own, whom nobody else's mail joins."""
MESSAGE_TYPE: Final = "santral.message.received"

_Said = Annotated[AwareDatetime | None, AfterValidator(moment_or_none)]
"""What a sender's or a provider's clock says."""
Assurance = Literal["asserted", "channel_verified", "authenticated"]
Kind = Literal[
    "text",
    "call",
    "missed_call",
    "voicemail",
    "comment",
    "review",
    "reaction",
    "edit",
    "delete",
    "receipt",
    "system",
    "unparsed",
]
AMENDMENTS: Final = frozenset({"edit", "delete", "reaction"})
"""Kinds of messages that are about another one, which stands in ``in_reply_to``."""
Visibility = Literal["private", "public", "unlisted"]
Content = Literal[
    "photo", "video", "voice", "audio", "sticker", "file", "location", "contact", "order", "form", "choice", "story", "reel", "post",
    "ad", "call", "invitation", "unsupported",
]  # fmt: skip
"""What a message is made of beside its words."""
Direction = Literal["in", "out"]

MOVED: Final = "moved"
"""The trait of a channel's notice (kind ``system``) that says that its sender is where the writer is reached from now on."""
ACCOUNT: Final = "account"
"""The trait that names the business's account with the provider which a message came to, where ids of its customers are the business's own."""


class Sender(BaseModel):
    """Who wrote, as the channel shows it. ``assurance`` says how far the channel itself vouches for this handle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    scope: str = ""
    value: Annotated[str, Field(max_length=512)]
    raw: str = ""
    name: str = ""
    assurance: Assurance = "asserted"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.handle().fits():
            raise ValueError(f"kind, scope and value have more than {HANDLE_BYTES_MAX} bytes")
        return self

    def handle(self) -> Handle:
        """The normalized handle; the adapter normalized ``value`` already."""
        return Handle(kind=self.kind, scope=self.scope, value=self.value)


class Participant(Sender):
    """Somebody else who takes part: the message was also written to them, is copied to them, or they sent it on to us."""

    role: Literal["to", "cc", "forwarder"] = "cc"


class Part(BaseModel):
    """A file or a long body in the blob store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    blob: str
    name: str = ""
    content_type: str = "application/octet-stream"
    size_bytes: int
    content_id: str | None = None
    inline: bool = False
    role: Literal["attachment", "html", "text", "original"] = "attachment"


class Automatic(BaseModel):
    """What the adapter saw of a machine writing: bounces, auto-replies, lists (RFC 3834, 3464).

    ``marked_only``: nothing says that a machine wrote these words, only that none may answer them (a list, a campaign's header, a program
    that marks all it sends); whether such mail is work is the workspace's setting ``marked_mail``. ``evidence`` names what was seen, a
    field or a part each. ``failed_recipients`` are all a report names, ``failed_recipient`` the first of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["auto_reply", "out_of_office", "bounce", "bulk", "disposition", "feedback", "echo"]
    marked_only: bool = False
    evidence: tuple[str, ...] = ()
    failed_recipient: str | None = None
    failed_recipients: tuple[str, ...] = ()
    permanent: bool = False
    reason: str = ""


class Filtered(BaseModel):
    """What the filter at our own border thinks of a message: never a stranger's word. ``score`` in the filter's own units."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Literal["clean", "bulk", "spam", "phishing"]
    by: str
    score: float | None = None


class DeliveryReceipt(BaseModel):
    """A provider's word about one of our own messages (sent, delivered, read, failed). ``kind`` is ``receipt``.

    Without ``provider_id`` it is about all that were sent to the receipt's sender ``until`` then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider_id: str
    state: Literal["sent", "delivered", "read", "failed"]
    until: _Said = None
    reason: str = ""
    permanent: bool = True


class Call(BaseModel):
    """A telephone call joined from its legs. Durations in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    call_id: str
    direction: Literal["in", "out", "internal"]
    answered: bool
    started_at: AwareDatetime
    ended_at: AwareDatetime
    talk_s: int = 0
    wait_s: int = 0
    caller: str = ""
    callee: str = ""
    agents: tuple[str, ...] = ()
    dispositions: tuple[str, ...] = ()


class InboundMessage(BaseModel):
    """One immutable normalized utterance or event, before anybody knows who wrote it or where it goes.

    ``refs`` name what it answers, strongest first (``conversation:<uuid>`` from a signed token, ``mid:<rfc id>``,
    ``post:<id>`` …); ``defines`` name what others may answer later. ``in_reply_to`` holds the external id of the message that is
    edited, deleted, reacted to or quoted. ``contents`` says what came beside words, whether or not files were fetched; ``about``
    what the words are about where that is no message: an ad's headline, a story's address. ``other_handles`` are further handles
    of the same sender seen in the same message, each with its own assurance; ``participants`` are other people (cc, forwarders),
    never the customer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: UUID
    workspace_id: UUID
    inbox_id: UUID
    external_id: Annotated[str, Field(min_length=1, max_length=1024)]
    channel: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    provider: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    kind: Kind = "text"
    direction: Direction = "in"
    visibility: Visibility = "private"
    sender: Sender | None = None
    other_handles: tuple[Sender, ...] = ()
    participants: tuple[Participant, ...] = ()
    subject: Annotated[str, Field(max_length=2000)] = ""
    text: str = ""
    text_stripped: str | None = None
    contents: tuple[Content, ...] = ()
    about: Annotated[str, Field(max_length=ABOUT_CHARS_MAX)] = ""
    language: str | None = None
    parts: tuple[Part, ...] = ()
    refs: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()
    in_reply_to: str | None = None
    automatic: Automatic | None = None
    filtered: Filtered | None = None
    receipt: DeliveryReceipt | None = None
    call: Call | None = None
    authenticated: bool = False
    sent_at: _Said = None
    accepted_at: AwareDatetime
    window_expires_at: _Said = None
    traits: dict[str, str] = Field(default_factory=dict)
    reason: str = ""
    original: str | None = None
    original_truncated: bool = False
    digest: str | None = None
    bucket_day: int | None = None
    trace: str | None = None

    def sent_or_accepted_at(self) -> datetime:
        """When the customer wrote: the provider's time where it gave one, else ours."""
        return self.sent_at or self.accepted_at
