"""Webhook bodies and call rows of the corpus against the adapters: what comes out, and when a value is right.

Nothing here knows a right value. What is right is said of a file as a whole and of its messages; a message of the corpus is compared with
the one that agrees with it most, so that one lost message is not counted as all that follow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

from ingest.adapter import Draft, Inbox, Parsed, Request, Target, draft_message
from ingest.registry import adapter_for
from shared.message import InboundMessage
from tests.support.judged import Judged, entries

GIVEN: Final = frozenset({"file", "source", "messages", "zone", "region", "contexts", "own"})
"""What an entry says beside right values of the whole file."""
_NOW: Final = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
_ID: Final = UUID(int=1)
_PUT_TO_WORK: Final = frozenset({"text", "comment", "review", "voicemail", "missed_call"})
_SAID: Final = frozenset({"text", "comment", "review"})
_OWN_IDS: Final = frozenset({"psid", "igsid", "fb_user", "ig_user"})
_CHANNEL: Final = re.compile(r"^[A-Za-z0-9]+/(.+?)(-[0-9a-f]{8}(;[12])?)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A message as it goes to intake, with the names of its files."""

    message: InboundMessage
    files: tuple[str, ...]


def judge(folder: Path) -> Iterator[Judged]:
    """Every right value of one kind against what its adapter makes of the file."""
    for entry in entries(folder):
        parsed = _parsed(folder, entry)
        for field, expected in entry.items():
            if field not in GIVEN:
                yield _judged(folder, entry, field, expected, OF_A_FILE[field](parsed))
        found = arrived(parsed)
        for number, expected_message in enumerate(entry.get("messages", ()), start=1):
            best = max(found, key=lambda one: _agreeing(expected_message, one), default=None)
            if best is not None and not _agreeing(expected_message, best):
                best = None
            found = [one for one in found if one is not best]
            for field, expected in expected_message.items():
                value = OF_A_MESSAGE[field](best) if best else "no message"
                yield _judged(folder, entry, field, expected, value, lost=best is None, place=f" message {number}")


def _judged(
    folder: Path, entry: Mapping[str, Any], field: str, expected: Any, found: Any, *, lost: bool = False, place: str = ""
) -> Judged:
    return Judged(
        kind=folder.name, file=f"{entry['file']}{place}", source=entry["source"], field=field, expected=expected, found=found,
        right=not lost and agrees(field, expected, found),
    )  # fmt: skip


def _agreeing(expected: Mapping[str, Any], one: Arrived) -> int:
    return sum(agrees(field, value, OF_A_MESSAGE[field](one)) for field, value in expected.items())


def _parsed(folder: Path, entry: Mapping[str, Any]) -> Sequence[Parsed]:
    target = _meta() if folder.parent.name == "meta" else _telephone(entry)
    body = (folder / entry["file"]).read_bytes()
    request = Request(method="POST", url="http://x/in/t", headers={}, query={}, body=body, received_at=_NOW)
    return adapter_for(target.provider).parse(target, request)


def _meta() -> Target:
    accounts = {"whatsapp": "1100", "messenger": "PAGE1", "instagram": "IG1"}
    inboxes = [_inbox(provider, channel="social", address=address) for provider, address in accounts.items()]
    return Target(id=_ID, workspace_id=_ID, provider="meta", settings={"app_id": "42"}, inboxes=inboxes)


def _telephone(entry: Mapping[str, Any]) -> Target:
    settings = {
        "time_zone": entry.get("zone", "Europe/Istanbul"),
        "inbound_contexts": entry.get("contexts", ["from-trunk"]),
        "numbers": entry.get("own", []),
    }
    inbox = _inbox("asterisk", channel="phone", settings=settings, region=entry.get("region", "TR"))
    return Target(id=inbox.id, workspace_id=_ID, provider="asterisk", settings=settings, inboxes=[inbox])


def _inbox(provider: str, **more: Any) -> Inbox:
    return Inbox(workspace_id=_ID, id=uuid5(_ID, provider), name=provider, provider=provider, **{"region": "TR", **more})


def arrived(parsed: Sequence[Parsed]) -> list[Arrived]:
    """The drafts as messages; what is put aside is none."""
    drafts = [one for one in parsed if isinstance(one, Draft)]
    return [
        Arrived(
            message=draft_message(draft, message_id=_ID, accepted_at=_NOW, external_id=draft.external_id or "none"),
            files=tuple(part.name for part in draft.parts),
        )
        for draft in drafts
    ]


# --- what is found -------------------------------------------------------------------------------------------------------


def _is_work(message: InboundMessage) -> bool:
    return message.direction == "in" and message.automatic is None and message.kind in _PUT_TO_WORK


def _is_empty(message: InboundMessage) -> bool:
    return message.kind in _SAID and not _shows(message)


def _shows(message: InboundMessage) -> bool:
    return bool(message.text.strip() or message.contents)


def _told(one: Arrived) -> str:
    return "\n".join((one.message.text, one.message.about, *one.files, *one.message.traits.values()))


def _values(message: InboundMessage, kind: str) -> list[str]:
    handles = [one for one in (message.sender, *message.other_handles) if one is not None and one.kind == kind]
    return sorted({one.value.lstrip("+") for one in handles})


def _user(message: InboundMessage) -> str | None:
    return (
        message.sender.value
        if message.sender and message.sender.kind in _OWN_IDS and message.sender.value[:8] != "comment:"
        else None
    )


def _is_clean(message: InboundMessage) -> bool:
    said = message.text + message.about + (message.sender.name if message.sender else "")
    return "\x00" not in said and not any("\ud800" <= letter <= "\udfff" for letter in said)


def _of_message(name: str) -> Callable[[Arrived], Any]:
    return lambda one: _plain(getattr(one.message, name))


def _receipt(name: str) -> Callable[[Arrived], Any]:
    return lambda one: _plain(getattr(one.message.receipt, name, None))


def _call(name: str) -> Callable[[Arrived], Any]:
    return lambda one: _plain(getattr(one.message.call, name, None))


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def _agents(one: Arrived) -> list[str]:
    """Phones without technology and number of the channel."""
    return [_CHANNEL.sub(r"\1", agent) for agent in (one.message.call.agents if one.message.call else ())]


OF_A_FILE: Final[Mapping[str, Callable[[Sequence[Parsed]], Any]]] = {
    "count": lambda parsed: len(arrived(parsed)),
    "unparsed": lambda parsed: len(parsed) - len(arrived(parsed)),
    "kept": len,
    "work": lambda parsed: sum(_is_work(one.message) for one in arrived(parsed)),
    "incoming": lambda parsed: sum(one.message.direction == "in" and one.message.kind != "receipt" for one in arrived(parsed)),
    "empty": lambda parsed: sum(_is_empty(one.message) for one in arrived(parsed)),
    "distinct": lambda parsed: len({one.message.external_id for one in arrived(parsed)}),
}
OF_A_MESSAGE: Final[Mapping[str, Callable[[Arrived], Any]]] = {
    **{name: _of_message(name) for name in ("kind", "direction", "visibility", "text", "in_reply_to", "external_id", "sent_at")},
    "text_lacks": lambda one: one.message.text,
    "says": _told,
    "contents": lambda one: sorted(one.message.contents),
    "contents_has": lambda one: list(one.message.contents),
    "contents_any": lambda one: list(one.message.contents),
    "about_has": lambda one: one.message.about,
    "shown": lambda one: _shows(one.message),
    "clean": lambda one: _is_clean(one.message),
    "user": lambda one: _user(one.message),
    "number": lambda one: _values(one.message, "wa_id") or _values(one.message, "phone"),
    "bsuid": lambda one: _values(one.message, "bsuid"),
    "name": lambda one: one.message.sender.name if one.message.sender else "",
    "group": lambda one: list(one.message.traits.values()),
    "thread": lambda one: [ref.rsplit(":", 1)[-1] for ref in (*one.message.refs, *one.message.defines)],
    "window": lambda one: one.message.window_expires_at is not None,
    "receipt": _receipt("state"),
    "receipt_of": _receipt("provider_id"),
    "receipt_until": _receipt("until"),
    "reason_has": _receipt("reason"),
    "permanent": _receipt("permanent"),
    "call": _call("call_id"),
    "call_direction": _call("direction"),
    "answered": _call("answered"),
    "talk_s": _call("talk_s"),
    "wait_s": _call("wait_s"),
    "started_at": _call("started_at"),
    "ended_at": _call("ended_at"),
    "agents": _agents,
    "agents_has": _agents,
}
"""The closed lists of fields a corpus may judge."""


# --- what is equal -------------------------------------------------------------------------------------------------------


def agrees(field: str, expected: Any, found: Any) -> bool:
    """Whether what was found is right, by the field's own measure: at least, some of, one of, or the very value."""
    if field == "kept":
        return bool(found >= expected)
    if field in {"says", "about_has", "reason_has", "contents_has", "agents_has"}:
        return all(piece in (found or "") for piece in expected)
    if field == "text_lacks":
        return not any(piece in found for piece in expected)
    if field == "contents_any":
        return bool(found) and set(found) <= set(expected)
    if field in {"group", "thread"}:
        return expected in found
    if field in {"contents", "number", "bsuid", "agents"}:
        return sorted(expected) == sorted(found)
    return bool(expected == found)
