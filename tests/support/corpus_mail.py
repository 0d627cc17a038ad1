"""Mails of the corpus against our reader: what a mail says, and when a value is right. Nothing here knows a right value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import idna

from ingest.mail.authentication import sender_verdict
from ingest.mail.automatic import AutomaticMail, read_automatic
from ingest.mail.mime import Mail, read_mail
from ingest.mail.own_mailboxes import own_mailboxes
from ingest.mail.reports import Bounce, names_a_mail, read_bounce, reported_message_id
from tests.support.judged import Judged, entries

GIVEN: Final = frozenset({"file", "source", "authserv_id", "from_domain", "inbox"})
"""What an entry says beside right values."""
_NEEDLESS_QUOTES = re.compile(r'[^\s"(),:;<>@\[\]]+')


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    mail: Mail
    automatic: AutomaticMail | None
    bounce: Bounce | None
    entry: Mapping[str, Any]


def judge(folder: Path) -> Iterator[Judged]:
    """Every right value of one kind against what our reader finds."""
    for entry in entries(folder):
        reading = _read(read_mail((folder / entry["file"]).read_bytes()), entry)
        for field, expected in entry.items():
            if field not in GIVEN:
                found = FIELDS[field](reading)
                yield Judged(
                    kind=folder.name, file=entry["file"], source=entry["source"], field=field, expected=expected, found=found,
                    right=agrees(field, expected, found),
                )  # fmt: skip


# --- what is found -------------------------------------------------------------------------------------------------------


def _read(mail: Mail, entry: Mapping[str, Any]) -> _Reading:
    automatic = read_automatic(mail.headers, mail.attachments, mail.text, own=own_mailboxes((entry.get("inbox", ""),)))
    is_bounce = automatic is not None and automatic.kind == "bounce"
    bounce = read_bounce(mail.headers, mail.attachments, mail.text) if is_bounce else None
    return _Reading(mail=mail, automatic=automatic, bounce=bounce, entry=entry)


def _sender(reading: _Reading) -> str | None:
    return reading.mail.sender.address if reading.mail.sender else None


def _sender_name(reading: _Reading) -> str:
    return (reading.mail.sender.name or "") if reading.mail.sender else ""


def _failed_recipients(reading: _Reading) -> list[str]:
    return list(reading.bounce.recipients) if reading.bounce else []


def _original_message_id(reading: _Reading) -> str | None:
    if reading.automatic is None or not names_a_mail(reading.automatic.kind):
        return None
    return reported_message_id(reading.mail.headers, reading.mail.attachments, reading.mail.text)


def _automatic(reading: _Reading) -> str | None:
    """The kind that keeps a mail out of work; what only forbids automatic answers may be a person's."""
    return None if reading.automatic is None or reading.automatic.marked_only else reading.automatic.kind


def _verdict(reading: _Reading) -> str:
    entry = reading.entry
    return sender_verdict(reading.mail.headers, authserv_id=entry["authserv_id"], from_domain=entry["from_domain"])


FIELDS: Final[Mapping[str, Callable[[_Reading], object]]] = {
    "sender": _sender,
    "sender_name": _sender_name,
    "reply_to": lambda reading: [box.address for box in reading.mail.reply_to],
    "subject": lambda reading: reading.mail.subject,
    "text": lambda reading: reading.mail.text,
    "text_has": lambda reading: reading.mail.text,
    "text_lacks": lambda reading: reading.mail.text,
    "reply": lambda reading: reading.mail.text_stripped,
    "reply_lacks": lambda reading: reading.mail.text_stripped,
    "automatic": _automatic,
    "permanent": lambda reading: reading.bounce.permanent if reading.bounce else None,
    "failed_recipients": _failed_recipients,
    "original_message_id": _original_message_id,
    "reason_has": lambda reading: reading.bounce.reason if reading.bounce else "",
    "attachments": lambda reading: [part.name for part in reading.mail.attachments],
    "attachment_types": lambda reading: [part.content_type for part in reading.mail.attachments],
    "verdict": _verdict,
}
"""The closed list of fields a corpus may judge."""


# --- what is equal -------------------------------------------------------------------------------------------------------


def agrees(field: str, expected: Any, found: Any) -> bool:
    """Whether what was found is right, by the field's own measure: lines, pieces, mailboxes or the very value."""
    if field.endswith("_has"):
        return all(piece in _lines(found) for piece in expected)
    if field.endswith("_lacks"):
        return not any(piece in found for piece in expected)
    if field == "text":
        return _lines(expected) == _lines(found)
    if field == "reply":
        return _full_lines(expected) == _full_lines(found)
    if field == "sender":
        return (expected and address_key(expected)) == (found and address_key(found))
    if field in {"reply_to", "failed_recipients"}:
        return sorted(map(address_key, expected)) == sorted(map(address_key, found))
    if field in {"attachments", "attachment_types"}:
        return sorted(expected) == sorted(found)
    return bool(expected == found)


def _lines(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()


def _full_lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def address_key(address: str) -> str:
    """Equal for equal mailboxes: RFC 5321 §4.1.2 (quotes that change nothing), RFC 5890 (A-label and U-label), any case."""
    local, _, domain = address.rpartition("@")
    if len(local) > 2 and local[0] == local[-1] == '"' and _NEEDLESS_QUOTES.fullmatch(local[1:-1]):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    with suppress(UnicodeError):
        domain = idna.encode(domain, uts46=True, transitional=False).decode("ascii")
    return f"{local}@{domain}".lower()
