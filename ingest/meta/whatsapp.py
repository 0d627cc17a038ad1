"""WhatsApp Cloud API: one change of field ``messages`` to drafts.

Source: WhatsApp Business Platform, Cloud API, "Webhooks" and "Business-scoped user IDs".
**Identity**: a message by its ``wamid``; a status by (wamid, status), because statuses arrive late and out of order.
**Handles**: the business-scoped user id where it is there (the number may be absent since 2026), else ``wa_id``; a wa_id is
a telephone number that the network vouches for. Both in one message link. **Units**: Unix seconds as strings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ingest.adapter import Draft, Inbox
from shared.errors import InputRejected
from shared.handle import normalized
from shared.message import DeliveryReceipt, Sender
from shared.text import clean_line, clean_text

WINDOW: Final = timedelta(hours=24)
_MEDIA: Final = frozenset({"image", "video", "audio", "voice", "document", "sticker"})
_STATES: Final = {"sent": "sent", "delivered": "delivered", "read": "read", "played": "read", "failed": "failed"}


def drafts(inbox: Inbox, value: Mapping[str, Any]) -> Iterator[Draft]:
    """The drafts of one ``value``. Raises ``KeyError``, ``TypeError`` or ``ValueError`` on a shape that is not theirs."""
    contacts = {contact.get("wa_id") or contact.get("user_id"): contact for contact in value.get("contacts", [])}
    for message in value.get("messages", []):
        contact = contacts.get(message.get("from")) or contacts.get(message.get("from_user_id"))
        yield _message(inbox, message, contact or next(iter(contacts.values()), {}))
    for status in value.get("statuses", []):
        yield _status(inbox, status)


def _message(inbox: Inbox, message: Mapping[str, Any], contact: Mapping[str, Any]) -> Draft:
    wamid = str(message["id"])
    sent_at = datetime.fromtimestamp(int(message["timestamp"]), UTC)
    senders = _senders(inbox, message, contact)
    values: dict[str, Any] = {
        "sender": senders[0],
        "other_handles": tuple(senders[1:]),
        "defines": (f"ext:{inbox.id}:{wamid}",),
        "sent_at": sent_at,
        "window_expires_at": sent_at + WINDOW,
        "authenticated": True,
        **_content(message),
    }
    quoted = (message.get("context") or {}).get("id")
    if quoted and "in_reply_to" not in values:
        values["in_reply_to"] = str(quoted)
        values["refs"] = (f"ext:{inbox.id}:{quoted}",)
    elif "in_reply_to" in values:
        values["refs"] = (f"ext:{inbox.id}:{values['in_reply_to']}",)
    return Draft(inbox=inbox, external_id=wamid, values=values)


def _senders(inbox: Inbox, message: Mapping[str, Any], contact: Mapping[str, Any]) -> list[Sender]:
    name = clean_line(str((contact.get("profile") or {}).get("name", "")))[:500]
    number = message.get("from") or contact.get("wa_id")
    user = message.get("from_user_id") or contact.get("user_id")
    senders: list[Sender] = []
    if user:
        scope = str(inbox.settings.get("portfolio", ""))
        senders.append(Sender(kind="bsuid", scope=scope, value=str(user), raw=str(user), name=name, assurance="channel_verified"))
    if number:
        senders.append(Sender(kind="wa_id", value=str(number), raw=str(number), name=name, assurance="channel_verified"))
        try:
            phone = normalized("phone", f"+{number}")
        except InputRejected:
            # Test numbers and some countries' wa_ids are not valid E.164; the wa_id alone identifies.
            return senders
        senders.append(Sender(kind="phone", value=phone.value, raw=str(number), name=name, assurance="channel_verified"))
    if not senders:
        raise ValueError("neither from nor user_id")
    return senders


def _content(message: Mapping[str, Any]) -> dict[str, Any]:
    kind = str(message["type"])
    if kind == "text":
        return {"text": clean_text(str(message["text"]["body"]))}
    if kind == "reaction":
        reaction = message["reaction"]
        return {
            "kind": "reaction",
            "text": clean_text(str(reaction.get("emoji") or "")),
            "in_reply_to": str(reaction["message_id"]),
        }
    if kind == "edit":
        edit = message["edit"]
        inner = edit.get("message") or {}
        body = (inner.get("text") or {}).get("body") or (inner.get(str(inner.get("type")), {}) or {}).get("caption") or ""
        return {"kind": "edit", "text": clean_text(str(body)), "in_reply_to": str(edit["original_message_id"])}
    if kind == "revoke":
        return {"kind": "delete", "in_reply_to": str(message["revoke"]["original_message_id"])}
    if kind in _MEDIA:
        media = message[kind]
        caption = media.get("caption") or media.get("filename") or ""
        return {"text": clean_text(str(caption)), "traits": {"media_id": str(media["id"]), "media_type": kind}}
    if kind == "button":
        return {"text": clean_text(str(message["button"].get("text", "")))}
    if kind == "interactive":
        chosen = message["interactive"].get("button_reply") or message["interactive"].get("list_reply") or {}
        return {"text": clean_text(str(chosen.get("title", ""))), "traits": {"choice": str(chosen.get("id", ""))}}
    if kind == "location":
        place = message["location"]
        return {"text": clean_text(f"{place.get('name', '')} {place['latitude']},{place['longitude']}".strip())}
    if kind == "system":
        system = message["system"]
        traits = {"event": str(system.get("type", "")), "new_wa_id": str(system.get("wa_id", ""))}
        return {"kind": "system", "text": clean_text(str(system.get("body", ""))), "traits": traits}
    return {"text": "", "traits": {"unsupported": kind}}


def _status(inbox: Inbox, status: Mapping[str, Any]) -> Draft:
    state = _STATES[str(status["status"])]
    errors = status.get("errors") or [{}]
    reason = f"{errors[0].get('code', '')} {errors[0].get('title', '')}".strip() if state == "failed" else ""
    receipt = DeliveryReceipt.model_validate({"provider_id": str(status["id"]), "state": state, "reason": reason})
    values = {
        "kind": "receipt",
        "receipt": receipt,
        "refs": (f"ext:{inbox.id}:{status['id']}",),
        "sent_at": datetime.fromtimestamp(int(status["timestamp"]), UTC),
        "authenticated": True,
    }
    return Draft(inbox=inbox, external_id=f"{status['id']}:{status['status']}", values=values)
