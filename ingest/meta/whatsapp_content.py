"""What a WhatsApp message says: its words, and what it is made of where it is more than words.

Source: WhatsApp Business Platform, Cloud API, "messages webhook reference", one page for each type; Flows, "Receiving flow responses".
A type that is not known here still reaches an agent, as content that cannot be shown: somebody wrote it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ingest.meta.events import given, told
from shared.message import ABOUT_CHARS_MAX
from shared.text import clean_line, clean_text

_MEDIA: Final = {"image": "photo", "video": "video", "audio": "audio", "voice": "voice", "document": "file", "sticker": "sticker"}
_LINES_MAX: Final = 200
_HIDDEN: Final = frozenset({"flow_token"})
_NOTICES: Final = frozenset({"request_welcome"})
"""Types in which nobody wrote: somebody opened the chat."""


def content_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a draft that say what was written. Raises ``KeyError``, ``TypeError`` or ``ValueError`` where a part is missing."""
    values = _content(message)
    ad = _ad(message)
    about = [*ad, _product(message), _file_name(message)]
    if any(about):
        values["about"] = " · ".join(one for one in about if one)[:ABOUT_CHARS_MAX]
    if ad:
        values["contents"] = (*values.get("contents", ()), "ad")
    return values


def _content(message: Mapping[str, Any]) -> dict[str, Any]:
    kind = given(message, "type")
    if kind == "text":
        return {"text": clean_text(given(message["text"], "body"))}
    if kind == "reaction":
        reaction = message["reaction"]
        return {
            "kind": "reaction",
            "text": clean_text(told(reaction, "emoji")),
            "in_reply_to": given(reaction, "message_id"),
        }
    if kind == "edit":
        edit = message["edit"]
        inner = edit.get("message") or {}
        kind = told(inner, "type")
        # A caption may have been taken away; an edit that tells no words and no file would empty what was written.
        body = told(inner[kind], "caption") if kind in _MEDIA else given(inner["text"], "body")
        return {"kind": "edit", "text": clean_text(body), "in_reply_to": given(edit, "original_message_id")}
    if kind == "revoke":
        return {"kind": "delete", "in_reply_to": given(message["revoke"], "original_message_id")}
    if kind == "system":
        system = message["system"]
        traits = {"event": told(system, "type"), "new_wa_id": str(system.get("new_wa_id") or system.get("wa_id") or "")}
        return {"kind": "system", "text": clean_text(told(system, "body")), "traits": traits}
    if kind in _NOTICES:
        return {"kind": "system", "text": "", "traits": {"event": kind}}
    return _shown(kind, message)


def _ad(message: Mapping[str, Any]) -> list[str]:
    """The ad or post somebody came from: its headline, its words, its address."""
    referral = message.get("referral") or {}
    words = (clean_line(told(referral, name)) for name in ("headline", "body", "source_url"))
    return [one for one in words if one]


def _product(message: Mapping[str, Any]) -> str:
    """The product of the catalog that somebody asks about, by the seller's own id."""
    product = (message.get("context") or {}).get("referred_product") or {}
    return clean_line(told(product, "product_retailer_id"))


def _file_name(message: Mapping[str, Any]) -> str:
    """A document's name where its caption is the text."""
    document = message.get("document") or {}
    return clean_line(told(document, "filename")) if document.get("caption") else ""


def _shown(kind: str, message: Mapping[str, Any]) -> dict[str, Any]:
    if kind in _MEDIA:
        media = message.get(kind) or {}
        content = "voice" if media.get("voice") else _MEDIA[kind]
        words = media.get("caption") or media.get("filename") or ""
        traits = {"media_id": told(media, "id"), "media_type": kind}
        return {"text": clean_text(str(words)), "contents": (content,), "traits": traits}
    if kind == "button":
        return {"text": clean_text(told(message["button"], "text")), "contents": ("choice",)}
    if kind == "interactive":
        return _interactive(message["interactive"])
    if kind == "location":
        place = message["location"]
        words = [place.get("name"), place.get("address"), f"{place['latitude']},{place['longitude']}", place.get("url")]
        return {"text": _lines(words), "contents": ("location",)}
    if kind == "contacts":
        return {"text": _lines(line for one in message["contacts"] for line in _card(one)), "contents": ("contact",)}
    if kind == "order":
        order = message["order"]
        return {"text": _lines([order.get("text"), *map(_ordered, order.get("product_items") or ())]), "contents": ("order",)}
    errors = message.get("errors") or [{}]
    said = (errors[0].get("error_data") or {}).get("details") or errors[0].get("title") or ""
    return {"text": "", "contents": ("unsupported",), "traits": {"unsupported": kind, "reason": clean_line(str(said))[:500]}}


def _interactive(given: Mapping[str, Any]) -> dict[str, Any]:
    if "nfm_reply" in given:
        reply = given["nfm_reply"]
        return {"text": _answers(reply), "contents": ("form",), "traits": {"form": clean_line(told(reply, "name"))[:200]}}
    chosen = given.get("button_reply") or given.get("list_reply")
    if not isinstance(chosen, Mapping):
        return {"text": "", "contents": ("unsupported",), "traits": {"unsupported": f"interactive {given.get('type', '')}".strip()}}
    text = _lines([chosen.get("title"), chosen.get("description")])
    return {"text": text, "contents": ("choice",), "traits": {"choice": told(chosen, "id")}}


def _answers(reply: Mapping[str, Any]) -> str:
    """The form's answers, a line each; what it calls itself where they cannot be read."""
    try:
        answers = json.loads(str(reply.get("response_json") or "{}"))
    except (ValueError, RecursionError):
        answers = {}
    if not isinstance(answers, dict):
        answers = {}
    lines = _lines(f"{name}: {_said(value)}" for name, value in answers.items() if name not in _HIDDEN)
    return lines or clean_text(told(reply, "body"))


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_said(one) for one in value[:50])
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | bool) or value is None else str(value)


def _card(contact: Mapping[str, Any]) -> Iterator[Any]:
    yield (contact.get("name") or {}).get("formatted_name")
    yield from ((contact.get("org") or {}).get(name) for name in ("company", "title"))
    yield from (one.get("phone") for one in contact.get("phones") or ())
    yield from (one.get("email") for one in contact.get("emails") or ())
    yield from (one.get("url") for one in contact.get("urls") or ())


def _ordered(item: Mapping[str, Any]) -> str:
    price = f" à {item['item_price']} {item.get('currency', '')}".rstrip() if "item_price" in item else ""
    return f"{item.get('quantity', 1)} × {item.get('product_retailer_id', '')}{price}"


def _lines(words: Any) -> str:
    lines = [clean_line(str(one)) for one, _ in zip((one for one in words if one), range(_LINES_MAX), strict=False)]
    return "\n".join(line for line in lines if line)
