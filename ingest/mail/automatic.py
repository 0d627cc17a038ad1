"""Mail that no person wrote: answers of programs, bounces, receipts, abuse reports, campaigns. Pure; never raises.

Source: RFC 3834 (Auto-Submitted), RFC 3464 and RFC 6522 (delivery status), RFC 8098 (disposition), RFC 5965 (feedback), RFC 2919 and
RFC 2369 (List-*), MS-OXCMAIL (X-Auto-Response-Suppress); the rest are habits of programs that answer by themselves.
Meaning: any kind forbids our own automatic answer, none is a reason to drop the mail. What only forbids it is ``marked_only``: lists,
marks of programs that send people's words too, a subject alone. Nothing that a person may have written is more than that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from ingest.mail.answer_words import answers_by_itself, seems_automatic, tells_of_absence
from ingest.mail.body import MailPart
from ingest.mail.headers import Headers, parameters, values_of
from ingest.mail.machine_fields import (
    LOOP_HEADER,
    Writer,
    answering_fields,
    bounce_fields,
    campaign_fields,
    goes_nowhere,
    is_addressed_to,
    is_nobodys,
    names_with_values,
    submitted,
    words_of,
    writer_of,
)
from ingest.mail.own_mailboxes import OwnMailboxes
from ingest.mail.report_text import addresses_of
from ingest.mail.report_words import failure_subject, is_about_a_mail, tells_of_failure

AutomaticKind = Literal["auto_reply", "bounce", "bulk", "disposition", "feedback", "out_of_office"]

REPORTS: dict[str, AutomaticKind] = {
    "delivery-status": "bounce",
    "disposition-notification": "disposition",
    "feedback-report": "feedback",
}
RETURNED_TYPES = {"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers", "message/rfc822-headers"}
"""The parts in which a mail comes back."""

_DAEMONS_TEXT_CHARS, _KEEPERS_TEXT_CHARS, _ANYBODYS_TEXT_CHARS = 4_000, 400, 300
_CODES_CHARS = 400
_CODES = re.compile(
    r"(?im)\b[45]\.\d{1,3}\.\d{1,3}\b|\b(?:4[2-5]\d|5[0-7]\d)[ -](?:[45]\.|[a-z<\"])(?!l\b|ur|sd|ry)|rcpt to|\bsmtp\b"
    r"|^(?:received|message-id|return-path):|\b(?:valid|following|failed|intended) recipient"
)
"""What a report has and a letter about one has not: codes, fields of the mail that came back; so are addresses of third persons."""
_COMPLAINT = re.compile(r"complaint about message from \d", re.IGNORECASE)
_EXCHANGE_SOURCE = "X-MS-Exchange-Generated-Message-Source"
_SUPPORT_MIN = 2
_SUPPRESSING = {"oof", "all", "autoreply"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomaticMail:
    """What a mail is, and what said so: names of fields and parts, ``subject``, ``text``, each once.

    ``marked_only``: nothing says that a machine wrote; only that none may answer.
    """

    kind: AutomaticKind
    marked_only: bool = False
    evidence: tuple[str, ...] = ()


def read_automatic(
    headers: Headers, parts: Sequence[MailPart] = (), text: str = "", *, own: OwnMailboxes | None = None
) -> AutomaticMail | None:
    """What kind of automatic mail this is; None when a person seems to have written it.

    ``headers`` decoded, of the whole mail; ``text`` its plain text; ``own`` our mailboxes, None: not known. Mail to many that names none of
    them was not written to us.
    """
    seen = _Seen(headers, parts, text)
    return (
        _report(seen) or _bounce(seen) or _answer(seen) or _campaign(seen, own or OwnMailboxes()) or _nobodys(seen) or _marked(seen)
    )


class _Seen:
    """A mail, with what several rules ask of it."""

    def __init__(self, headers: Headers, parts: Sequence[MailPart], text: str) -> None:
        self.headers, self.text = headers, text
        self.types = {part.content_type for part in parts}
        self.subject = " ".join(values_of(headers, "Subject")[:5])
        self.null = goes_nowhere(headers)
        self.submitted = submitted(headers)

    @cached_property
    def writer(self) -> Writer:
        return writer_of(self.headers)

    @cached_property
    def failure(self) -> str:
        return failure_subject(self.subject)

    @property
    def is_submitted(self) -> bool:
        return self.submitted.startswith("auto-")

    @property
    def returned(self) -> str:
        """The part with the mail that came back; empty when there is none."""
        return next(iter(sorted(RETURNED_TYPES & self.types)), "")

    def tells(self, chars: int, *, hints: bool = False) -> bool:
        return tells_of_failure(self.text, chars=chars, hints=hints)


# --- reports and bounces -------------------------------------------------------------------------------------------------


def _report(seen: _Seen) -> AutomaticMail | None:
    """By type or by part; a part alone needs a machine's other signs, because people forward reports too."""
    main, given = parameters(" ".join(values_of(seen.headers, "Content-Type")[:1]).encode("utf-8", "replace"))
    named = given.get("report-type", "").lower()
    if named == "disposition-notification" and seen.writer.kind == "daemon" and seen.tells(_KEEPERS_TEXT_CHARS):
        # A delivery agent that refuses a mail with a receipt: the mail did come back.
        return AutomaticMail(kind="bounce", evidence=(f"multipart/report; report-type={named}", "From", "text"))
    if named in REPORTS and (main == "multipart/report" or (main.startswith("multipart/") and _signs(seen))):
        return AutomaticMail(kind=REPORTS[named], evidence=(f"{main}; report-type={named}",))
    signs = () if is_about_a_mail(seen.subject) and seen.writer.kind != "daemon" else _signs(seen)
    if main == "multipart/report" or signs:
        for name, kind in REPORTS.items():
            for part in (f"message/{name}", f"message/global-{name}"):
                if part in seen.types:
                    return AutomaticMail(kind=kind, evidence=(part, *signs))
    if _COMPLAINT.match(seen.subject) and seen.returned and seen.writer.kind != "nobody":
        return AutomaticMail(kind="feedback", evidence=("subject", seen.returned))
    return None


def _signs(seen: _Seen) -> tuple[str, ...]:
    """What speaks for a machine, beside its words."""
    signs = ["Return-Path"] if seen.null else []
    signs += ["From"] if seen.writer.kind != "somebody" else []
    return tuple(signs + (["Auto-Submitted"] if seen.is_submitted else []))


def _bounce(seen: _Seen) -> AutomaticMail | None:
    """A bounce without a report. How much its words have to say depends on who seems to write.

    | who | subject | text |
    |---|---|---|
    | a mail server's daemon, nobody at all, qmail or Exchange by a field of theirs | speaks of a failure, | or tells of one, or a mail came back |
    | postmaster, a From without address | a program's | and begins as a report, or with codes as a letter about one |
    | anybody | a program's | and begins as a report, with codes or a mail that came back |

    A subject as only programs begin it is enough under a null path, a program's above no text at all there or from a keeper of mail.
    """
    failed = names_with_values(seen.headers, ("X-Failed-Recipients",))
    if failed:
        return AutomaticMail(kind="bounce", evidence=failed)
    subject, returned = ("subject",) if seen.failure else (), (seen.returned,) if seen.returned else ()
    signs = _signs(seen)
    made = bounce_fields(seen.headers)
    if made or seen.writer.kind == "daemon" or is_nobodys(seen.headers, seen.writer):
        signs = (*signs, *made)
        told = ("text",) if not subject and seen.tells(_DAEMONS_TEXT_CHARS, hints=True) else ()
        if not (subject or told or returned or made):
            return None
        return AutomaticMail(kind="bounce", evidence=(*signs, *subject, *told, *returned))
    if seen.failure not in ("program", "unmistakable"):
        return None
    coded, keeps = _has_codes(seen), seen.writer.kind != "somebody"
    if (seen.null and seen.failure == "unmistakable") or ((seen.null or keeps) and not seen.text.strip()):
        return AutomaticMail(kind="bounce", evidence=(*signs, *subject, *returned))
    begins = seen.tells(_ANYBODYS_TEXT_CHARS) and bool(coded or returned)
    if begins or (keeps and seen.tells(_KEEPERS_TEXT_CHARS, hints=coded)):
        return AutomaticMail(kind="bounce", evidence=(*signs, *subject, "text", *returned))
    return None


def _has_codes(seen: _Seen) -> bool:
    head = seen.text[:_CODES_CHARS]
    if _CODES.search(head):
        return True
    known = {
        address.lower()
        for name in ("From", "Reply-To", "To", "Cc")
        for address in addresses_of(" ".join(values_of(seen.headers, name)))
    }
    return any(address.lower() not in known for address in addresses_of(head))


# --- answers of programs -------------------------------------------------------------------------------------------------


def _answer(seen: _Seen) -> AutomaticMail | None:
    """An answer that a program gave by itself. ``Auto-Submitted: no`` is a person's word against every other field but our own."""
    if values_of(seen.headers, LOOP_HEADER):
        return AutomaticMail(kind="auto_reply", evidence=(LOOP_HEADER,))
    if seen.submitted == "no":
        return None
    source = " ".join(values_of(seen.headers, _EXCHANGE_SOURCE)).lower()
    if "oof" in source:
        return AutomaticMail(kind="out_of_office", evidence=(_EXCHANGE_SOURCE,))
    fields = answering_fields(seen.headers)
    fields = ("Auto-Submitted", *fields) if seen.submitted.startswith("auto-replied") else fields
    support = _support(seen) if answers_by_itself(seen.subject) else ()
    support = support if len(support) >= _SUPPORT_MIN else ()
    if not fields and not support:
        return None
    evidence = tuple(dict.fromkeys((*fields, *support, *(("subject",) if support else ()))))
    is_exchange = not {"X-Auto-Response-Suppress", _EXCHANGE_SOURCE, "Return-Path"}.isdisjoint(support)
    return AutomaticMail(kind="out_of_office" if is_exchange or _is_absent(seen) else "auto_reply", evidence=evidence)


def _support(seen: _Seen) -> tuple[str, ...]:
    """What makes a subject that programs write into a program's: two of these. One alone stands on people's mail too."""
    found = list(names_with_values(seen.headers, ("In-Reply-To", "References"))[:1])
    found += names_with_values(seen.headers, (_EXCHANGE_SOURCE,))
    found += ["X-Auto-Response-Suppress"] if _SUPPRESSING & set(words_of(seen.headers, "X-Auto-Response-Suppress")) else []
    found += ["Precedence"] if {"bulk", "junk"} & set(words_of(seen.headers, "Precedence")) else []
    found += ["Auto-Submitted"] if seen.is_submitted else []
    return tuple(found + (["Return-Path"] if seen.null else []))


def _is_absent(seen: _Seen) -> bool:
    given = " ".join(values_of(seen.headers, "Auto-Submitted") + values_of(seen.headers, "Delivered-By-The-Graces-Of")).lower()
    return "vacation" in given or tells_of_absence(seen.subject) or tells_of_absence(seen.text)


# --- the rest ------------------------------------------------------------------------------------------------------------


def _campaign(seen: _Seen, own: OwnMailboxes) -> AutomaticMail | None:
    fields = campaign_fields(seen.headers)
    if fields and not is_addressed_to(seen.headers, own):
        return AutomaticMail(kind="bulk", evidence=(*fields, "To"))
    return None


def _nobodys(seen: _Seen) -> AutomaticMail | None:
    if seen.writer.has_servers_address or is_nobodys(seen.headers, seen.writer):
        return AutomaticMail(kind="auto_reply", evidence=_signs(seen))
    return None


def _marked(seen: _Seen) -> AutomaticMail | None:
    """What only forbids an automatic answer. Kinds are those of release 0.1.0: workspaces may keep marked mail aside as it did."""
    fields = [] if seen.submitted in ("", "no") else ["Auto-Submitted"]
    fields += names_with_values(seen.headers, ("X-Loop",)) + answering_fields(seen.headers)
    if _SUPPRESSING & set(words_of(seen.headers, "X-Auto-Response-Suppress")):
        fields.append("X-Auto-Response-Suppress")
    if seems_automatic(seen.subject):
        fields.append("subject")
    keeper = ("From",) if seen.writer.has_keepers_address else ()
    if (fields or keeper) and tells_of_absence(seen.subject):
        return AutomaticMail(kind="out_of_office", marked_only=True, evidence=tuple(dict.fromkeys((*fields, *keeper, "subject"))))
    if fields:
        return AutomaticMail(kind="auto_reply", marked_only=True, evidence=tuple(dict.fromkeys(fields)))
    lists = list(names_with_values(seen.headers, ("List-Id", "List-Unsubscribe", "Feedback-ID", "X-Campaign-Id")))
    if {"bulk", "list", "junk"} & set(words_of(seen.headers, "Precedence")):
        lists.insert(0, "Precedence")
    if lists:
        return AutomaticMail(kind="bulk", marked_only=True, evidence=tuple(lists))
    return AutomaticMail(kind="auto_reply", marked_only=True, evidence=keeper) if keeper else None
