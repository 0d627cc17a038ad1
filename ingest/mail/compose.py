"""An outgoing mail as bytes: `compose_reply(...)`. Pure: the same arguments give the same mail but for its MIME boundaries.

Source: RFC 5322 (fields, threading), RFC 2047 and RFC 2231 (names and subjects outside ASCII), RFC 3834 (automatic answers),
RFC 5891 and UTS #46 (domains as A-labels), RFC 6532 (addresses with letters outside ASCII before their ``@``). Header fields are ASCII
but for such addresses, so no server on the way needs SMTPUTF8 without them.
The fields are written here and not by `EmailMessage`, which folds a long Message-ID into encoded words that no program threads by.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import cast

from ingest.mail.addresses import Mailbox
from ingest.mail.machine_fields import LOOP_HEADER
from shared.errors import InputRejected
from shared.mailbox import a_labels

REFERENCES_MAX = 20
_REPLY_PREFIX = re.compile(
    r"\s*(?:re|ynt|yan[ıi]t|cvp|aw|antw|sv|vs|odp|ref|rif|res|回复|答复)\s*(?:\[\d{1,3}\]|\(\d{1,3}\))?\s*[:：]", re.IGNORECASE
)
_UNSAFE = re.compile("[\r\n\x00\ud800-\udfff\u2028\u2029]")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_ODD_DOTS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\u0080-\U0010ffff-]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r'(["\\])')
_LOCAL_CHARS_MAX = 64
_ID = re.compile(r"[!-;=?-~]{3,900}")
_CONTENT_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,99}/[a-z0-9][a-z0-9!#$&^_.+-]{0,99}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingFile:
    """A file to send. ``content_id`` (without brackets) makes it a picture inside the HTML."""

    name: str
    content_type: str
    content: bytes
    content_id: str | None = None


def compose_reply(
    *,
    sender: Mailbox,
    to: Sequence[Mailbox],
    subject: str,
    text: str,
    message_id: str,
    date: datetime,
    cc: Sequence[Mailbox] = (),
    bcc: Sequence[Mailbox] = (),
    html: str | None = None,
    in_reply_to: str | None = None,
    references: Sequence[str] = (),
    reply_to: str | None = None,
    attachments: Sequence[OutgoingFile] = (),
    automatic: bool = False,
) -> bytes:
    """The mail with CRLF line ends. ``subject`` gets one ``Re:`` when ``in_reply_to`` is given; ids come without brackets.

    ``bcc`` is checked and left out of the mail: give it to the envelope with `envelope_of`. ``automatic`` marks the mail so that no
    other program answers it. Raises `InputRejected`, naming the field, for a line break in any header value, a domain without
    ASCII form, a malformed id or no recipient; nothing was built then.
    """
    if not (*to, *cc, *bcc):
        raise InputRejected("no recipient", field="to", remedy="give at least one address in to, cc or bcc")
    envelope_of(bcc, field="bcc")
    if date.tzinfo is None:
        raise InputRejected("a date without time zone", field="date", remedy="give an aware time")
    lines = [
        _addresses("From", [sender]),
        *([_addresses("To", to)] if to else []),
        *([_addresses("Cc", cc)] if cc else []),
        *([f"Reply-To: <{wire_address(reply_to, 'reply_to')}>"] if reply_to else []),
        _text_field("Subject", reply_subject(subject) if in_reply_to else subject),
        f"Date: {format_datetime(date.astimezone(UTC))}",
        f"Message-ID: {_id(message_id, 'message_id')}",
        *([f"In-Reply-To: {_id(in_reply_to, 'in_reply_to')}"] if in_reply_to else []),
    ]
    chain = _chain(references, in_reply_to)
    if chain:
        lines.append("References: " + "\r\n ".join(_id(one, "references") for one in chain))
    if automatic:
        lines += ["Auto-Submitted: auto-replied", "X-Auto-Response-Suppress: All", f"{LOOP_HEADER}: 1"]
    return "\r\n".join(lines).encode() + b"\r\n" + _body(text, html, attachments)


def reply_subject(subject: str) -> str:
    """The subject with exactly one ``Re:``, whatever chain of ``RE:``, ``YNT:``, ``AW:`` it carries."""
    rest = subject
    while match := _REPLY_PREFIX.match(rest):
        rest = rest[match.end() :]
    return f"Re: {rest.strip()}".rstrip()


def envelope_of(*groups: Iterable[Mailbox], field: str = "to") -> tuple[str, ...]:
    """The recipients' addresses for the envelope, each once, in order. Raises `InputRejected` naming ``field`` for a malformed one."""
    return tuple(dict.fromkeys(wire_address(box.address, field) for group in groups for box in group))


def wire_address(address: str, field: str) -> str:
    """The address as headers and envelopes carry it: its domain as A-labels, its local part in quotes where it needs them (RFC 5321
    §4.1.2). One that is not ASCII even so needs SMTPUTF8.

    Twice gives the same. Raises `InputRejected` naming ``field``, never the address.
    """
    local, at, domain = _checked(address, field).strip().rpartition("@")
    if not at or (text := _local_text(local)) is None:
        raise InputRejected(
            "not an address that a mail server takes", field=field, remedy="local@domain, blanks only inside quotes"
        )
    dotted = _ODD_DOTS.fullmatch(text) and all(text.split("."))
    return f"{text if dotted else _quoted(text)}@{wire_domain(domain, field)}"


def _local_text(local: str) -> str | None:
    """What a local part says without its quotes; None for one that no mail server takes. Only quotes may hold blanks and signs."""
    quoted = _QUOTED.fullmatch(local)
    text = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else local
    good = 0 < len(text) <= _LOCAL_CHARS_MAX and text.isprintable() and (quoted or _ODD_DOTS.fullmatch(text))
    return text if good else None


def _quoted(text: str) -> str:
    return '"' + _ESCAPED.sub(r"\\\1", text) + '"'


def wire_domain(domain: str, field: str) -> str:
    """A domain as A-labels, in lower case. Raises `InputRejected` naming ``field``."""
    labels = domain.lower() if domain.isascii() else a_labels(domain)
    if not labels:
        raise InputRejected("an address at a domain without ASCII form", field=field, remedy="check what follows the @")
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f.:]{2,60}\]", labels, re.IGNORECASE):
        raise InputRejected("not a domain", field=field, remedy="check what follows the @")
    return labels


def _checked(value: str, field: str) -> str:
    if _UNSAFE.search(value):
        raise InputRejected("a line break or unprintable character in a header value", field=field, remedy="send it on one line")
    return value


def _text_field(name: str, value: str) -> str:
    _checked(value, name.lower())
    if value.isascii() and value.isprintable() and "=?" not in value:
        return _folded(f"{name}: {value}")
    return f"{name}: {Header(value, 'utf-8', header_name=name, maxlinelen=76).encode(linesep=chr(13) + chr(10))}"


def _folded(line: str) -> str:
    """Broken at blanks before 78 characters; a word longer than that stays whole, up to the 998 the standard allows."""
    out, current = [], ""
    for word in line.split(" "):
        if current and len(current) + 1 + len(word) > 78 and word:
            out.append(current)
            current = word
        else:
            current = f"{current} {word}" if current else word
    whole = "\r\n ".join([*out, current])
    if max(map(len, whole.split("\r\n"))) > 990:
        name, _, value = line.partition(": ")
        return f"{name}: {Header(value, 'utf-8', header_name=name, maxlinelen=76).encode(linesep=chr(13) + chr(10))}"
    return whole


def _addresses(name: str, boxes: Sequence[Mailbox]) -> str:
    return f"{name}: " + ",\r\n ".join(_mailbox(box, name.lower()) for box in boxes)


def _mailbox(box: Mailbox, field: str) -> str:
    address = wire_address(box.address, field)
    name = _checked(box.name or "", field).strip()
    if not name:
        return address
    if name.isascii() and name.isprintable() and "=?" not in name and len(name) < 200:
        quoted = name if _ATOMS.fullmatch(name) else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return f"{quoted} <{address}>"
    return f"{Header(name, 'utf-8', header_name=field, maxlinelen=60).encode(linesep=chr(13) + chr(10))} <{address}>"


def _id(value: str, field: str) -> str:
    bare = _checked(value, field).strip().removeprefix("<").removesuffix(">")
    if not _ID.fullmatch(bare):
        raise InputRejected("not a message id", field=field, remedy="printable ASCII without blanks or angle brackets")
    return f"<{bare}>"


def _chain(references: Sequence[str], in_reply_to: str | None) -> list[str]:
    """The first reference, which opened the thread, and the newest; what is answered stands last. Ids of strangers that are
    malformed are dropped: they would make an answer impossible.
    """
    wanted = [*references, *([in_reply_to] if in_reply_to else [])]
    good = [one for one in (value.strip().removeprefix("<").removesuffix(">") for value in wanted) if _ID.fullmatch(one)]
    chain = list(dict.fromkeys(reversed(good)))[::-1]
    return chain if len(chain) <= REFERENCES_MAX else chain[:1] + chain[-(REFERENCES_MAX - 1) :]


def _body(text: str, html: str | None, attachments: Sequence[OutgoingFile]) -> bytes:
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message.set_content(_sendable(text))
    pictures = [file for file in attachments if file.content_id and html]
    if html is not None:
        message.add_alternative(_sendable(html), subtype="html")
        page = cast(EmailMessage, list(message.iter_parts())[-1])
        for file in pictures:
            main, sub = _type_of(file)
            page.add_related(
                file.content,
                main,
                sub,
                cid=_id(file.content_id or "", "content_id"),
                filename=_file_name(file),
                disposition="inline",
            )
    for file in attachments:
        if file not in pictures:
            main, sub = _type_of(file)
            message.add_attachment(file.content, main, sub, filename=_file_name(file))
    return message.as_bytes()


def _sendable(text: str) -> str:
    return re.sub("[\x00\ud800-\udfff]", "\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def _type_of(file: OutgoingFile) -> tuple[str, str]:
    if not _CONTENT_TYPE.fullmatch(file.content_type):
        raise InputRejected("not a content type", field="attachments", remedy="give type/subtype without parameters")
    main, _, sub = file.content_type.lower().partition("/")
    # Text and messages as bytes would be re-encoded on the way; what we send must arrive as it is.
    return ("application", "octet-stream") if main in {"message", "multipart"} else (main, sub)


def _file_name(file: OutgoingFile) -> str:
    return _checked(file.name, "attachments").replace("/", "_").replace("\\", "_") or "file"
