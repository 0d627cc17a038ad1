"""The agent's socket: welcome, events in order, resume without a gap, followed conversations and queues, codes of closing."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from router.commands.presence import set_presence
from services.api.sockets import Closed, Line
from shared.database import Database
from shared.ids import new_id
from tests.support.agent_sockets import workers
from tests.support.api import Api, listening, running_api
from tests.support.intake_line import Line as Log
from tests.support.intake_line import member_of, message_to, rows
from tests.support.workspaces import Workspace, add_item, make_workspace

FRAME_S = 10


@pytest.fixture
async def api(api_db: Database, worker_db: Database) -> AsyncIterator[Api]:
    async with running_api(api_db, worker_db) as running, workers(running):
        yield running


@pytest.fixture
async def url(api: Api) -> AsyncIterator[str]:
    async with listening(api) as address:
        yield f"{address}/v1/stream"


async def read(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(FRAME_S):
        frame: dict[str, Any] = json.loads(await socket.recv())
    return frame


async def read_until(socket: ClientConnection, kind: str) -> dict[str, Any]:
    while (frame := await read(socket))["type"] != kind:
        pass
    return frame


@contextlib.asynccontextmanager
async def desk(
    url: str, token: str, resume: dict[str, Any] | None = None
) -> AsyncIterator[tuple[ClientConnection, dict[str, Any]]]:
    # A client that stops reading would not see the answer to its goodbye, and wait for it.
    async with connect(url, subprotocols=[websockets.Subprotocol("santral.v1")], proxy=None, max_queue=None) as socket:
        assert socket.subprotocol == "santral.v1"
        await socket.send(json.dumps({"type": "hello", "token": token, **({"resume": resume} if resume else {})}))
        yield socket, await read(socket)


async def closed_with(socket: ClientConnection) -> int:
    async with asyncio.timeout(FRAME_S):
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                await socket.recv()
    return socket.close_code or 0


async def happen(api: Api, workspace: Workspace, agent_id: UUID, times: int) -> None:
    """An agent's presence changes: one event on the agent's stream each time."""
    for place in range(times):
        async with api.worker.batch() as connection:
            await set_presence(
                connection, workspace_id=workspace.id, agent_id=agent_id, presence="online", reason=f"r{new_id()}-{place}"
            )
        api.hints.wake("stream", str(workspace.id))


async def test_the_desk_comes_first_then_what_happens(api: Api, url: str, workspace: Workspace) -> None:
    token = await api.session(workspace.id, "agent", agent_id=workspace.agent_id)
    async with desk(url, token) as (socket, welcome):
        assert welcome["type"] == "welcome"
        assert welcome["desk"]["agent"]["name"] == "Deniz"
        assert welcome["agent_seq"] == welcome["desk"]["agent"]["agent_seq"]
        await happen(api, workspace, workspace.agent_id, 5)
        for place in range(5):
            event = (await read(socket))["event"]
            assert event["agent_seq"] == welcome["agent_seq"] + 1 + place
            assert event["type"] == "presence.changed"
            assert "seq" not in event


async def test_a_resume_misses_nothing_however_often_it_breaks(api: Api, url: str, workspace: Workspace) -> None:
    token = await api.session(workspace.id, "agent", agent_id=workspace.agent_id)
    async with desk(url, token) as (_, welcome):
        place, incarnation = welcome["agent_seq"], welcome["incarnation"]
    seen: list[int] = []
    writing = asyncio.create_task(happen(api, workspace, workspace.agent_id, 60))
    while len(seen) < 60:
        resume = {"incarnation": incarnation, "agent_seq": place, "conversations": {}}
        async with desk(url, token, resume) as (socket, again):
            assert "desk" not in again
            assert again["agent_seq"] == place
            for _ in range(min(7, 60 - len(seen))):
                event = (await read_until(socket, "event"))["event"]
                seen.append(event["agent_seq"])
                place = event["agent_seq"]
    await writing
    assert seen == list(range(welcome["agent_seq"] + 1, welcome["agent_seq"] + 61))


async def test_a_resume_from_another_life_gets_the_desk(api: Api, url: str, workspace: Workspace) -> None:
    token = await api.session(workspace.id, "agent", agent_id=workspace.agent_id)
    for resume in ({"incarnation": str(new_id()), "agent_seq": 1}, {"incarnation": "", "agent_seq": 10**6}):
        async with desk(url, token) as (_, first):
            resume["incarnation"] = resume["incarnation"] or first["incarnation"]
        async with desk(url, token, resume) as (_, welcome):
            assert welcome["desk"]["agent"]["name"] == "Deniz"


async def test_a_followed_conversation_shows_messages_and_events_in_order(
    api: Api, url: str, workspace: Workspace, worker_db: Database
) -> None:
    item = await add_item(worker_db, workspace)
    headers = await api.agent(workspace.id, workspace.agent_id)
    conversation = (await api.client.post(f"/v1/items/{item}/claim", headers=headers)).json()["conversation_id"]
    token = headers["authorization"].removeprefix("Bearer ")
    async with desk(url, token) as (socket, _):
        await socket.send(json.dumps({"type": "follow", "conversation_id": conversation, "seq": 0}))
        for text in ("bir", "iki"):
            body = {"content": {"kind": "text", "text": text}}
            answer = await api.client.post(f"/v1/conversations/{conversation}/replies", json=body, headers=headers)
            assert answer.status_code == 202
        seqs: list[int] = []
        texts: list[str] = []
        while texts != ["bir", "iki"]:
            frame = await read(socket)
            if frame["type"] == "message":
                texts.append(frame["message"]["text"])
                seqs.append(frame["message"]["seq"])
            elif frame["type"] == "event" and "seq" in frame["event"]:
                seqs.append(frame["event"]["seq"])
        assert seqs == list(range(1, len(seqs) + 1))


async def test_an_amendment_is_told_and_its_message_shown_anew(
    api: Api, url: str, workspace: Workspace, worker_db: Database
) -> None:
    member, line, ref = await member_of(worker_db), Log(), f"ext:{workspace.inboxes['webchat']}:m1"
    line.add(message_to(workspace, "webchat", "m1", who="v1", text="Cuma", defines=(ref,)))
    await member.take(line)
    (item,) = await rows(worker_db, "select id, conversation_id from santral.work_item")
    headers = await api.agent(workspace.id, workspace.agent_id)
    assert (await api.client.post(f"/v1/items/{item['id']}/claim", headers=headers)).status_code == 200
    async with desk(url, headers["authorization"].removeprefix("Bearer ")) as (socket, _):
        await socket.send(json.dumps({"type": "follow", "conversation_id": str(item["conversation_id"]), "seq": 0}))
        came = (await read_until(socket, "message"))["message"]
        line.add(message_to(workspace, "webchat", "m2", who="v1", kind="edit", text="Salı", in_reply_to="m1", refs=(ref,)))
        await member.take(line)
        api.hints.wake("stream", str(workspace.id))
        while (frame := await read_until(socket, "event"))["event"]["type"] != "message.amended":
            pass
        assert frame["event"]["data"]["amends"] == came["id"]
        # A conversation's own stream tells it, and then shows the message itself: nothing else with the number of the edit.
        anew = await read(socket)
        assert (anew["type"], anew["message"]["seq"], anew["message"]["text"]) == ("message", came["seq"], "Salı")


async def test_a_queue_is_a_snapshot_then_absolute_states(api: Api, url: str, workspace: Workspace, worker_db: Database) -> None:
    first = await add_item(worker_db, workspace, age_s=10)
    headers = await api.agent(workspace.id, workspace.agent_id)
    async with desk(url, headers["authorization"].removeprefix("Bearer ")) as (socket, _):
        await socket.send(json.dumps({"type": "follow_queue", "queue": "genel"}))
        snapshot = await read_until(socket, "queue")
        assert [item["id"] for item in snapshot["items"]] == [str(first)]
        second = await add_item(worker_db, workspace)
        api.hints.wake("stream", str(workspace.id))
        came = await read_until(socket, "queue_item")
        assert (came["id"], came["state"]) == (str(second), "queued")
        await api.client.post(f"/v1/items/{first}/claim", headers=headers)
        left = await read_until(socket, "queue_item")
        assert (left["id"], left["state"]) == (str(first), "assigned")
        assert left["version"] > snapshot["items"][0]["version"]


async def test_what_is_not_mine_is_an_error_and_the_socket_stays(
    api: Api, url: str, workspace: Workspace, worker_db: Database
) -> None:
    other = await make_workspace(worker_db, name="other")
    theirs = await add_item(worker_db, other)
    async with worker_db.batch() as connection:
        conversation = await connection.fetchval("select conversation_id from santral.work_item where id = $1", theirs)
    token = await api.session(workspace.id, "agent", agent_id=workspace.agent_id)
    async with desk(url, token) as (socket, _):
        for frame, status in (
            ({"type": "follow", "conversation_id": str(conversation)}, 404),
            ({"type": "follow_queue", "queue": "nowhere"}, 404),
            ({"type": "dance"}, 400),
            ({"type": "unfollow", "conversation_id": "x"}, 400),
        ):
            await socket.send(json.dumps(frame))
            assert (await read_until(socket, "error"))["problem"]["status"] == status
        await happen(api, workspace, workspace.agent_id, 1)
        assert (await read_until(socket, "event"))["event"]["type"] == "presence.changed"


async def test_a_bad_hello_is_refused(api: Api, url: str, workspace: Workspace) -> None:
    key = (await api.key(workspace.id))["authorization"].removeprefix("Bearer ")
    visitor = await api.session(workspace.id, "visitor", inbox_id=workspace.inboxes["webchat"], visitor_id=new_id())
    for hello, code in (
        (json.dumps({"type": "hello", "token": "santral_agent_x"}), 4401),
        (json.dumps({"type": "hello", "token": key}), 4403),
        (json.dumps({"type": "hello", "token": visitor}), 4403),
        (json.dumps({"type": "follow"}), 4400),
        ("{", 4400),
        (b"\x00", 4400),
    ):
        async with connect(url, proxy=None) as socket:
            await socket.send(hello)
            assert await closed_with(socket) == code, hello


async def test_revoking_a_token_closes_its_socket(api: Api, url: str, workspace: Workspace, worker_db: Database) -> None:
    token = await api.session(workspace.id, "agent", agent_id=workspace.agent_id)
    async with desk(url, token) as (socket, _):
        async with worker_db.batch() as connection:
            await connection.execute("update santral.session set revoked_at = now()")
        async with asyncio.timeout(5):
            assert await closed_with(socket) == 4403


async def test_an_open_socket_keeps_the_agents_lease(api: Api, url: str, workspace: Workspace, worker_db: Database) -> None:
    token = await api.session(workspace.id, "agent", agent_id=workspace.agent_id)
    async with worker_db.batch() as connection:
        await connection.execute("update santral.agent set lease_until = now() - interval '1 minute'")
    async with desk(url, token), asyncio.timeout(FRAME_S):
        good = False
        while not good:
            async with worker_db.batch() as connection:
                good = await connection.fetchval("select lease_until > now() + interval '20 seconds' from santral.agent")
            await asyncio.sleep(0.05)


async def test_shutting_down_sends_1012(api: Api, workspace: Workspace) -> None:
    token = await api.session(workspace.id, "agent", agent_id=workspace.agent_id)
    async with contextlib.AsyncExitStack() as stack:
        async with listening(api) as address:
            socket, _ = await stack.enter_async_context(desk(f"{address}/v1/stream", token))
            closing = asyncio.create_task(closed_with(socket))
        assert await closing == 1012


class Stuck:
    """A transport whose peer takes nothing."""

    async def send_text(self, text: str) -> None:
        await asyncio.Event().wait()


async def test_a_client_that_takes_nothing_is_closed_4409() -> None:
    line = Line(Stuck(), patience_s=0.05)  # type: ignore[arg-type]
    with pytest.raises(Closed) as caught:
        await line.send({"type": "event"})
    assert caught.value.code == 4409


async def test_a_slow_client_is_closed_4409_and_resumes(api: Api, url: str, workspace: Workspace) -> None:
    """The client stops reading while large frames come; the server holds none of them and gives up on it."""
    api.app.state.patience_s = 0.5
    item = await add_item(api.worker, workspace)
    async with api.worker.batch() as connection:
        conversation = await connection.fetchval("select conversation_id from santral.work_item where id = $1", item)
        await connection.execute("update santral.conversation set seq = 300 where id = $1", conversation)
        await connection.execute(
            "insert into santral.message (workspace_id, conversation_id, seq, id, direction, kind, channel, provider, inbox_id, visibility,"
            " external_id, text, accepted_at) select $1, $2, n, gen_random_uuid(), 'in', 'text', 'chat', 'webchat', $3, 'private', n::text,"
            " repeat('x', 40000), now() from generate_series(1, 300) n",
            workspace.id, conversation, workspace.inboxes["webchat"],
        )  # fmt: skip
        await connection.execute(
            "insert into santral.event (workspace_id, id, type, at, conversation_id, seq)"
            " select $1, gen_random_uuid(), 'message.received', now(), $2, n from generate_series(1, 300) n",
            workspace.id, conversation,
        )  # fmt: skip
    token = await api.session(workspace.id, "agent", agent_id=workspace.agent_id)
    async with connect(url, proxy=None, max_queue=1) as socket:
        await socket.send(json.dumps({"type": "hello", "token": token}))
        await socket.send(json.dumps({"type": "follow", "conversation_id": str(conversation), "seq": 0}))
        await asyncio.sleep(2)  # nothing tells a client that its server lost patience
        last = 0
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                frame = json.loads(await socket.recv())
                last = frame["message"]["seq"] if frame["type"] == "message" else last
        assert socket.close_code == 4409
        assert 0 < last < 300
    async with desk(url, token) as (socket, _):
        await socket.send(json.dumps({"type": "follow", "conversation_id": str(conversation), "seq": last}))
        seqs = [(await read_until(socket, "message"))["message"]["seq"] for _ in range(300 - last)]
        assert seqs == list(range(last + 1, 301))


async def test_disabling_an_agent_closes_their_socket(api: Api, url: str, workspace: Workspace) -> None:
    token = await api.session(workspace.id, "agent", agent_id=workspace.agent_id)
    async with desk(url, token) as (socket, welcome):
        place = f"/v1/agents/{welcome['desk']['agent']['id']}"
        answer = await api.client.put(place, json={"name": "Deniz", "enabled": False}, headers=await api.key(workspace.id))
        assert answer.status_code == 200, answer.text
        async with asyncio.timeout(5):
            assert await closed_with(socket) == 4403


async def test_following_again_begins_where_it_says(api: Api, url: str, workspace: Workspace, worker_db: Database) -> None:
    item = await add_item(worker_db, workspace)
    headers = await api.agent(workspace.id, workspace.agent_id)
    conversation = (await api.client.post(f"/v1/items/{item}/claim", headers=headers)).json()["conversation_id"]
    async with desk(url, headers["authorization"].removeprefix("Bearer ")) as (socket, _):
        for _ in range(3):
            for kind, more in (("follow", {"seq": 0}), ("unfollow", {}), ("follow", {"seq": 0})):
                await socket.send(json.dumps({"type": kind, "conversation_id": conversation, **more}))
            while (await read_until(socket, "event"))["event"].get("seq") != 1:
                pass
