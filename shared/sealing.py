"""Secrets at rest: AES-256-GCM under a key derived from the deployment's secret, with the key's id in front for rotation.

Format: 4 bytes key id, 12 bytes nonce, ciphertext with tag. Source: NIST SP 800-38D; RFC 5869 (HKDF).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.errors import InputRejected

_NONCE_BYTES = 12
_ID_BYTES = 4


class Sealer:
    """Seals with the first secret, opens with any of them."""

    def __init__(self, secret: bytes, *, earlier: Sequence[bytes] = ()) -> None:
        self._keys = {_id(one): AESGCM(_key(one)) for one in (secret, *earlier)}
        self._current = _id(secret)

    def seal(self, secrets: Mapping[str, str]) -> bytes | None:
        """The sealed form; None for none."""
        if not secrets:
            return None
        nonce = os.urandom(_NONCE_BYTES)
        return self._current + nonce + self._keys[self._current].encrypt(nonce, json.dumps(dict(secrets)).encode(), self._current)

    def open(self, sealed: bytes) -> dict[str, str]:
        """What was sealed. Raises `InputRejected` when it was sealed with a secret we do not have, or was changed."""
        key = self._keys.get(sealed[:_ID_BYTES])
        if key is None:
            raise InputRejected("sealed with another deployment's secret", field="secrets", remedy="set the secrets again")
        try:
            plain = key.decrypt(
                sealed[_ID_BYTES : _ID_BYTES + _NONCE_BYTES], sealed[_ID_BYTES + _NONCE_BYTES :], sealed[:_ID_BYTES]
            )
        except (InvalidTag, ValueError) as error:
            raise InputRejected("the sealed secrets were changed", field="secrets", remedy="set the secrets again") from error
        opened: dict[str, str] = json.loads(plain)
        return opened


def _key(secret: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"santral sealing").derive(secret)


def _id(secret: bytes) -> bytes:
    return hashlib.blake2b(secret, digest_size=_ID_BYTES, person=b"santral.key.id").digest()
