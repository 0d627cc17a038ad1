"""One-time signature tokens: the same token with the same body is a redelivery, with another body or at another inbox it is an attack.

A token is remembered only after its message is durable, so a redelivery after a failed publish is accepted. Tokens live twice
the signature's tolerance, as long as one could be good again; each that is remembered takes some away whose time is over. With the
database down the signed timestamp bounds a replay, and the receipt drops its message.

**Identity**: the secret (by the workspace's first target that has it) and the token. **Units**: seconds.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

import structlog

from ingest.adapter import Target
from ingest.signatures import TOLERANCE_S
from shared.database import Database
from shared.errors import Unauthenticated, Unavailable

log = structlog.get_logger(__name__)
KEPT_S: Final = 2 * TOLERANCE_S
FORGOTTEN_AT_ONCE: Final = 20
_REMEMBER: Final = """
insert into santral.signature_use (workspace_id, connection_or_inbox_id, token, body_digest) values ($1, $2, $3, $4) on conflict do nothing
"""
_FORGET: Final = """
delete from santral.signature_use where (workspace_id, connection_or_inbox_id, token) in (
    select workspace_id, connection_or_inbox_id, token from santral.signature_use where used_at < now() - $1 * interval '1 s'
    order by used_at limit $2 for update skip locked)
"""


class ReplayGuard:
    """Tokens seen, in table ``signature_use``."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def check(self, target: Target, token: str | None, body: bytes) -> None:
        """Raises `Unauthenticated` when the token was good for another body, or at another inbox of the same secret."""
        if token is None:
            return
        try:
            async with self._db.session() as connection:
                known = await connection.fetchval(
                    "select body_digest from santral.signature_use"
                    " where workspace_id = $1 and connection_or_inbox_id = $2 and token = $3",
                    target.workspace_id, target.signed_as or target.id, token,
                )  # fmt: skip
        except Unavailable:
            log.warning("a signature token could not be looked up", action="replay_unchecked", target=str(target.id))
            return
        if known is not None and not hmac.compare_digest(known, _digest(target, body)):
            raise Unauthenticated(
                "this token signed another body, or was used at another inbox",
                field="signature",
                remedy="sign each post with a new token",
            )

    async def remember(self, target: Target, token: str | None, body: bytes) -> None:
        """Keeps the token with the digest of its body; calling it again changes nothing."""
        if token is None:
            return
        try:
            async with self._db.session() as connection:
                await connection.execute(
                    _REMEMBER, target.workspace_id, target.signed_as or target.id, token, _digest(target, body)
                )
                await connection.execute(_FORGET, KEPT_S, FORGOTTEN_AT_ONCE)
        except Unavailable:
            log.warning("a signature token could not be remembered", action="replay_unchecked", target=str(target.id))


def _digest(target: Target, body: bytes) -> bytes:
    """What the token was used for; at the first of its secret as releases before kept it, which knew no others."""
    salt = b"" if target.signed_as in (None, target.id) else target.id.bytes
    return hashlib.blake2b(body, digest_size=16, salt=salt).digest()
