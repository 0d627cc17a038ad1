"""Who asks too often is told so and when to come again, and nobody else pays for it: keys, workspaces, addresses, sessions, lines."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from services.api.credentials import _check, new_token
from services.frame.rates import Kind, Rates
from shared.database import Database
from shared.ids import new_id
from tests.support.api import Api, listening, running_api
from tests.support.chat import FRAME_S, chat, published, route, say
from tests.support.workspaces import Workspace, make_workspace

READ = "/v1/conversations"


class Stopped:
    """Seconds that stand still, so that no window ends while a test counts."""

    def __call__(self) -> float:
        return 1_000.0


@contextlib.asynccontextmanager
async def limited(api_db: Database, worker_db: Database, **given: int) -> AsyncIterator[Api]:
    amounts: dict[Kind, int] = {name.replace("_", "-"): amount for name, amount in given.items()}  # type: ignore[misc]
    async with running_api(api_db, worker_db, rates=Rates(amounts, now_s=Stopped())) as running:
        yield running


@contextlib.asynccontextmanager
async def at(api: Api, address: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose connection comes from an address."""
    transport = httpx.ASGITransport(app=api.app, client=(address, 1234))
    async with httpx.AsyncClient(transport=transport, base_url="http://santral.test") as client:
        yield client


def refused(answer: httpx.Response, kind: str, amount: int, window_s: int) -> None:
    assert answer.status_code == 429, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:santral:problem:throttled"
    assert answer.headers["retry-after"] == str(window_s)
    assert answer.headers["ratelimit-policy"] == f'"{kind}";q={amount};w={window_s}'
    assert answer.headers["ratelimit"] == f'"{kind}";r=0;t={window_s}'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"]


async def test_a_key_is_told_where_it_stands_and_one_call_too_many_is_refused(
    api_db: Database, worker_db: Database, workspace: Workspace
) -> None:
    async with limited(api_db, worker_db, key=2, workspace=10) as api:
        mine, other = await api.key(workspace.id), await api.key(workspace.id)
        first = await api.client.get(READ, headers=mine)
        assert first.status_code == 200
        assert first.headers["ratelimit-policy"] == '"key";q=2;w=1, "workspace";q=10;w=1'
        assert first.headers["ratelimit"] == '"key";r=1;t=1, "workspace";r=9;t=1'
        await api.client.get(READ, headers=mine)
        refused(await api.client.get(READ, headers=mine), "key", 2, 1)
        assert (await api.client.get(READ, headers=other)).status_code == 200


async def test_keys_of_one_workspace_share_its_rate_and_another_workspace_has_its_own(
    api_db: Database, worker_db: Database, workspace: Workspace
) -> None:
    async with limited(api_db, worker_db, workspace=2) as api:
        for _ in range(2):
            assert (await api.client.get(READ, headers=await api.key(workspace.id))).status_code == 200
        refused(await api.client.get(READ, headers=await api.key(workspace.id)), "workspace", 2, 1)
        other = await make_workspace(worker_db)
        assert (await api.client.get(READ, headers=await api.key(other.id))).status_code == 200


@pytest.mark.parametrize("path", ["/openapi.json", "/v1/chat/nobody/config", READ, "/nothing/here"])
async def test_an_address_without_a_credential_is_counted_at_every_door(api_db: Database, worker_db: Database, path: str) -> None:
    async with limited(api_db, worker_db, address=2) as api, at(api, "192.0.2.1") as client, at(api, "192.0.2.2") as other:
        for _ in range(2):
            assert (await client.get(path)).status_code != 429
        refused(await client.get(path), "address", 2, 10)
        assert (await other.get(path)).status_code != 429


@pytest.mark.parametrize(
    "said",
    [
        {"x-forwarded-for": "198.51.100.7"},
        {"forwarded": "for=198.51.100.7"},
        {"x-real-ip": "198.51.100.7"},
        {"authorization": "Bearer x"},
    ],
    ids=lambda said: next(iter(said)),
)
async def test_nothing_that_a_request_says_of_itself_makes_it_somebody_else(
    api_db: Database, worker_db: Database, said: dict[str, str]
) -> None:
    path = "/v1/chat/nobody/config"
    async with limited(api_db, worker_db, address=1) as api, listening(api) as url, httpx.AsyncClient() as client:
        there = url.replace("ws://", "http://") + path
        assert (await client.get(there, headers=said)).status_code == 404
        refused(await client.get(there, headers=said), "address", 1, 10)


async def test_a_subscriber_of_ipv6_is_one_whatever_of_their_addresses_they_use(api_db: Database, worker_db: Database) -> None:
    async with limited(api_db, worker_db, address=1) as api:
        async with at(api, "2001:db8:0:1::1") as client:
            assert (await client.get("/nothing")).status_code == 404
        async with at(api, "2001:db8:0:1:ffff::2") as client:
            refused(await client.get("/nothing"), "address", 1, 10)
        async with at(api, "2001:db8:0:2::1") as client:
            assert (await client.get("/nothing")).status_code == 404


async def test_codes_and_chat_sessions_of_an_address_have_stricter_rates(
    api_db: Database, worker_db: Database, workspace: Workspace
) -> None:
    widget = f"/v1/chat/token-{workspace.inboxes['webchat']}/sessions"
    async with limited(api_db, worker_db, exchange=1, sessions=2) as api:
        code = {"code": new_token("code").text}
        assert (await api.client.post("/v1/sessions/exchange", json=code)).status_code == 401
        refused(await api.client.post("/v1/sessions/exchange", json=code), "exchange", 1, 60)
        for _ in range(2):
            assert (await api.client.post(widget)).status_code == 201
        refused(await api.client.post(widget), "sessions", 2, 60)
        assert await sessions_of(api, workspace.id) == 2


async def sessions_of(api: Api, workspace_id: UUID) -> int:
    async with api.worker.batch() as connection:
        return int(await connection.fetchval("select count(*) from santral.session where workspace_id = $1", workspace_id))


async def test_wrong_keys_slow_down_who_sends_them_and_the_right_one_works_from_elsewhere(
    api_db: Database, worker_db: Database, workspace: Workspace
) -> None:
    async with limited(api_db, worker_db, wrong_token=2, wrong_address=4) as api:
        right = await api.key(workspace.id)
        wrong = {"authorization": f"Bearer {forged(right['authorization'])}"}
        unknown = {"authorization": f"Bearer {new_token('live').text}"}
        async with at(api, "192.0.2.1") as attacker, at(api, "192.0.2.2") as owner:
            for headers in (wrong, unknown):  # known or not, the answers are the same
                bodies = [(await attacker.get(READ, headers=headers)) for _ in range(2)]
                assert [one.status_code for one in bodies] == [401, 401]
                assert {one.json()["detail"] for one in bodies} == {"unknown, expired or revoked"}
                refused(await attacker.get(READ, headers=headers), "wrong-token", 2, 60)
            refused(await attacker.get(READ, headers={"authorization": f"Bearer {new_token('live').text}"}), "wrong-address", 4, 60)
            assert (await owner.get(READ, headers=right)).status_code == 200


async def test_wrong_keys_from_a_whole_prefix_slow_down_all_of_it_and_nobody_elses(api_db: Database, worker_db: Database) -> None:
    async with limited(api_db, worker_db, wrong_address=1) as api:

        async def answer(address: str) -> int:
            async with at(api, address) as client:
                return (await client.get(READ, headers={"authorization": f"Bearer {new_token('live').text}"})).status_code

        assert [await answer(f"2001:db8:0:{subnet}::1") for subnet in range(6)] == [401] * 4 + [429] * 2
        assert await answer("2001:db8:1::1") == 401


def forged(header: str) -> str:
    """A token with the public id of a real one, another secret and a right check."""
    _, _, public_id, _ = header.split("_")
    secret = new_token("live").text.split("_")[3][:-6]
    body = f"santral_live_{public_id}_{secret}"
    return body + _check(body)


async def test_a_visitor_who_writes_too_much_is_told_and_nothing_of_it_is_routed(
    api_db: Database, worker_db: Database, workspace: Workspace
) -> None:
    async with limited(api_db, worker_db, visitor=3) as api, listening(api) as url:
        widget = f"/v1/chat/token-{workspace.inboxes['webchat']}"
        token = (await api.client.post(f"{widget}/sessions")).json()["token"]
        async with connect(url + widget + "/socket") as socket:
            await socket.send(json.dumps({"type": "hello", "token": token}))
            said: list[dict[str, Any]] = []
            for number in range(5):
                await socket.send(json.dumps({"type": "message", "id": f"line-number-{number}", "text": "merhaba"}))
            while len(said) < 5:
                frame = json.loads(await socket.recv())
                if frame["type"] in ("accepted", "error"):
                    said.append(frame)
        assert [one["type"] for one in said] == ["accepted"] * 3 + ["error"] * 2
        assert [one["id"] for one in said[3:]] == ["line-number-3", "line-number-4"]
        assert said[3]["problem"]["status"] == 429
        assert said[3]["retry_after_s"] == 60
        assert len(api.broker.records) == 3


async def test_an_agents_frames_are_counted(api_db: Database, worker_db: Database, workspace: Workspace) -> None:
    async with limited(api_db, worker_db, frames=1) as api, listening(api) as url:
        token = (await api.agent(workspace.id, workspace.agent_id))["authorization"].removeprefix("Bearer ")
        async with connect(url + "/v1/stream") as socket:
            await socket.send(json.dumps({"type": "hello", "token": token}))
            problems: list[int] = []
            for _ in range(2):
                await socket.send(json.dumps({"type": "follow", "conversation_id": str(new_id()), "seq": 0}))
            while len(problems) < 2:
                frame = json.loads(await socket.recv())
                if frame["type"] == "error":
                    problems.append(frame["problem"]["status"])
        assert problems == [404, 429]


@pytest.mark.parametrize("junk", ["{}", '{"type": "hello"}', "[" * 1000, "no json"])
async def test_a_socket_whose_frames_are_refused_again_and_again_ends(
    api_db: Database, worker_db: Database, workspace: Workspace, junk: str
) -> None:
    async with limited(api_db, worker_db, refused=3) as api, listening(api) as url:
        widget = f"/v1/chat/token-{workspace.inboxes['webchat']}"
        visitor = (await api.client.post(f"{widget}/sessions")).json()["token"]
        agent = (await api.agent(workspace.id, workspace.agent_id))["authorization"].removeprefix("Bearer ")
        for path, token in ((f"{widget}/socket", visitor), ("/v1/stream", agent)):
            assert await answers_to(url + path, token, [junk] * 10) == (["error"] * 3, 1008)
            assert await answers_to(url + path, token, [junk]) == ([], 1008)  # the same caller once more


async def test_leaving_counts_as_a_line(api_db: Database, worker_db: Database, workspace: Workspace) -> None:
    async with limited(api_db, worker_db, visitor=2, refused=2) as api, listening(api) as url:
        widget = f"/v1/chat/token-{workspace.inboxes['webchat']}"
        token = (await api.client.post(f"{widget}/sessions")).json()["token"]
        async with chat(url, f"token-{workspace.inboxes['webchat']}", token) as (socket, _):
            await say(socket, "merhaba")
            await route(api, workspace, published(api)[-1])
        assert await answers_to(f"{url}{widget}/socket", token, ['{"type": "leave"}'] * 10) == (["error"] * 2, 1008)


async def answers_to(url: str, token: str, frames: list[str]) -> tuple[list[str], int | None]:
    """The errors that a socket answers to frames, and the code with which it ends."""
    errors: list[str] = []
    async with connect(url) as socket:
        await socket.send(json.dumps({"type": "hello", "token": token}))
        with contextlib.suppress(ConnectionClosed):
            for frame in frames:
                await socket.send(frame)
        with contextlib.suppress(ConnectionClosed):
            async with asyncio.timeout(FRAME_S):
                while True:
                    if (frame_type := json.loads(await socket.recv())["type"]) == "error":
                        errors.append(frame_type)
    return errors, socket.close_code


async def test_sockets_are_refused_at_the_handshake(api_db: Database, worker_db: Database) -> None:
    async with limited(api_db, worker_db, address=1) as api, listening(api) as url:
        async with connect(url + "/v1/stream"):
            pass
        with pytest.raises(InvalidStatus) as found:
            await connect(url + "/v1/stream")
        assert found.value.response.status_code == 429
        assert found.value.response.headers["retry-after"] == "10"
