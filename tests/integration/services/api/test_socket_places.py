"""Open sockets keep their places: no address, no workspace and no kind of socket takes the API from the others."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus

from services.api.socket_places import Places, SocketPlaces
from services.frame.connections import Connections
from shared.database import Database
from tests.support.api import Api, listening, running_api
from tests.support.chat import open_session
from tests.support.workspaces import Workspace

LIMIT = 160
SHARE = Connections(LIMIT).each
ELSEWHERE = ("127.0.0.2", 0)
HERE = {"x-forwarded-for": "198.51.100.1"}
THERE = {"x-forwarded-for": "198.51.100.2"}
Opened = Callable[..., Any]


@pytest.fixture
async def api(api_db: Database, worker_db: Database) -> AsyncIterator[Api]:
    async with running_api(api_db, worker_db) as running:
        yield running


@contextlib.asynccontextmanager
async def sockets() -> AsyncIterator[Opened]:
    """Opens a socket, says its hello and reads the welcome; all end with the block."""
    async with contextlib.AsyncExitStack() as stack:

        async def one(place: str, token: str, **options: Any) -> ClientConnection:
            socket = await connect(place, proxy=None, **options)
            await stack.enter_async_context(socket)
            await socket.send(json.dumps({"type": "hello", "token": token}))
            assert json.loads(await socket.recv())["type"] == "welcome"
            return socket

        yield one


async def refused(opened: Opened, place: str, token: str, **options: Any) -> httpx.Response:
    """The answer to a handshake that found no place."""
    with pytest.raises(InvalidStatus) as caught:
        await opened(place, token, **options)
    answer = caught.value.response
    return httpx.Response(answer.status_code, headers=list(answer.headers.raw_items()), content=bytes(answer.body))


async def found_place(opened: Opened, place: str, token: str) -> bool:
    try:
        await opened(place, token, additional_headers=HERE)
    except InvalidStatus:
        return False
    return True


def room_for(api: Api, *, visitors: Places | None = None, agents: Places | None = None) -> None:
    usual = SocketPlaces.within()
    api.app.state.places = SocketPlaces(visitors=visitors or usual.visitors, agents=agents or usual.agents)


async def test_chats_of_one_address_leave_connections_to_everybody_else(api: Api, workspace: Workspace) -> None:
    widget = f"token-{workspace.inboxes['webchat']}"
    async with listening(api, limit_concurrency=LIMIT) as base, sockets() as opened:
        place = f"{base}/v1/chat/{widget}/socket"
        tokens = [(await open_session(api, widget))["token"] for _ in range(1 + SHARE // 20)]
        held = 0
        with contextlib.suppress(InvalidHandshake, OSError):
            for token in tokens * 20:
                await opened(place, token)
                held += 1
        assert held == SHARE, "an open socket is one of its address's connections"
        agent = (await api.agent(workspace.id, workspace.agent_id))["authorization"].removeprefix("Bearer ")
        await opened(f"{base}/v1/stream", agent, local_addr=ELSEWHERE)
        transport = httpx.AsyncHTTPTransport(local_address=ELSEWHERE[0])
        async with httpx.AsyncClient(transport=transport, base_url=base.replace("ws:", "http:")) as client:
            assert (await client.get("/v1/workspace", headers=await api.key(workspace.id))).status_code == 200


async def test_a_socket_that_ended_gives_its_connection_back(api: Api, workspace: Workspace) -> None:
    widget = f"token-{workspace.inboxes['webchat']}"
    token = (await open_session(api, widget))["token"]
    async with listening(api, limit_concurrency=8) as base:
        for _ in range(3 * Connections(8).each):
            async with sockets() as opened:
                socket = await opened(f"{base}/v1/chat/{widget}/socket", token)
            await socket.wait_closed()


async def test_behind_a_proxy_a_visitors_own_address_counts(
    api: Api, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    room_for(api, visitors=Places(most=20, of_workspace=10, of_address=3))
    widget = f"token-{workspace.inboxes['webchat']}"
    token = (await open_session(api, widget))["token"]
    async with listening(api, trusted_proxies=("127.0.0.1",)) as base, sockets() as opened:
        place = f"{base}/v1/chat/{widget}/socket"
        held = [await opened(place, token, additional_headers=HERE) for _ in range(3)]
        answer = await refused(opened, place, token, additional_headers=HERE)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json()["detail"] == "too many sockets of this address: close some, or come again in a moment"
        await opened(place, token, additional_headers=THERE)
        await held[0].close()
        async with asyncio.timeout(5):
            while not await found_place(opened, place, token):
                await asyncio.sleep(0.01)  # nothing tells a client that its place was given back
    assert not [one for one in caplog.records if one.name == "uvicorn.error" and one.levelname == "ERROR"], (
        "nobody fills the log by being refused"
    )


@pytest.mark.parametrize(("most", "of_workspace"), [(4, 10), (10, 4)], ids=["in-all", "of-a-workspace"])
async def test_visitors_leave_room_to_agents(api: Api, workspace: Workspace, most: int, of_workspace: int) -> None:
    room_for(api, visitors=Places(most=most, of_workspace=of_workspace, of_address=10))
    widget = f"token-{workspace.inboxes['webchat']}"
    token = (await open_session(api, widget))["token"]
    agent = (await api.agent(workspace.id, workspace.agent_id))["authorization"].removeprefix("Bearer ")
    async with listening(api) as base, sockets() as opened:
        for _ in range(4):
            await opened(f"{base}/v1/chat/{widget}/socket", token)
        answer = await refused(opened, f"{base}/v1/chat/{widget}/socket", token)
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert "come again in a moment" in answer.json()["detail"]
        await opened(f"{base}/v1/stream", agent)


async def test_agents_of_one_workspace_are_told_to_come_again(api: Api, workspace: Workspace) -> None:
    room_for(api, agents=Places(most=10, of_workspace=2, of_address=10))
    agent = (await api.agent(workspace.id, workspace.agent_id))["authorization"].removeprefix("Bearer ")
    async with listening(api) as base, sockets() as opened:
        for _ in range(2):
            await opened(f"{base}/v1/stream", agent)
        async with connect(f"{base}/v1/stream", proxy=None) as socket:
            await socket.send(json.dumps({"type": "hello", "token": agent}))
            await socket.wait_closed()
            assert socket.close_code == 1013
            assert socket.close_reason == "too many sockets of this workspace: close some, or come again in a moment"


async def test_sockets_that_say_nothing_are_few_and_give_their_places_back(api: Api, workspace: Workspace) -> None:
    room_for(api, agents=Places(most=10, of_workspace=10, of_address=10, silent_of_address=3))
    agent = (await api.agent(workspace.id, workspace.agent_id))["authorization"].removeprefix("Bearer ")
    async with listening(api) as base, sockets() as opened:
        silent = [await connect(f"{base}/v1/stream", proxy=None) for _ in range(3)]
        answer = await refused(opened, f"{base}/v1/stream", agent)
        assert "that say nothing" in answer.json()["detail"]
        await silent[0].send(json.dumps({"type": "hello", "token": agent}))
        assert json.loads(await silent[0].recv())["type"] == "welcome", "whoever said who they are is not silent any more"
        await opened(f"{base}/v1/stream", agent)
        for socket in silent:
            await socket.close()
