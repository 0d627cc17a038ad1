"""One workspace's dear calls in masses, over the served API: another's stand behind few of them, and are never refused."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.asyncio.client import connect

from services.api.credentials import new_token
from services.frame.processor_time import ProcessorTime
from shared.database import Database
from shared.health import BEAT_S
from shared.ids import new_id
from tests.support.agent_sockets import closed_with, hello_of
from tests.support.api import Api, listening, running_api
from tests.support.chat import chat, open_session, read_until
from tests.support.used_up import PlayedTime
from tests.support.workspaces import Workspace, make_workspace

CONNECTIONS: Final = 16
QUIET_CALLS: Final = 40
DEAR: Final = "/v1/keys?limit=200"
Headers = dict[str, str]


@dataclass
class Flood:
    """Calls on many connections, each at once after the other; from a thread of their own, whose time is not the API's loop's."""

    base: str
    headers: Headers
    ended: bool = False
    answers: list[tuple[int, Headers]] = field(default_factory=list)

    async def _calls(self) -> None:
        reader, writer = await asyncio.open_connection(urlsplit(self.base).hostname, urlsplit(self.base).port)
        lines = "".join(f"{name}: {value}\r\n" for name, value in {"host": "x", **self.headers}.items())
        while not self.ended:
            writer.write(f"GET {DEAR} HTTP/1.1\r\n{lines}\r\n".encode())
            first, *head = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            headers = dict(line.split(": ", 1) for line in head)
            await reader.readexactly(int(headers["content-length"]))
            self.answers.append((int(first.split()[1]), headers))
        writer.close()

    async def _all(self) -> None:
        await asyncio.gather(*(self._calls() for _ in range(CONNECTIONS)))

    def run(self) -> None:
        asyncio.run(self._all())

    @property
    def served(self) -> int:
        return sum(status == 200 for status, _ in self.answers)

    @property
    def refused(self) -> list[Headers]:
        return [headers for status, headers in self.answers if status == 429]


@contextlib.asynccontextmanager
async def flooding(base: str, headers: Headers) -> AsyncIterator[Flood]:
    flood = Flood(base, headers)
    running = asyncio.create_task(asyncio.to_thread(flood.run))
    try:
        yield flood
    finally:
        flood.ended = True
        await running


class Heart:
    """The beats of the API's loop, which say how late it is as they are told to: so it does not matter how busy this machine is."""

    def __init__(self, times: ProcessorTime) -> None:
        self._times = times
        self.late_s = 0.0

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            self._times.beat(self.late_s)


@dataclass(frozen=True, kw_only=True)
class Served:
    api: Api
    base: str
    heart: Heart
    client: httpx.AsyncClient


@pytest.fixture
async def served(api_db: Database, worker_db: Database) -> AsyncIterator[Served]:
    times = ProcessorTime(store_s=0.2)  # so that it is used up soon, also where this machine is busy
    heart = Heart(times)
    async with running_api(api_db, worker_db) as api, listening(api, times=times) as address:
        base = address.replace("ws://", "http://")
        beating = asyncio.create_task(heart.beat())
        async with httpx.AsyncClient(base_url=base, timeout=60) as client:
            yield Served(api=api, base=base, heart=heart, client=client)
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


async def many_keys(api: Api, workspace: Workspace) -> Headers:
    """What makes `DEAR` dear."""
    async with api.worker.batch() as connection:
        for _ in range(200):
            token = new_token("live")
            await connection.execute(
                "insert into santral.api_key (workspace_id, id, public_id, secret_hash, name, scopes)"
                " values ($1, $2, $3, $4, $5, '{config:read,config:write,messages:read,messages:write}')",
                workspace.id, new_id(), token.public_id, token.secret_hash, "k" * 100,
            )  # fmt: skip
    return await api.key(workspace.id)


async def test_a_flood_of_dear_calls_is_put_off_and_anothers_calls_are_not(served: Served, workspace: Workspace) -> None:
    loud = await many_keys(served.api, workspace)
    quiet = await served.api.key((await make_workspace(served.api.worker, name="komsu")).id)

    async def stood_behind(calls: int) -> list[int]:
        """Calls of the other workspace: behind how many of the flood's each stood. All of them are served."""
        found = []
        for _ in range(calls):
            before = flood.served
            answer = await served.client.get("/v1/items", headers=quiet)
            assert answer.status_code == 200, answer.text
            found.append(flood.served - before)
        return found

    assert (await served.client.get(DEAR, headers=loud)).status_code == 200
    async with flooding(served.base, loud) as flood:
        unlimited = await stood_behind(QUIET_CALLS)
        assert not flood.refused, "a loop that is on time puts off nobody"
        served.heart.late_s = 1.0
        async with asyncio.timeout(120):
            while not flood.refused:
                await stood_behind(1)
        limited = await stood_behind(QUIET_CALLS)
    assert sorted(limited)[QUIET_CALLS * 95 // 100] <= CONNECTIONS
    assert sum(limited) < sum(unlimited) / 2
    for headers in flood.refused:
        assert int(headers["retry-after"]) >= 1
        assert headers["ratelimit"].startswith('"processor-time";r=0;t=')
        assert '"processor-time";q=' in headers["ratelimit-policy"]
    served.heart.late_s = 0.0
    assert (await served.client.get(DEAR, headers=loud)).status_code == 200, "once it ends"


async def test_who_is_alone_is_never_put_off(served: Served, workspace: Workspace) -> None:
    loud = await many_keys(served.api, workspace)
    served.heart.late_s = 1.0
    async with flooding(served.base, loud) as flood, asyncio.timeout(120):
        while flood.served < 500:
            await served.client.get("/")  # a page is nobody's
    assert flood.served == len(flood.answers)


async def test_frames_of_who_is_put_off_are_refused_and_their_sockets_stay(api: Api, workspace: Workspace) -> None:
    """An agent's, a visitor's; a new socket is told to come again."""
    played, other = PlayedTime(), await make_workspace(api.worker, name="komsu")
    agent = await api.agent(workspace.id, workspace.agent_id)
    widget = f"token-{workspace.inboxes['webchat']}"
    session = await open_session(api, widget)
    async with (
        listening(api, times=played.times) as base,
        connect(f"{base}/v1/stream", proxy=None) as socket,
        chat(base, widget, session["token"]) as (visitor, _),
    ):
        await hello_of(socket, agent)
        await played.use_up(workspace.id, others=[other.id])
        await socket.send(json.dumps({"type": "follow", "conversation_id": str(new_id()), "seq": 0}))
        assert (await read_until(socket, "error"))["problem"]["status"] == 429
        await visitor.send(json.dumps({"type": "message", "id": str(new_id()), "text": "Merhaba"}))
        refused = await read_until(visitor, "error")
        assert (refused["problem"]["status"], refused["retry_after_s"]) == (429, 2)
        async with connect(f"{base}/v1/stream", proxy=None) as another:
            await another.send(json.dumps({"type": "hello", "token": agent["authorization"].removeprefix("Bearer ")}))
            assert await closed_with(another, within_s=10) == 1013
