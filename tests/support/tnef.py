"""Parts as Outlook encloses them (``winmail.dat``), written by the standards: MS-OXTNEF, MS-OXRTFCP. Nothing of the reader is used.

mail = enclosed(text="Merhaba", files=[File(name="a.pdf", content=b"…")])
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

STRING8, UNICODE, BINARY, OBJECT, LONG, BOOLEAN, TIME = 0x1E, 0x1F, 0x102, 0x0D, 0x03, 0x0B, 0x40
IID_MESSAGE = bytes.fromhex("0703020000000000c000000000000046")


@dataclass(frozen=True, kw_only=True)
class File:
    name: str
    content: bytes
    kind: str = ""
    content_id: str = ""
    message: bool = False
    title: str = ""


def attribute(level: int, name: int, value: bytes) -> bytes:
    return struct.pack("<BII", level, name, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)


def padded(value: bytes) -> bytes:
    return value + b"\x00" * (-len(value) % 4)


def prop(kind: int, name: int, value: bytes) -> bytes:
    head = struct.pack("<HH", kind, name)
    if kind in (STRING8, UNICODE, BINARY, OBJECT):
        return head + struct.pack("<II", 1, len(value)) + padded(value)
    return head + padded(value)


def named(kind: int, name: str, value: bytes) -> bytes:
    """A property with a name of its own."""
    text = name.encode("utf-16-le") + b"\x00\x00"
    return (
        struct.pack("<HH", kind, 0x8001) + b"\x11" * 16 + struct.pack("<II", 1, len(text)) + padded(text) + prop(kind, 0, value)[4:]
    )


def unicode(name: int, value: str) -> bytes:
    return prop(UNICODE, name, value.encode("utf-16-le") + b"\x00\x00")


def properties(*given: bytes) -> bytes:
    return struct.pack("<I", len(given)) + b"".join(given)


def stored(rtf: bytes) -> bytes:
    """Rich text as it is, under the header of compressed one."""
    return struct.pack("<IIII", len(rtf) + 12, len(rtf), 0x414C454D, 0) + rtf


def literal(rtf: bytes) -> bytes:
    """Compressed without a single reference but the one that ends it."""
    out = bytearray()
    for at in range(0, len(rtf), 8):
        out += b"\x00" + rtf[at : at + 8]
    end = (207 + len(rtf)) % 4096
    rest = len(rtf) % 8
    if rest:
        out[-rest - 1] = 1 << rest
    else:
        out.append(1)
    out += struct.pack(">H", end << 4)
    check = zlib.crc32(out, 0xFFFFFFFF) ^ 0xFFFFFFFF  # MS-OXRTFCP §2.1.3.2: begun with zero, not inverted
    return struct.pack("<IIII", len(out) + 12, len(rtf), 0x75465A4C, check) + bytes(out)


def enclosed(
    *, text: str = "", html: bytes = b"", rtf: bytes = b"", subject: str = "", files: Sequence[File] = (), more: Iterable[bytes] = (),
    body: bytes = b"", page: int = 1254,
) -> bytes:  # fmt: skip
    """The whole part. ``rtf`` is compressed already; ``body`` is the attribute of the oldest programs."""
    out = [b"\x78\x9f\x3e\x22\x01\x00", attribute(1, 0x00089006, struct.pack("<I", 0x10000))]
    out.append(attribute(1, 0x00069007, struct.pack("<II", page, 0)))
    if body:
        out.append(attribute(1, 0x0002800C, body))
    given = [
        *more,
        prop(LONG, 0x3FDE, struct.pack("<I", 65001)),
        prop(TIME, 0x0039, b"\x00" * 8),
        prop(BOOLEAN, 0x0E1F, b"\x01\x00"),
    ]
    given += [unicode(0x0037, subject)] if subject else []
    given += [unicode(0x1000, text)] if text else []
    given += [prop(BINARY, 0x1013, html)] if html else []
    given += [prop(BINARY, 0x1009, rtf)] if rtf else []
    out.append(attribute(1, 0x00069003, properties(*given)))
    for one in files:
        out.append(attribute(2, 0x00069002, struct.pack("<HIHHII", 1, 0xFFFFFFFF, 32, 32, 0, 0)))
        if one.title:
            out.append(attribute(2, 0x00018010, one.title.encode("cp1254") + b"\x00"))
        said = [unicode(0x3707, one.name)] if one.name else []
        said += [unicode(0x370E, one.kind)] if one.kind else []
        said += [unicode(0x3712, one.content_id)] if one.content_id else []
        if one.message:
            said.append(prop(OBJECT, 0x3701, IID_MESSAGE + one.content))
        else:
            out.append(attribute(2, 0x0006800F, one.content))
        out.append(attribute(2, 0x00069005, properties(*said)))
    return b"".join(out)
