"""Whom settings may make us call: nobody inside, however the address is written, resolved or redirected; nobody else with credentials."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ingest.adapter import HttpCall
from ingest.adapters.meta import WHATSAPP
from services.courier.outgoing import Outgoing
from services.frame.doors import WebDoor
from services.frame.egress import PUBLIC_ONLY, Allowed, allowed_from, client
from shared.errors import Forbidden, InputRejected
from tests.support.api import Api
from tests.support.workspaces import Workspace

ROOT = Path(__file__).resolve().parents[3]
INSIDE = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "017700000001", "0177.0.0.1", "127.0.0.1.", "0.0.0.0", "0",
    "localhost", "localhost.", "LOCALHOST", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "①②⑦.0.0.1", "１２７.0.0.1", "127。0。0。1", "[::1]", "[0:0:0:0:0:0:0:1]", "[::]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "[fe80::1]", "[fc00::1]",
    "169.254.169.254", "[fd00:ec2::254]", "[::ffff:a9fe:a9fe]", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "198.18.0.1",
    "224.0.0.1", "255.255.255.255", "inside.example", "half-inside.example", "metadata.example", "user@127.0.0.1",
]  # fmt: skip
"""Hosts, as somebody would write them into a setting."""
_NAMES = {
    "inside.example": ["127.0.0.1"], "half-inside.example": ["93.184.216.34", "127.0.0.1"], "metadata.example": ["169.254.169.254"],
    "localhost": ["127.0.0.1"],
}  # fmt: skip


class Canary:
    """A server inside that counts who reaches it."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    one = Canary()

    async def came(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        one.connections += 1
        writer.close()

    server = await asyncio.start_server(came, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    yield one
    server.close()
    await server.wait_closed()


def _names(host: str, port: int, *_: Any, **__: Any) -> list[tuple[int, int, int, str, Any]]:
    """A name service that knows the names above, and what is an address."""
    addresses = _NAMES.get(host.rstrip(".").lower())
    if addresses is None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return [(int(a), int(b), c, d, e) for a, b, c, d, e in found]
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]


@pytest.mark.parametrize("host", INSIDE)
async def test_nobody_inside_is_called(canary: Canary, host: str) -> None:
    async with client(PUBLIC_ONLY, timeout_s=5, resolver=_names) as http:
        for address in (f"http://{host}:{canary.port}/", f"http://{host}/", f"https://{host}/"):
            with pytest.raises((Forbidden, httpx.InvalidURL, httpx.UnsupportedProtocol)):
                await http.get(address)
    assert canary.connections == 0


@pytest.mark.parametrize("address", ["file:///etc/hostname", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "//127.0.0.1/", "unix:/x"])
async def test_no_other_scheme_is_spoken(address: str) -> None:
    async with client(PUBLIC_ONLY, timeout_s=5) as http:
        with pytest.raises((Forbidden, httpx.InvalidURL, httpx.UnsupportedProtocol)):
            await http.get(address)


async def test_a_second_answer_of_the_name_service_is_never_used(canary: Canary) -> None:
    asked: list[str] = []

    def changing(host: str, port: int, *more: Any, **named: Any) -> list[tuple[int, int, int, str, Any]]:
        asked.append(host)
        answer = "127.0.0.2" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer, port))]

    async with client(allowed_from("127.0.0.2/32"), timeout_s=5, resolver=changing) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get("http://turns.example/")
    assert len(asked) == 1
    assert canary.connections == 0


@contextlib.asynccontextmanager
async def _redirecting(to: str) -> AsyncIterator[str]:
    async def away(_: Request) -> Response:
        return RedirectResponse(to)

    door = WebDoor(Starlette(routes=[Route("/", away, methods=["GET", "POST"])]), host="127.0.0.1", port=0, setting="test")
    await door.open()
    yield f"http://127.0.0.1:{door.port}/"
    await door.close(1)


async def test_a_redirect_is_not_followed_even_from_where_we_may_go(canary: Canary) -> None:
    async with (
        _redirecting(f"http://127.0.0.1:{canary.port}/") as address,
        client(allowed_from("127.0.0.1:*"), timeout_s=5) as http,
    ):
        assert (await http.get(address)).status_code == 307
    assert canary.connections == 0


async def test_credentials_go_to_the_provider_only() -> None:
    sent: list[str] = []

    async def take(request: Request) -> Response:
        sent.append(request.headers["authorization"])
        return Response('{"messages": [{"id": "wamid.1"}]}')

    door = WebDoor(Starlette(routes=[Route("/{rest:path}", take, methods=["POST"])]), host="127.0.0.1", port=0, setting="test")
    await door.open()
    elsewhere = f"http://127.0.0.1:{door.port}/v23.0/1/messages"
    call = HttpCall(method="POST", url=elsewhere, headers={"authorization": "Bearer token"}, json={})
    for allowed, state in ((PUBLIC_ONLY, "failed"), (allowed_from(f"127.0.0.1:{door.port}"), "sent")):
        outgoing = Outgoing(smtp_relay=None, allowed=allowed)
        outcome = await outgoing.execute(WHATSAPP, call)
        await outgoing.close()
        assert outcome.state == state, outcome
    assert sent == ["Bearer token"]
    outgoing = Outgoing(smtp_relay=None, allowed=PUBLIC_ONLY)
    for near in ("http://graph.facebook.com/", "https://graph.facebook.com.evil.example/", "https://graph.facebook.com:8443/"):
        outcome = await outgoing.execute(WHATSAPP, HttpCall(method="POST", url=near, headers={}, json={}))
        assert (outcome.state, "SANTRAL_EGRESS_ALLOW" in outcome.reason) == ("failed", True)
    await outgoing.close()
    await door.close(1)


async def test_another_address_is_refused_when_it_is_saved(api: Api, workspace: Workspace) -> None:
    headers = await api.key(workspace.id)
    for address, status in (
        ("http://127.0.0.1:8080/", 422), ("https://evil.example/", 422), ("https://graph.facebook.com@evil.example/", 422),
        ("http://graph.facebook.com/v23.0", 422), ("https://graph.facebook.com/v23.0", 201), ("https://graph.instagram.com/v24.0", 201),
    ):  # fmt: skip
        body = {"name": f"m{status}-{len(address)}", "provider": "meta", "settings": {"graph_url": address}}
        answer = await api.client.post("/v1/connections", json=body, headers=headers)
        assert answer.status_code == status, (address, answer.text)
        if status == 422:
            assert answer.json()["field"] == "settings.graph_url"


def test_what_an_operator_allows() -> None:
    allowed = allowed_from("graph.intern:8443, crm.intern, 10.20.0.0/16,127.0.0.1:*, [::1]:99")
    for address, yes in (
        ("https://graph.intern:8443/v1", True), ("https://graph.intern/v1", False), ("https://crm.intern/", True),
        ("http://crm.intern:81/", False), ("http://127.0.0.1:4711/", True), ("http://[::1]:99/", True), ("http://x:y/", False),
    ):  # fmt: skip
        assert allowed.names(address) is yes, address
    assert Allowed().plus("http://model.intern:9/ask").names("http://model.intern:9/other")
    for wrong in ("http://x/y", "a b", "10.0.0.0/99", "user@host"):
        with pytest.raises(InputRejected, match="SANTRAL_EGRESS_ALLOW"):
            allowed_from(wrong)


def test_there_is_no_other_way_out() -> None:
    """Who makes an HTTP client at all: the guard, and what talks to our own processes, or fetches pinned files, only."""
    own = {
        "services/frame/egress.py", "services/client/rest_client.py", "services/client/cdr_follower.py", "services/doctor/doctor.py",
        "services/doctor/finding.py", "services/supervisor/demo.py", "services/supervisor/children.py", "services/traffic/senders.py",
        "shared/embedded/fetch.py",
    }  # fmt: skip
    makes = re.compile(
        r"httpx\.(?:Async)?Client\(|httpx\.(?:get|post|put|request|stream)\(|urllib\.request|aiohttp|requests\.|http\.client"
    )
    found = {
        str(path.relative_to(ROOT))
        for room in ("ingest", "profiles", "router", "services", "shared")
        for path in (ROOT / room).rglob("*.py")
        if "node_modules" not in path.parts and makes.search(path.read_text(encoding="utf-8"))
    }
    assert found <= own, found - own
