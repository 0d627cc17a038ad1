"""Whether the sender's domain stands behind a mail, as our own border server judged it. Pure; never raises.

Source: RFC 8601 (Authentication-Results), RFC 7489 §3.1 (alignment), RFC 5891 and UTS 46 (domains as A-labels).
Trust: only the topmost field whose authserv-id is ours. A sender can write such a field too; the border server adds its own above
all others, so anything below the topmost is ignored, whatever it claims. Where results contradict each other, the worst counts.
Identity: two domains are one when their A-labels are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import idna

from ingest.mail.authentication_results import Result, read_results
from ingest.mail.headers import Headers, values_of
from shared.mailbox import DOMAIN_CHARS_MAX, a_labels

SenderVerdict = Literal["pass", "fail", "none"]


def sender_verdict(headers: Headers, authserv_id: str, from_domain: str) -> SenderVerdict:
    """``pass``: DMARC passed for exactly this From domain, or an aligned DKIM or SPF did. ``fail``: DMARC failed, or without a DMARC
    result SPF failed hard and nothing aligned passed. ``none``: our server said nothing usable. Empty ``authserv_id``: ``none``.
    """
    ours, domain = a_labels(authserv_id) or _plain(authserv_id), a_labels(from_domain)
    if not ours or not domain:
        return "none"
    for value in values_of(headers, "Authentication-Results"):
        field = read_results(value)
        if _server(field.authserv_id) == ours:
            return _verdict(field.results, domain)
    return "none"


def _verdict(results: Sequence[Result], domain: str) -> SenderVerdict:
    judged = [one for one in results if one.method == "dmarc"]
    if any(one.result == "fail" for one in judged):
        return "fail"
    named = {_domain(one.value("header.from")) for one in judged if one.result == "pass" and one.value("header.from")}
    if named - {domain}:
        return "none"
    if any(one.result == "pass" and one.sound and _domain(one.value("header.from")) == domain for one in judged):
        return "pass"
    if _has_aligned(results, domain):
        return "pass"
    hard = any(one.method == "spf" and one.result in ("fail", "hardfail") for one in results)
    return "fail" if hard and not judged else "none"


def _has_aligned(results: Sequence[Result], domain: str) -> bool:
    """One aligned DKIM signature is enough; SPF has to pass in everything that it says of the envelope's sender."""
    signed = [one for one in results if one.method == "dkim" and one.result == "pass" and one.sound]
    if any(_is_aligned(one.value(_signer(one)), domain) for one in signed):
        return True
    enveloped = [one for one in results if one.method == "spf" and not _is_of_helo(one)]
    return all(one.result == "pass" and one.sound for one in enveloped) and any(
        _is_aligned(one.value("smtp.mailfrom"), domain) for one in enveloped
    )


def _signer(result: Result) -> str:
    return "header.d" if any(name == "header.d" for name, _ in result.properties) else "header.i"


def _is_of_helo(result: Result) -> bool:
    names = {name for name, _ in result.properties}
    return "smtp.helo" in names and "smtp.mailfrom" not in names


def _is_aligned(value: str, domain: str) -> bool:
    """Relaxed alignment without a suffix list: the same domain, or one below the other."""
    proven = _domain(value)
    return "." in proven and (proven == domain or domain.endswith(f".{proven}") or proven.endswith(f".{domain}"))


def _domain(value: str) -> str:
    return a_labels(value.strip("<>").rpartition("@")[2])


# --- domains as A-labels -------------------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    return text.strip().rstrip(".").lower()


def _server(authserv_id: str) -> str:
    """A field's id as A-labels, without mapping: a border removes forged fields by its id, not by all that are mapped to it."""
    plain = _plain(authserv_id)
    if plain.isascii() or len(plain) > DOMAIN_CHARS_MAX:
        return plain
    try:
        encoded = idna.encode(plain).decode("ascii")
    except UnicodeError:
        return ""
    return encoded if encoded.count(".") == plain.count(".") else ""  # other dots are mapped all the same
