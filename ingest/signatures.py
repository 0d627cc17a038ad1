"""Signatures over raw bytes, compared in constant time. Each function raises `Unauthenticated` and says what was missing.

Source: Meta, "Graph API webhooks: validating payloads"; RFC 2104.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from shared.errors import Unauthenticated

TOLERANCE_S: Final = 300


def verify_meta(body: bytes, header: str | None, app_secret: str) -> None:
    """``X-Hub-Signature-256: sha256=<hex HMAC-SHA256(app secret, raw body)>``; no timestamp, redelivery meets the receipt."""
    scheme, _, given = (header or "").partition("=")
    if scheme != "sha256" or not given:
        raise Unauthenticated("no signature", field="X-Hub-Signature-256", remedy="sha256=<hex digest>")
    expected = hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, given.strip().lower()):
        raise Unauthenticated("the signature does not match the body", field="X-Hub-Signature-256", remedy="check the app secret")


def verify_timed(body: bytes, *, timestamp: str | None, token: str | None, signature: str | None, secret: str, now_s: float) -> str:
    """The generic inbox's scheme: hex HMAC-SHA256 of ``timestamp.token.body``, five minutes tolerance, token good once.

    Returns the token; the caller remembers it with the digest of the body after the message is durable.
    """
    if not timestamp or not token or not signature:
        raise Unauthenticated("no signature", field="Santral-Signature", remedy="send Santral-Timestamp, -Token and -Signature")
    try:
        age_s = abs(now_s - float(timestamp))
    except ValueError as error:
        raise Unauthenticated("not a number of seconds", field="Santral-Timestamp", remedy="Unix time") from error
    if age_s > TOLERANCE_S:
        raise Unauthenticated("signed too long ago", field="Santral-Timestamp", remedy=f"within {TOLERANCE_S} s; check the clock")
    expected = hmac.new(secret.encode(), f"{timestamp}.{token}.".encode() + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, signature.strip().lower().removeprefix("sha256=")):
        raise Unauthenticated("the signature does not match", field="Santral-Signature", remedy="check the inbox's signing secret")
    return token


def verify_bearer(header: str | None, secret: str, *, field: str = "Authorization") -> None:
    """A shared secret in ``Authorization: Bearer …``, for providers on our own network (a PBX, a mail server's hook)."""
    scheme, _, given = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), secret.encode()):
        raise Unauthenticated("wrong or missing secret", field=field, remedy="Bearer <the inbox's secret>")
