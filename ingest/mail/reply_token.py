"""The signed part of a reply address: ``destek+<token>@ornek.com`` brings an answer back to its conversation. Pure.

Source: RFC 5233 (subaddresses); RFC 2104 (HMAC, here SHA-256, truncated to at least 80 bits); RFC 4648 §6 (base32).
Identity: conversation and mailbox address, its domain as A-labels; a token of one mailbox proves nothing at another.
Form: lower-case base32, because mail systems change the case of local parts. 40 characters for a version 7 id: 48 bits of time of
which the upper 6 are zero until the year 2109, 74 random bits and 84 bits of signature make 25 bytes. Other ids take 42.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from uuid import UUID

from shared.errors import InputRejected
from shared.mailbox import a_labels
from shared.text import same_secret

_PURPOSE = b"santral reply address v1\x00"
_COMPACT_MAC_BITS = 84
_LONG_MAC_BYTES = 10
_TOKEN = re.compile(r"(?:[a-z2-7]{40}|[a-z2-7]{42})", re.IGNORECASE)


def reply_address(mailbox_address: str, conversation_id: UUID, secret: bytes) -> str:
    """The address to answer to. Raises `InputRejected` when the mailbox address has no ``@``. Twice gives the same."""
    local, at, domain = mailbox_address.strip().rpartition("@")
    if not at or not local or not domain:
        raise InputRejected("not a mail address", field="mailbox_address", remedy="give it as local@domain")
    return f"{local}+{_token(mailbox_address, conversation_id, secret)}@{domain}"


def conversation_of(address: str, secret: bytes) -> UUID | None:
    """The conversation a signed address belongs to; None for any other address, however damaged. Constant-time comparison."""
    local, at, domain = address.strip().strip("<>").rpartition("@")
    mailbox, plus, token = local.rpartition("+")
    if not at or not plus or not _TOKEN.fullmatch(token):
        return None
    conversation_id = _unpacked(token)
    if conversation_id is None:
        return None
    expected = _token(f"{mailbox}@{domain}", conversation_id, secret)
    return conversation_id if same_secret(token.lower(), expected) else None


def _token(mailbox_address: str, conversation_id: UUID, secret: bytes) -> str:
    local, at, domain = mailbox_address.strip().lower().rpartition("@")
    identity = f"{local}{at}{a_labels(domain) or domain}".encode("utf-8", "replace")
    mac = hmac.digest(secret, _PURPOSE + identity + b"\x00" + conversation_id.bytes, "sha256")
    if _is_compact(conversation_id):
        bits = _squeezed(conversation_id) << _COMPACT_MAC_BITS | int.from_bytes(mac, "big") >> (256 - _COMPACT_MAC_BITS)
        packed = bits.to_bytes(25, "big")
    else:
        packed = conversation_id.bytes + mac[:_LONG_MAC_BYTES]
    return base64.b32encode(packed).decode("ascii").rstrip("=").lower()


def _is_compact(conversation_id: UUID) -> bool:
    value = conversation_id.int
    return (value >> 76) & 0xF == 7 and (value >> 62) & 0x3 == 2 and value >> 122 == 0


def _squeezed(conversation_id: UUID) -> int:
    """A version 7 id without its fixed bits: 42 bits of time, 12 and 62 random ones."""
    value = conversation_id.int
    return (value >> 80) << 74 | ((value >> 64) & 0xFFF) << 62 | value & ((1 << 62) - 1)


def _unpacked(token: str) -> UUID | None:
    try:
        packed = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
    except binascii.Error:
        return None
    if len(packed) == 26:
        return UUID(bytes=packed[:16])
    squeezed = int.from_bytes(packed, "big") >> _COMPACT_MAC_BITS
    return UUID(int=(squeezed >> 74) << 80 | 7 << 76 | ((squeezed >> 62) & 0xFFF) << 64 | 2 << 62 | squeezed & ((1 << 62) - 1))
