"""Messenger and Instagram: direct messages, echoes, receipts, and public comments.

Source: Messenger Platform, "Webhook events"; Graph API, "Webhooks reference: Page" and "Instagram".
**Identity**: a message by its ``mid``, a comment by (comment id, verb). **Handles**: page-scoped ids in the scope of the account.
**Units**: Messenger's timestamps are milliseconds, a feed's ``created_time`` and Instagram's ``time`` are seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ingest.adapter import Draft, Inbox
from ingest.meta.page_content import content_of
from shared.message import Automatic, DeliveryReceipt, Sender
from shared.text import clean_line, clean_text

WINDOW: Final = timedelta(hours=24)
_KINDS: Final = {"messenger": ("psid", "fb_user"), "instagram": ("igsid", "ig_user")}
_SILENT: Final = frozenset(
    {"optin", "pass_thread_control", "take_thread_control", "request_thread_control", "app_roles", "account_linking"}
)
_VERBS: Final = {"add": "comment", "edited": "edit", "remove": "delete"}


def direct(inbox: Inbox, event: Mapping[str, Any]) -> Iterator[Draft]:
    """The drafts of one element of ``messaging``; none for what is known to carry nothing to store (opt-ins, hand-overs).

    Raises ``KeyError``, ``TypeError`` or ``ValueError`` for anything else: what is not understood is kept.
    """
    if "message" in event:
        yield _message(inbox, event, _at(event["timestamp"]))
    elif "message_edit" in event:
        edit = event["message_edit"]
        mid = str(edit["mid"])
        values = {"kind": "edit", "text": clean_text(str(edit.get("text", ""))), "in_reply_to": mid}
        yield _draft(
            inbox, f"{mid}:edit:{edit.get('num_edit', event['timestamp'])}", event["sender"]["id"], _at(event["timestamp"]), values
        )
    elif "reaction" in event:
        reaction = event["reaction"]
        emoji = str(reaction.get("emoji", "")) if reaction.get("action") == "react" else ""
        values = {"kind": "reaction", "text": clean_text(emoji), "in_reply_to": str(reaction["mid"])}
        yield _draft(
            inbox, f"{reaction['mid']}:reaction:{event['timestamp']}", event["sender"]["id"], _at(event["timestamp"]), values
        )
    elif "delivery" in event or "read" in event:
        yield from _receipts(inbox, event)
    elif "postback" in event:
        postback = event["postback"]
        mid = str(postback.get("mid") or f"postback:{event['sender']['id']}:{event['timestamp']}")
        chosen: dict[str, Any] = {"text": clean_text(str(postback.get("title", ""))), "contents": ("choice",)}
        yield _draft(inbox, mid, event["sender"]["id"], _at(event["timestamp"]), chosen)
    elif not _SILENT & event.keys():
        raise ValueError(f"an event of {', '.join(sorted(event.keys() - {'sender', 'recipient', 'timestamp'})) or 'nothing'}")


def _at(milliseconds: Any) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def _receipts(inbox: Inbox, event: Mapping[str, Any]) -> Iterator[Draft]:
    """A receipt for each message that is named; else one for all that were sent to the person until the watermark."""
    state = "delivered" if "delivery" in event else "read"
    told = event["delivery" if state == "delivered" else "read"]
    at = _at(event.get("timestamp") or told["watermark"])
    mids = [str(mid) for mid in (told.get("mids") or [told.get("mid")]) if mid]
    for mid in mids:
        yield _receipt(inbox, mid, state, at)
    if not mids:
        person = str(event["sender"]["id"])
        receipt = DeliveryReceipt.model_validate({"provider_id": "", "state": state, "until": _at(told["watermark"])})
        values = {"kind": "receipt", "receipt": receipt, "sender": _person(inbox, person), "sent_at": at, "authenticated": True}
        yield Draft(inbox=inbox, external_id=f"{person}:{state}:{told['watermark']}", values=values)


def _message(inbox: Inbox, event: Mapping[str, Any], at: datetime) -> Draft:
    message = event["message"]
    mid = str(message["mid"])
    if message.get("is_deleted"):
        return _draft(inbox, f"{mid}:deleted", event["sender"]["id"], at, {"kind": "delete", "in_reply_to": mid})
    values = content_of(message)
    quoted = (message.get("reply_to") or {}).get("mid")
    if quoted:
        values["in_reply_to"] = str(quoted)
    if not message.get("is_echo"):
        return _draft(inbox, mid, event["sender"]["id"], at, values)
    if inbox.settings.get("app_id") and str(message.get("app_id")) == str(inbox.settings["app_id"]):
        # Our own reply on its way back: its text is in the conversation already.
        return _receipt(inbox, mid, "sent", at)
    values |= {"direction": "out", "automatic": Automatic(kind="echo")}
    return _draft(inbox, mid, event["recipient"]["id"], at, values)


def _person(inbox: Inbox, person: str) -> Sender:
    return Sender(kind=_KINDS[inbox.provider][0], scope=inbox.address, value=person, raw=person, assurance="channel_verified")


def _draft(inbox: Inbox, external_id: str, person: Any, at: datetime, values: dict[str, Any]) -> Draft:
    quoted = values.get("in_reply_to")
    inbound = values.get("direction", "in") == "in" and values.get("kind", "text") == "text"
    return Draft(
        inbox=inbox,
        external_id=external_id,
        values={
            "sender": _person(inbox, str(person)),
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


def feed_comment(inbox: Inbox, value: Mapping[str, Any]) -> Draft | None:
    """A comment under a Page's post; None for posts, likes and other items of the feed."""
    if value.get("item") != "comment":
        return None
    author = value.get("from") or {}
    return _comment(
        inbox,
        comment_id=str(value["comment_id"]),
        kind=_VERBS.get(str(value.get("verb")), "system"),
        post=str(value["post_id"]),
        parent=str(value.get("parent_id") or value["post_id"]),
        author=str(author.get("id", "")),
        name=str(author.get("name", "")),
        text=str(value.get("message", "")),
        at=datetime.fromtimestamp(int(value["created_time"]), UTC),
    )


def instagram_comment(inbox: Inbox, value: Mapping[str, Any], time_s: int) -> Draft:
    """A comment under an Instagram post."""
    author = value.get("from") or {}
    media = str(value["media"]["id"])
    return _comment(
        inbox,
        comment_id=str(value["id"]),
        kind="comment",
        post=media,
        parent=str(value.get("parent_id") or media),
        author=str(author.get("id") or author.get("username") or ""),
        name=str(author.get("username", "")),
        text=str(value.get("text", "")),
        at=datetime.fromtimestamp(time_s, UTC),
    )


def _comment(
    inbox: Inbox, *, comment_id: str, kind: str, post: str, parent: str, author: str, name: str, text: str, at: datetime
) -> Draft:
    own = author == inbox.address
    sender = None
    if author and not own:
        sender = Sender(
            kind=_KINDS[inbox.provider][1], scope=inbox.address, value=author, raw=author, name=clean_line(name)[:500],
            assurance="channel_verified",
        )  # fmt: skip
    elif not own:
        # Without the permission to see authors a comment still has to reach somebody: the comment stands for its writer.
        sender = Sender(kind=_KINDS[inbox.provider][1], scope=inbox.address, value=f"comment:{comment_id}", assurance="asserted")
    values: dict[str, Any] = {
        "kind": kind,
        "visibility": "public",
        "sender": sender,
        "text": clean_text(text),
        "sent_at": at,
        "refs": (f"ext:{inbox.id}:{parent}",),
        "defines": (f"ext:{inbox.id}:{comment_id}",) if kind == "comment" else (),
        "authenticated": bool(author),
        "traits": {"post": post, "parent": parent, "comment_id": comment_id},
    }
    if kind in ("edit", "delete"):
        values["in_reply_to"] = comment_id
        values["refs"] = (f"ext:{inbox.id}:{comment_id}",)
    if own:
        values |= {"direction": "out", "automatic": Automatic(kind="echo")}
    external_id = comment_id if kind == "comment" else f"{comment_id}:{kind}:{int(at.timestamp())}"
    return Draft(inbox=inbox, external_id=external_id, values=values)
