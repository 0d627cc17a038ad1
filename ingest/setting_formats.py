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
=============  =====================================================  =========================

Source: JSON Schema 2020-12, Validation §7 (``format`` is an assertion only where one says so). Other formats of the standard are checked as
the library does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker

from ingest.patterns import PATTERN_CHARS_MAX, is_pattern
from shared.errors import InputRejected
from shared.handle import normalized
from shared.telephone import is_region
from shared.time_zones import zone_of

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_HOST: Final = re.compile(r"[^\s/?#;,'\"<>\\@]+")


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
    """An origin as browsers send it, from however it is written; None where it is none."""
    parts = _address(text if "://" in text else f"https://{text}")
    if parts is None or parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment:
        return None
    return f"{parts.scheme}://{parts.netloc}".lower()


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
        is_pattern, "not a pattern that can be used",
        f"RE2's syntax, like [0-9]{{3,4}}, without look-around and back-references, at most {PATTERN_CHARS_MAX} characters",
    ),
    "time-zone": _Format(lambda text: zone_of(text) is not None, "no such time zone", "like Europe/Istanbul"),
    "uri": _Format(is_address, "not an http or https address", "like https://www.ornek.com/path"),
    "origin": _Format(lambda text: origin_of(text) is not None, "not a site's origin", "like https://www.ornek.com, without a path"),
    "region": _Format(is_region, "no country with telephone numbers", "its two letters, like TR"),
    "language": _Format(lambda text: _LANGUAGE.fullmatch(text) is not None, "not a language", "its two letters, like tr"),
    "idn-email": _Format(is_mail_address, "not a mail address", "like destek@ornek.com"),
}  # fmt: skip
_WORKSPACE: Final[Mapping[str, Any]] = {
    "properties": {
        "time_zone": {"format": "time-zone"},
        "languages": {"items": {"format": "language"}},
    }
}


def wrong_in(schema: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[Wrong]:
    """Everything that is wrong in settings, by their schema with its formats."""
    for error in Draft202012Validator(schema, format_checker=_CHECKER).iter_errors(dict(settings)):
        known = FORMATS.get(error.validator_value) if error.validator == "format" else None
        where = ".".join(str(part) for part in error.absolute_path)
        yield Wrong(where, known.message, known.remedy) if known else Wrong(where, error.message[:300], "")


def wrong_in_workspace(settings: Mapping[str, Any]) -> Iterator[Wrong]:
    """What is wrong in a workspace's settings beyond their types: its time zone, languages and own addresses."""
    yield from wrong_in(_WORKSPACE, {name: settings[name] for name in _WORKSPACE["properties"] if name in settings})
    region = settings.get("region")
    for place, address in enumerate(settings.get("own_addresses") or ()):
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


def _checker() -> FormatChecker:
    checker = FormatChecker()
    for name, one in FORMATS.items():
        checker.checks(name)(lambda value, takes=one.takes: not isinstance(value, str) or takes(value))
    return checker


_CHECKER: Final = _checker()
