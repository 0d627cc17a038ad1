"""A host site's word on who a visitor is: one place that believes it or not.

A JWT signed by the site's server for one inbox: HS256 with the inbox's secret ``identity_secret`` (while it is replaced also
``identity_secret_previous``), or ES256 with a key whose public half stands in its setting ``identity_keys``, where ``kid`` chooses. ``sub``
or ``external_id`` is the customer's id, ``email``, ``phone``, ``name`` are optional, ``aud`` is the inbox's name, id or widget token.
**Units**: ``exp``, ``nbf``, ``iat`` in seconds since 1970, also with fractions. **Identity** of a customer: ``external_id``, to the letter:
one that is not in its handle's normal form, or that holds letters nobody sees, is refused, so that two ids never look or become alike.
Source: RFC 7519; RFC 8725 (a key has one algorithm, which is never taken from the token).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey
from joserfc.jws import extract_compact

from shared.errors import InputRejected, Unauthenticated
from shared.handle import normalized

IDENTITY_S_MAX: Final = 3600
LEEWAY_S: Final = 60
CLAIM_CHARS_MAX: Final = 512
CLAIMS: Final = ("external_id", "email", "phone", "name")
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_UNSEEN: Final = frozenset({"Cc", "Cf", "Zl", "Zp"})
_REMEDY: Final = "sign a fresh HS256 or ES256 token for this inbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityKey:
    """A key that may sign for the inbox, for its one algorithm. Without ``kid`` it is tried whatever a token names."""

    algorithm: str
    key: OctKey | ECKey = field(repr=False)
    kid: str | None = None


def identity_keys(settings: Mapping[str, Any], secrets: Mapping[str, str]) -> tuple[IdentityKey, ...]:
    """The keys of a webchat inbox, from what its adapter's schema has checked; none where it takes no identities."""
    shared = [secrets[name] for name in ("identity_secret", "identity_secret_previous") if secrets.get(name)]
    return (
        *(IdentityKey(algorithm="HS256", key=OctKey.import_key(secret)) for secret in shared),
        *(
            IdentityKey(algorithm="ES256", key=ECKey.import_key(one["public_key"]), kid=one["kid"])
            for one in settings.get("identity_keys", ())
        ),
    )


def claims_of(token: str, keys: Sequence[IdentityKey], audiences: Sequence[str], now: datetime) -> dict[str, str]:
    """Who a token names: ``external_id``, and what else of `CLAIMS` it says.

    Raises `Unauthenticated` for any that proves nothing. Of a bad signature it says no more than that.
    """
    if not keys:
        raise Unauthenticated("this inbox takes no identities", field="identity", remedy="set its secret identity_secret")
    try:
        claims = _signed(token, keys)
        jwt.JWTClaimsRegistry(
            now=int(now.timestamp()), leeway=LEEWAY_S, exp={"essential": True},
            aud={"essential": True, "values": list(audiences)},
        ).validate(claims)  # fmt: skip
    except (
        JoseError,
        ValueError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise Unauthenticated("the identity is not good", field="identity", remedy=_REMEDY) from error
    # Compared and never converted: a number of 400 digits is one too.
    if not claims["exp"] <= now.timestamp() + IDENTITY_S_MAX + LEEWAY_S:
        raise Unauthenticated("the identity lives too long", field="identity", remedy="exp at most an hour ahead")
    named = _named({**claims, "external_id": claims.get("external_id") or claims.get("sub")})
    if "external_id" not in named:
        raise Unauthenticated("the identity names nobody", field="identity", remedy="set sub to your customer's id")
    _require_plain("external_id" if claims.get("external_id") else "sub", named["external_id"])
    return named


def _signed(token: str, keys: Sequence[IdentityKey]) -> dict[str, Any]:
    """The claims of a token that one of the keys signed. Raises `ValueError` or `JoseError`."""
    if _COMPACT.fullmatch(token) is None:
        raise ValueError("no compact JWS")
    header = extract_compact(token.encode()).headers()
    algorithm, kid = header.get("alg"), header.get("kid")
    for one in keys:
        if one.algorithm != algorithm or (one.kid is not None and kid is not None and kid != one.kid):
            continue
        try:
            claims: dict[str, Any] = jwt.decode(token, one.key, algorithms=[one.algorithm]).claims
        except JoseError:
            continue
        return claims
    raise ValueError("none of the inbox's keys signed it")


def _require_plain(claim: str, value: str) -> None:
    """Refuses an id that is not its handle's to the letter. Whoever signs it says what it is; nothing is mended here."""
    try:
        normalized("external_id", value)
    except InputRejected as error:
        raise Unauthenticated(f"the identity's {claim} is {error.message}", field="identity", remedy=error.remedy) from error
    if any(unicodedata.category(letter) in _UNSEEN for letter in value):
        raise Unauthenticated(
            f"the identity's {claim} holds control or format characters", field="identity", remedy=f"sign a {claim} without them"
        )


def _named(claims: Mapping[str, Any]) -> dict[str, str]:
    """What the token says of its customer. Too long is refused, never cut: two ids that begin alike are two customers."""
    named = {}
    for name in CLAIMS:
        value = claims.get(name)
        if value is None or value == "":
            continue
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or len(text) > CLAIM_CHARS_MAX or _CONTROL.search(text):
            raise Unauthenticated(
                f"the identity's {name} is no text of at most {CLAIM_CHARS_MAX} characters",
                field="identity",
                remedy=f"shorten {name}",
            )
        named[name] = text
    return named
