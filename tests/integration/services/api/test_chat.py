"""The chat widget: sessions, origins, signed identities, and that a visitor sees nothing but their own conversation."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import websockets
from websockets.asyncio.client import connect

from router.placements import commands as placement_commands
from shared.database import Database
from shared.ids import new_id
from tests.support.api import Api, listening, running_api
from tests.support.chat import IDENTITY, chat, good_claims, open_session, published, read_until, route, say, signed
from tests.support.intake_line import rows
from tests.support.waiting import eventually
from tests.support.workspaces import Workspace

SHOP = "https://shop.example"


@pytest.fixture
async def api(api_db: Database, worker_db: Database) -> AsyncIterator[Api]:
    async with running_api(api_db, worker_db) as running:
        task = asyncio.create_task(running.app.state.fanout.run(running.hints.waiter("stream")))
        yield running
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def widget(api: Api, workspace: Workspace) -> str:
    """A widget token: the inbox takes identities and lists one foreign origin."""
    async with api.worker.batch() as connection:
        await connection.execute(
            "update santral.inbox set secrets = $2, settings = $3 where id = $1",
            workspace.inboxes["webchat"], api.sealer.seal({"identity_secret": IDENTITY}), {"origins": [SHOP], "title": "Yardım"},
        )  # fmt: skip
    return f"token-{workspace.inboxes['webchat']}"


@pytest.fixture
async def url(api: Api) -> AsyncIterator[str]:
    async with listening(api) as address:
        yield address


async def test_a_visitor_talks_and_is_answered(api: Api, url: str, workspace: Workspace, widget: str) -> None:
    session = await open_session(api, widget)
    async with chat(url, widget, session["token"]) as (socket, welcome):
        assert (welcome["conversation_id"], welcome["state"], welcome["messages"]) == (None, "idle", [])
        client_id = await say(socket, "Merhaba")
        conversation = await route(api, workspace, published(api)[0])
        message = await read_until(socket, "message")
        assert message["message"] | {"at": ""} == {"seq": 1, "direction": "in", "text": "Merhaba", "client_id": client_id, "at": ""}
        assert (await read_until(socket, "state"))["state"] == "waiting"
        assert (await read_until(socket, "position"))["position"] == 1
        headers = await api.agent(workspace.id, workspace.agent_id)
        item = (await api.client.get("/v1/items", params={"queue": "genel"}, headers=headers)).json()["items"][0]["id"]
        assert (await api.client.post(f"/v1/items/{item}/claim", headers=headers)).status_code == 200
        state = await read_until(socket, "state")
        assert (state["state"], state["agent"]) == ("with_agent", "Deniz")
        body = {"content": {"kind": "text", "text": "Buyurun"}}
        await api.client.post(f"/v1/conversations/{conversation}/replies", json=body, headers=headers)
        answer = await read_until(socket, "message")
        assert (answer["message"]["text"], answer["message"]["agent_name"]) == ("Buyurun", "Deniz")
        assert answer["message"].keys() == {"seq", "direction", "text", "at", "agent_name"}
        seen = answer["message"]["seq"]
    async with api.worker.batch() as connection:
        await connection.execute("update santral.message set text = 'Değişti' where seq = 1")
    resume = {"incarnation": welcome["incarnation"], "conversation_id": str(conversation), "seq": 1}
    async with chat(url, widget, session["token"], resume) as (_, again):
        assert [one["text"] for one in again["messages"]] == ["Buyurun"], "a resume brings only what was missed"
        assert again["seq"] >= seen


async def test_a_visitor_sees_only_their_own(api: Api, url: str, workspace: Workspace, widget: str) -> None:
    first, second = await open_session(api, widget), await open_session(api, widget)
    async with chat(url, widget, first["token"]) as (one, _), chat(url, widget, second["token"]) as (two, _):
        await say(one, "benim sırrım")
        await say(two, "öteki")
        mine, theirs = published(api)
        conversation = await route(api, workspace, mine)
        await route(api, workspace, theirs)
        assert (await read_until(one, "message"))["message"]["text"] == "benim sırrım"
        assert (await read_until(two, "message"))["message"]["text"] == "öteki"
    # Even when it names the other's conversation to resume, and even when a message of another person stands in it.
    async with api.worker.batch() as connection:
        await connection.execute(
            "insert into santral.message (workspace_id, conversation_id, seq, id, direction, kind, channel, provider, inbox_id, visibility,"
            " external_id, text, accepted_at) select workspace_id, conversation_id, 9, gen_random_uuid(), 'in', 'text', 'email', 'smtp', $1,"
            " 'private', 'm', 'a mail of somebody in copy', now() from santral.message where text = 'öteki'",
            workspace.inboxes["smtp"],
        )  # fmt: skip
        await connection.execute("update santral.conversation set seq = 9")
    resume = {"incarnation": str(new_id()), "conversation_id": str(conversation), "seq": 0}
    async with chat(url, widget, second["token"], resume) as (_, welcome):
        assert [one["text"] for one in welcome["messages"]] == ["öteki"]
        assert "profile" not in json.dumps(welcome)


async def test_sending_again_is_the_same_message(api: Api, url: str, workspace: Workspace, widget: str) -> None:
    session = await open_session(api, widget)
    frame = json.dumps({"type": "message", "id": str(uuid4()), "text": "Merhaba"})
    ids = set()
    for _ in range(3):
        async with chat(url, widget, session["token"]) as (socket, _welcome):
            await socket.send(frame)
            ids.add((await read_until(socket, "accepted"))["message_id"])
    assert len(ids) == 1
    assert len({record.key for record in api.broker.records}) == 1, "one partition for the whole session"


async def test_a_broker_that_is_down_closes_1013(api: Api, url: str, workspace: Workspace, widget: str) -> None:
    session = await open_session(api, widget)
    api.broker.down = True
    async with chat(url, widget, session["token"]) as (socket, _):
        await socket.send(json.dumps({"type": "message", "id": str(uuid4()), "text": "Merhaba"}))
        with pytest.raises(websockets.ConnectionClosed):
            await read_until(socket, "accepted")
        assert socket.close_code == 1013


async def test_leaving_gives_the_place_up(api: Api, url: str, workspace: Workspace, widget: str) -> None:
    session = await open_session(api, widget)
    async with chat(url, widget, session["token"]) as (socket, _):
        await say(socket, "Merhaba")
        await route(api, workspace, published(api)[0])
        await read_until(socket, "state")
        await socket.send(json.dumps({"type": "leave"}))
        assert (await read_until(socket, "state"))["state"] == "closed"
    async with api.worker.batch() as connection:
        assert await connection.fetchval("select state from santral.work_item") == "abandoned"


async def test_who_leaves_ends_no_work_that_another_customer_waits_for(
    api: Api, url: str, workspace: Workspace, widget: str
) -> None:
    mine, theirs = await open_session(api, widget), await open_session(api, widget)
    async with chat(url, widget, mine["token"]) as (socket, _), chat(url, widget, theirs["token"]) as (other, _):
        places = []
        for one, text in ((socket, "Merhaba"), (other, "Selam")):
            await say(one, text)
            places.append(await route(api, workspace, published(api)[-1]))
            await read_until(one, "message")
        key = await api.key(workspace.id)
        merged = await api.client.post(f"/v1/conversations/{places[0]}/merge", json={"into": str(places[1])}, headers=key)
        assert merged.status_code == 200, merged.text
        api.hints.wake("stream", str(workspace.id))
        assert (await read_until(socket, "welcome"))["conversation_id"] == str(places[1])
        await socket.send(json.dumps({"type": "leave"}))

        async def told() -> bool:
            return bool(await rows(api.worker, "select 1 from santral.event where type in ('conversation.left', 'item.abandoned')"))

        await eventually(told, 10, "the agents hear that the visitor left")
    (item,) = await rows(
        api.worker, "select state from santral.work_item where conversation_id = $1 and closed_at is null", places[1]
    )
    assert item["state"] in ("queued", "offered")
    assert [
        one["conversation_id"] for one in await rows(api.worker, "select * from santral.event where type = 'conversation.left'")
    ] == [places[1]]


async def test_bad_frames_are_answered_and_bad_tokens_refused(api: Api, url: str, workspace: Workspace, widget: str) -> None:
    session = await open_session(api, widget)
    async with chat(url, widget, session["token"]) as (socket, _):
        for frame, field in (
            ({"type": "message", "id": str(uuid4()), "text": "   "}, "text"),
            ({"type": "message", "id": "x", "text": "a"}, "message.id"),
            ({"type": "message", "id": str(uuid4()), "text": "a", "conversation_id": str(uuid4())}, "message.conversation_id"),
            ({"type": "follow"}, "frame"),
        ):
            await socket.send(json.dumps(frame))
            assert (await read_until(socket, "error"))["problem"]["field"] == field
    agent = await api.session(workspace.id, "agent", agent_id=workspace.agent_id)
    elsewhere = await api.session(workspace.id, "visitor", inbox_id=workspace.inboxes["api"], visitor_id=new_id())
    for token in (agent, elsewhere, "santral_visitor_x"):
        async with connect(f"{url}/v1/chat/{widget}/socket", proxy=None) as socket:
            await socket.send(json.dumps({"type": "hello", "token": token}))
            with pytest.raises(websockets.ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 4401


async def test_origins(api: Api, url: str, workspace: Workspace, widget: str) -> None:
    session = await open_session(api, widget)
    for origin, allowed in ((SHOP, True), ("http://santral.test", True), ("https://evil.example", False), ("null", False)):
        answer = await api.client.post(f"/v1/chat/{widget}/sessions", json={}, headers={"origin": origin})
        assert (answer.status_code == 201) == allowed, origin
        assert answer.headers.get("access-control-allow-origin") == (origin if origin == SHOP else None)
        opening = connect(f"{url}/v1/chat/{widget}/socket", origin=websockets.Origin(origin), proxy=None)
        if allowed:
            async with opening as socket:
                await socket.send(json.dumps({"type": "hello", "token": session["token"]}))
                await read_until(socket, "welcome")
        else:
            with pytest.raises(websockets.InvalidStatus) as caught:
                await opening
            assert caught.value.response.status_code == 403
    asked = {"origin": SHOP, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    preflight = await api.client.options(f"/v1/chat/{widget}/sessions", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == SHOP
    assert "access-control-allow-credentials" not in preflight.headers
    page = await api.client.get(f"/chat/{widget}")
    assert page.headers["content-security-policy"].endswith(f"frame-ancestors 'self' {SHOP}")


async def test_a_widget_that_is_not_there(api: Api, url: str, workspace: Workspace, widget: str) -> None:
    for token in ("nothing", f"token-{workspace.inboxes['smtp']}"):
        assert (await api.client.get(f"/v1/chat/{token}/config")).status_code == 404
        assert (await api.client.post(f"/v1/chat/{token}/sessions", json={})).status_code == 404
        assert (await api.client.get(f"/chat/{token}")).status_code == 404
        with pytest.raises(websockets.InvalidStatus):
            await connect(f"{url}/v1/chat/{token}/socket", proxy=None)
    config = await api.client.get(f"/v1/chat/{widget}/config")
    assert config.json() == {"title": "Yardım", "locale": "tr", "identified": True}


async def test_a_signed_identity_names_the_customer(api: Api, url: str, workspace: Workspace, widget: str) -> None:
    identity = signed(good_claims(email="ayse@ornek.com", name="Ayşe"))
    first, second = await open_session(api, widget, identity=identity), await open_session(api, widget, identity=identity)
    assert first["visitor_id"] == second["visitor_id"], "the same customer comes back to the same chat"
    async with chat(url, widget, first["token"]) as (socket, _):
        await say(socket, "Merhaba")
    (message,) = published(api)
    assert message.authenticated
    assert {(one.kind, one.value, one.assurance) for one in message.other_handles} == {
        ("external_id", "customer-7", "authenticated"), ("email", "ayse@ornek.com", "authenticated")
    }  # fmt: skip
    anonymous = await open_session(api, widget)
    assert anonymous["visitor_id"] != first["visitor_id"]


def bad_identities() -> dict[str, str]:
    none = "eyJhbGciOiJub25lIn0." + signed(good_claims()).split(".")[1] + "."
    return {
        "another secret": signed(good_claims(), "another secret of enough characters!!"),
        "expired": signed(good_claims(exp=int(time.time()) - 3600)),
        "without exp": signed({"sub": "customer-7", "aud": "webchat"}),
        "lives too long": signed(good_claims(exp=int(time.time()) + 86400)),
        "another inbox": signed(good_claims(aud="other")),
        "without aud": signed({"sub": "customer-7", "exp": int(time.time()) + 600}),
        "names nobody": signed({"aud": "webchat", "exp": int(time.time()) + 600}),
        "alg none": none,
        "another algorithm": signed(good_claims(), IDENTITY, "HS512"),
        "no token": "hello",
        "changed": signed(good_claims())[:-4] + "AAAA",
    }


@pytest.mark.parametrize("what", bad_identities())
async def test_a_bad_identity_opens_nothing(api: Api, workspace: Workspace, widget: str, what: str) -> None:
    answer = await api.client.post(f"/v1/chat/{widget}/sessions", json={"identity": bad_identities()[what]})
    assert answer.status_code == 401, what
    async with api.worker.batch() as connection:
        assert await connection.fetchval("select count(*) from santral.session") == 0


async def test_a_page_begins_anew_when_the_visitors_words_are_put_into_another_conversation(
    api: Api, workspace: Workspace, widget: str, url: str
) -> None:
    session = await open_session(api, widget)
    async with chat(url, widget, session["token"]) as (socket, _):
        await say(socket, "Merhaba")
        gone = await route(api, workspace, published(api)[0])
        assert (await read_until(socket, "message"))["conversation_id"] == str(gone)
        other = new_id()
        async with api.worker.batch() as connection:
            await connection.execute(
                "insert into santral.conversation (workspace_id, id, handle_id, inbox_id, last_inbox_id, last_handle_id, channel, opened_at)"
                " select workspace_id, $2, handle_id, inbox_id, inbox_id, handle_id, 'chat', now() from santral.conversation where id = $1",
                gone, other,
            )  # fmt: skip
            await placement_commands.merge(
                connection, workspace_id=workspace.id, conversation_id=gone, into=other, reason=None, actor="key:test", by=None
            )
        api.hints.wake("stream", str(workspace.id))
        again = await read_until(socket, "welcome")
        assert (again["conversation_id"], [one["text"] for one in again["messages"]]) == (str(other), ["Merhaba"])


async def test_an_international_origin_is_known_by_its_a_labels(api: Api, workspace: Workspace, widget: str) -> None:
    async with api.worker.batch() as connection:
        settings = {"origins": ["müşteri.example", "https://bad\u2028.example"], "title": "Yardım"}
        await connection.execute("update santral.inbox set settings = $2 where id = $1", workspace.inboxes["webchat"], settings)
    page = await api.client.get(f"/chat/{widget}")
    assert page.status_code == 200, page.text
    assert "https://xn--mteri-kva70e.example" in page.headers["content-security-policy"]
    for origin, status in (
        ("https://xn--mteri-kva70e.example", 200),
        ("https://m\xfcsteri.example", 403),
        ("\xe9", 403),
        ("null", 403),
    ):
        answer = await api.client.get(f"/v1/chat/{widget}/config", headers={b"origin": origin.encode("latin-1")})
        assert answer.status_code == status, (origin, answer.text)


@pytest.mark.parametrize(
    "claims",
    ['"exp": ' + "9" * 400, '"exp": NaN', '"exp": 1e999', '"exp": "x"', '"exp": true', '"exp": [1]', '"sub": ' + "9" * 2000],
)
async def test_a_claim_of_another_kind_proves_nothing(api: Api, workspace: Workspace, widget: str, claims: str) -> None:
    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    rest = "" if claims.startswith('"exp"') else f', "exp": {int(time.time()) + 600}'
    payload = f'{{"sub": "7", "aud": "webchat", {claims}{rest}}}'
    signed_part = part(b'{"alg":"HS256"}') + "." + part(payload.encode())
    signature = hmac.new(IDENTITY.encode(), signed_part.encode(), hashlib.sha256).digest()
    answer = await api.client.post(f"/v1/chat/{widget}/sessions", json={"identity": f"{signed_part}.{part(signature)}"})
    assert answer.status_code == 401, answer.text
