"""Whether the sender's domain stands behind a mail, as our own border server judged it. Pure; never raises.

Source: RFC 8601 (Authentication-Results), RFC 7489 §3.1 (alignment).
Trust: only the topmost field whose authserv-id is ours. A sender can write such a field too; the border server adds its own above
all others, so anything below the topmost is ignored, whatever it claims.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from authres import AuthResError, FeatureContext, dmarc

from ingest.mail.headers import Headers, values_of

SenderVerdict = Literal["pass", "fail", "none"]

# The parser recurses with nested comments and copies the rest at each token; no border server writes more than this.
VALUE_CHARS_MAX = 4_000
_FEATURES = FeatureContext(dmarc)
_COMMENT = re.compile(r"\([^()]*\)")


def sender_verdict(headers: Headers, authserv_id: str, from_domain: str) -> SenderVerdict:
    """``pass``: DMARC passed for exactly this From domain, or an aligned DKIM or SPF did. ``fail``: DMARC failed, or without a DMARC
    result SPF failed hard and nothing aligned passed. ``none``: our server said nothing usable. Empty ``authserv_id``: ``none``.
    """
    ours, domain = authserv_id.strip().lower(), from_domain.strip().rstrip(".").lower()
    if not ours or not domain:
        return "none"
    for value in values_of(headers, "Authentication-Results"):
        if _identity(value) == ours:
            return _verdict(_results(value), domain)
    return "none"


def _identity(value: str) -> str:
    """The authserv-id of a field: the first token, comments aside."""
    plain = _COMMENT.sub(" ", value[:VALUE_CHARS_MAX]).split(";", 1)[0].split()
    return plain[0].strip('"').rstrip(".").lower() if plain else ""


def _results(value: str) -> list[Any]:
    if len(value) > VALUE_CHARS_MAX or value.count("(") > 100:
        return []
    try:
        parsed = _FEATURES.parse_value(value)
    except (AuthResError, RecursionError, ValueError):
        return []
    return list(parsed.results)


def _verdict(results: list[Any], domain: str) -> SenderVerdict:
    judged = [one for one in results if getattr(one, "method", "") == "dmarc"]
    for one in judged:
        named = _domain(_property(one, "header", "from"))
        if one.result == "fail":
            return "fail"
        if one.result == "pass":
            return "pass" if named in ("", domain) else "none"
    aligned = [one for one in results if getattr(one, "result", "") == "pass" and _is_aligned(one, domain)]
    if aligned:
        return "pass"
    hard = any(getattr(one, "method", "") == "spf" and one.result in ("fail", "hardfail") for one in results)
    return "fail" if hard and not judged else "none"


def _is_aligned(result: Any, domain: str) -> bool:
    """Relaxed alignment without a suffix list: the same domain, or one below the other."""
    proven = ""
    if result.method == "dkim":
        proven = _domain(_property(result, "header", "d") or _property(result, "header", "i"))
    elif result.method == "spf":
        proven = _domain(_property(result, "smtp", "mailfrom"))
    return "." in proven and (proven == domain or domain.endswith(f".{proven}") or proven.endswith(f".{domain}"))


def _property(result: Any, kind: str, name: str) -> str:
    for one in result.properties:
        if one.type == kind and one.name == name:
            return str(one.value or "")
    return ""


def _domain(value: str) -> str:
    return value.strip().strip('"<>').rpartition("@")[2].rstrip(".").lower()
