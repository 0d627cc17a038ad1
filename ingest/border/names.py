"""What DNS says, within a time limit: one name server, answers kept for their time to live.

Source: RFC 1035, RFC 2308 (a name that is not there is kept too). The resolver (dnspython) follows CNAMEs and asks by TCP what UDP cuts.
Units: seconds. An answer is kept an hour at most, and 2,000 of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import dns.exception
import dns.name
import dns.resolver

_KEPT_MAX: Final = 2_000
_KEPT_S: Final = 3600.0
_TRY_S: Final = 1.5


class NamesUnavailable(Exception):
    """DNS did not answer, or not in time: nothing is known, least of all that something is not there."""


class _Kept(dns.resolver.LRUCache):
    def put(self, key: Any, value: dns.resolver.Answer) -> None:
        value.expiration = min(value.expiration, time.time() + _KEPT_S)
        super().put(key, value)


class Names:
    """Questions to one name server, None: the system's. `begin` says how long all questions from now on may take together;
    none takes more than half of what is left, so one that is not answered leaves time for others.

    Raises `NamesUnavailable` when the system names no server.
    """

    def __init__(self, nameserver: tuple[str, int] | None) -> None:
        try:
            self._resolver = dns.resolver.Resolver(configure=nameserver is None)
        except dns.resolver.NoResolverConfiguration as error:
            raise NamesUnavailable("no name server is configured") from error
        if nameserver is not None:
            self._resolver.nameservers = [nameserver[0]]
            self._resolver.port = nameserver[1]
        self._resolver.timeout = _TRY_S
        self._resolver.cache = _Kept(_KEPT_MAX)
        self._until = 0.0

    def begin(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    @property
    def in_time(self) -> bool:
        """Whether there is time for questions, and for what is made of their answers."""
        return time.monotonic() < self._until

    @contextmanager
    def sharing(self, part: float) -> Iterator[None]:
        """Questions within take this part of the time that is left at most, so that a stranger's names leave the rest of it."""
        until, now = self._until, time.monotonic()
        self._until = min(until, now + (until - now) * part)
        try:
            yield
        finally:
            self._until = until

    def records(self, name: str, kind: str) -> list[Any]:
        """The records of one kind, none where the name or the kind is not there, or it is no name. Raises `NamesUnavailable`."""
        answer = self._answer(name, kind)
        return list(answer.rrset) if answer is not None and answer.rrset is not None else []

    def texts(self, name: str) -> list[bytes]:
        """The TXT records, each with its strings joined. Raises `NamesUnavailable`."""
        return [b"".join(record.strings) for record in self.records(name, "TXT")]

    def has(self, name: str) -> bool:
        """Whether there is anything at or below the name. Raises `NamesUnavailable`."""
        return self._answer(name, "A") is not None

    def _answer(self, name: str, kind: str) -> dns.resolver.Answer | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise NamesUnavailable("out of time")
        try:
            return self._resolver.resolve(
                dns.name.from_text(name.rstrip(".") + "."), kind, raise_on_no_answer=False, lifetime=left / 2, search=False
            )
        except (dns.exception.Timeout, dns.resolver.NoNameservers) as error:
            raise NamesUnavailable(f"DNS: {type(error).__name__}") from error
        except (dns.exception.DNSException, UnicodeError):
            return None  # not there, or no name
