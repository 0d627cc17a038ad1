"""WhatsApp Cloud API: one element of a change to drafts.

Source: WhatsApp Business Platform, Cloud API, "Webhooks" and "Business-scoped user IDs".
**Identity**: a message by its ``wamid``; a status by (wamid, status), because statuses arrive late and out of order.
**Handles**: the business-scoped user id where it is there (the number may be absent since 2026), else ``wa_id``; a wa_id is
a telephone number that the network vouches for. Both in one message link. **Units**: Unix seconds as strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from ingest.adapter import Draft, Inbox
from ingest.meta.calls import call_values, customer_of
from ingest.meta.contacts import Contacts
from ingest.meta.events import OURS, given, moment, told
from ingest.meta.whatsapp_content import content_of
from shared.errors import InputRejected
from shared.handle import left, normalized
from shared.message import ACCOUNT, MOVED, DeliveryReceipt, Sender
from shared.text import clean_line

WINDOW: Final = timedelta(hours=24)
LISTS: Final = {
    "messages": ("messages", "statuses", "errors"),
    "smb_message_echoes": ("message_echoes",),
    "user_id_update": ("user_id_update",),
    "calls": ("calls",),
}
"""By field of a change: the lists whose elements are read, each by itself."""
_FRAME: Final = ("messaging_product", "metadata")
"""What stands around a change's elements and is told with each of them."""
_NAME_READ_MAX: Final = 2_000
_STATES: Final = {"sent": "sent", "delivered": "delivered", "read": "read", "played": "read", "failed": "failed"}
_USER_ID: Final = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,160}")
_CHANGED_ID: Final = re.compile(rf"changed from ({_USER_ID.pattern}) to \S")


def elements(change: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The change cut into changes of one element each, so that an odd one takes no neighbour with it.

    A change in which nothing is known comes back whole. Raises ``KeyError`` or ``TypeError`` where it is no change.
    """
    value = change["value"]
    names = [name for name in LISTS.get(change["field"], ()) if value.get(name)]
    # What every element takes with it is little, however much stands around them all: of the contacts the writer's own.
    frame = {name: value[name] for name in _FRAME if name in value}
    contacts = Contacts(one for one in value.get("contacts") or () if isinstance(one, Mapping))
    found = 0
    for name in names:
        for one in value[name]:
            found += 1
            theirs = contacts.of(*_writer(name, one)) if isinstance(one, Mapping) else None
            around = {**frame, "contacts": [theirs]} if theirs is not None else frame
            yield {"field": change["field"], "value": {**around, name: [one]}}
    if not found:
        yield dict(change)


def draft(inbox: Inbox, change: Mapping[str, Any], account: str = "") -> Draft | None:
    """The draft of one of `elements`; None for a call that rings, whose end is told too.

    ``account``: the entry's id, which is the WhatsApp Business Account. User ids are the business's own, so it says which of them can be
    compared. Raises ``KeyError``, ``TypeError`` or ``ValueError`` on a shape that is not theirs.
    """
    found = _draft(inbox, change)
    if found is None or not account or "sender" not in found.values:
        return found
    return replace(found, values={**found.values, "traits": {**found.values.get("traits", {}), ACCOUNT: account}})


def _draft(inbox: Inbox, change: Mapping[str, Any]) -> Draft | None:
    value = change["value"]
    name = next((name for name in LISTS.get(change["field"], ()) if value.get(name)), None)
    if name is None:
        raise ValueError(f"field {change['field']} holds nothing that is handled")
    [one] = value[name]
    if name == "errors":
        raise ValueError(f"an error of the account: {one.get('code', '')} {one.get('title', '')}".strip())
    if name == "statuses":
        return _status(inbox, one)
    if name == "user_id_update":
        return _changed_id(inbox, one)
    if name == "message_echoes":
        return _echo(inbox, one)
    contacts = Contacts(contact for contact in value.get("contacts") or () if isinstance(contact, Mapping))
    return _call(inbox, one, contacts) if name == "calls" else _message(inbox, one, contacts)


def _message(inbox: Inbox, message: Mapping[str, Any], contacts: Contacts) -> Draft:
    wamid = given(message, "id")
    user, number, name = _person(*_writer("messages", message), contacts)
    values = _notice(inbox, message, user, number, name) if message["type"] == "system" else None
    values = values or _values(inbox, message, _senders(inbox, user, number, name))
    if values.get("kind", "text") == "text":
        values["window_expires_at"] = values["sent_at"] + WINDOW
    if message.get("group_id"):
        values["traits"] = {**values.get("traits", {}), "group": str(message["group_id"])}
    return Draft(inbox=inbox, external_id=wamid, values=values)


def _call(inbox: Inbox, one: Mapping[str, Any], contacts: Contacts) -> Draft | None:
    """A call that ended. Who calls may be written to for a day, as who writes."""
    values = call_values(one)
    if values is None:
        return None
    senders = _senders(inbox, *_person(*_writer("calls", one), contacts))
    values |= {"sender": senders[0], "other_handles": tuple(senders[1:]), "defines": (f"ext:{inbox.id}:{one['id']}",)}
    if values["direction"] == "in":
        values["window_expires_at"] = values["sent_at"] + WINDOW
    return Draft(inbox=inbox, external_id=str(one["id"]), values=values)


def _writer(name: str, one: Mapping[str, Any]) -> tuple[Any, Any]:
    """The number and the user id that an element of the list gives for its writer, or its caller."""
    number, user = customer_of(one) if name == "calls" else (one.get("from"), one.get("from_user_id"))
    return _apart(number, user)


def _person(number: Any, user: Any, contacts: Contacts) -> tuple[Any, Any, str]:
    """The writer's user id, number and name, from the message and from the one contact that is the writer's own."""
    contact = contacts.of(number, user) or {}
    name = clean_line(told(contact.get("profile") or {}, "name")[:_NAME_READ_MAX])[:500]
    return user or contact.get("user_id"), number or contact.get("wa_id"), name


def _apart(number: Any, user: Any) -> tuple[Any, Any]:
    """A user id that stands where the number should be is no number."""
    return (None, user or number) if number and _USER_ID.fullmatch(str(number)) else (number, user)


def _echo(inbox: Inbox, message: Mapping[str, Any]) -> Draft:
    """What somebody of ours wrote in the phone's app: an outgoing line to the person, never work and no window."""
    number, user = _apart(message.get("to"), message.get("to_user_id"))
    senders = _senders(inbox, user, number, "")
    values = _values(inbox, message, senders) | dict(OURS)
    return Draft(inbox=inbox, external_id=given(message, "id"), values=values)


def _values(inbox: Inbox, message: Mapping[str, Any], senders: list[Sender]) -> dict[str, Any]:
    values: dict[str, Any] = {
        "sender": senders[0],
        "other_handles": tuple(senders[1:]),
        "defines": (f"ext:{inbox.id}:{message['id']}",),
        "sent_at": moment(message["timestamp"]),
        "authenticated": True,
        **content_of(message),
    }
    quoted = values.get("in_reply_to") or (message.get("context") or {}).get("id")
    if quoted:
        values |= {"in_reply_to": str(quoted), "refs": (f"ext:{inbox.id}:{quoted}",)}
    return values


def _senders(inbox: Inbox, user: Any, number: Any, name: str) -> list[Sender]:
    """The person's handles, the one that stays first."""
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


def _notice(inbox: Inbox, message: Mapping[str, Any], user: Any, number: Any, name: str) -> dict[str, Any] | None:
    """A notice that somebody is another number or id from now on; None where it says nothing of the kind.

    The number goes first: what came before is linked to it and not to the id, so that the id has one number. A number that gave way is
    theirs no more: whoever writes from it next is somebody else.
    """
    system = message.get("system") or {}
    now_user, now_number = system.get("user_id"), system.get("new_wa_id") or system.get("wa_id")
    if not (now_user or now_number):
        return None
    now = sorted(_senders(inbox, now_user, now_number, name), key=lambda one: one.kind != "wa_id")
    ids = ((user, number), (_former_id(system), None))
    former = [one for user, number in ids if user or number for one in _senders(inbox, user, number, name)]
    if now_number and number and str(now_number) != str(number):
        by, at = given(message, "id"), moment(message["timestamp"])
        former = [_left(one, by, at) if one.kind in ("wa_id", "phone") else one for one in former]
    return _moved(_values(inbox, message, list(dict.fromkeys([*now, *former]))))


def _left(sender: Sender, by: str, at: datetime) -> Sender:
    return sender.model_copy(update={"scope": left(sender.handle(), by, at).scope})


def _moved(values: dict[str, Any]) -> dict[str, Any]:
    """A notice whose sender is where somebody is reached from now on; the other handles are theirs too, or were."""
    return values | {"traits": {**values["traits"], MOVED: "yes"}}


def _former_id(system: Mapping[str, Any]) -> str | None:
    """The id that gave way: in a field of its own, or in the notice's words."""
    said = _CHANGED_ID.search(told(system, "body"))
    return str(system["previous_user_id"]) if system.get("previous_user_id") else said[1] if said else None


def _changed_id(inbox: Inbox, update: Mapping[str, Any]) -> Draft:
    """A person's business-scoped id gave way to another one: a notice that links the two."""
    ids = update["user_id"]
    senders = _senders(inbox, ids["current"], update.get("wa_id"), "")
    before = _senders(inbox, ids["previous"], None, "")
    values = {
        "kind": "system",
        "sender": senders[0],
        "other_handles": (*senders[1:], *before),
        "text": clean_line(told(update, "detail")),
        "sent_at": moment(update["timestamp"]),
        "authenticated": True,
        "traits": {"event": "user_id_update"},
    }
    return Draft(inbox=inbox, external_id=f"user_id_update:{ids['previous']}:{ids['current']}", values=_moved(values))


def _status(inbox: Inbox, status: Mapping[str, Any]) -> Draft:
    state = _STATES[str(status["status"])]
    errors = status.get("errors") or [{}]
    reason = f"{errors[0].get('code', '')} {errors[0].get('title', '')}".strip() if state == "failed" else ""
    receipt = DeliveryReceipt.model_validate({"provider_id": given(status, "id"), "state": state, "reason": reason})
    values = {
        "kind": "receipt",
        "receipt": receipt,
        "refs": (f"ext:{inbox.id}:{status['id']}",),
        "sent_at": moment(status["timestamp"]),
        "authenticated": True,
    }
    return Draft(inbox=inbox, external_id=f"{status['id']}:{status['status']}", values=values)
