"""Whose address counts: the connection's own, unless a proxy that was named says another."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.frame.doors import WebDoor
from services.frame.peers import peer_of, plain_address, shares_of, with_each
from shared.shares import Share


async def _who(request: Request) -> Response:
    return PlainTextResponse(peer_of(request.scope))


async def _asked(proxies: tuple[str, ...], forwarded: str) -> str:
    door = WebDoor(Starlette(routes=[Route("/", _who)]), host="127.0.0.1", port=0, setting="test", trusted_proxies=proxies)
    await door.open()
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"http://127.0.0.1:{door.port}/", headers={"x-forwarded-for": forwarded})
            return answer.text
    finally:
        await door.close(1)


async def test_nobody_is_believed_unasked() -> None:
    assert await _asked((), "198.51.100.7") == "127.0.0.1"


async def test_a_named_proxy_is_believed_about_the_last_hop_only() -> None:
    assert await _asked(("127.0.0.0/8",), "203.0.113.9, 198.51.100.7") == "198.51.100.7"
    assert await _asked(("10.0.0.0/8",), "198.51.100.7") == "127.0.0.1"


def test_one_text_for_one_address() -> None:
    assert plain_address("::ffff:192.0.2.1") == "192.0.2.1"
    assert plain_address("fe80::1%eth0") == "fe80::1"
    assert plain_address("2001:DB8:0::1") == "2001:db8::1"
    assert plain_address("unknown") == "unknown"


@pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"])
def test_an_ipv4_address_is_one_owner_however_it_is_written(address: str) -> None:
    assert shares_of(address) == (Share("192.0.2.1"),)


def test_an_ipv6_address_counts_for_its_64_and_with_its_neighbours_for_its_56_and_its_48() -> None:
    groups = shares_of("2001:db8:1:2ff:3::4")
    assert groups == (Share("2001:db8:1:2ff::/64"), Share("2001:db8:1:200::/56", 4), Share("2001:db8:1::/48", 8))
    assert shares_of("2001:db8:1:2aa::1")[1:] == groups[1:]
    assert shares_of("2001:db8:1:300::1")[1] != groups[1]
    assert shares_of("2001:db8:2:2ff::1")[2] != groups[2]


def test_what_is_no_address_is_an_owner_of_its_own() -> None:
    assert shares_of("") == (Share(""),)
    assert with_each(shares_of("192.0.2.1"), "a") == (Share("192.0.2.1 a"),)
