"""Header fields: the block, encoded words, parameters, message ids, dates. Pure; never raises; linear in its input.

Source: RFC 5322 §2.2 and §3.6, RFC 2047 (encoded words), RFC 2231 (parameters), RFC 7103 (malformed mail). Encoded words are
also read where RFC 2047 forbids them (inside quotes, in parameters), because most programs write them there.
Units: values are capped at 64 kB, a block at 2,000 fields.
"""

from __future__ import annotations

import binascii
import re
from codecs import BOM_UTF8
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from ingest.mail.charsets import decode_text
from ingest.mail.transfer import lenient_base64
from ingest.steps import step
from shared.text import clean_line, clean_text, fold_turkish

VALUE_BYTES_MAX = 65_536
FIELDS_MAX = 2_000
IDS_MAX = 100

Headers = Sequence[tuple[str, str]]
"""Decoded fields in the order of the mail, names as written."""


class Field(NamedTuple):
    name: str
    value: bytes


_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:(.*)", re.DOTALL)
_KNOWN_FIELD = re.compile(
    rb"(?:from|to|cc|reply-to|subject|date|message-id|in-reply-to|references|received|mime-version|content-[a-z-]{2,30}|x-[a-z-]{2,40})[ \t]{0,20}:",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(rb">?From (?![ \t]*:)")
_FIELD_OR_BLANK = re.compile(rb"\n(?=[!-9;-~]{1,200}+[ \t]*+:|[ \t\r\v\f]*+\n)")
_FOLDED_LINES_MAX = 20
_MONTHS = {
    "oca": "Jan", "sub": "Feb", "mar": "Mar", "nis": "Apr", "may": "May", "haz": "Jun", "tem": "Jul", "agu": "Aug", "eyl": "Sep",
    "eki": "Oct", "kas": "Nov", "ara": "Dec",
}  # fmt: skip


def split_block(raw: bytes, start: int, end: int) -> tuple[list[Field], int]:
    """The fields of the block that begins at ``start``, and the offset where the body begins.

    A line that is no field belongs to the field above when fields go on below it, else the body begins there: a mail
    without headers is all body. A line of blanks is no end when the header visibly goes on below it (RFC 5322 §4.2), nor does
    a byte order mark belong to the first name.
    """
    fields: list[Field] = []
    name, lines, size = "", [b""], 0
    strays: list[bytes] = []
    # A part that starts with a blank line has no fields; a mail may have blank lines before its first.
    at, stray_at = (_before_fields(raw, start, end) if start == 0 else start), -1
    if raw.startswith(BOM_UTF8, at) and _FIELD.match(raw, at + 3, min(end, at + 300)):
        at += 3
    body = end
    while at < end:
        after = _line_end(raw, at, end)
        line = raw[at : min(after, at + VALUE_BYTES_MAX)].rstrip(b"\r\n")
        match = None if line[:1] in b" \t" else _FIELD.fullmatch(line)
        if not line.strip():
            if line and name and _goes_on(raw, after, end):
                at = after
                continue
            body = after
            break
        if match and len(fields) < FIELDS_MAX:
            if name:
                fields.append(Field(name, b"\n".join(lines + strays).strip()))
            name, lines, size, strays, stray_at = match[1].decode("ascii"), [match[2]], len(line), [], -1
        elif not name:
            return [], at
        elif size < VALUE_BYTES_MAX:
            size += len(line)
            if line[:1] not in b" \t" and stray_at < 0:
                stray_at = at
            (lines if stray_at < 0 else strays).append(line)
        else:
            # Nothing more is kept of this one: on to what may be the next, or the end.
            found = _FIELD_OR_BLANK.search(raw, after - 1, end)
            after = found.end() if found else end
        if stray_at >= 0 and len(fields) >= FIELDS_MAX:
            break  # no field will be kept below it
        at = after
    if name:
        fields.append(Field(name, b"\n".join(lines).strip()))
    return fields, (body if stray_at < 0 else stray_at)


def _before_fields(raw: bytes, start: int, end: int) -> int:
    """Past blank lines and the separator line of a mailbox file, which is no field: blanks may stand before its colon (§4.5)."""
    at = start
    while at < end and raw[at : at + 1] in (b"\n", b"\r"):
        at += 1
    return _line_end(raw, at, end) if _SEPARATOR.match(raw, at, end) else at


def _goes_on(raw: bytes, at: int, end: int) -> bool:
    """Whether the header goes on here, after a line of blanks: a few folded lines and then a field of a known name."""
    for _ in range(_FOLDED_LINES_MAX):
        if raw[at : at + 1] not in (b" ", b"\t"):
            break
        after = _line_end(raw, at, end)
        if not raw[at : min(after, at + VALUE_BYTES_MAX)].strip():
            return False
        at = after
    return _KNOWN_FIELD.match(raw, at, end) is not None


def _line_end(raw: bytes, at: int, end: int) -> int:
    found = raw.find(b"\n", at, end)
    return end if found < 0 else found + 1


def first(fields: Sequence[Field], name: str) -> bytes:
    """The first value of that name that is not blank, else nothing. Names compare without case."""
    wanted = name.lower()
    return next((f.value for f in fields if f.name.lower() == wanted and f.value.strip()), b"")


def values_of(headers: Headers, name: str) -> list[str]:
    """Every decoded value of that name, in order."""
    wanted = name.lower()
    return [value for key, value in headers if key.lower() == wanted]


# --- encoded words -------------------------------------------------------------------------------------------------------

# Up to four question marks are forgiven inside a word; each segment ends at one, so the scan stays linear.
ENCODED_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*(?:\?(?!=)[^?]*){0,4})\?=")
_BETWEEN = re.compile(r"(\?=)\s+(?==\?[^?\s]{1,60}\?[bBqQ]\?)")


def decode_words(text: str, hint: str | None = None) -> str:
    """The text with its encoded words decoded; neighbours of one charset are joined before, as letters may be cut in two.

    ``hint``: the charset the mail speaks for elsewhere.
    """
    if "=?" not in text:
        return text
    out: list[str] = []
    pending, charset, at = b"", "", 0
    joined = _BETWEEN.sub(r"\1", text)
    for match in ENCODED_WORD.finditer(joined):
        step(5)
        label = match[1].partition("*")[0].lower()
        if match.start() > at or label != charset:
            out.append(decode_text(pending, charset, hint=hint)[0] if pending else "")
            out.append(joined[at : match.start()])
            pending = b""
        pending += _word_bytes(match[2], match[3])
        charset, at = label, match.end()
    if pending:
        out.append(decode_text(pending, charset, hint=hint)[0])
    out.append(joined[at:])
    return "".join(out)


def _word_bytes(encoding: str, text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    if encoding in "bB":
        return lenient_base64(raw)
    return binascii.a2b_qp(raw.replace(b"\n", b""), header=True)


def unfold(value: bytes, hint: str | None = None) -> str:
    """A field's text on one line, raw 8-bit bytes decoded, encoded words left alone (commas inside them are no separators)."""
    text = value.decode("ascii") if value.isascii() and b"\x1b" not in value else decode_text(value, None, hint=hint)[0]
    return clean_line(text)


def header_text(value: bytes, hint: str | None = None) -> str:
    """A field's decoded text on one clean line."""
    step(6)
    return clean_line(decode_words(unfold(value, hint), hint))


# --- parameters ----------------------------------------------------------------------------------------------------------

_PARAMETER = re.compile(r';\s*([^\s=;"]{1,100})\s*=\s*("(?:[^"\\]|\\.)*"?|[^;]*)', re.DOTALL)
# "text/plain charset=utf-8" and "text/plain, charset=utf-8", as scripts write it.
_WITHOUT_SEMICOLON = re.compile(r"\A\s*([^\s;,=\"()]{1,200})(?:\s*,\s*|\s+)(?=[A-Za-z-]{1,40}\s?=)")
_SECTION = re.compile(r"([^*]+)(?:\*(\d{1,4}))?(\*)?")


def parameters(value: bytes, hint: str | None = None) -> tuple[str, dict[str, str]]:
    """The lower-cased main value of a structured field and its parameters (RFC 2231 sections joined and decoded).

    A later repetition of a name does not replace the first. Values may hold anything but NUL, surrogates and line breaks.
    """
    text = _WITHOUT_SEMICOLON.sub(r"\1; ", unfold(value, hint), count=1)
    main, _, _ = text.partition(";")
    plain: dict[str, str] = {}
    sections: dict[str, list[tuple[int, bool, str]]] = {}
    for match in _PARAMETER.finditer(text):
        name, given = match[1].lower(), match[2].strip()
        if given.startswith('"'):
            given = re.sub(r"\\(.)", _unescape, given[1:-1] if len(given) > 1 and given.endswith('"') else given[1:])
        shape = _SECTION.fullmatch(name)
        if shape and (shape[2] is not None or shape[3]):
            if len(sections.setdefault(shape[1], [])) < FIELDS_MAX:
                sections[shape[1]].append((int(shape[2] or 0), bool(shape[3]), given))
        else:
            plain.setdefault(name, clean_line(decode_words(given, hint)))
    for name, pieces in sections.items():
        plain[name] = _joined(sorted(pieces, key=lambda piece: piece[0]), hint)
    return main.strip().lower(), plain


def _unescape(match: re.Match[str]) -> str:
    # Windows programs write paths without escaping; only quotes and backslashes are taken as escapes.
    return match[1] if match[1] in '"\\' else match[0]


def _joined(pieces: list[tuple[int, bool, str]], hint: str | None) -> str:
    charset, parts = None, []
    for index, (_, encoded, text) in enumerate(pieces):
        rest = text
        if encoded and index == 0 and text.count("'") >= 2:
            charset, _, rest = text.split("'", 2)
        parts.append(unquote_to_bytes(rest) if encoded else rest.encode("utf-8", "replace"))
    return clean_line(decode_words(decode_text(b"".join(parts), charset, hint=hint)[0], hint))


# --- ids and dates -------------------------------------------------------------------------------------------------------

_ID = re.compile(r"<([^<>]*)>")


def message_ids(text: str) -> tuple[str, ...]:
    """The ids of a Message-ID, In-Reply-To or References field without angle brackets, each once, in order.

    Blanks that folding left inside an id are removed. Beyond 100 the first and the newest 99 stay.
    """
    found = _ID.findall(text) or [word.strip(",;<>\"'()") for word in text.split() if "@" in word]
    ids = list(dict.fromkeys(clean for clean in ("".join(one.split())[:998] for one in found) if clean))
    return tuple(ids if len(ids) <= IDS_MAX else ids[:1] + ids[-(IDS_MAX - 1) :])


def parse_date(text: str) -> datetime | None:
    """The moment of a Date field in UTC; None when it says none. Without a zone the clock is taken as UTC."""
    short = clean_text(text)[:200]
    turkish = re.sub(r"(?<=\d)[\s.-]+([^\W\d_]{3,})(?=[\s.-]+\d)", _english_month, short)
    for read, candidate in ((parsedate_to_datetime, short), (parsedate_to_datetime, turkish), (datetime.fromisoformat, short)):
        try:
            moment = read(candidate.strip())
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, TypeError, OverflowError, IndexError, AttributeError):
            continue
    return None


def _english_month(match: re.Match[str]) -> str:
    month = _MONTHS.get(fold_turkish(match[1])[:3])
    return f" {month}" if month else match[0]
