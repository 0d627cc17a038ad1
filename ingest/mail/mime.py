"""A mail, read: `read_mail(raw)` gives one frozen `Mail` for any bytes. Pure; never raises.

Source: RFC 5322 and RFC 2045-2049; RFC 1847 (signed, encrypted), RFC 8551 (S/MIME), RFC 5546/6047 (calendar), RFC 2387 (related).
Units: sizes in bytes, dates aware in UTC.
Identity: the raw bytes; two reads of equal bytes are equal. ``message_id`` alone identifies nothing: one mail in six has none
or repeats one.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from ingest.mail.addresses import Mailbox, parse_mailboxes
from ingest.mail.body import Body, MailPart, collect
from ingest.mail.charsets import codec_of
from ingest.mail.headers import Field, first, header_text, message_ids, parse_date, unfold
from ingest.mail.parts import Node, read_tree
from ingest.mail.quote_marks import is_forward_subject
from ingest.mail.quotes import split_reply
from shared.text import clean_line, clean_text

ENCRYPTED_TEXT = "encrypted"
"""The text of a mail whose body nobody here can read."""

SUBJECTS_MAX = 5
TURKISH = "windows-1254"
"""The label that speaks for a Turkish mail."""
_TURKISH_LETTERS = re.compile("[ğışĞİŞ]")
_SENDER_FIELDS = ("From", "Reply-To", "Sender", "Return-Path")
_ADDRESS_FIELDS = (*_SENDER_FIELDS, "To", "Cc", "Bcc", "X-Original-From", "X-Original-Sender")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail without its encodings. Every string is free of NUL and lone surrogates; header values are one line each.

    ``message_id``, ``in_reply_to``, ``references`` without angle brackets. ``sender`` falls back from From to Reply-To, Sender
    and Return-Path; ``original_from`` and ``original_sender`` are what a list says it put its own address in the place of, and ``reply_to``
    is the former where no Reply-To stands. ``text`` is the whole plain text (from HTML when there is only HTML), ``text_stripped`` the new part of
    it and never empty when ``text`` is not, ``quoted`` what the answer quotes. ``html`` is as sent: clean it before showing it.
    ``warnings`` say what was repaired; empty means a well-formed mail.
    """

    message_id: str | None = None
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    sender: Mailbox | None = None
    reply_to: tuple[Mailbox, ...] = ()
    original_from: Mailbox | None = None
    original_sender: Mailbox | None = None
    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()
    subject: str = ""
    date: datetime | None = None
    text: str = ""
    text_stripped: str = ""
    quoted: str = ""
    html: str | None = None
    content_type: str = "text/plain"
    attachments: tuple[MailPart, ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    warnings: tuple[str, ...] = ()


def read_mail(raw: bytes) -> Mail:
    """The mail in these bytes: whatever of it can be read. Never raises; reading twice gives equal values.

    Nothing is fetched, decrypted, verified or unpacked (zip stays an attachment; signed envelopes and Outlook's enclosures are opened). Takes time
    linear in the bytes; call it in a thread for mails of many megabytes.
    """
    try:
        return _read(raw)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as defect:
        # No known bytes lead here. If some do, the customer's mail must not be lost for it: the original is kept by the
        # caller, the text below lets an agent work, and the warning makes the defect visible.
        text = clean_text(raw[:200_000].decode("utf-8", "replace"))
        return Mail(text=text, text_stripped=text, warnings=(f"unreadable: {type(defect).__name__}",))


def _read(raw: bytes) -> Mail:
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    warnings: list[str] = []
    root = read_tree(raw, warnings)
    hint = _charset_hint(root)
    body = collect(root, warnings, hint=hint)
    text = _text_of(body)
    if codec_of(hint) in (None, "cp1252", "utf-8") and _TURKISH_LETTERS.search(text):
        hint = TURKISH
    subject = _subject(root.fields, hint)
    reply = split_reply(text, forwarded=is_forward_subject(subject))
    mailboxes = {name: _mailboxes(root.fields, name, hint) for name in _ADDRESS_FIELDS}
    sender = next((mailboxes[name][0] for name in _SENDER_FIELDS if mailboxes[name]), None)
    if not mailboxes["From"]:
        warnings.append("no sender in From")
    date = first(root.fields, "Date")
    moment = parse_date(header_text(date, hint)) if date else None
    if date and moment is None:
        warnings.append("the date could not be read")
    ids = message_ids(_ids_text(root.fields, "Message-ID", hint))
    return Mail(
        message_id=ids[0] if ids else None,
        in_reply_to=message_ids(_ids_text(root.fields, "In-Reply-To", hint)),
        references=message_ids(_ids_text(root.fields, "References", hint)),
        sender=sender,
        reply_to=mailboxes["Reply-To"] or mailboxes["X-Original-From"][:1],
        original_from=next(iter(mailboxes["X-Original-From"]), None),
        original_sender=next(iter(mailboxes["X-Original-Sender"]), None),
        to=mailboxes["To"],
        cc=mailboxes["Cc"],
        bcc=mailboxes["Bcc"],
        subject=subject,
        date=moment,
        text=text,
        text_stripped=reply.text,
        quoted=reply.quoted,
        html=body.html or None,
        content_type=root.content_type,
        attachments=tuple(body.attachments),
        headers=tuple((one.name, _header(one, hint)) for one in root.fields),
        warnings=tuple(warnings),
    )


def _header(one: Field, hint: str | None) -> str:
    """The field's decoded text; a border's verdict as it stands, UTF-8 at most (RFC 8616).

    It repeats strangers' mailboxes, and in them encoded words are letters: decoded they would be results of the sender's own.
    """
    if one.name.lower() == "authentication-results":
        return clean_line(one.value.decode("utf-8", "replace"))
    return header_text(one.value, hint)


def _mailboxes(fields: list[Field], name: str, hint: str | None) -> tuple[Mailbox, ...]:
    """All mailboxes of every field of that name: some programs write one To for each recipient."""
    found = [parse_mailboxes(unfold(one.value, hint), hint) for one in fields if one.name.lower() == name.lower()]
    return tuple(dict.fromkeys(box for boxes in found for box in boxes))


def _subject(fields: list[Field], hint: str | None) -> str:
    """Every Subject in one (RFC 7103 §7.5.1): programs that break a line without folding it start the field anew."""
    found = (header_text(one.value, hint) for one in fields if one.name.lower() == "subject")
    return " ".join(dict.fromkeys(one for one in islice(found, SUBJECTS_MAX) if one))


def _ids_text(fields: list[Field], name: str, hint: str | None) -> str:
    return header_text(first(fields, name), hint)


def _charset_hint(root: Node) -> str | None:
    """The charset the mail declares for its text: raw bytes in its headers are most likely in the same.

    A label of Latin-1 says little, as every program writes it; another label beside it, or the mail's language, says more.
    """
    labels: list[str] = []
    pending = deque([root])
    while pending:
        node = pending.popleft()
        label = node.parameters.get("charset")
        if label and node.content_type.startswith("text/") and codec_of(label) is not None:
            labels.append(label)
        pending.extend(node.children[:8])
    if header_text(first(root.fields, "Content-Language")).lower().startswith("tr"):
        labels.append(TURKISH)
    telling = (one for one in labels if codec_of(one) not in ("cp1252", "utf-8"))
    return next(telling, labels[0] if labels else root.parameters.get("charset"))


_BLANK_EDGES = re.compile(r"\A(?:[^\S\n]*\n)+")


def _text_of(body: Body) -> str:
    text = body.text
    if not text.strip():
        return ENCRYPTED_TEXT if body.encrypted else ""
    return _BLANK_EDGES.sub("", text).rstrip()
