"""What a signed S/MIME envelope holds, without a key and without verifying anything. Pure; never raises; linear.

Source: RFC 5652 §3 and §5 (ContentInfo, SignedData, EncapsulatedContentInfo), ITU-T X.690 (BER, of which DER is a part: Outlook
and OpenSSL write indefinite lengths and strings in pieces when they stream).
Units: bytes; 12 levels, 100,000 elements.
"""

from __future__ import annotations

from typing import Final

SIGNED_DATA: Final = bytes.fromhex("2a864886f70d010702")
ENVELOPED_DATA: Final = bytes.fromhex("2a864886f70d010703")
AUTH_ENVELOPED_DATA: Final = bytes.fromhex("2a864886f70d0109100117")
_DEPTH_MAX = 12
_ELEMENTS_MAX = 100_000
_SEQUENCE, _SET, _OID, _INTEGER, _OCTETS, _OCTETS_IN_PIECES, _FIRST = 0x30, 0x31, 0x06, 0x02, 0x04, 0x24, 0xA0


class _UnreadableError(ValueError):
    """The bytes are no BER, or more of it than is read here."""


def content_kind(data: bytes) -> bytes | None:
    """The object identifier of what a ContentInfo holds (its bytes); None when the bytes are none."""
    try:
        reader = _Reader(data)
        reader.enter(_SEQUENCE)
        return reader.value(_OID)
    except _UnreadableError:
        return None


def signed_content(data: bytes) -> bytes | None:
    """The content that a SignedData encapsulates; None when it holds none (detached, certificates only) or cannot be read."""
    try:
        reader = _Reader(data)
        reader.enter(_SEQUENCE)
        if reader.value(_OID) != SIGNED_DATA:
            return None
        reader.enter(_FIRST)
        reader.enter(_SEQUENCE)
        reader.value(_INTEGER)
        reader.skip(_SET)
        reader.enter(_SEQUENCE)
        reader.value(_OID)
        reader.enter(_FIRST)
        pieces: list[bytes] = []
        reader.octets(pieces, depth=0)
        return b"".join(pieces)
    except _UnreadableError:
        return None


class _Reader:
    """Goes forward through BER; ends of definite lengths are not held, as only the way down to the content is read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.elements = 0

    def head(self) -> tuple[int, int | None]:
        """The tag and the length of the element here (None: until its end mark); goes past both."""
        self.elements += 1
        data, at = self.data, self.at
        if at + 2 > len(data) or self.elements > _ELEMENTS_MAX:
            raise _UnreadableError
        tag, length = data[at], data[at + 1]
        at += 2
        if tag & 0x1F == 0x1F:
            raise _UnreadableError
        if length == 0x80:
            self.at = at
            return tag, None
        if length > 0x80:
            size = length & 0x7F
            if size > 5 or at + size > len(data):
                raise _UnreadableError
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        self.at = at
        return tag, length

    def enter(self, wanted: int) -> None:
        if self.head()[0] != wanted:
            raise _UnreadableError

    def value(self, wanted: int) -> bytes:
        tag, length = self.head()
        if tag != wanted or length is None or self.at + length > len(self.data):
            raise _UnreadableError
        self.at += length
        return self.data[self.at - length : self.at]

    def skip(self, wanted: int | None = None, depth: int = 0) -> None:
        tag, length = self.head()
        if depth > _DEPTH_MAX or (wanted is not None and tag != wanted):
            raise _UnreadableError
        if length is None:
            while not self.at_end_mark():
                self.skip(depth=depth + 1)
        else:
            self.at += length

    def at_end_mark(self) -> bool:
        if self.data[self.at : self.at + 2] == b"\x00\x00":
            self.at += 2
            return True
        return False

    def octets(self, pieces: list[bytes], depth: int) -> None:
        """An octet string, whole or in pieces. A string that is cut off gives what is there."""
        tag, length = self.head()
        if depth > _DEPTH_MAX or tag not in (_OCTETS, _OCTETS_IN_PIECES):
            raise _UnreadableError
        if tag == _OCTETS:
            if length is None:
                raise _UnreadableError
            pieces.append(self.data[self.at : self.at + length])
            self.at += length
            return
        end = None if length is None else self.at + length
        while self.at < len(self.data) and (not self.at_end_mark() if end is None else self.at < end):
            self.octets(pieces, depth + 1)
