"""Rich text as Outlook encloses it: unpacked, and read as the HTML or the text that it was made of. Pure; never raises; linear.

Source: MS-OXRTFCP §2.1 and §3.1 (compression), MS-OXRTFEX §2.1 (HTML and text kept inside RTF), RTF 1.9.1 (control words).
Units: bytes; what is unpacked is at most ``RTF_BYTES_MAX``, groups deeper than ``GROUPS_MAX`` are read as one.
Only words are read: no pictures, objects, fields' instructions or lists' numbers.
"""

from __future__ import annotations

import codecs
import re
import struct
from dataclasses import dataclass, replace
from typing import Final

RTF_BYTES_MAX: Final = 1_000_000
GROUPS_MAX: Final = 200
_PACKED: Final = 0x75465A4C
_PLAIN: Final = 0x414C454D
_WINDOW: Final = 4096
_BEGINNING: Final = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans SerifSymbolArialTimes"
    rb" New RomanCourier{\colortbl\red0\green0\blue0" + b"\r\n" + rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
"""What the dictionary holds before the first byte: MS-OXRTFCP §2.1.2.1."""

_TOKEN: Final = re.compile(
    rb"\\([A-Za-z]{1,32})(-?[0-9]{1,10})? ?|\\'([0-9A-Fa-f]{2})|\\([^A-Za-z'])|([{}])|[\r\n]+|([^\\{}\r\n]+)|\\", re.DOTALL
)
_SKIPPED: Final = frozenset(
    {b"fonttbl", b"colortbl", b"stylesheet", b"info", b"pict", b"object", b"header", b"footer", b"headerl", b"headerr", b"footerl",
     b"footerr", b"listtable", b"listoverridetable", b"fldinst", b"themedata", b"datastore", b"generator", b"pntext", b"filetbl"}
)  # fmt: skip
_MARKS: Final = {
    b"par": "\n", b"line": "\n", b"sect": "\n", b"page": "\n", b"row": "\n", b"tab": "\t", b"cell": "\t", b"emdash": "—", b"endash": "–",
    b"lquote": "‘", b"rquote": "’", b"ldblquote": "“", b"rdblquote": "”", b"bullet": "•", b"emspace": " ", b"enspace": " ",
}  # fmt: skip
_SIGNS: Final = {b"~": "\u00a0", b"_": "-", b"{": "{", b"}": "}", b"\\": "\\", b"\n": "\n", b"\r": "\n"}
_CODE_PAGES: Final = {65001: "utf-8", 10000: "mac_roman", 20127: "ascii", 936: "gbk", 949: "cp949", 932: "cp932", 950: "cp950"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RichText:
    """The words: ``html`` where the mail was HTML before, else ``text``."""

    text: str = ""
    html: str = ""


def unpacked(content: bytes) -> bytes | None:
    """The RTF of a compressed body, cut at ``RTF_BYTES_MAX``; None when this is none."""
    if len(content) < 16:
        return None
    size, raw_size, kind = struct.unpack_from("<III", content)
    packed = content[16 : size + 4]
    raw_size = min(raw_size, RTF_BYTES_MAX)
    if kind == _PLAIN:
        return packed[:raw_size]
    return _inflated(packed, raw_size) if kind == _PACKED else None


def _inflated(packed: bytes, size: int) -> bytes:
    begun = len(_BEGINNING)
    out = bytearray(_BEGINNING)
    at, end = 0, len(packed)
    while at < end and len(out) - begun < size:
        control = packed[at]
        at += 1
        for bit in range(8):
            if at >= end or len(out) - begun >= size:
                break
            if not control >> bit & 1:
                out.append(packed[at])
                at += 1
                continue
            if at + 2 > end:
                return bytes(out[begun:])
            token = packed[at] << 8 | packed[at + 1]
            at += 2
            here = len(out)
            back = (here - (token >> 4)) % _WINDOW
            if back == 0:  # the reference to the place where one would write ends the stream
                return bytes(out[begun : begun + size])
            length, start = (token & 15) + 2, here - back
            # Of what was never written the dictionary holds zeros; a reference may run into what it is writing.
            source = bytes(out[start : start + length]) if start >= 0 else b"\x00" * length
            out += (source * (length // max(1, len(source)) + 1))[:length]
    return bytes(out[begun : begun + size])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """What holds until the brace closes. ``after``: how many characters stand in for one that ``\\u`` gives."""

    skipped: bool = False
    tag: bool = False
    hidden: bool = False
    after: int = 1


@dataclass(slots=True)
class _Reading:
    out: list[str]
    bytes_: bytearray
    group: _Group
    stack: list[_Group]
    codec: str = "cp1252"
    kept: str = ""
    starred: bool = False
    opened: bool = False
    pending: int = 0
    deeper: int = 0

    def flush(self) -> None:
        if self.bytes_:
            self.out.append(bytes(self.bytes_).decode(self.codec, "replace"))
            self.bytes_.clear()

    def say(self, text: str) -> None:
        if self.pending:
            self.pending -= 1
        elif self._is_heard():
            self.flush()
            self.out.append(text)

    def say_bytes(self, text: bytes) -> None:
        taken = min(self.pending, len(text))
        self.pending -= taken
        if self._is_heard():
            self.bytes_ += text[taken:]

    def _is_heard(self) -> bool:
        return not self.group.skipped and (self.group.tag or not self.group.hidden)


def read_rtf(content: bytes) -> RichText:
    """The words of an RTF document; what was HTML or text before it became RTF comes out as it was."""
    if content.lstrip()[:5] != rb"{\rtf":
        return RichText()
    reading = _Reading(out=[], bytes_=bytearray(), group=_Group(), stack=[])
    at = 0
    while at < min(len(content), RTF_BYTES_MAX):
        match = _TOKEN.match(content, at)
        if match is None:
            at += 1
            continue
        at = match.end()
        word, number, code, sign, brace, text = match.groups()
        first, reading.opened = reading.opened, False
        if brace:
            _brace(reading, brace)
        elif word == b"bin":
            at += max(0, int(number or 0))
        elif word:
            _word(reading, word, number, first=first)
        elif code:
            reading.say_bytes(bytes([int(code, 16)]))
        elif sign == b"*":
            reading.starred = reading.opened = first
        elif sign:
            reading.say(_SIGNS.get(sign, ""))
        elif text:
            reading.say_bytes(text)
    reading.flush()
    # Letters beyond the first plane come in halves.
    found = "".join(reading.out).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    found = found.replace("\x00", "").strip("\n")
    return RichText(html=found) if reading.kept == "html" else RichText(text=found)


def _brace(reading: _Reading, brace: bytes) -> None:
    reading.pending, reading.starred = 0, False
    if brace == b"{":
        reading.opened = True
        if len(reading.stack) < GROUPS_MAX:
            reading.stack.append(reading.group)
        else:
            reading.deeper += 1
    elif reading.deeper:
        reading.deeper -= 1
    elif reading.stack:
        reading.group = reading.stack.pop()


def _word(reading: _Reading, word: bytes, number: bytes | None, *, first: bool) -> None:
    value = int(number) if number else None
    group, starred = reading.group, reading.starred and first
    reading.starred = False
    if starred:
        tag = word == b"htmltag" and reading.kept == "html"
        reading.group = replace(group, tag=tag, skipped=group.skipped or not tag)
    elif word in _SKIPPED:
        reading.group = replace(group, skipped=True)
    elif word == b"htmlrtf":
        reading.group = replace(group, hidden=value != 0)
    elif word in (b"fromhtml", b"fromtext"):
        reading.kept = reading.kept or ("html" if word == b"fromhtml" else "text")
    elif word == b"ansicpg" and value:
        reading.flush()
        reading.codec = codec_of_page(value)
    elif word == b"uc" and value is not None:
        reading.group = replace(group, after=min(max(value, 0), 8))
    elif word == b"u" and value is not None:
        reading.pending = 0
        reading.say(chr(value & 0xFFFF))
        reading.pending = group.after
    elif word in _MARKS:
        reading.say(_MARKS[word])


def codec_of_page(page: int) -> str:
    """The codec of a Windows code page; windows-1252 for one that is not known."""
    codec = _CODE_PAGES.get(page) or (f"iso8859_{page - 28590}" if 28591 <= page <= 28605 else f"cp{page}")
    try:
        codecs.lookup(codec)
    except LookupError:
        return "cp1252"
    return codec
