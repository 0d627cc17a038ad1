"""Signatures over raw bytes, compared in constant time. Each function raises `Unauthenticated` and says what was missing.

Nothing is ever good for an empty secret: an inbox without one takes no signed posts.
Source: Meta, "Graph API webhooks: validating payloads"; RFC 2104; Standard Webhooks 1.0 (headers, ``whsec_`` secrets, tolerance).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final

from shared.errors import Unauthenticated
from shared.text import same_secret

TOLERANCE_S: Final = 300
WHSEC: Final = "whsec_"
_SECONDS: Final = re.compile(r"[0-9]{1,12}")
_OLD_SECONDS: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
_TOKEN_CHARS_MAX: Final = 256
_SET_IT: Final = "set it at the inbox"


def verify_meta(body: bytes, header: str | None, app_secret: str) -> None:
    """``X-Hub-Signature-256: sha256=<hex HMAC-SHA256(app secret, raw body)>``; no timestamp, redelivery meets the receipt."""
    _require(app_secret, "app_secret")
    scheme, _, given = (header or "").partition("=")
    if scheme != "sha256" or not given:
        raise Unauthenticated("no signature", field="X-Hub-Signature-256", remedy="sha256=<hex digest>")
    expected = hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()
    if not same_secret(expected, given.strip().lower()):
        raise Unauthenticated("the signature does not match the body", field="X-Hub-Signature-256", remedy="check the app secret")


def verify_post(body: bytes, headers: Mapping[str, str], secret: str, *, now_s: float, first_scheme: bool) -> str:
    """A post signed by one of three schemes; the one-time token that its caller remembers once the message is durable.

    Standard Webhooks (``webhook-id``, ``-timestamp``, ``-signature``), else our own second one (``Santral-Signature: v2=<hex>`` over
    `signed_bytes`), else, where ``first_scheme`` is still taken, hex over ``timestamp.token.body``, whose dots may be put elsewhere.
    """
    _require(secret, "signing_secret")
    if "webhook-signature" in headers:
        return _standard(body, headers, secret, now_s=now_s)
    timestamp, token = headers.get("santral-timestamp", ""), headers.get("santral-token", "")
    given = headers.get("santral-signature", "").strip()
    if not timestamp or not token or not given:
        raise Unauthenticated("no signature", field="Santral-Signature", remedy="send Santral-Timestamp, -Token and -Signature")
    second = given.startswith("v2=")
    _require_fresh(timestamp, now_s, field="Santral-Timestamp", form=_SECONDS if second else _OLD_SECONDS)
    _require_token(token, field="Santral-Token")
    if second:
        signed, given = signed_bytes(timestamp, token, body), given.removeprefix("v2=")
    elif first_scheme:
        signed, given = f"{timestamp}.{token}.".encode() + body, given.removeprefix("sha256=")
    else:
        raise Unauthenticated(
            "this scheme is not taken any more", field="Santral-Signature", remedy="sign as v2=, or by Standard Webhooks"
        )
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    if not same_secret(expected, given.lower()):
        raise Unauthenticated("the signature does not match", field="Santral-Signature", remedy="check the inbox's signing secret")
    return token


def is_first_scheme(headers: Mapping[str, str]) -> bool:
    """Whether a post that verified was signed by the first scheme."""
    return "webhook-signature" not in headers and not headers.get("santral-signature", "").strip().startswith("v2=")


def signed_bytes(timestamp: str, token: str, body: bytes) -> bytes:
    """What the second scheme signs: each part behind its length in bytes, so that nothing can move from one into the next."""
    parts = (timestamp.encode(), token.encode(), body)
    return b"".join(b"%d:%b," % (len(part), part) for part in parts)


def _standard(body: bytes, headers: Mapping[str, str], secret: str, *, now_s: float) -> str:
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    _require_fresh(timestamp, now_s, field="webhook-timestamp", form=_SECONDS)
    _require_token(message_id, field="webhook-id")
    if "." in message_id:
        raise Unauthenticated("an id has no dots", field="webhook-id", remedy="letters, digits, - and _")
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = base64.b64encode(hmac.new(_standard_key(secret), signed, hashlib.sha256).digest()).decode()
    given = [one.partition(",") for one in headers["webhook-signature"].split(" ")]
    if not any(version == "v1" and same_secret(expected, signature) for version, _, signature in given):
        raise Unauthenticated("the signature does not match", field="webhook-signature", remedy="check the inbox's signing secret")
    return message_id


def _standard_key(secret: str) -> bytes:
    if not secret.startswith(WHSEC):
        return secret.encode()
    try:
        key = base64.b64decode(secret.removeprefix(WHSEC), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unauthenticated("the inbox's secret is no base64 after whsec_", field="signing_secret", remedy=_SET_IT) from error
    if not key:
        raise Unauthenticated("the inbox's secret is empty after whsec_", field="signing_secret", remedy=_SET_IT)
    return key


def verify_bearer(header: str | None, secret: str, *, field: str = "Authorization") -> None:
    """A shared secret in ``Authorization: Bearer …``, for providers on our own network (a PBX, a mail server's hook)."""
    _require(secret, "post_secret")
    scheme, _, given = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not same_secret(given.strip(), secret):
        raise Unauthenticated("wrong or missing secret", field=field, remedy="Bearer <the inbox's secret>")


def _require(secret: str, name: str) -> None:
    if not secret.strip():
        raise Unauthenticated("the inbox has no secret, so nothing can prove anything", field=name, remedy=_SET_IT)


def _require_fresh(timestamp: str, now_s: float, *, field: str, form: re.Pattern[str]) -> None:
    if not timestamp.isascii() or not form.fullmatch(timestamp):
        raise Unauthenticated("not a number of seconds", field=field, remedy="Unix time")
    if abs(now_s - float(timestamp)) > TOLERANCE_S:
        raise Unauthenticated("signed too long ago", field=field, remedy=f"within {TOLERANCE_S} s; check the clock")


def _require_token(token: str, *, field: str) -> None:
    if len(token) > _TOKEN_CHARS_MAX or not token.isascii() or not token.isprintable():
        raise Unauthenticated("not a token", field=field, remedy=f"at most {_TOKEN_CHARS_MAX} printable ASCII characters")
