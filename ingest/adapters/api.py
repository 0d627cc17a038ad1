"""The generic inbox: any system that can post JSON, through `POST /v1/messages` or signed to ``/in/{id}``.

**Identity**: ``external_id``, chosen by the caller and unique in the inbox.
**Way back**: none of its own; replies are read by the caller from the conversation's events and messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, ValidationError

from ingest.adapter import (
    Call,
    Capabilities,
    Challenge,
    Draft,
    Inbox,
    Outcome,
    Parsed,
    Reply,
    Request,
    SocketCall,
    Target,
    Unparsed,
    require_carried,
)
from ingest.setting_formats import VOUCHES
from ingest.signatures import verify_post
from shared.errors import InputRejected, Unprocessable
from shared.given import Given
from shared.handle import KINDS, normalized
from shared.json_bounds import PROVIDER, require_bounded
from shared.message import Sender
from shared.moments import Moment
from shared.text import clean_line, clean_text

RESERVED: Final = frozenset({
    "account", "client_id", "group", "moved", "post", "reply_to", "session", "verdict", "written_from",
})  # fmt: skip
"""Traits that channels say of what they bring, and that decide who is believed or answered: nobody says them in their place."""
_ID: Final = r"^[^\x00-\x1f\x7f]+$"


class From(Given):
    """Who wrote, as the calling system knows them. The caller vouches for it: an API key is a verified channel."""

    kind: Annotated[str, Field(json_schema_extra={"enum": sorted(KINDS)})]
    value: Annotated[str, Field(min_length=1, max_length=512)]
    scope: Annotated[str, Field(max_length=200)] = ""
    name: Annotated[str, Field(max_length=500)] = ""
    verified: bool = False


class PostedMessage(Given):
    """The body of `POST /v1/messages`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "inbox": "api",
                    "external_id": "form-2026-000123",
                    "from": {"kind": "email", "value": "ayse@ornek.com", "name": "Ayşe Yılmaz"},
                    "subject": "Siparişim gelmedi",
                    "text": "Merhaba, 1042 numaralı siparişim nerede?",
                }
            ]
        },
    )

    inbox: Annotated[str, Field(min_length=1, max_length=200)]
    external_id: Annotated[str, Field(min_length=1, max_length=512, pattern=_ID)]
    sender: Annotated[From, Field(alias="from")]
    subject: Annotated[str, Field(max_length=2000)] = ""
    text: Annotated[str, Field(max_length=200_000)]
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$")] | None = None
    visibility: Literal["private", "public", "unlisted"] = "private"
    thread: Annotated[str, Field(max_length=512)] | None = None
    sent_at: Moment | None = None
    traits: Annotated[dict[str, str], Field(max_length=50)] = Field(default_factory=dict)


def draft_of(inbox: Inbox, posted: PostedMessage) -> Draft:
    """The draft of a posted message. Raises `InputRejected` naming ``from.value``, ``from.kind`` or the trait that is not the caller's."""
    traits = {clean_line(name): clean_text(value) for name, value in posted.traits.items()}
    for name in sorted(RESERVED & traits.keys()):
        raise Unprocessable("a channel's word, not a caller's", field=f"traits.{name}", remedy="use another name")
    try:
        handle = normalized(posted.sender.kind, posted.sender.value, scope=posted.sender.scope, region=inbox.region)
    except InputRejected as error:
        raise Unprocessable(error.message, field=f"from.{error.field}", remedy=error.remedy) from error
    sender = Sender(
        kind=handle.kind, scope=handle.scope, value=handle.value, raw=clean_line(posted.sender.value),
        name=clean_line(posted.sender.name), assurance="channel_verified" if posted.sender.verified else "asserted",
    )  # fmt: skip
    refs = (f"thread:{inbox.id}:{posted.thread}",) if posted.thread else ()
    values: dict[str, Any] = {
        "sender": sender,
        "subject": clean_line(posted.subject),
        "text": clean_text(posted.text),
        "language": posted.language,
        "visibility": posted.visibility,
        "refs": refs,
        "defines": (*refs, f"ext:{inbox.id}:{posted.external_id}"),
        "sent_at": posted.sent_at,
        "traits": traits,
        "authenticated": posted.sender.verified,
    }
    return Draft(inbox=inbox, external_id=posted.external_id, values=values)


class ApiAdapter:
    """See the module."""

    provider = "api"
    channel = "email"
    channels = frozenset({"email", "chat", "phone", "social", "web"})
    hosts: frozenset[str] = frozenset()
    body_bytes_max: int = 2 * 1024 * 1024  # 200,000 characters of text in JSON
    proof: str | None = "signing_secret"
    capabilities = Capabilities(text_chars_max=100_000, html=True, files=True, file_bytes_max=25_000_000, subject=True)

    def settings_schema(self) -> Mapping[str, Any]:
        secret = {
            "type": "object",
            "properties": {"signing_secret": {"type": "string", "minLength": 16}},
            "additionalProperties": False,
        }
        settings = {
            "type": "object",
            "properties": {"region": {"type": "string", "format": "region", VOUCHES: True}},
            "additionalProperties": False,
        }
        return {"inbox": {"settings": settings, "secrets": secret}}

    def challenge(self, target: Target, request: Request) -> Challenge | None:
        return None

    def verify(self, target: Target, request: Request) -> str | None:
        return verify_post(
            request.body, request.headers, target.secrets.get("signing_secret", ""), now_s=request.received_at.timestamp(),
            first_scheme=target.has_grace(request.received_at),
        )  # fmt: skip

    def parse(self, target: Target, request: Request) -> Sequence[Parsed]:
        inbox = target.inboxes[0]
        try:
            require_bounded(request.body, PROVIDER)
            return [draft_of(inbox, PostedMessage.model_validate_json(request.body))]
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "body"
            return [Unparsed(inbox=inbox, original=request.body, reason=f"{where}: {first['msg']}")]
        except InputRejected as error:
            return [Unparsed(inbox=inbox, original=request.body, reason=str(error))]

    def reply(self, reply: Reply) -> Call:
        require_carried(reply.content, self.capabilities)
        return SocketCall()

    def outcome(self, status: int, body: bytes, headers: Mapping[str, str]) -> Outcome:
        return Outcome(state="sent")


ADAPTER = ApiAdapter()
