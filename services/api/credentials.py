"""Tokens: ``santral_<kind>_<8 id>_<43 secret><6 check>``. The database holds the id and a SHA-256 of the secret, never the token.

The check is a CRC-32 over all before it, so that secret scanners and typos are told apart from guesses without asking the database.
256 random bits need no slow hash. Kinds: ``live`` (API key), ``agent``, ``visitor``, ``code`` (a page's first, good once).
"""

from __future__ import annotations

import hashlib
import secrets
import zlib
from dataclasses import dataclass
from typing import Final, Literal

from shared.errors import Unauthenticated
from shared.text import same_secret

Kind = Literal["live", "agent", "visitor", "code"]
KINDS: Final = frozenset({"live", "agent", "visitor", "code"})
_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_CHARS: Final = 8
_SECRET_CHARS: Final = 43
_CHECK_CHARS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token and what is stored of it."""

    kind: Kind
    public_id: str
    secret_hash: bytes
    text: str


def new_token(kind: Kind) -> Token:
    """A fresh token; ``text`` is shown once."""
    public_id = "".join(secrets.choice(_LETTERS) for _ in range(_ID_CHARS))
    secret = "".join(secrets.choice(_LETTERS) for _ in range(_SECRET_CHARS))
    body = f"santral_{kind}_{public_id}_{secret}"
    return Token(kind=kind, public_id=public_id, secret_hash=_hashed(secret), text=body + _check(body))


def read_token(text: str) -> Token:
    """The parts of a token. Raises `Unauthenticated` when it cannot be one of ours."""
    parts = text.strip().split("_")
    if not text.isascii() or len(parts) != 4 or parts[0] != "santral" or parts[1] not in KINDS:
        raise Unauthenticated("not one of our tokens", field="Authorization", remedy="Bearer santral_…")
    kind, public_id, rest = parts[1], parts[2], parts[3]
    body = f"santral_{kind}_{public_id}_{rest[:-_CHECK_CHARS]}"
    if len(rest) != _SECRET_CHARS + _CHECK_CHARS or not same_secret(rest[-_CHECK_CHARS:], _check(body)):
        raise Unauthenticated("the token is cut or mistyped", field="Authorization", remedy="copy it whole")
    return Token(kind=kind, public_id=public_id, secret_hash=_hashed(rest[:-_CHECK_CHARS]), text=text.strip())  # type: ignore[arg-type]


def _hashed(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _check(body: str) -> str:
    number, letters = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK_CHARS):
        number, digit = divmod(number, len(_LETTERS))
        letters += _LETTERS[digit]
    return letters
