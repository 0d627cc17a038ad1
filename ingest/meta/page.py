"""Messenger and Instagram: direct messages, echoes, edits, receipts and calls.

Source: Messenger Platform, "Webhook events" and "Calling webhooks"; Instagram Platform, "Webhook notification examples".
**Identity**: a message by its ``mid``, what was done with it by ``mid``, the deed and its number or time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from ingest.adapter import Draft, Inbox
from ingest.meta.calls import call_values, customer_of
from ingest.meta.events import OURS, given, moment, private_person, told
from ingest.meta.page_content import content_of
from shared.message import DeliveryReceipt
from shared.text import clean_text

WINDOW: Final = timedelta(hours=24)
_SILENT: Final = frozenset(
    {"optin", "pass_thread_control", "take_thread_control", "request_thread_control", "app_roles", "account_linking"}
)


def direct(inbox: Inbox, event: Mapping[str, Any]) -> Iterable[Draft]:
    """The drafts of one element of ``messaging``; none for what is known to carry nothing to store (opt-ins, hand-overs).

    Raises ``KeyError``, ``TypeError`` or ``ValueError`` for anything else: what is not understood is kept.
    """
    read = next((read for name, read in _READ.items() if name in event), None)
    if read is not None:
        return read(inbox, event)
    if not _SILENT & event.keys():
        raise ValueError(f"an event of {', '.join(sorted(event.keys() - {'sender', 'recipient', 'timestamp'})) or 'nothing'}")
    return ()


def call(inbox: Inbox, one: Mapping[str, Any]) -> Draft | None:
    """The draft of one element of ``calls``; None while it rings."""
    values = call_values(one)
    if values is None:
        return None
    defines = (f"ext:{inbox.id}:{one['id']}",)
    sender = private_person(inbox, given({"caller": customer_of(one)[0]}, "caller"))
    return Draft(inbox=inbox, external_id=str(one["id"]), values={"sender": sender, "defines": defines, **values})


def _message(inbox: Inbox, event: Mapping[str, Any]) -> Iterator[Draft]:
    message = event["message"]
    mid = given(message, "mid")
    app = inbox.settings.get("app_id")
    if message.get("is_deleted"):
        yield _draft(inbox, event, f"{mid}:deleted", {"kind": "delete", "in_reply_to": mid, **_side(inbox, event)})
    elif message.get("is_echo") and app and str(message.get("app_id")) == str(app):
        # Our own reply on its way back: its text is in the conversation already.
        yield _receipt(inbox, mid, "sent", moment(event["timestamp"]))
    else:
        quoted = (message.get("reply_to") or {}).get("mid")
        answers = {"in_reply_to": str(quoted)} if quoted else {}
        yield _draft(inbox, event, mid, {**content_of(message), **answers, **_side(inbox, event)})


def _edit(inbox: Inbox, event: Mapping[str, Any]) -> Iterator[Draft]:
    edit = event["message_edit"]
    mid = given(edit, "mid")
    # Without its words it is no edit: it would empty what was written.
    values = {"kind": "edit", "text": clean_text(given(edit, "text")), "in_reply_to": mid}
    yield _draft(inbox, event, f"{mid}:edit:{edit.get('num_edit', event['timestamp'])}", {**values, **_side(inbox, event)})


def _reaction(inbox: Inbox, event: Mapping[str, Any]) -> Iterator[Draft]:
    reaction = event["reaction"]
    mid = given(reaction, "mid")
    # Some reactions have a name and no emoji; an empty one would say that it was taken back.
    said = told(reaction, "emoji") or told(reaction, "reaction") if reaction.get("action") == "react" else ""
    values = {"kind": "reaction", "text": clean_text(said), "in_reply_to": mid}
    yield _draft(inbox, event, f"{mid}:reaction:{event['timestamp']}", {**values, **_side(inbox, event)})


def _side(inbox: Inbox, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields that say that our own side did it: what the account itself did comes from the account."""
    ours = given(event["sender"], "id") == inbox.address or (event.get("message") or {}).get("is_echo")
    return OURS if ours else {}


def _postback(inbox: Inbox, event: Mapping[str, Any]) -> Iterator[Draft]:
    pressed = event["postback"]
    mid = str(pressed.get("mid") or f"postback:{event['sender']['id']}:{event['timestamp']}")
    said = {"text": pressed.get("title"), "referral": pressed.get("referral"), "quick_reply": pressed}
    yield _draft(inbox, event, mid, content_of(said))


def _referral(inbox: Inbox, event: Mapping[str, Any]) -> Iterator[Draft]:
    """Somebody who wrote before came again by a link or an ad: nobody wrote, and an agent reads where from."""
    came = {**content_of(event), "kind": "system", "contents": ("ad",), "traits": {"event": "referral"}}
    yield _draft(inbox, event, f"referral:{event['sender']['id']}:{event['timestamp']}", came)


def _receipts(inbox: Inbox, event: Mapping[str, Any]) -> Iterator[Draft]:
    """A receipt for each message that is named; else one for all that were sent to the person until the watermark."""
    state = "delivered" if "delivery" in event else "read"
    word = event["delivery" if state == "delivered" else "read"]
    at = moment(event.get("timestamp") or word["watermark"])
    mids = [str(mid) for mid in (word.get("mids") or [word.get("mid")]) if mid]
    for mid in mids:
        yield _receipt(inbox, mid, state, at)
    if not mids:
        person = given(event["sender"], "id")
        receipt = DeliveryReceipt.model_validate({"provider_id": "", "state": state, "until": moment(word["watermark"])})
        values = {
            "kind": "receipt",
            "receipt": receipt,
            "sender": private_person(inbox, person),
            "sent_at": at,
            "authenticated": True,
        }
        yield Draft(inbox=inbox, external_id=f"{person}:{state}:{word['watermark']}", values=values)


def _draft(inbox: Inbox, event: Mapping[str, Any], external_id: str, values: dict[str, Any]) -> Draft:
    quoted, at = values.get("in_reply_to"), moment(event["timestamp"])
    is_out = values.get("direction") == "out"
    person = given(event["recipient" if is_out else "sender"], "id")
    return Draft(
        inbox=inbox,
        external_id=external_id,
        values={
            "sender": private_person(inbox, person),
            "sent_at": at,
            "window_expires_at": None if is_out or values.get("kind", "text") != "text" else at + WINDOW,
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


_READ: Final[Mapping[str, Callable[[Inbox, Mapping[str, Any]], Iterable[Draft]]]] = {
    "message": _message, "message_edit": _edit, "reaction": _reaction, "delivery": _receipts, "read": _receipts, "postback": _postback,
    "referral": _referral,
}  # fmt: skip
"""By what an event holds."""
