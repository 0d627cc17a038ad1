"""``winmail.dat`` opened: the files and the words that Outlook encloses in one part. Pure; never raises; linear in its size.

Source: MS-OXTNEF §2.1 (attributes and encoded properties), MS-OXPROPS (names of properties), MS-OXCMSG (bodies).
Units: bytes. All content is cut out of the part, so nothing grows but rich text, which `rtf.py` bounds; 1,000 files, 10,000 properties of
one list. An enclosed message is opened once: its words become a file, its files stand beside it; deeper ones stay files.
Identity: a part is TNEF by its signature, whatever its label says. Checksums are not asked: a damaged part is read as far as it goes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from ingest.mail.rtf import codec_of_page, read_rtf, unpacked

FILES_MAX: Final = 1_000
_PROPERTIES_MAX: Final = 10_000
_SIGNATURE: Final = b"\x78\x9f\x3e\x22"
_BODY, _ATTACH_DATA, _ATTACH_TITLE = 0x800C, 0x800F, 0x8010
_RENDERING, _PROPERTIES, _ATTACHMENT, _OEM_PAGE = 0x9002, 0x9003, 0x9005, 0x9007
_TEXT, _HTML, _RTF, _SUBJECT, _PAGE, _INTERNET_PAGE = 0x1000, 0x1013, 0x1009, 0x0037, 0x3FFD, 0x3FDE
_DATA, _LONG_NAME, _NAME, _SHOWN_NAME, _TYPE, _CONTENT_ID = 0x3701, 0x3707, 0x3704, 0x3001, 0x370E, 0x3712
_NAMED: Final = 0x8000
_MANY: Final = 0x1000
_STRING8, _UNICODE, _BINARY, _OBJECT = 0x001E, 0x001F, 0x0102, 0x000D
_SIZES: Final = {
    0x0001: 0, 0x0002: 2, 0x0003: 4, 0x0004: 4, 0x0005: 8, 0x0006: 8, 0x0007: 8, 0x000A: 4, 0x000B: 2, 0x0014: 8, 0x0040: 8, 0x0048: 16,
}  # fmt: skip
_IID_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class EnclosedFile:
    """A file of the part. ``name``, ``content_type`` and ``content_id`` are empty where the part says none."""

    name: str
    content: bytes = field(repr=False)
    content_type: str = ""
    content_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tnef:
    """What a part encloses. ``html`` is as it was written: clean it before showing it."""

    subject: str = ""
    text: str = ""
    html: str = ""
    files: tuple[EnclosedFile, ...] = ()


@dataclass(frozen=True, slots=True)
class _Value:
    kind: int
    content: bytes


@dataclass(slots=True)
class _Enclosure:
    title: bytes = b""
    content: bytes | None = None
    properties: Mapping[int, _Value] = field(default_factory=dict)


def read_tnef(content: bytes, *, depth: int = 1) -> Tnef | None:
    """What the part encloses; None when it is no TNEF. ``depth``: how many enclosed messages, one in another, are opened."""
    if not content.startswith(_SIGNATURE):
        return None
    body, codec, properties = b"", "cp1252", {}
    enclosures: list[_Enclosure] = []
    for name, value in _attributes(content):
        if name == _OEM_PAGE and len(value) >= 4:
            codec = codec_of_page(int.from_bytes(value[:4], "little"))
        elif name == _BODY:
            body = value
        elif name == _PROPERTIES:
            properties = _properties(value)
        elif name == _RENDERING and len(enclosures) < FILES_MAX:
            enclosures.append(_Enclosure())
        elif enclosures:
            _add(enclosures[-1], name, value)
    for page in (_INTERNET_PAGE, _PAGE):
        if page in properties:
            html_codec = codec_of_page(int.from_bytes(properties[page].content[:4], "little"))
            break
    else:
        html_codec = codec
    text, html = _words(properties, body, codec, html_codec)
    files = [one for enclosure in enclosures for one in _files(enclosure, codec, depth)]
    return Tnef(subject=_text(properties.get(_SUBJECT), codec), text=text, html=html, files=tuple(files[:FILES_MAX]))


def _attributes(content: bytes) -> Iterator[tuple[int, bytes]]:
    """(name, value) of every attribute; the last one may be cut."""
    at = 6
    while at + 9 <= len(content):
        _, name, _, size = struct.unpack_from("<BHHI", content, at)
        yield name, content[at + 9 : at + 9 + size]
        at += 9 + size + 2


def _add(enclosure: _Enclosure, name: int, value: bytes) -> None:
    if name == _ATTACH_TITLE:
        enclosure.title = value
    elif name == _ATTACH_DATA:
        enclosure.content = value
    elif name == _ATTACHMENT:
        enclosure.properties = _properties(value)


def _properties(content: bytes) -> dict[int, _Value]:
    """The properties by their ids, those with a name of their own left out; as far as they can be read."""
    found: dict[int, _Value] = {}
    try:
        (count,) = struct.unpack_from("<I", content)
        at = 4
        for _ in range(min(count, _PROPERTIES_MAX)):
            kind, name = struct.unpack_from("<HH", content, at)
            at = _past_name(content, at + 4) if name >= _NAMED else at + 4
            value, at = _value(content, at, kind)
            if value is not None and name < _NAMED:
                found.setdefault(name, _Value(kind & ~_MANY, value))
    except struct.error:
        return found
    return found


def _past_name(content: bytes, at: int) -> int:
    (kind,) = struct.unpack_from("<I", content, at + 16)
    if kind == 0:
        return at + 24
    (size,) = struct.unpack_from("<I", content, at + 20)
    return at + 24 + _padded(size)


def _value(content: bytes, at: int, kind: int) -> tuple[bytes | None, int]:
    """The first value of a property and where the next property begins. Raises ``struct.error`` where nothing can be read any more."""
    many, plain = bool(kind & _MANY), kind & ~_MANY
    if plain in _SIZES:
        count = 1
        if many:
            (count,) = struct.unpack_from("<I", content, at)
            at += 4
        size = _SIZES[plain]
        return content[at : at + size], at + _padded(size * count)
    if plain not in (_STRING8, _UNICODE, _BINARY, _OBJECT):
        raise struct.error("a type that has no known size")
    (count,) = struct.unpack_from("<I", content, at)
    at += 4
    first: bytes | None = None
    for _ in range(min(count, _PROPERTIES_MAX)):
        (size,) = struct.unpack_from("<I", content, at)
        first = content[at + 4 : at + 4 + size] if first is None else first
        at += 4 + _padded(size)
    return first, at


def _padded(size: int) -> int:
    return (size + 3) // 4 * 4


def _text(value: _Value | None, codec: str) -> str:
    if value is None:
        return ""
    text = value.content.decode("utf-16-le" if value.kind == _UNICODE else codec, "replace")
    return text.partition("\x00")[0].replace("\r\n", "\n")


def _words(properties: Mapping[int, _Value], body: bytes, codec: str, html_codec: str) -> tuple[str, str]:
    """Text and HTML. Rich text is read only where neither stands there, or for the HTML that it was made of."""
    text = _text(properties.get(_TEXT), codec) or _text(_Value(_STRING8, body), codec)
    html = _text(properties.get(_HTML), html_codec)
    rtf = unpacked(properties[_RTF].content) if _RTF in properties and not html else None
    if rtf is None:
        return text, html
    rich = read_rtf(rtf)
    return text if text.strip() else rich.text, rich.html


def _files(enclosure: _Enclosure, codec: str, depth: int) -> Iterator[EnclosedFile]:
    properties = enclosure.properties
    names = (_text(properties.get(one), codec) for one in (_LONG_NAME, _NAME, _SHOWN_NAME))
    name = next((one for one in names if one.strip()), "") or _text(_Value(_STRING8, enclosure.title), codec)
    content, data = enclosure.content, properties.get(_DATA)
    if data is not None and (data.kind == _OBJECT or content is None):
        content = data.content[_IID_BYTES:] if data.kind == _OBJECT else data.content
    if content is None:
        return
    inner = read_tnef(content, depth=depth - 1) if depth > 0 else None
    if inner is None:
        kind = _text(properties.get(_TYPE), codec).strip().lower()
        enclosed = "application/ms-tnef" if content.startswith(_SIGNATURE) else kind
        yield EnclosedFile(
            name=name, content=content, content_type=enclosed, content_id=_text(properties.get(_CONTENT_ID), codec).strip("<> ")
        )
        return
    title = inner.subject or name or "message"
    if inner.html:
        yield EnclosedFile(name=f"{title}.html", content=inner.html.encode("utf-8", "replace"), content_type="text/html")
    elif inner.text:
        yield EnclosedFile(name=f"{title}.txt", content=inner.text.encode("utf-8", "replace"), content_type="text/plain")
    yield from inner.files
