"""The formats of settings: what a schema's ``format`` means here, and what is wrong with settings by their schema. Pure.

=============  =====================================================  =========================
format         what it takes                                          read by
=============  =====================================================  =========================
``regex``      a pattern that RE2 takes                               `ingest/patterns.py`
``time-zone``  a name of the IANA database                            `shared/time_zones.py`
``uri``        an http or https address                               the courier
``origin``     a host, or an http or https origin, without path       the chat's browsers
``region``     a country whose telephone numbers can be read          `shared/telephone.py`
``language``   a language's letters, maybe with a region              the router's signals
``idn-email``  a mail address, also with letters outside ASCII        `shared/handle.py`
``es256-key``  the public half of an elliptic key of P-256, as PEM    the chat's identities
=============  =====================================================  =========================

Source: JSON Schema 2020-12, Validation §7 (``format`` is an assertion only where one says so). Other formats of the standard are checked as
the library does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ingest.patterns import PATTERN_CHARS_MAX, may_be_saved
from shared.errors import InputRejected
from shared.handle import normalized
from shared.mailbox import a_labels
from shared.telephone import is_region
from shared.time_zones import zone_of

if TYPE_CHECKING:
    from jsonschema import ValidationError

VOUCHES: Final = "x-santral-vouches"
"""Marks, in an adapter's schema, a setting by which senders are believed to be whom they say; who sets it vouches for them."""
LISTED_MAX: Final = 1000
"""Of what a setting lists: every process that knows an inbox keeps its lists."""
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"[^\s/?#;,'\"<>\\@]+")


def addresses_in(schema: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The addresses that settings hold by their schema: name and value."""
    for name, rule in schema.get("properties", {}).items():
        if rule.get("format") == "uri" and isinstance(settings.get(name), str):
            yield name, settings[name]


class Wrong(NamedTuple):
    """What is wrong at one place of settings: ``field`` below them, like ``origins.1``; empty for the whole."""

    field: str
    message: str
    remedy: str


class _Format(NamedTuple):
    takes: Callable[[str], bool]
    message: str
    remedy: str


def origin_of(text: str) -> str | None:
    """An origin as browsers send it, from however it is written; None where it is none.

    Browsers write international names in their ASCII form (UTS 46), and leave out the port that is the scheme's own.
    """
    parts = _address(text if "://" in text else f"https://{text}")
    if parts is None or parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment:
        return None
    host = parts.hostname if parts.hostname.isascii() else a_labels(parts.hostname)
    if not host:
        return None
    shown = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, _PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{shown}{port}"


def is_es256_key(text: str) -> bool:
    """Whether it is a public key that ES256 can be checked with, and no private one."""
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        return False
    return isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)


def is_address(text: str) -> bool:
    """Whether it is an absolute http or https address."""
    return _address(text) is not None


def is_mail_address(text: str) -> bool:
    """Whether mail can be written to it."""
    try:
        normalized("email", text)
    except InputRejected:
        return False
    return True


FORMATS: Final[Mapping[str, _Format]] = {
    "regex": _Format(
        may_be_saved, "not a pattern that can be used",
        f"RE2's syntax, like [0-9]{{3,4}}, without look-around and back-references, at most {PATTERN_CHARS_MAX} characters, small counts",
    ),
    "time-zone": _Format(lambda text: zone_of(text) is not None, "no such time zone", "like Europe/Istanbul"),
    "uri": _Format(is_address, "not an http or https address", "like https://www.ornek.com/path"),
    "origin": _Format(lambda text: origin_of(text) is not None, "not a site's origin", "like https://www.ornek.com, without a path"),
    "region": _Format(is_region, "no country with telephone numbers", "its two letters, like TR"),
    "language": _Format(lambda text: _LANGUAGE.fullmatch(text) is not None, "not a language", "its two letters, like tr"),
    "idn-email": _Format(is_mail_address, "not a mail address", "like destek@ornek.com"),
    "es256-key": _Format(is_es256_key, "not a public key of P-256", "its PEM: -----BEGIN PUBLIC KEY----- …"),
}  # fmt: skip
_WORKSPACE: Final[Mapping[str, Any]] = {
    "properties": {
        "time_zone": {"format": "time-zone"},
        "languages": {"items": {"format": "language"}},
    }
}


def load_formats() -> None:
    """Loads what `wrong_in` needs: seconds of work the first time, so not within a transaction, and beside an event loop."""
    _validator()


def wrong_in(schema: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[Wrong]:
    """Everything that is wrong in settings, by their schema with its formats."""
    for error in _validator()(schema, dict(settings)):
        known = FORMATS.get(str(error.validator_value)) if error.validator == "format" else None
        where = ".".join(str(part) for part in error.absolute_path)
        yield Wrong(where, known.message, known.remedy) if known else Wrong(where, error.message[:300], "")


def wrong_in_workspace(settings: Mapping[str, Any]) -> Iterator[Wrong]:
    """What is wrong in a workspace's settings beyond their types: its time zone, languages and own addresses."""
    yield from wrong_in(_WORKSPACE, {name: settings[name] for name in _WORKSPACE["properties"] if name in settings})
    region, own = settings.get("region"), settings.get("own_addresses") or ()
    if len(own) > LISTED_MAX:
        yield Wrong("own_addresses", f"more than {LISTED_MAX}", "list those at which somebody may write to you")
        return
    for place, address in enumerate(own):
        try:
            normalized("email" if "@" in address else "phone", address, region=region)
        except InputRejected as error:
            yield Wrong(f"own_addresses.{place}", error.message, "like destek@ornek.com or +902125550000")


def _address(text: str) -> Any:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    is_one = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc.rpartition("@")[2]) and parts.hostname
    return parts if is_one and not re.search(r"\s", text) and port != 0 else None


@lru_cache(maxsize=1)
def _validator() -> Callable[[Mapping[str, Any], dict[str, Any]], Iterator[ValidationError]]:
    # Imported when something is saved: it takes every process two seconds where all formats of the standard are installed, and most save nothing.
    from jsonschema import Draft202012Validator, FormatChecker

    checker = FormatChecker()
    for name, one in FORMATS.items():
        checker.checks(name)(lambda value, takes=one.takes: not isinstance(value, str) or takes(value))
    return lambda schema, settings: Draft202012Validator(schema, format_checker=checker).iter_errors(settings)
