"""The port of a provider: what an adapter owes the gateway on the way in and the courier on the way out. No I/O here.

An adapter is a value without state. It gets raw bytes and the inbox's settings and returns values; the gateway publishes them,
the courier executes them. Third parties register one under the entry point group ``santral.channels``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, Protocol
from uuid import UUID

from ingest.own_addresses import OwnAddresses
from shared.errors import Unprocessable
from shared.message import InboundMessage, Sender
from shared.text import key_text

MaskNumbers = bool | Literal["cards"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """An inbox as the edge knows it. ``settings`` are plain, ``secrets`` unsealed; both validated by the adapter."""

    workspace_id: UUID
    id: UUID
    name: str
    channel: str
    provider: str
    address: str = ""
    connection_id: UUID | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    region: str | None = None
    path_token: str = field(default="", repr=False)
    grace: bool = False  # it was there before every inbox got a secret
    own: OwnAddresses | None = None  # of all inboxes of the workspace, one object that they share; None: this inbox stands alone
    mask_numbers: MaskNumbers = (
        False  # card numbers and national ids, or payment cards alone, are masked before anything is published
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What an address ``/in/{token}`` stands for: one inbox, or a connection with the inboxes that share it.

    ``every``: what came is for every one of its inboxes, all of one workspace: a mail to several recipients. Its id is the first one's.
    ``signed_as``: the first in the workspace that has the same secret, whose one-time tokens are this one's too; None: it is alone.
    """

    id: UUID
    workspace_id: UUID
    provider: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    inboxes: Sequence[Inbox] = ()
    grace_until: datetime | None = None
    every: bool = False
    signed_as: UUID | None = None

    def has_grace(self, at: datetime) -> bool:
        """Whether posts need no proof yet, and the first scheme of signatures is taken: an inbox from before, until the operator's date."""
        return self.grace_until is not None and at < self.grace_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request as it arrived: raw body, header names in lower case, the query as pairs.

    ``proven``: the door knows who brought it, by a secret or a signature, or because it is our own listener.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    received_at: datetime
    proven: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """The provider checks that we are here; answer this text and store nothing."""

    text: str
    content_type: str = "text/plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file or long body that goes to the blob store before the record that names it."""

    content: bytes = field(repr=False)
    name: str = ""
    content_type: str = "application/octet-stream"
    content_id: str | None = None
    inline: bool = False
    role: Literal["attachment", "html", "text", "original"] = "attachment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A parsed message before it has its id, its blobs and its time of acceptance (`ingest/receive.py` gives those).

    ``values`` are fields of `InboundMessage` by name. ``external_id`` empty means the provider gave none: the digest of the
    decoded content and the day stand in. ``original`` is kept inline up to 64 kB, else as a blob.
    """

    inbox: Inbox
    external_id: str
    values: Mapping[str, Any]
    parts: Sequence[Part] = ()
    original: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unparsed:
    """Bytes (or one element of a batch) that this adapter could not understand; they go to quarantine with the reason.

    ``inbox`` None: the element names an account that no inbox has. ``original`` is a whole request of its own, so that parsing
    it again after a repair gives the message.
    """

    inbox: Inbox | None
    original: bytes = field(repr=False)
    reason: str


Parsed = Draft | Unparsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a channel can carry on the way back. ``window_s`` None: any time. Sizes in characters and bytes."""

    text_chars_max: int
    html: bool = False
    files: bool = False
    file_bytes_max: int = 0
    templates: bool = False
    subject: bool = False
    copies: bool = False
    receipts: frozenset[str] = frozenset()
    window_s: int | None = None


def require_carried(content: Mapping[str, Any], can: Capabilities) -> None:
    """Raises `Unprocessable` naming field and remedy for content that a channel cannot carry, or that says nothing."""
    kind, text = content.get("kind"), str(content.get("text") or "")
    carried = {"text": can.text_chars_max > 0, "html": can.html, "template": can.templates, "media": can.files}
    if not carried.get(str(kind), False):
        others = " or ".join(name for name, good in carried.items() if good)
        raise Unprocessable(
            f"this channel does not carry {kind}",
            field="content.text" if kind == "text" else "content.kind",
            remedy=others or "answer another way",
        )
    if kind in ("text", "html") and not text.strip():
        raise Unprocessable("an empty reply", field="content.text", remedy="write something")
    if kind == "media" and not content.get("files"):
        raise Unprocessable("no files", field="content.files", remedy="keep them with POST /v1/files first, or write a text")
    if len(text) > can.text_chars_max:
        raise Unprocessable(f"{len(text)} characters", field="content.text", remedy=f"at most {can.text_chars_max}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer to send, with what the provider needs to thread it. ``content`` is ``{"kind": text|html|template|media, …}``."""

    id: UUID
    conversation_id: UUID
    at: datetime
    inbox: Inbox
    to_kind: str
    to_scope: str
    to_value: str
    to_name: str = ""
    content: Mapping[str, Any]
    subject: str = ""
    in_reply_to: str | None = None
    references: Sequence[str] = ()
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    visibility: str = "private"
    last_in_external_id: str | None = None
    window_expires_at: datetime | None = None
    files: Sequence[Part] = ()
    token_secret: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """A reply as one HTTP request. The adapter's `outcome` reads the answer."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailCall:
    """A reply as one mail for the SMTP relay. Domains are A-labels; an address that is not ASCII even so needs SMTPUTF8."""

    envelope_from: str
    recipients: Sequence[str]
    content: bytes = field(repr=False)

    @property
    def needs_utf8(self) -> bool:
        """Whether an address on the envelope has letters outside ASCII before its ``@``."""
        return not all(address.isascii() for address in (self.envelope_from, *self.recipients))


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketCall:
    """A reply that the customer's own socket reads from the conversation; stored is sent."""


Call = HttpCall | MailCall | SocketCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the provider said of a call: its id for the message, or whether to try again and why not."""

    state: Literal["sent", "retry", "failed"]
    provider_id: str | None = None
    reason: str = ""
    retry_after_s: float | None = None


class Adapter(Protocol):
    """One provider: its name, its usual channel, the channels an inbox of it may be given, and what it can carry."""

    @property
    def provider(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def channels(self) -> frozenset[str]: ...
    @property
    def capabilities(self) -> Capabilities: ...
    @property
    def body_bytes_max(self) -> int:
        """The largest post the provider sends, with room to spare; 0 where nobody posts to an inbox of it."""
        ...

    @property
    def proof(self) -> str | None:
        """The secret by which posts to an inbox prove who sends them, made with each new inbox; None where there is none of its own."""
        ...

    @property
    def hosts(self) -> frozenset[str]:
        """The provider's own hosts: credentials go to no other unless the operator names one."""
        ...

    def settings_schema(self) -> Mapping[str, Any]:
        """JSON Schema of an inbox's and a connection's settings and secrets: ``{"inbox": …, "connection": …}``."""
        ...

    def challenge(self, target: Target, request: Request) -> Challenge | None:
        """The answer to a provider's handshake, or None when the request is a delivery. Raises `Unauthenticated`."""
        ...

    def verify(self, target: Target, request: Request) -> str | None:
        """Checks the signature over the raw bytes in constant time; raises `Unauthenticated` and nothing is stored.

        Returns a one-time token when the provider signs one, so that its reuse for another body is refused.
        """
        ...

    def parse(self, target: Target, request: Request) -> Sequence[Parsed]:
        """Every element of the request, in order; never raises on content, a bad element becomes `Unparsed`.

        Only mail comes to a target that is `Target.every`: it is read once, and is an element for each inbox.
        """
        ...

    def reply(self, reply: Reply) -> Call:
        """The request that sends this reply. Raises `Unprocessable` naming what the channel cannot carry, or its window."""
        ...

    def outcome(self, status: int, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """What an answer to an `HttpCall` means."""
        ...


PARTICIPANTS_MAX: Final = 100
"""Of one message; a mail may be written to thousands."""
INTERNATIONAL_MAX: Final = 10
"""Of their domains with letters beyond ASCII: each is a millisecond or two wherever its earlier names are asked, and nobody writes to more."""


def draft_message(draft: Draft, *, message_id: UUID, accepted_at: datetime, **more: Any) -> InboundMessage:
    """The message a draft becomes once it has an id and a time; ``more`` are the fields `receive` fills (parts, original …).

    Keys are made to fit their indexes, and the first `PARTICIPANTS_MAX` participants stay, of the first `INTERNATIONAL_MAX` such domains.
    """
    values = dict(draft.values)
    values.setdefault("channel", draft.inbox.channel)
    values.setdefault("provider", draft.inbox.provider)
    values |= more
    values["participants"] = _first_participants(values.get("participants", ()))
    for keys in ("refs", "defines"):
        values[keys] = tuple(dict.fromkeys(map(key_text, values.get(keys, ()))))
    return InboundMessage(
        id=message_id,
        workspace_id=draft.inbox.workspace_id,
        inbox_id=draft.inbox.id,
        accepted_at=accepted_at,
        **values,
    )


def _first_participants(participants: Iterable[Sender]) -> tuple[Sender, ...]:
    kept: list[Sender] = []
    international: set[str] = set()
    for one in participants:
        domain = one.value.rpartition("@")[2] if one.kind == "email" else ""
        if "xn--" in domain and domain not in international:
            if len(international) == INTERNATIONAL_MAX:
                continue
            international.add(domain)
        kept.append(one)
        if len(kept) == PARTICIPANTS_MAX:
            break
    return tuple(kept)
