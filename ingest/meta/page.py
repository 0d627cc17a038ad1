"""Messenger and Instagram: direct messages, echoes, edits, receipts and calls.

Source: Messenger Platform, "Webhook events" and "Calling webhooks"; Instagram Platform, "Webhook notification examples".
**Identity**: a message by its ``mid``, what was done with it by ``mid``, the deed and its number or time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from ingest.adapter import Draft, Inbox
from ingest.meta.calls import call_values, customer_of
from ingest.meta.events import moment, private_person
from ingest.meta.page_content import content_of
from shared.message import Automatic, DeliveryReceipt
from shared.text import clean_text

WINDOW: Final = timedelta(hours=24)
_SILENT: Final = frozenset(
    {"optin", "pass_thread_control", "take_thread_control", "request_thread_control", "app_roles", "account_linking"}
)
_OURS: Final[dict[str, Any]] = {"direction": "out", "automatic": Automatic(kind="echo")}


def direct(inbox: Inbox, event: Mapping[str, Any]) -> Iterator[Draft]:
    """The drafts of one element of ``messaging``; none for what is known to carry nothing to store (opt-ins, hand-overs).

    Raises ``KeyError``, ``TypeError`` or ``ValueError`` for anything else: what is not understood is kept.
    """
    if "message" in event:
        yield _message(inbox, event, moment(event["timestamp"]))
    elif "message_edit" in event:
        edit = event["message_edit"]
        mid = str(edit["mid"])
        # Without its words it is no edit: it would empty what was written.
        values = {"kind": "edit", "text": clean_text(str(edit["text"])), "in_reply_to": mid}
        person, side = _side(inbox, event)
        yield _draft(
            inbox, f"{mid}:edit:{edit.get('num_edit', event['timestamp'])}", person, moment(event["timestamp"]), {**values, **side}
        )
    elif "reaction" in event:
        reaction = event["reaction"]
        # Some reactions have a name and no emoji; an empty one would say that it was taken back.
        told = str(reaction.get("emoji") or reaction.get("reaction") or "") if reaction.get("action") == "react" else ""
        values = {"kind": "reaction", "text": clean_text(told), "in_reply_to": str(reaction["mid"])}
        person, side = _side(inbox, event)
        yield _draft(
            inbox, f"{reaction['mid']}:reaction:{event['timestamp']}", person, moment(event["timestamp"]), {**values, **side}
        )
    elif "delivery" in event or "read" in event:
        yield from _receipts(inbox, event)
    elif "postback" in event:
        postback = event["postback"]
        mid = str(postback.get("mid") or f"postback:{event['sender']['id']}:{event['timestamp']}")
        pressed = content_of({"text": postback.get("title"), "referral": postback.get("referral"), "quick_reply": postback})
        yield _draft(inbox, mid, event["sender"]["id"], moment(event["timestamp"]), pressed)
    elif "referral" in event:
        # Somebody who wrote before came again by a link or an ad: nobody wrote, and an agent reads where from.
        came = {**content_of(event), "kind": "system", "contents": ("ad",), "traits": {"event": "referral"}}
        yield _draft(
            inbox, f"referral:{event['sender']['id']}:{event['timestamp']}", event["sender"]["id"], moment(event["timestamp"]), came
        )
    elif not _SILENT & event.keys():
        raise ValueError(f"an event of {', '.join(sorted(event.keys() - {'sender', 'recipient', 'timestamp'})) or 'nothing'}")


def call(inbox: Inbox, one: Mapping[str, Any]) -> Draft | None:
    """The draft of one element of ``calls``; None while it rings."""
    values = call_values(one)
    if values is None:
        return None
    defines = (f"ext:{inbox.id}:{one['id']}",)
    sender = private_person(inbox, str(customer_of(one)[0]))
    return Draft(inbox=inbox, external_id=str(one["id"]), values={"sender": sender, "defines": defines, **values})


def _receipts(inbox: Inbox, event: Mapping[str, Any]) -> Iterator[Draft]:
    """A receipt for each message that is named; else one for all that were sent to the person until the watermark."""
    state = "delivered" if "delivery" in event else "read"
    told = event["delivery" if state == "delivered" else "read"]
    at = moment(event.get("timestamp") or told["watermark"])
    mids = [str(mid) for mid in (told.get("mids") or [told.get("mid")]) if mid]
    for mid in mids:
        yield _receipt(inbox, mid, state, at)
    if not mids:
        person = str(event["sender"]["id"])
        receipt = DeliveryReceipt.model_validate({"provider_id": "", "state": state, "until": moment(told["watermark"])})
        values = {
            "kind": "receipt",
            "receipt": receipt,
            "sender": private_person(inbox, person),
            "sent_at": at,
            "authenticated": True,
        }
        yield Draft(inbox=inbox, external_id=f"{person}:{state}:{told['watermark']}", values=values)


def _message(inbox: Inbox, event: Mapping[str, Any], at: datetime) -> Draft:
    message = event["message"]
    mid = str(message["mid"])
    person, side = _side(inbox, event)
    if message.get("is_deleted"):
        return _draft(inbox, f"{mid}:deleted", person, at, {"kind": "delete", "in_reply_to": mid, **side})
    app = inbox.settings.get("app_id")
    if message.get("is_echo") and app and str(message.get("app_id")) == str(app):
        # Our own reply on its way back: its text is in the conversation already.
        return _receipt(inbox, mid, "sent", at)
    values = content_of(message) | side
    quoted = (message.get("reply_to") or {}).get("mid")
    if quoted:
        values["in_reply_to"] = str(quoted)
    return _draft(inbox, mid, person, at, values)


def _side(inbox: Inbox, event: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The person an event is exchanged with, and the fields that say that our own side wrote it: an echo comes from the account itself."""
    ours = str(event["sender"]["id"]) == inbox.address or bool((event.get("message") or {}).get("is_echo"))
    return (event["recipient"]["id"], _OURS) if ours else (event["sender"]["id"], {})


def _draft(inbox: Inbox, external_id: str, person: Any, at: datetime, values: dict[str, Any]) -> Draft:
    quoted = values.get("in_reply_to")
    inbound = values.get("direction", "in") == "in" and values.get("kind", "text") == "text"
    return Draft(
        inbox=inbox,
        external_id=external_id,
        values={
            "sender": private_person(inbox, str(person)),
            "sent_at": at,
            "window_expires_at": at + WINDOW if inbound else None,
            "refs": (f"ext:{inbox.id}:{quoted}",) if quoted else (),
            "defines": (f"ext:{inbox.id}:{external_id}",),
            "authenticated": True,
            **values,
        },
    )


def _receipt(inbox: Inbox, mid: str, state: str, at: datetime) -> Draft:
    receipt = DeliveryReceipt.model_validate({"provider_id": mid, "state": state})
    values = {"kind": "receipt", "receipt": receipt, "refs": (f"ext:{inbox.id}:{mid}",), "sent_at": at, "authenticated": True}
    return Draft(inbox=inbox, external_id=f"{mid}:{state}", values=values)
