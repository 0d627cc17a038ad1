"""A few addresses that hold the places for sockets and say nothing keep nobody out, and nobody who says something is ended for them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import ClientConnection, connect

from services.api.socket_places import Places
from shared.database import Database
from tests.integration.services.api.test_socket_places import refused, room_for, sockets
from tests.support.api import Api, listening, running_api
from tests.support.chat import open_session
from tests.support.workspaces import Workspace

HOLDERS = [("127.0.0.2", 0), ("127.0.0.3", 0)]
NEWCOMER = ("127.0.0.9", 0)
SAID = "others need this place: close some, or come again in a moment"


@pytest.fixture
async def api(api_db: Database, worker_db: Database) -> AsyncIterator[Api]:
    async with running_api(api_db, worker_db) as running:
        yield running


async def ended(socket: ClientConnection) -> tuple[int | None, str | None]:
    async with asyncio.timeout(10):
        await socket.wait_closed()
    return socket.close_code, socket.close_reason


@pytest.mark.parametrize(("most", "of_workspace"), [(4, 10), (10, 4)], ids=["in-all", "of-a-workspace"])
async def test_a_chat_in_which_nobody_says_anything_makes_room(
    api: Api, workspace: Workspace, most: int, of_workspace: int
) -> None:
    room_for(api, visitors=Places(most=most, of_workspace=of_workspace, of_address=2))
    widget = f"token-{workspace.inboxes['webchat']}"
    token = (await open_session(api, widget))["token"]
    async with listening(api) as base, sockets() as opened:
        place = f"{base}/v1/chat/{widget}/socket"
        held = [await opened(place, token, local_addr=address) for address in HOLDERS for _ in range(2)]
        await held[0].send(json.dumps({"type": "message", "id": "a-message-1", "text": "merhaba"}))
        async with asyncio.timeout(10):
            while json.loads(await held[0].recv())["type"] != "accepted":
                pass
        newcomer = await opened(place, token, local_addr=NEWCOMER)
        done, others = await asyncio.wait(
            [asyncio.create_task(ended(one)) for one in held], timeout=10, return_when="FIRST_COMPLETED"
        )
        assert [await one for one in done] == [(1013, SAID)]
        assert held[0].close_code is None, "it was used"
        for one in others:
            one.cancel()
        answer = await refused(opened, place, token, local_addr=NEWCOMER)
        assert answer.status_code == 503, "nobody makes room for who would hold as much"
        await newcomer.ping()


async def test_a_socket_without_a_hello_makes_room(api: Api, workspace: Workspace) -> None:
    room_for(api, agents=Places(most=10, of_workspace=10, of_address=10, silent_of_address=2, silent=4))
    agent = (await api.agent(workspace.id, workspace.agent_id))["authorization"].removeprefix("Bearer ")
    async with listening(api) as base, sockets() as opened:
        silent = [await connect(f"{base}/v1/stream", proxy=None, local_addr=address) for address in HOLDERS for _ in range(2)]
        await opened(f"{base}/v1/stream", agent, local_addr=NEWCOMER)
        assert await ended(silent[0]) == (1013, SAID)
        assert [one.close_code for one in silent[1:]] == [None] * 3
        for one in silent:
            await one.close()


async def test_an_agent_at_work_is_ended_for_nobody(api: Api, workspace: Workspace) -> None:
    """Though their address holds most and nothing happens; one who has not said who they are is."""
    room_for(api, agents=Places(most=4, of_workspace=10, of_address=4))
    agent = (await api.agent(workspace.id, workspace.agent_id))["authorization"].removeprefix("Bearer ")
    async with listening(api) as base, sockets() as opened:
        place = f"{base}/v1/stream"
        for _ in range(3):
            await opened(place, agent, local_addr=HOLDERS[0])
        silent = await connect(place, proxy=None, local_addr=HOLDERS[0])
        await opened(place, agent, local_addr=NEWCOMER)
        assert await ended(silent) == (1013, SAID)
        assert (await refused(opened, place, agent, local_addr=HOLDERS[1])).status_code == 503
