"""DKIM signatures and the ARC chain of a mail: whose key signed it as it came.

Source: RFC 6376, RFC 8301 (no SHA-1, RSA from 1024 bits), RFC 8617. Verified by dkimpy; what it does not ask is asked here: From has to be
signed and all of the body, a key has an upper size.
Units: at most 5 signatures and 10 seals of a mail are looked at (fewer seals of a large one), keys up to 4096 bits, mails up to 10 MB. What
is more does not count, nor does what signs a mail with blanks in rows so long that a stranger would keep a process busy with them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import dkim
from dkim.util import parse_tag_value

from ingest.border.names import Names, NamesUnavailable
from ingest.mail.headers import split_block
from shared.mailbox import a_labels

MAIL_BYTES_MAX: Final = 10_000_000
SIGNATURES_MAX: Final = 5
SEALS_MAX: Final = 10
CHAIN_BYTES_MAX: Final = 20_000_000  # of a mail for each of its seals, as each is over all of it
_CLAIMS_MAX: Final = 100  # of which it is read in whose name they are
KEY_BITS: Final = range(1024, 4096 + 1)
_BLANKS: Final = re.compile(rb"(?<![ \t])[ \t]{500,}")
_BLANKS_COST_MAX: Final = 10**8
"""The squares of the lengths of long runs of blanks together: the library takes 3 ns for each when it makes a body's lines shorter."""
_KEY_RECORD_BYTES_MAX: Final = 1_024  # a key of 4096 bits has 736
_KEYS: Final = {b"rsa-sha256": b"rsa", b"ed25519-sha256": b"ed25519"}
"""Algorithms that are believed, and the kind of key each is made with (RFC 8301, RFC 8463)."""
_UNREADABLE: Final = (dkim.DKIMException, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_silent: Final = logging.getLogger("santral.dkim")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """``result`` as RFC 8601 §2.7.1 names it; ``domain`` in A-labels. ``open``: somebody who can do more might find it good."""

    result: str
    domain: str
    open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """``result`` of the whole chain; who says they sealed it, and whose key could not be asked, A-labels; and what the first of the sealers
    found, as it stands in its field.
    """

    result: str
    sealers: frozenset[str] = frozenset()
    unasked: frozenset[str] = frozenset()
    first_results: str = ""


class Signatures:
    """The signatures of one mail, looked at in parts. Nothing here raises."""

    def __init__(self, content: bytes) -> None:
        self._is_large = len(content) > MAIL_BYTES_MAX
        self._is_costly = not self._is_large and is_costly(content)
        if self._is_large:
            content = content[: split_block(content, 0, len(content))[1]]
        try:
            self._mail = dkim.DKIM(content, logger=_silent, minkey=KEY_BITS.start)
            count = sum(name.lower() == b"dkim-signature" for name, _ in self._mail.headers)
        except _UNREADABLE:
            count = 0  # the library cannot read the header: nothing in it is signed as it stands
        self._places = list(range(min(count, _CLAIMS_MAX)))
        self._left = SIGNATURES_MAX

    def of(self, names: Names, whose: Callable[[str], bool]) -> list[Signature]:
        """Those in the name of a domain that ``whose`` takes, from the top, as many as are still looked at."""
        found = []
        for place in self._places:
            domain, tags, signed = self._claim(place)
            if domain and self._left and whose(domain):
                self._left -= 1
                found.append(self._signature(place, domain, tags, signed, names))
        return found

    def _claim(self, place: int) -> tuple[str, Mapping[bytes, bytes], Sequence[bytes]]:
        """In whose name a signature says to be, what else it says, and the fields it is over; of nobody where it cannot be read."""
        try:
            tags, signed, _ = self._mail.verify_headerprep(place)
        except _UNREADABLE:
            return "", {}, ()
        return a_labels(tags[b"d"].decode("utf-8", "replace")), tags, signed

    def _signature(self, place: int, domain: str, tags: Mapping[bytes, bytes], signed: Sequence[bytes], names: Names) -> Signature:
        kind = _KEYS.get(tags[b"a"].lower())
        if kind is None or b"l" in tags or b"from" not in signed or self._is_costly:
            return Signature(result="policy", domain=domain)
        if self._is_large:
            return Signature(result="neutral", domain=domain, open=True)
        keys = _Keys(names)
        try:
            verified = self._mail.verify(place, dnsfunc=keys) and self._mail.ktag == kind
            verified = verified and (kind != b"rsa" or self._mail.keysize in KEY_BITS)
        except _UNREADABLE:
            verified = False
        if keys.failed:
            return Signature(result="temperror", domain=domain, open=True)
        if verified:
            return Signature(result="pass", domain=domain)
        return Signature(result="fail" if keys.found else "permerror", domain=domain)


def is_costly(content: bytes) -> bool:
    """Whether its rows of blanks would take seconds to be made shorter."""
    return sum(len(run) ** 2 for run in _BLANKS.findall(content)) > _BLANKS_COST_MAX


def chain(content: bytes, names: Names) -> Chain | None:
    """What the ARC chain is worth, None without one or where it is too long to be looked at. Never raises."""
    if len(content) > MAIL_BYTES_MAX or is_costly(content):
        return None
    keys = _Keys(names)
    try:
        mail = dkim.ARC(content, logger=_silent, minkey=KEY_BITS.start)
        seals = [value for name, value in mail.headers if name.lower() == b"arc-seal"]
        if not 0 < len(seals) <= SEALS_MAX or len(seals) * len(content) > CHAIN_BYTES_MAX:
            return None
        sealers = frozenset(a_labels(parse_tag_value(one)[b"d"].decode("utf-8", "replace")) for one in seals)
        validity, links, _ = mail.verify(dnsfunc=keys)
        if validity != dkim.CV_Pass or not all(
            _signs_all(value) for name, value in mail.headers if name.lower() == _MESSAGE_SIGNATURE
        ):
            return Chain(result="temperror" if keys.failed else "fail", sealers=sealers, unasked=frozenset(keys.unasked))
    except _UNREADABLE:
        return Chain(result="fail")
    first = links[-1]["aar-value"].decode("utf-8", "replace")
    return Chain(result="pass", sealers=sealers, first_results=first.partition(";")[2].strip())


_MESSAGE_SIGNATURE: Final = b"arc-message-signature"


def _signs_all(value: bytes) -> bool:
    tags = parse_tag_value(value)
    return b"l" not in tags and b"from" in [name.strip().lower() for name in tags.get(b"h", b"").split(b":")]


class _Keys:
    """Key records for dkimpy. ``unasked``: whose could not be asked; ``found``: the last one is there, and no larger than it may be."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self.unasked: set[str] = set()
        self.found = False

    @property
    def failed(self) -> bool:
        return bool(self.unasked)

    def __call__(self, name: bytes, timeout: float = 0) -> bytes | None:
        self.found = False
        asked = name.decode("ascii", "replace")
        try:
            texts = self._names.texts(asked)
        except NamesUnavailable:
            self.unasked.add(a_labels(asked.rpartition("._domainkey.")[2]))
            return None
        if len(texts) != 1 or len(texts[0]) > _KEY_RECORD_BYTES_MAX:
            return None
        self.found = True
        return texts[0]
