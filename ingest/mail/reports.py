"""What reports say of our own mails: which mail, whom it did not reach, why, and whether it came back. Pure; never raises.

Source: RFC 3464 (delivery status), RFC 6533 (addresses beyond ASCII), RFC 8098 §3.2.5 (the original's id), RFC 5965 (feedback), RFC 6522.
Order of belief: the machine-readable part, the mail that came back or its header, the text for people.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ingest.mail.addresses import parse_mailboxes
from ingest.mail.automatic import REPORTS, RETURNED_TYPES, AutomaticKind
from ingest.mail.body import MailPart
from ingest.mail.charsets import decode_text
from ingest.mail.headers import Headers, header_text, message_ids, split_block, values_of
from ingest.mail.report_text import RECIPIENTS_MAX, SCAN_CHARS_MAX, addresses_of, read_report_text, status_of
from ingest.mail.report_words import tells_of_delay
from shared.text import clean_line, clean_text

_STATUS_TYPES = {"message/delivery-status", "message/global-delivery-status"}
_NOTE_TYPES = {f"message/{scope}{name}" for name in REPORTS if name != "delivery-status" for scope in ("", "global-")}
_GROUPS_MAX = 1_000
_REASON_CHARS_MAX = 500
_FIELD_CHARS_MAX = 2_000
_FAILED_ACTIONS = {"failure", "fail", "error"}
_COMMENT = re.compile(r"\([^()]*\)")
_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_XTEXT = re.compile(r"\+([2-7][0-9A-F])")
_UNICODE_XTEXT = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_ORIGINAL_IDS = ("original-message-id", "x-original-message-id", "message-id")


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


def read_bounce(headers: Headers, parts: Sequence[MailPart], text: str) -> Bounce:
    """What a mail of kind ``bounce`` says; nothing but its text where it has no report part."""
    report, groups = _report_groups(parts)
    chosen = _undelivered(groups)
    fields = {**report, **(chosen[0] if chosen else {})}
    told = read_report_text(text, own=_correspondents(headers))
    status = (
        _field_status(fields.get("status", "")) or status_of(fields.get("diagnostic-code", "")) or ("" if groups else told.status)
    )
    recipients = tuple(one for group in chosen if (one := _recipient(group)))
    if not groups:
        recipients = tuple(addresses_of(" ".join(values_of(headers, "X-Failed-Recipients")))) or told.recipients
    subject = " ".join(values_of(headers, "Subject")[:1])
    came_back = _came_back(fields, status) if groups else not tells_of_delay(subject, text)
    return Bounce(
        original_message_id=reported_message_id(headers, parts, text),
        recipients=tuple(dict.fromkeys(recipients))[:RECIPIENTS_MAX],
        status=status,
        permanent=bool(chosen or not groups) and came_back,
        reason=clean_line(clean_text(_diagnostic(fields) or told.reason))[:_REASON_CHARS_MAX],
    )


def reported_message_id(headers: Headers, parts: Sequence[MailPart], text: str) -> str | None:
    """The Message-ID of the mail that a bounce, a receipt or an abuse report is about, without brackets; None when nothing tells."""
    for part in parts:
        if part.content_type in _NOTE_TYPES | _STATUS_TYPES:
            for block in _blocks(part.content):
                found = _first_id(block, _ORIGINAL_IDS[:2])
                if found:
                    return found
    for part in parts:
        if part.content_type in RETURNED_TYPES:
            fields, _ = split_block(part.content, 0, len(part.content))
            ids = (message_ids(header_text(one.value)) for one in fields if one.name.lower() == "message-id")
            found = next((one[0] for one in ids if one), "")
            if found:
                return found
    told = read_report_text(text).message_id
    if told:
        return told
    cited = message_ids(" ".join(values_of(headers, "In-Reply-To") or values_of(headers, "References")))
    return cited[-1] if cited else None


def names_a_mail(kind: AutomaticKind) -> bool:
    """Whether a mail of this kind is a report about one of our own mails."""
    return kind in REPORTS.values()


# --- fields --------------------------------------------------------------------------------------------------------------


def _report_groups(parts: Sequence[MailPart]) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Fields of a delivery status: of the whole message, then of each recipient (RFC 3464 §2.1)."""
    for part in parts:
        if part.content_type in _STATUS_TYPES:
            blocks = _blocks(part.content)
            groups = [block for block in blocks if "final-recipient" in block or "original-recipient" in block or "action" in block]
            if blocks:
                return blocks[0], groups
    return {}, []


def _blocks(content: bytes) -> list[dict[str, str]]:
    text = decode_text(content[:SCAN_CHARS_MAX])[0].replace("\r\n", "\n")
    return [_block(block) for block in re.split(r"\n[ \t]*\n", text)[:_GROUPS_MAX] if block.strip()]


def _block(text: str) -> dict[str, str]:
    raw = text.strip("\n").encode("utf-8", "replace") + b"\n"
    fields, _ = split_block(raw, 0, len(raw))
    found: dict[str, str] = {}
    for one in fields:
        found.setdefault(one.name.lower(), header_text(one.value))
    return found


def _field_status(value: str) -> str:
    """The code of a Status field; there 2.x.x is one as well."""
    match = _STATUS.search(value)
    return match[0] if match else status_of(value)


def _first_id(fields: Mapping[str, str], names: Sequence[str]) -> str:
    return next((ids[0] for name in names if (ids := message_ids(fields.get(name, "")))), "")


def _action(fields: Mapping[str, str]) -> str:
    """The action without comments; ``failure`` and ``error``, as some servers write it, is ``failed``."""
    given = _COMMENT.sub(" ", fields.get("action", "")).strip().lower()
    return "failed" if given in _FAILED_ACTIONS else given


def _came_back(fields: Mapping[str, str], status: str) -> bool:
    """RFC 3464 §2.3.3: the action says whether somebody still tries, the status only why. Without an action the status has to tell."""
    action = _action(fields)
    return action == "failed" if action else not status.startswith(("2", "4"))


def _undelivered(groups: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The recipients whom the mail did not reach: those that failed, else those for whom it waits; a group without action counts."""
    for actions in (("failed", ""), ("delayed",)):
        found = [group for group in groups if _action(group) in actions]
        if found:
            return found
    return []


def _recipient(fields: Mapping[str, str]) -> str | None:
    """The address as the sender gave it where the report has it, with xtext (RFC 3461 §4, RFC 6533 §3) read."""
    for name in ("original-recipient", "final-recipient"):
        kind, _, value = fields.get(name, "").rpartition(";")
        if "@" in value:
            if name == "original-recipient" and kind.strip().lower() == "rfc822":
                value = _XTEXT.sub(lambda match: chr(int(match[1], 16)), value)
            if kind.strip().lower() == "utf-8":
                value = _UNICODE_XTEXT.sub(_character, value)
            return clean_line(value).strip("<> ") or None
    return None


def _character(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    return chr(code) if code <= 0x10FFFF else match[0]


def _diagnostic(fields: Mapping[str, str]) -> str:
    given = fields.get("diagnostic-code", "")
    return (given.partition(";")[2] or given).strip()


def _correspondents(headers: Headers) -> list[str]:
    """Who reports, and to whom: the first addresses of From and To."""
    values = (value[:_FIELD_CHARS_MAX] for name in ("From", "To") for value in values_of(headers, name)[:1])
    return [box.address for value in values for box in parse_mailboxes(value)]
