"""Address fields as people and programs really write them. Pure; never raises; linear in its input.

Source: RFC 5322 §3.4 (mailboxes, groups), §4.4 (routes), RFC 7103 §7.
Read beyond the standard: a comment as name, unquoted commas and non-ASCII in names, semicolons between addresses, ``mailto:``,
a missing closing bracket, a whole address inside an encoded word.
Identity: the address. The local part keeps its case, the domain is lower-cased.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingest.mail.headers import ENCODED_WORD, decode_words
from shared.text import clean_line

MAILBOXES_MAX = 1_000
_BARE = re.compile(r"[^\s<>()\[\]\",;:]+@(?:\[[^\s<>\[\]]+\]|[^\s<>()\[\]\",;]+)")
_UNBALANCED = re.compile(r'["()]')
_QUOTES = {"'": "'", '"': '"', "“": "”", "‘": "’", "«": "»"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """One correspondent. ``name`` None: the mail gives none. ``address`` is ``local@domain``, or a bare local name."""

    name: str | None
    address: str


@dataclass(slots=True)
class _Segment:
    """What stands between two separators: the phrase outside brackets, the bracket's content, the comments."""

    phrase: list[str]
    angle: str | None
    comments: list[str]

    @classmethod
    def new(cls) -> _Segment:
        return cls(phrase=[], angle=None, comments=[])


def parse_mailboxes(text: str) -> tuple[Mailbox, ...]:
    """The mailboxes of one unfolded address field (encoded words still encoded), groups flattened, in order."""
    found: list[Mailbox] = []
    carried = ""
    for segment in _segments(text):
        name = _name("".join(segment.phrase))
        if segment.angle is None:
            box = _bare(segment)
            if box is None:
                # "Yılmaz, Ayşe <ayse@…>" without quotes: a piece without address belongs to the name that follows.
                carried = f"{carried}, {name}" if carried and name else carried or name
                continue
        else:
            address = _address(segment.angle)
            comment = _name(" ".join(segment.comments))
            name = f"{carried}, {name}" if carried and name else carried or name
            box = Mailbox(name=name or comment or None, address=address) if address else None
        carried = ""
        if box is not None:
            found.append(box)
        if len(found) >= MAILBOXES_MAX:
            break
    return tuple(found) if found else _second_reading(text)


def _second_reading(text: str) -> tuple[Mailbox, ...]:
    """When nothing was found: the whole address inside an encoded word, or a quote or comment that never ends."""
    again = _UNBALANCED.sub(" ", clean_line(decode_words(text))).replace("=?", "")
    return parse_mailboxes(again) if "@" in again and again != text else ()


def _bare(segment: _Segment) -> Mailbox | None:
    """``ayse@ornek.com (Ayşe)``, ``Ayşe ayse@ornek.com``, ``Ayşe [mailto:ayse@ornek.com]``; None when there is no address."""
    phrase = "".join(segment.phrase).replace("mailto:", " ")
    match = _BARE.search(phrase) if len(phrase) < 2_000 else None
    if match is None:
        return None
    address = _address(match[0])
    rest = f"{phrase[: match.start()].rstrip(' <[')} {phrase[match.end() :].lstrip(' >]')}"
    name = _name(rest) or _name(" ".join(segment.comments))
    return Mailbox(name=name or None, address=address) if address else None


def _segments(text: str) -> list[_Segment]:
    segments, current, at, grouped = [], _Segment.new(), 0, False
    while at < len(text):
        char = text[at]
        if char == '"':
            inner, at = _quoted(text, at)
            current.phrase.append(inner)
        elif char == "(":
            inner, at = _comment(text, at)
            current.comments.append(inner)
        elif char == "=" and (word := ENCODED_WORD.match(text, at)):
            current.phrase.append(word[0])
            at = word.end()
        elif char == "<" and (current.angle is None or "@" not in current.angle):
            current.phrase.append(current.angle or "")
            closing = text.find(">", at)
            stop = closing if closing >= 0 else _unclosed(text, at)
            current.angle = text[at + 1 : stop]
            at = stop + 1 if closing >= 0 else stop
        elif char in ",;":
            segments.append(current)
            current, at = _Segment.new(), at + 1
            grouped = grouped and char == ","
        elif char == ":" and not grouped and _opens_group(current):
            current, at, grouped = _Segment.new(), at + 1, True
        else:
            stop = _run_end(text, at)
            current.phrase.append(text[at:stop])
            at = stop
    segments.append(current)
    return segments


_SPECIAL = re.compile(r'["(<,;:]|=\?')
_UNCLOSED_END = re.compile(r"[,;\s]")


def _run_end(text: str, at: int) -> int:
    match = _SPECIAL.search(text, at + 1)
    return match.start() if match else len(text)


def _unclosed(text: str, at: int) -> int:
    match = _UNCLOSED_END.search(text, at + 2)
    return match.start() if match else len(text)


def _opens_group(current: _Segment) -> bool:
    phrase = "".join(current.phrase).strip()
    return current.angle is None and "@" not in phrase and not phrase.lower().endswith("mailto")


def _quoted(text: str, at: int) -> tuple[str, int]:
    out, at = [], at + 1
    while at < len(text) and text[at] != '"':
        if text[at] == "\\" and at + 1 < len(text):
            at += 1
        out.append(text[at])
        at += 1
    return "".join(out), at + 1


def _comment(text: str, at: int) -> tuple[str, int]:
    out, depth = [], 0
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            at += 1
            out.append(text[at])
        elif char == "(":
            depth += 1
            out.append("(" if depth > 1 else "")
        elif char == ")":
            depth -= 1
            if depth == 0:
                return "".join(out), at + 1
            out.append(")")
        else:
            out.append(char)
        at += 1
    return "".join(out), at


def _name(text: str) -> str:
    name = " ".join(clean_line(decode_words(text)).split())
    while len(name) > 1 and _QUOTES.get(name[0]) == name[-1]:
        name = name[1:-1].strip()
    return name[:500]


def _address(text: str) -> str:
    address = "".join(decode_words(text).split()).strip("<>'\"") if len(text) < 2_000 else ""
    if address.lower().startswith("mailto:"):
        address = address[7:]
    if address.startswith("@") and ":" in address:  # a source route
        address = address.rpartition(":")[2]
    local, at, domain = address.rpartition("@")
    if not at:
        return clean_line(address)
    return clean_line(f"{local}@{domain.rstrip('.').lower()}") if local and domain.rstrip(".") else ""
