"""Mails with real signatures of domains whose keys a played name server has."""

from __future__ import annotations

from base64 import b64decode, b64encode
from functools import cache
from typing import Final

import dkim
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

BODY: Final = b"Merhaba, siparisim nerede?\r\n"
ELLIPTIC: Final = b64encode(bytes(range(32)))
HEADERS: Final = ("from", "to", "subject", "date")


@cache
def _key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def _pem(bits: int) -> bytes:
    return _key(bits).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def key_record(bits: int = 2048) -> str:
    """What stands under ``selector._domainkey``."""
    pem = _key(bits).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return "v=DKIM1; k=rsa; p=" + "".join(pem.splitlines()[1:-1])


def elliptic_record() -> str:
    """The record of the Ed25519 key, which mails of that algorithm are signed with."""
    public = Ed25519PrivateKey.from_private_bytes(b64decode(ELLIPTIC)).public_key()
    return "v=DKIM1; k=ed25519; p=" + b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def mail(author: str = "Ayse <ayse@ornek.com>", *, extra: bytes = b"", body: bytes = BODY) -> bytes:
    """An ordinary mail; ``extra`` are whole fields that stand on top."""
    fields = f"From: {author}\r\nTo: destek@biz.example\r\nSubject: siparis\r\nDate: Mon, 23 Nov 2026 10:00:00 +0300\r\n"
    return extra + fields.encode() + b"\r\n" + body


def signed(
    content: bytes,
    domain: str,
    *,
    bits: int = 2048,
    headers: tuple[str, ...] = HEADERS,
    length: bool = False,
    algorithm: str = "rsa-sha256",
) -> bytes:
    """The mail with a signature of the domain on top."""
    pem = ELLIPTIC if algorithm == "ed25519-sha256" else _pem(bits)
    signature: bytes = dkim.sign(
        content, b"s1", domain.encode(), pem, include_headers=[one.encode() for one in headers], length=length,
        signature_algorithm=algorithm.encode(),
    )  # fmt: skip
    return signature + content


def junk(domain: str, selector: str = "s1", algorithm: str = "rsa-sha256") -> bytes:
    """A signature in the name of a domain that nobody made with its key."""
    return f"DKIM-Signature: v=1; a={algorithm}; d={domain}; s={selector}; h=from; bh=AAAA; b=AAAA\r\n".encode()


def sealed(content: bytes, domain: str, results: str) -> bytes:
    """The mail with an ARC set of the domain on top that says what it found."""
    field = f"Authentication-Results: mx.{domain}; {results}\r\n".encode()
    lines: list[bytes] = dkim.arc_sign(
        field + content,
        b"s1",
        domain.encode(),
        _pem(2048),
        f"mx.{domain}".encode(),
        include_headers=[one.encode() for one in HEADERS],
    )
    return b"".join(lines) + content
