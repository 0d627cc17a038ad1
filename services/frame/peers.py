"""Who is at the other end of a connection: the address that limits count by and the audit names.

Behind proxies the HTTP server reads ``X-Forwarded-For`` from the right, and only from the addresses that SANTRAL_TRUSTED_PROXIES names
(`doors.py`); nothing else that a request says of its own origin is believed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from shared.shares import Share

_PREFIXES: Final = ((64, 1), (56, 4), (48, 8))
"""The prefixes of an IPv6 address that count, and how many times one subscriber's share all addresses in each have together. A line is given a
/64 at least; commonly one machine has a /56 or a /48 of them (RFC 6177), and elsewhere neighbours share these."""
SOFTWARE_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where what is being done comes from; all empty where nobody called, as at the console."""

    address: str = ""
    software: str = ""
    request_id: str = ""


_NOBODY: Final = Origin()
_ORIGIN: Final = ContextVar("origin", default=_NOBODY)


@contextmanager
def coming_from(scope: Mapping[str, Any], request_id: str = "") -> Iterator[None]:
    """What is done within comes from the other end of this request or socket."""
    token = _ORIGIN.set(Origin(address=peer_of(scope), software=software_of(scope), request_id=request_id))
    try:
        yield
    finally:
        _ORIGIN.reset(token)


def origin() -> Origin:
    """Where what is being done comes from."""
    return _ORIGIN.get()


def software_of(scope: Mapping[str, Any]) -> str:
    """What the caller's program says it is: printable characters, at most `SOFTWARE_MAX`; a claim, believed by nobody."""
    said = next((value for name, value in scope.get("headers", ()) if name == b"user-agent"), b"")
    return "".join(one for one in said.decode("latin-1") if one.isprintable())[:SOFTWARE_MAX]


def peer_of(scope: Mapping[str, Any]) -> str:
    """The caller's address as text, an IPv4 one plainly even where it came mapped into IPv6; empty when none is known."""
    client = scope.get("client")
    return plain_address(str(client[0])) if client else ""


def plain_address(address: str) -> str:
    """One text for one address; what is no address stays as it is."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def is_within(address: str, networks: Sequence[str]) -> bool:
    """Whether an address is in one of these addresses or networks."""
    try:
        found = ipaddress.ip_address(plain_address(address))
    except ValueError:
        return False
    return any(found in ipaddress.ip_network(one, strict=False) for one in networks)


def shares_of(address: str) -> tuple[Share, ...]:
    """Whose an address is, from the smallest group: an IPv4 address (also mapped into IPv6) itself, an IPv6 one its /64, its /56 and its /48.

    What is no address is an owner of its own. The first is the subscriber, as far as one line tells.
    """
    plain = plain_address(address)
    try:
        found = ipaddress.ip_address(plain)
    except ValueError:
        return (Share(plain),)
    if isinstance(found, ipaddress.IPv4Address):
        return (Share(plain),)
    return tuple(Share(str(ipaddress.ip_network((found, bits), strict=False)), times) for bits, times in _PREFIXES)


def with_each(shares: tuple[Share, ...], other: str) -> tuple[Share, ...]:
    """The same groups for one thing of many that they ask for: a token, a workspace."""
    return tuple(Share(f"{one.owner} {other}", one.times) for one in shares)
