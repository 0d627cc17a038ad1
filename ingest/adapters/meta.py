"""Meta: one app, one callback address, several inboxes (WhatsApp numbers, Pages, Instagram accounts).

Source: Graph API, "Webhooks: getting started" (challenge, signature, batches up to 1,000); WhatsApp Cloud API, "Messages";
Messenger Platform, "Send API"; Instagram API, "Comment moderation".
Answers to deliveries: 200 stored · 401 signature wrong or missing, nothing stored · 503 not stored, they deliver again.
Meta unsubscribes a callback that fails for an hour, so one bad element never fails a batch: it goes to quarantine.
Windows: free text only within 24 h of the person's last message; after that a WhatsApp template.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ingest.adapter import (
    Call,
    Capabilities,
    Challenge,
    Draft,
    HttpCall,
    Inbox,
    Outcome,
    Parsed,
    Reply,
    Request,
    Target,
    Unparsed,
    require_carried,
)
from ingest.meta import page, page_public, whatsapp
from ingest.meta.events import given
from ingest.setting_formats import VOUCHES
from ingest.signatures import verify_meta
from shared.errors import InputRejected, Unauthenticated, Unprocessable
from shared.json_bounds import PROVIDER, bounded_json
from shared.text import same_secret

GRAPH: Final = "https://graph.facebook.com/v23.0"
ORIGINALS_TIMES_MAX: Final = 4
ORIGINALS_BYTES_FREE: Final = 64 * 1024
ADDRESS_SHOWN_CHARS: Final = 100
ACCOUNT_CHARS_MAX: Final = 64
_LISTS: Final = ("changes", "messaging", "standby", "calls")
"""Where an entry holds its elements."""
_OBJECTS: Final = {"whatsapp": "whatsapp_business_account", "messenger": "page", "instagram": "instagram"}
_SHAPE_ERRORS: Final = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, OSError)
_TRANSIENT_CODES: Final = frozenset({1, 2, 4, 17, 32, 80007, 130429, 131000, 131016, 131048, 131056, 613})


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaAdapter:
    """One of Meta's providers; ``meta`` itself is the connection that the three share."""

    provider: str
    capabilities: Capabilities
    channel: str = "social"
    channels: frozenset[str] = frozenset({"social", "chat"})
    body_bytes_max: int = 4 * 1024 * 1024  # a webhook is at most 3 MB
    proof: str | None = None  # its connection's app secret
    hosts: frozenset[str] = frozenset({"graph.facebook.com", "graph.instagram.com"})

    def settings_schema(self) -> Mapping[str, Any]:
        text, address = {"type": "string"}, {"type": "string", "format": "uri"}
        connection = {
            "settings": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"app_id": text, "graph_url": address, "portfolio": {**text, VOUCHES: True}},
            },
            "secrets": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"app_secret": text, "verify_token": text, "access_token": text},
            },
        }
        inbox = {
            "settings": {"type": "object", "additionalProperties": False, "properties": {"graph_url": address}},
            "secrets": {"type": "object", "additionalProperties": False, "properties": {"access_token": text}},
        }
        return {"connection": connection, "inbox": inbox}

    def challenge(self, target: Target, request: Request) -> Challenge | None:
        if request.method != "GET":
            return None
        if request.query.get("hub.mode") != "subscribe":
            raise Unauthenticated("not a subscription", field="hub.mode", remedy="subscribe")
        expected = target.secrets.get("verify_token", "")
        if not expected or not same_secret(request.query.get("hub.verify_token", ""), expected):
            raise Unauthenticated("wrong verify token", field="hub.verify_token", remedy="the connection's verify_token")
        return Challenge(text=request.query.get("hub.challenge", ""))

    def verify(self, target: Target, request: Request) -> str | None:
        verify_meta(request.body, request.headers.get("x-hub-signature-256"), target.secrets.get("app_secret", ""))
        return None

    def parse(self, target: Target, request: Request) -> Sequence[Parsed]:
        try:
            envelope = bounded_json(request.body, PROVIDER)
            kind, entries = envelope["object"], list(envelope["entry"])
        except (*_SHAPE_ERRORS, InputRejected) as error:
            return [Unparsed(inbox=None, original=request.body, reason=f"not one of Meta's envelopes: {error!r}")]
        if kind not in _OBJECTS.values():
            return [Unparsed(inbox=None, original=request.body, reason=f"the object {kind!r} is not handled")]
        inboxes = {inbox.address: inbox for inbox in reversed(target.inboxes)}
        return _kept(request.body, (parsed for entry in entries for parsed in _entry(target, inboxes, kind, entry)))

    def reply(self, reply: Reply) -> Call:
        require_carried(reply.content, self.capabilities)
        return HttpCall(
            method="POST",
            url=_reply_url(reply),
            headers={"authorization": f"Bearer {reply.inbox.secrets.get('access_token', '')}"},
            json=_whatsapp_body(reply) if reply.inbox.provider == "whatsapp" else _page_body(reply),
        )

    def outcome(self, status: int, body: bytes, headers: Mapping[str, str]) -> Outcome:
        try:
            answer = json.loads(body)
        except ValueError:
            answer = {}
        answer = answer if isinstance(answer, dict) else {}
        if 200 <= status < 300:
            messages = answer.get("messages") or [{}]
            return Outcome(state="sent", provider_id=messages[0].get("id") or answer.get("message_id") or answer.get("id"))
        error = answer.get("error") or {}
        reason = f"{error.get('code', status)} {error.get('message', '')}".strip()[:500]
        transient = status >= 500 or status == 429 or error.get("code") in _TRANSIENT_CODES or bool(error.get("is_transient"))
        retry_after = headers.get("retry-after", "")
        return Outcome(
            state="retry" if transient else "failed",
            reason=reason,
            retry_after_s=float(retry_after) if retry_after.isdigit() else None,
        )


def _kept(body: bytes, found: Iterable[Draft | _Odd]) -> list[Parsed]:
    """What was found. Each element that is not understood is kept with its frame, so where that comes to far more than the post is itself,
    the post is kept once instead; what was understood stays.
    """
    kept: list[Parsed] = []
    left = len(body) * ORIGINALS_TIMES_MAX + ORIGINALS_BYTES_FREE
    for one in found:
        if not isinstance(one, _Odd):
            kept.append(one)
        elif left >= 0:
            odd = one.unparsed()
            left -= len(odd.original)
            kept.append(odd)
    if left >= 0:
        return kept
    drafts = [one for one in kept if not isinstance(one, Unparsed)]
    return [*drafts, Unparsed(inbox=None, original=body, reason="very many elements are not understood")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Odd:
    """What is not understood; written out as a whole envelope again only where it is kept."""

    kind: str
    frame: Mapping[str, Any]
    element: Mapping[str, Any]
    reason: str
    inbox: Inbox | None = None

    def unparsed(self) -> Unparsed:
        original = json.dumps({"object": self.kind, "entry": [{**self.frame, **self.element}]}).encode()
        return Unparsed(inbox=self.inbox, original=original, reason=self.reason)


def _entry(target: Target, inboxes: Mapping[str, Inbox], kind: str, entry: Any) -> Iterator[Draft | _Odd]:
    """Each element on its own, so that a bad one takes no other with it; its bytes are a whole envelope again."""
    if not isinstance(entry, dict):
        yield _Odd(kind=kind, frame={}, element={"entry": entry}, reason="an entry that is not an object")
        return
    if not any(name in entry for name in _LISTS):
        yield _Odd(kind=kind, frame=entry, element={}, reason="an entry that holds nothing that is known")
    frame = {name: entry[name] for name in ("id", "time") if name in entry}
    for list_name in _LISTS:
        for element in _elements(kind, entry.get(list_name) or []):
            inbox: Inbox | None = None
            odd = {list_name: [element]}
            try:
                address = _address(kind, entry, element)
                inbox = inboxes.get(address)
                if inbox is None or _OBJECTS[inbox.provider] != kind:
                    yield _Odd(
                        kind=kind, frame=frame, element=odd, reason=f"no inbox has the account {address[:ADDRESS_SHOWN_CHARS]}"
                    )
                    continue
                yield from list(_element(_lent(target, inbox), kind, entry, element, list_name))
            except _SHAPE_ERRORS as error:
                yield _Odd(kind=kind, frame=frame, element=odd, reason=f"not understood: {error!r}", inbox=inbox)


def _elements(kind: str, found: Any) -> Iterator[Any]:
    for element in found if isinstance(found, list) else [found]:
        try:
            yield from list(whatsapp.elements(element)) if kind == "whatsapp_business_account" else [element]
        except _SHAPE_ERRORS:
            yield element  # no change at all: it fails by itself where it is read


def _address(kind: str, entry: Mapping[str, Any], element: Mapping[str, Any]) -> str:
    if kind == "whatsapp_business_account":
        return given(element["value"]["metadata"], "phone_number_id")
    return given(entry, "id")


def _lent(target: Target, inbox: Inbox) -> Inbox:
    """The inbox with what its connection says for all (the app's id, the portfolio)."""
    return replace(inbox, settings={**target.settings, **inbox.settings})


def _element(inbox: Inbox, kind: str, entry: Mapping[str, Any], element: Mapping[str, Any], list_name: str) -> Iterable[Draft]:
    if list_name in ("messaging", "standby"):
        return page.direct(inbox, element)
    if list_name == "calls":
        return _any(page.call(inbox, element))
    if kind == "whatsapp_business_account":
        return _any(whatsapp.draft(inbox, element, str(entry.get("id") or "")[:ACCOUNT_CHARS_MAX]))
    if str(element["field"]).startswith("messag") or element["field"] == "standby":
        return page.direct(inbox, element["value"])  # the same events, as the dashboard and some logins send them
    return _any(_public(inbox, kind, element["field"], element["value"], entry.get("time")))


def _any(found: Draft | None) -> tuple[Draft, ...]:
    return () if found is None else (found,)


def _public(inbox: Inbox, kind: str, field: Any, value: Mapping[str, Any], time: Any) -> Draft | None:
    if kind == "instagram" and field in ("comments", "live_comments"):
        return page_public.instagram_comment(inbox, value, time)
    if kind == "page" and field == "feed":
        return page_public.feed(inbox, value, time)
    if kind == "page" and field == "mention":
        return page_public.mention(inbox, value, time)
    if kind == "page" and field == "ratings":
        return page_public.rating(inbox, value, time)
    raise ValueError(f"field {field} is not handled")


def _reply_url(reply: Reply) -> str:
    graph = str(reply.inbox.settings.get("graph_url") or GRAPH).rstrip("/")
    if reply.visibility != "public":
        return f"{graph}/{reply.inbox.address}/messages"
    edge = "comments" if reply.inbox.provider == "messenger" else "replies"
    if not reply.last_in_external_id:
        raise Unprocessable("there is no comment to answer", field="conversation", remedy="answer a comment")
    return f"{graph}/{reply.last_in_external_id}/{edge}"


def _text(reply: Reply) -> str:
    return str(reply.content["text"])


def _require_window(reply: Reply, remedy: str) -> None:
    if reply.visibility != "public" and (reply.window_expires_at is None or reply.window_expires_at <= reply.at):
        raise Unprocessable("the 24 hours for free replies have passed", field="content.kind", remedy=remedy)


def _whatsapp_body(reply: Reply) -> dict[str, Any]:
    # An id in "to" is taken with 200 and dropped; with both, "to" wins.
    to = "recipient" if reply.to_kind == "bsuid" else "to"
    body: dict[str, Any] = {"messaging_product": "whatsapp", "recipient_type": "individual", to: reply.to_value}
    body["biz_opaque_callback_data"] = str(reply.id)
    kind = reply.content.get("kind")
    if kind == "template":
        template = {"name": reply.content["name"], "language": {"code": reply.content.get("language", "tr")}}
        if reply.content.get("components"):
            template["components"] = reply.content["components"]
        return body | {"type": "template", "template": template}
    _require_window(reply, "send a template")
    if reply.last_in_external_id and reply.content.get("quote"):
        body["context"] = {"message_id": reply.last_in_external_id}
    return body | {"type": "text", "text": {"body": _text(reply), "preview_url": False}}


def _page_body(reply: Reply) -> dict[str, Any]:
    if reply.visibility == "public":
        return {"message": _text(reply)}
    _require_window(reply, "wait for the person to write, or use another channel")
    return {"recipient": {"id": reply.to_value}, "messaging_type": "RESPONSE", "message": {"text": _text(reply)}}


CONNECTION: Final = MetaAdapter(provider="meta", capabilities=Capabilities(text_chars_max=2000))
WHATSAPP: Final = MetaAdapter(
    provider="whatsapp",
    capabilities=Capabilities(
        text_chars_max=4096, templates=True, receipts=frozenset({"sent", "delivered", "read", "failed"}), window_s=24 * 3600
    ),
)
MESSENGER: Final = MetaAdapter(
    provider="messenger",
    capabilities=Capabilities(text_chars_max=2000, receipts=frozenset({"sent", "delivered", "read"}), window_s=24 * 3600),
)
INSTAGRAM: Final = MetaAdapter(
    provider="instagram", capabilities=Capabilities(text_chars_max=1000, receipts=frozenset({"sent", "read"}), window_s=24 * 3600)
)
