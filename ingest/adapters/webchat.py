"""Our own chat widget: frames of a visitor's socket, and answers that the same socket reads from the conversation.

**Identity**: the id the browser gave the message, in the visitor's session, so a resend after a lost answer is the same message.
**Handles**: the anonymous visitor; with a token signed by the host site also the customer it names, then authenticated. An
e-mail address typed into the form is only asserted and attaches nothing. A customer's id is the workspace's customer, whichever inbox's
site signs it, unless the inbox says whose customers its site's are (`customer_scope`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

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
    require_carried,
)
from ingest.setting_formats import LISTED_MAX, VOUCHES
from shared.errors import InputRejected, Unauthenticated, Unprocessable
from shared.handle import normalized
from shared.message import Sender
from shared.text import clean_line, clean_text

TEXT_CHARS_MAX: Final = 8000
OF_THE_WORKSPACE: Final = "workspace"
_TRUSTED: Final = ("external_id", "email", "phone")


def customer_scope(inbox: Inbox) -> str:
    """The scope of the customers' ids that the inbox's site signs: empty for the workspace's customers, else as its setting names it."""
    named = str(inbox.settings.get("identity_scope", OF_THE_WORKSPACE))
    return "" if named == OF_THE_WORKSPACE else named


def draft_of(
    inbox: Inbox,
    *,
    visitor_id: UUID,
    client_id: str,
    text: str,
    claims: Mapping[str, str],
    asserted: Mapping[str, str],
    sent_at: datetime,
) -> Draft:
    """The draft of one chat frame.

    ``claims`` come from the host site's signed token (``external_id``, ``email``, ``phone``, ``name``), ``asserted`` from a form
    the visitor filled in. Raises `Unprocessable` for an empty or too long text.
    """
    cleaned = clean_text(text).strip()
    if not cleaned or len(cleaned) > TEXT_CHARS_MAX:
        raise Unprocessable(f"{len(cleaned)} characters", field="text", remedy=f"1 to {TEXT_CHARS_MAX}")
    name = clean_line(claims.get("name") or asserted.get("name") or "")[:500]
    visitor = Sender(
        kind="visitor", scope=str(inbox.id), value=str(visitor_id), name=name,
        assurance="authenticated" if claims else "channel_verified",
    )  # fmt: skip
    others = [
        *_handles(claims, assurance="authenticated", inbox=inbox, name=name),
        *_handles(asserted, assurance="asserted", inbox=inbox, name=name),
    ]
    values: dict[str, Any] = {
        "sender": visitor,
        "other_handles": tuple(others),
        "text": cleaned,
        "defines": (f"ext:{inbox.id}:{client_id}",),
        "sent_at": sent_at,
        "traits": {"session": str(visitor_id), "client_id": client_id},
        "authenticated": bool(claims),
    }
    return Draft(inbox=inbox, external_id=f"{visitor_id}:{client_id}", values=values)


def _handles(found: Mapping[str, str], *, assurance: str, inbox: Inbox, name: str) -> list[Sender]:
    senders = []
    for kind in _TRUSTED:
        value = found.get(kind)
        if not value:
            continue
        try:
            scope = customer_scope(inbox) if kind == "external_id" else ""
            handle = normalized(kind, value, scope=scope, region=inbox.region)
        except InputRejected:
            # A site that signs a malformed address still deserves its chat; the handle stays unresolved, never guessed.
            continue
        senders.append(
            Sender.model_validate(
                {
                    "kind": kind,
                    "scope": handle.scope,
                    "value": handle.value,
                    "raw": clean_line(value),
                    "name": name,
                    "assurance": assurance,
                }
            )
        )
    return senders


class WebchatAdapter:
    """See the module."""

    provider = "webchat"
    channel = "chat"
    channels = frozenset({"chat"})
    hosts: frozenset[str] = frozenset()
    body_bytes_max: int = 0
    proof: str | None = None
    capabilities = Capabilities(text_chars_max=TEXT_CHARS_MAX, receipts=frozenset({"sent", "read"}))

    def settings_schema(self) -> Mapping[str, Any]:
        settings = {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "title": {"type": "string", "maxLength": 100},
                "origins": {"type": "array", "maxItems": LISTED_MAX, "items": {"type": "string", "format": "origin"}},
                "locale": {"enum": ["tr", "en"]},
                "region": {"type": "string", "format": "region", VOUCHES: True},
                # Whose customers the signed ids are: the workspace's, or a list of their own that inboxes of the same name share.
                "identity_scope": {
                    "type": "string",
                    "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$",
                    "default": OF_THE_WORKSPACE,
                    VOUCHES: True,
                },
                # Public halves of the keys with which the site signs who a visitor is; several, so that one can be replaced.
                "identity_keys": {
                    VOUCHES: True,
                    "type": "array",
                    "maxItems": 5,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["kid", "public_key"],
                        "properties": {
                            "kid": {"type": "string", "minLength": 1, "maxLength": 100},
                            "public_key": {"type": "string", "maxLength": 1000, "format": "es256-key"},
                        },
                    },
                },
            },
        }
        secrets = {
            "type": "object",
            "additionalProperties": False,
            # The one before is believed beside the present one, until it is taken away.
            "properties": {name: {"type": "string", "minLength": 32} for name in ("identity_secret", "identity_secret_previous")},
        }
        return {"inbox": {"settings": settings, "secrets": secrets}}

    def challenge(self, target: Target, request: Request) -> Challenge | None:
        return None

    def verify(self, target: Target, request: Request) -> str | None:
        raise Unauthenticated("chat comes over the visitor's socket", remedy="open /v1/chat/{widget_token}/socket")

    def parse(self, target: Target, request: Request) -> Sequence[Parsed]:
        return []

    def reply(self, reply: Reply) -> Call:
        require_carried(reply.content, self.capabilities)
        return SocketCall()

    def outcome(self, status: int, body: bytes, headers: Mapping[str, str]) -> Outcome:
        return Outcome(state="sent")


ADAPTER = WebchatAdapter()
