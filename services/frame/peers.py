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

_SUBSCRIBER_BITS: Final = 64
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


def subscriber_of(address: str) -> str:
    """Whose address it is, as far as one line tells: an IPv4 address itself, of an IPv6 one the /64, which one subscriber has whole."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    return str(ipaddress.ip_network((found, _SUBSCRIBER_BITS), strict=False))
