"""The one way out over HTTP: whom a tenant's settings may make us call, and whom not.

An address inside (loopback, private networks, link-local, a cloud's metadata, however it is written or resolved) is reached only where the
operator names it in SANTRAL_EGRESS_ALLOW. A name is resolved once, every answer is checked, and the connection goes to an address that
was checked. Redirects are not followed, the environment's proxies are not used, answers are not unpacked.
Source: OWASP API Security Top 10 (2023), API7; the tables of addresses are ssrfguard's.
**Units**: seconds, bytes.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx
from ssrfguard import Policy, Resolver, SSRFGuardError
from ssrfguard.httpx import AsyncSafeTransport

from shared.errors import Forbidden, InputRejected

SETTING: Final = "SANTRAL_EGRESS_ALLOW"
ANY_PORT: Final = 0
CONNECTIONS: Final = 100
_KEPT_OPEN: Final = 20
_USUAL_PORTS: Final = {"http": 80, "https": 443}
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What the operator lets us call beside the public network: names with their ports, and networks (on 80 and 443)."""

    hosts: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[_Network, ...] = ()

    def names(self, url: str) -> bool:
        """Whether the operator named this very host, with this port or without one."""
        try:
            parts = urlsplit(url)
            port = parts.port or _USUAL_PORTS.get(parts.scheme)
        except ValueError:
            return False
        host = (parts.hostname or "").rstrip(".")
        usual = port == _USUAL_PORTS.get(parts.scheme)
        return {(host, port), (host, ANY_PORT)} & self.hosts != frozenset() or (usual and (host, None) in self.hosts)

    def plus(self, url: str) -> Allowed:
        """The same, and the host of an address that is the operator's own setting."""
        parts = urlsplit(url)
        named = (parts.hostname or "", parts.port or _USUAL_PORTS.get(parts.scheme))
        return Allowed(hosts=self.hosts | {named}, networks=self.networks)


def allowed_from(text: str) -> Allowed:
    """From ``host``, ``host:port``, ``host:*``, ``[address]:port`` and ``10.0.0.0/8``, separated by commas. Raises `InputRejected`."""
    hosts: set[tuple[str, int | None]] = set()
    networks: list[_Network] = []
    for one in (part.strip().lower() for part in text.split(",")):
        if not one:
            continue
        try:
            if "/" in one:
                networks.append(ipaddress.ip_network(one, strict=False))
                continue
            parts = urlsplit(f"//{one.removesuffix(':*')}")
            if not parts.hostname or parts.path or "@" in one or " " in one:
                raise ValueError(one)  # noqa: TRY301
            hosts.add((parts.hostname.rstrip("."), ANY_PORT if one.endswith(":*") else parts.port))
        except ValueError as error:
            raise InputRejected(
                f"{one} is neither a host nor a network",
                field=SETTING,
                remedy="graph.intern:8443, 10.20.0.0/16, separated by commas",
            ) from error
    return Allowed(hosts=frozenset(hosts), networks=tuple(networks))


PUBLIC_ONLY: Final = Allowed()


class _Transport(httpx.AsyncBaseTransport):
    """Named hosts are reached as they are; everything else through the guard."""

    def __init__(self, allowed: Allowed, resolver: Resolver | None, connections: int) -> None:
        self._allowed = allowed
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=_KEPT_OPEN)
        self._named = httpx.AsyncHTTPTransport(trust_env=False, limits=limits)
        self._guarded = AsyncSafeTransport(
            policy=Policy(allowed_networks=allowed.networks), trust_env=False, resolver=resolver, limits=limits
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._allowed.names(str(request.url)):
            return await self._named.handle_async_request(request)
        try:
            return await self._guarded.handle_async_request(request)
        except SSRFGuardError as error:
            raise Forbidden(
                "this address may not be called", field="url", remedy=f"a public address, or one the operator names in {SETTING}"
            ) from error

    async def aclose(self) -> None:
        await self._named.aclose()
        await self._guarded.aclose()


def client(
    allowed: Allowed,
    *,
    timeout_s: float,
    headers: dict[str, str] | None = None,
    resolver: Resolver | None = None,
    connections: int = CONNECTIONS,
) -> httpx.AsyncClient:
    """A client that calls nobody it may not. Its requests raise `Forbidden` beside httpx's own errors.

    ``resolver`` stands for the system's name service. ``connections`` are open at once, to named hosts and to others each; who makes more
    calls than that waits for one, so those that do not end would stop the others.
    """
    return httpx.AsyncClient(
        transport=_Transport(allowed, resolver, connections), timeout=timeout_s, follow_redirects=False, trust_env=False,
        headers={"accept-encoding": "identity", **(headers or {})},
    )  # fmt: skip


async def body_of(response: httpx.Response, bytes_max: int) -> bytes:
    """An answer's first bytes as they came; nothing is unpacked, so it takes no more room than it says."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) >= bytes_max:
            break
    return bytes(body[:bytes_max])


def is_providers(url: str, hosts: Iterable[str], allowed: Allowed) -> bool:
    """Whether credentials may go there: https to one of the provider's own hosts, or a host the operator named."""
    try:
        parts = urlsplit(url)
        own = parts.scheme == "https" and parts.port in (None, 443) and not parts.username and parts.hostname in set(hosts)
    except ValueError:
        return False
    return own or allowed.names(url)
