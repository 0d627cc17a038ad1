"""Mail that no person wrote: auto-replies, bounces, lists, receipts, abuse reports. Pure; never raises.

Source: RFC 3834 (Auto-Submitted), RFC 2919 and RFC 2369 (List-*), RFC 3464 and RFC 6522 (delivery status), RFC 8098 (disposition),
RFC 5965 (feedback), MS-OXCMAIL (X-Auto-Response-Suppress); the rest are habits of programs that answer by themselves.
Meaning: any kind suppresses our automatic answer, none is a reason to drop the mail.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ingest.mail.addresses import parse_mailboxes
from ingest.mail.body import MailPart
from ingest.mail.charsets import decode_text
from ingest.mail.headers import Headers, header_text, message_ids, parameters, split_block, values_of
from shared.text import clean_line, clean_text, fold_turkish

AutomaticKind = Literal["auto_reply", "bounce", "bulk", "disposition", "feedback", "out_of_office"]

LOOP_HEADER = "X-Santral-Loop"
"""Stands in every mail we send by ourselves; a mail that carries it came from us or from an echo of us."""

_REPORTS: dict[str, AutomaticKind] = {
    "delivery-status": "bounce",
    "disposition-notification": "disposition",
    "feedback-report": "feedback",
}
_ABSENT = re.compile(
    r"\b(?:out of (?:the )?office|ooo|on (?:vacation|leave|holiday)|away from (?:my|the) (?:office|desk|mail)|vacation|ofis disi|ofiste degil"
    r"|izindeyim|izinliyim|yillik izin|tatildeyim|abwesend|abwesenheit\w*|absence du bureau|fuera de la oficina|fuori sede|afwezig\w*)\b"
)
_AUTOMATIC = re.compile(
    r"^\s*(?:auto(?:matic|mated)?[ -]?(?:reply|response|antwort)|otomatik (?:yanit|cevap)|automatische antwort|reponse automatique"
    r"|respuesta automatica|risposta automatica|resposta automatica|automatisch antwoord|autoreply)\b"
)
_FAILED = re.compile(
    r"^\s*(?:undeliver(?:able|ed)|mail delivery (?:failed|failure|subsystem)|delivery (?:status notification|failure|has failed)|returned mail"
    r"|failure notice|mail system error|teslim edilemeyen|teslim edilemedi|iletilemeyen|iletilemedi|unzustellbar|non remis|no se puede entregar)"
)
_ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_BASIC = re.compile(r"\b([45]\d\d)[ -]")
_ORIGINAL_ID = re.compile(r"(?im)^[ \t>]*message-id:\s*<([^<>\r\n]{1,900})>")
_ADDRESS = re.compile(r"<?([A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}\.[A-Za-z0-9-]{2,63})>?")
_XTEXT = re.compile(r"\+([2-7][0-9A-F])")
_SCAN_CHARS_MAX = 100_000
_RECIPIENTS_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """What a delivery report says: which mail of ours, which recipients, for good or for now.

    ``recipients`` are those the mail did not reach, in the report's order; ``status`` is the enhanced code (``5.1.1``) of the first, or
    empty. ``permanent``: it came back, and nobody tries any more.
    """

    original_message_id: str | None
    recipients: tuple[str, ...]
    status: str
    permanent: bool
    reason: str


def automatic_kind(headers: Headers, parts: Sequence[MailPart] = ()) -> AutomaticKind | None:
    """What kind of automatic mail this is; None when a person seems to have written it. ``headers`` decoded, of the whole mail."""
    subject = fold_turkish(" ".join(values_of(headers, "Subject"))[:500])
    submitted = _words(headers, "Auto-Submitted")
    report = _report_kind(headers, parts)
    if report:
        return report
    if _is_plain_bounce(headers, subject):
        return "bounce"
    precedence = _words(headers, "Precedence")
    answered = bool(
        (submitted and submitted[0] != "no")
        or "auto_reply" in precedence
        or any(values_of(headers, name) for name in ("X-Autoreply", "X-Autorespond", "X-Autoresponder", LOOP_HEADER, "X-Loop"))
        or {"oof", "all", "autoreply"} & set(_words(headers, "X-Auto-Response-Suppress"))
        or _AUTOMATIC.search(subject)
    )
    if _ABSENT.search(subject) and (answered or _from_nobody(headers)):
        return "out_of_office"
    if "vacation" in " ".join(submitted) or "oof" in " ".join(values_of(headers, "X-MS-Exchange-Generated-Message-Source")).lower():
        return "out_of_office"
    if answered:
        return "auto_reply"
    if {"bulk", "list", "junk"} & set(precedence) or any(
        values_of(headers, name) for name in ("List-Id", "List-Unsubscribe", "Feedback-ID", "X-Campaign-Id")
    ):
        return "bulk"
    return "auto_reply" if _from_nobody(headers) else None


def read_bounce(headers: Headers, parts: Sequence[MailPart], text: str) -> Bounce | None:
    """The delivery report in a mail whose kind is ``bounce``; None for any other mail.

    The machine-readable part is read first, the returned mail or its header next, the text for people last.
    """
    if automatic_kind(headers, parts) != "bounce":
        return None
    status_part = next((part for part in parts if part.content_type in _STATUS_TYPES), None)
    report, groups = _report_groups(status_part.content) if status_part else ({}, [])
    chosen = _undelivered(groups)
    fields = {**report, **(chosen[0] if chosen else {})}
    scanned = text[:_SCAN_CHARS_MAX]
    status = _status(fields.get("status", "")) or _status(fields.get("diagnostic-code", "")) or ("" if groups else _status(scanned))
    recipients = [one for group in chosen if (one := _recipient(group))]
    if not groups:
        recipients = _addresses(" ".join(values_of(headers, "X-Failed-Recipients"))) or _text_recipients(scanned)
    return Bounce(
        original_message_id=_original_id(headers, parts, scanned),
        recipients=tuple(dict.fromkeys(recipients)),
        status=status,
        permanent=bool(chosen or not groups) and _came_back(fields.get("action", "").lower(), status),
        reason=_reason(fields, scanned),
    )


def _came_back(action: str, status: str) -> bool:
    """RFC 3464 §2.3.3: the action says whether somebody still tries, the status only why. Without an action the status has to tell."""
    return action == "failed" if action else not status.startswith(("2", "4"))


def _undelivered(groups: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The recipients whom the mail did not reach: those that failed, else those for whom it waits; a group without action counts."""
    for actions in (("failed", ""), ("delayed",)):
        found = [group for group in groups if group.get("action", "").lower() in actions]
        if found:
            return found
    return []


_STATUS_TYPES = {"message/delivery-status", "message/global-delivery-status"}
_RETURNED_TYPES = {"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers", "message/rfc822-headers"}


def _words(headers: Headers, name: str) -> list[str]:
    return re.findall(r"[a-z_-]+", " ".join(values_of(headers, name))[:500].lower())


def _report_kind(headers: Headers, parts: Sequence[MailPart]) -> AutomaticKind | None:
    main, given = parameters(" ".join(values_of(headers, "Content-Type")[:1]).encode("utf-8", "replace"))
    types = {part.content_type for part in parts}
    if main == "multipart/report" and given.get("report-type", "").lower() in _REPORTS:
        return _REPORTS[given["report-type"].lower()]
    if main == "multipart/report" or _has_null_path(headers):
        for name, kind in _REPORTS.items():
            if {f"message/{name}", f"message/global-{name}"} & types:
                return kind
    return None


def _is_plain_bounce(headers: Headers, subject: str) -> bool:
    """Bounces of programs that do not write reports (qmail, Exim, old Exchange)."""
    if values_of(headers, "X-Failed-Recipients"):
        return True
    return bool(_FAILED.search(subject)) and (_has_null_path(headers) or _from_nobody(headers))


def _from_nobody(headers: Headers) -> bool:
    """The names that mail servers write under, or nobody at all under a null return path."""
    boxes = parse_mailboxes(" ".join(values_of(headers, "From")[:1]))
    if not boxes:
        others = (value for name in ("Reply-To", "Sender") for value in values_of(headers, name)[:1])
        return _has_null_path(headers) and not any(parse_mailboxes(value) for value in others)
    local = boxes[0].address.partition("@")[0].lower()
    return local in {"mailer-daemon", "postmaster"} or local.startswith("microsoftexchange")


def _has_null_path(headers: Headers) -> bool:
    """No answer is to come back. Alone it says nothing: forwarders and forms send people's words under it."""
    return any("".join(one.split()) == "<>" for one in values_of(headers, "Return-Path"))


def _report_groups(content: bytes) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Fields of a delivery status: of the whole message, then of each recipient (RFC 3464 §2.1), a thousand at most."""
    text = decode_text(content[:_SCAN_CHARS_MAX])[0].replace("\r\n", "\n")
    blocks = [_block(block) for block in re.split(r"\n[ \t]*\n", text)[:1000] if block.strip()]
    groups = [block for block in blocks if "final-recipient" in block or "original-recipient" in block or "action" in block]
    return (blocks[0] if blocks else {}), groups


def _block(text: str) -> dict[str, str]:
    fields, _ = split_block(text.strip("\n").encode("utf-8", "replace") + b"\n", 0, len(text.encode("utf-8", "replace")) + 1)
    found: dict[str, str] = {}
    for one in fields:
        found.setdefault(one.name.lower(), header_text(one.value))
    return found


def _status(text: str) -> str:
    match = _ENHANCED.search(text)
    if match:
        return match[0]
    basic = _BASIC.search(text)
    return f"{basic[1][0]}.0.0" if basic else ""


def _recipient(fields: dict[str, str]) -> str | None:
    """The address as the sender gave it where the report has it, with xtext (RFC 3461 §4) read."""
    for name in ("original-recipient", "final-recipient"):
        kind, _, value = fields.get(name, "").rpartition(";")
        if "@" in value:
            if name == "original-recipient" and kind.strip().lower() == "rfc822":
                value = _XTEXT.sub(lambda match: chr(int(match[1], 16)), value)
            return clean_line(value).strip("<> ") or None
    return None


def _addresses(text: str) -> list[str]:
    return [match[1] for match in _ADDRESS.finditer(text[:_SCAN_CHARS_MAX])][:_RECIPIENTS_MAX]


def _text_recipients(text: str) -> list[str]:
    """The addresses alone on their lines, as servers write them; else the first one of the text."""
    alone = [match[1] for line in text.splitlines()[:500] if (match := _ADDRESS.fullmatch(line.strip().rstrip(":")))]
    return alone[:_RECIPIENTS_MAX] or _addresses(text)[:1]


def _original_id(headers: Headers, parts: Sequence[MailPart], text: str) -> str | None:
    for part in parts:
        if part.content_type in _RETURNED_TYPES:
            fields, _ = split_block(part.content, 0, len(part.content))
            for one in fields:
                ids = message_ids(header_text(one.value)) if one.name.lower() == "message-id" else ()
                if ids:
                    return ids[0]
    match = _ORIGINAL_ID.search(text)
    if match:
        return "".join(match[1].split())
    cited = message_ids(" ".join(values_of(headers, "In-Reply-To") or values_of(headers, "References")))
    return cited[-1] if cited else None


def _reason(fields: dict[str, str], text: str) -> str:
    diagnostic = fields.get("diagnostic-code", "").partition(";")[2] or fields.get("diagnostic-code", "")
    if not diagnostic.strip():
        lines = [line for line in text.splitlines()[:500] if _ENHANCED.search(line) or _BASIC.search(line)]
        diagnostic = lines[0] if lines else next((line for line in text.splitlines() if line.strip()), "")
    return clean_line(clean_text(diagnostic))[:500]
