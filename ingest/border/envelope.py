"""SPF: whether the sending server may send for the envelope's sender, or for its own name where the envelope has none.

Source: RFC 7208, evaluated by pyspf with its limits (ten lookups, two of them void). Only its questions are ours (`names.py`).
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import spf

from ingest.border.names import Names, NamesUnavailable
from shared.mailbox import a_labels

_NOT_LOCAL: Final = re.compile(r"[^A-Za-z0-9.!#$&'*+/=?^_`{|}~-]")
_LOCAL_CHARS_MAX: Final = 64
_POINTERS_SHARE: Final = 0.25
_UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """``result`` as RFC 8601 §2.7.2 names it; ``domain`` in A-labels, empty when there is none. ``by_name``: of HELO's name."""

    result: str
    domain: str
    by_name: bool = False


def sent_by(names: Names, whose: Callable[[str], bool], *, peer: str, mail_from: str, helo: str) -> list[Sent]:
    """The result for the server's own name and for the envelope's sender, whichever are domains that ``whose`` takes; never raises."""
    server = a_labels(helo) if "." in helo else ""
    local, _, given = mail_from.rpartition("@")
    domain = a_labels(given)
    found = []
    if server and whose(server):
        found.append(Sent(result=_result(names, peer, f"postmaster@{server}", server), domain=server, by_name=True))
    if domain and whose(domain):
        # pyspf takes the first @ for the domain's; a quoted local part may hold one.
        sender = f"{_NOT_LOCAL.sub('_', local)[:_LOCAL_CHARS_MAX] or 'postmaster'}@{domain}"
        found.append(Sent(result=_result(names, peer, sender, server or "unknown"), domain=domain))
    return found


def _result(names: Names, peer: str, sender: str, helo: str) -> str:
    try:
        ipaddress.ip_address(peer)
    except ValueError:
        return "none"
    try:
        return str(_Query(names, peer, sender, helo).check()[0])
    except _UNREADABLE:
        return "temperror"  # a record that the library stumbles over denies nobody


class _Query(spf.query):  # type: ignore[misc]  # the library has no types
    """pyspf's evaluation with our questions, which end in time."""

    def __init__(self, names: Names, peer: str, sender: str, helo: str) -> None:
        super().__init__(i=peer, s=sender, h=helo)
        self._names = names
        self._validated: list[Any] | None = None

    def validated_ptrs(self) -> list[Any]:
        """The names of the server's address that lead back to it, found once.

        The address is the server's owner's and so are its names: what of them is not answered does not match (RFC 7208 §5.5), and they use
        up no time of the author's.
        """
        if self._validated is None:
            self._validated = []
            with self._names.sharing(_POINTERS_SHARE), contextlib.suppress(spf.TempError):
                for name in self.dns_ptr(self.i)[: spf.MAX_PTR]:
                    with contextlib.suppress(spf.TempError):
                        if self.cidrmatch(self.dns_a(name, self.A), self.cidrmax):
                            self._validated.append(name)
        return self._validated

    def dns(self, name: str, qtype: str, cnames: Any = None, ignore_void: bool = False) -> list[Any]:
        try:
            records = self._names.records(str(name), qtype)
        except NamesUnavailable as error:
            raise spf.TempError(str(error)) from error
        if not records and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError(f"more than {spf.MAX_VOID_LOOKUPS} void lookups")
        return [_value(record, qtype) for record in records]


def _value(record: Any, qtype: str) -> Any:
    if qtype in ("A", "AAAA"):
        return record.address
    if qtype == "MX":
        return record.preference, record.exchange.to_text(omit_final_dot=True)
    if qtype == "PTR":
        return record.target.to_text(omit_final_dot=True)
    return record.strings
