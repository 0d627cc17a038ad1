"""Visitors' sessions: they end with their customer, and an anonymous chat goes on as the customer's and as nobody else's."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from websockets.asyncio.client import ClientConnection, connect

from services.api.chat_sessions import ANONYMOUS_S, ANONYMOUS_WRITER_S, SIGNED_S
from shared.database import Database
from tests.support.api import Api, listening, running_api
from tests.support.chat import FRAME_S, IDENTITY, chat, good_claims, open_session, published, read_until, route, say, signed
from tests.support.workspaces import Workspace

SHOP = "https://shop.example"


@pytest.fixture
async def api(api_db: Database, worker_db: Database) -> AsyncIterator[Api]:
    async with running_api(api_db, worker_db) as running:
        tasks = [
            asyncio.create_task(running.app.state.fanout.run(running.hints.waiter("stream"))),
            asyncio.create_task(running.app.state.guard.run()),
        ]
        yield running
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def widget(api: Api, workspace: Workspace) -> str:
    async with api.worker.batch() as connection:
        await connection.execute(
            "update santral.inbox set secrets = $2, settings = $3 where id = $1",
            workspace.inboxes["webchat"], api.sealer.seal({"identity_secret": IDENTITY}), {"origins": [SHOP]},
        )  # fmt: skip
    return f"token-{workspace.inboxes['webchat']}"


@pytest.fixture
async def url(api: Api) -> AsyncIterator[str]:
    async with listening(api) as address:
        yield address


def identity(customer: str, **more: str) -> str:
    return signed(good_claims(sub=customer, **more))


async def spoken(api: Api, url: str, workspace: Workspace, widget: str, token: str, text: str) -> UUID:
    """Says something, and has it taken in; the conversation."""
    async with chat(url, widget, token) as (socket, _):
        await say(socket, text)
    return await route(api, workspace, published(api)[-1])


async def seen(url: str, widget: str, token: str) -> list[str]:
    async with chat(url, widget, token) as (_, welcome):
        return [one["text"] for one in welcome["messages"]]


async def closed(socket: ClientConnection) -> int | None:
    async with asyncio.timeout(FRAME_S):
        await socket.wait_closed()
    return socket.close_code


async def refused(url: str, widget: str, token: str) -> bool:
    """Whether a token opens nothing any more, at the latest after the seconds for which a credential is remembered."""
    async with asyncio.timeout(FRAME_S):
        while True:
            async with connect(f"{url}/v1/chat/{widget}/socket", proxy=None) as socket:
                await socket.send(json.dumps({"type": "hello", "token": token}))
                if await closed(socket) in (4401, 4403):
                    return True


async def test_a_customers_chat_ends_with_the_customer(api: Api, url: str, workspace: Workspace, widget: str) -> None:
    first = await open_session(api, widget, identity=identity("customer-7"))
    assert (first["signed"], first["continues"]) == (True, False)
    await spoken(api, url, workspace, widget, first["token"], "benim sırrım")
    async with chat(url, widget, first["token"]) as (socket, welcome):
        assert [one["text"] for one in welcome["messages"]] == ["benim sırrım"]
        nobody = await open_session(api, widget, previous=first["token"])
        assert await closed(socket) == 4403
    assert (nobody["signed"], nobody["continues"]) == (False, False)
    assert nobody["visitor_id"] != first["visitor_id"]
    assert await seen(url, widget, nobody["token"]) == []
    await spoken(api, url, workspace, widget, nobody["token"], "ben başkasıyım")
    assert not published(api)[-1].authenticated
    assert await refused(url, widget, first["token"])


async def test_another_customer_at_the_browser_begins_anew(api: Api, url: str, workspace: Workspace, widget: str) -> None:
    ayse = await open_session(api, widget, identity=identity("ayse"))
    await spoken(api, url, workspace, widget, ayse["token"], "Ayşe'nin sırrı")
    mehmet = await open_session(api, widget, identity=identity("mehmet"), previous=ayse["token"])
    assert (mehmet["signed"], mehmet["continues"]) == (True, False)
    assert await seen(url, widget, mehmet["token"]) == []
    assert await refused(url, widget, ayse["token"])
    again = await open_session(api, widget, identity=identity("ayse"), previous=mehmet["token"])
    assert await seen(url, widget, again["token"]) == ["Ayşe'nin sırrı"]


async def test_a_fresh_identity_of_the_same_customer_goes_on(api: Api, url: str, workspace: Workspace, widget: str) -> None:
    first = await open_session(api, widget, identity=identity("ayse"))
    async with chat(url, widget, first["token"]) as (socket, _):
        again = await open_session(api, widget, identity=identity("ayse", name="Ayşe"), previous=first["token"])
        assert (again["token"], again["continues"]) == (first["token"], True)
        await say(socket, "Merhaba")


async def test_logging_out_ends_the_session_at_once_and_twice_is_safe(
    api: Api, url: str, workspace: Workspace, widget: str
) -> None:
    session = await open_session(api, widget, identity=identity("ayse"))
    path, header = f"/v1/chat/{widget}/sessions/me", {"authorization": f"Bearer {session['token']}", "origin": SHOP}
    asked = {"origin": SHOP, "access-control-request-method": "DELETE", "access-control-request-headers": "authorization"}
    preflight = await api.client.options(path, headers=asked)
    assert (preflight.status_code, preflight.headers["access-control-allow-methods"]) == (204, "DELETE")
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    async with chat(url, widget, session["token"]) as (socket, _):
        answer = await api.client.delete(path, headers=header)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, SHOP)
        async with asyncio.timeout(1):
            assert await closed(socket) == 4403
    assert (await api.client.delete(path, headers=header)).status_code == 204
    assert await refused(url, widget, session["token"])
    assert (await api.client.delete(path)).status_code == 401
    assert (await api.client.delete(path, headers={"authorization": "Bearer santral_visitor_x"})).status_code == 401
    evil = await api.client.delete(path, headers={**header, "origin": "https://evil.example"})
    assert evil.status_code == 403


async def test_an_anonymous_chat_goes_on_as_the_customers(api: Api, url: str, workspace: Workspace, widget: str) -> None:
    anonymous = await open_session(api, widget)
    conversation = await spoken(api, url, workspace, widget, anonymous["token"], "Merhaba")
    before = await handle_of(api, anonymous["visitor_id"])
    customer = await open_session(api, widget, identity=identity("ayse", name="Ayşe"), previous=anonymous["token"])
    assert (customer["signed"], customer["continues"]) == (True, True)
    assert await known_as(api, before) == {"ayse"}, "agents see the customer before the next word"
    async with chat(url, widget, customer["token"]) as (socket, welcome):
        assert [one["text"] for one in welcome["messages"]] == ["Merhaba"]
        assert await refused(url, widget, anonymous["token"])
        await answered(api, workspace, conversation, "Buyurun Ayşe Hanım")
        assert (await read_until(socket, "message"))["message"]["text"] == "Buyurun Ayşe Hanım"
        await say(socket, "Benim, Ayşe")
        assert await route(api, workspace, published(api)[-1]) == conversation
        assert (await read_until(socket, "message"))["message"]["text"] == "Benim, Ayşe"
    first, second = published(api)
    assert (first.authenticated, second.authenticated) == (False, True)
    assert {one.value for one in second.other_handles} == {"ayse"}
    assert len({record.key for record in api.broker.records}) == 1, "the chat stays on its partition"
    phone = await open_session(api, widget, identity=identity("ayse"))
    assert await seen(url, widget, phone["token"]) == ["Merhaba", "Buyurun Ayşe Hanım", "Benim, Ayşe"], "on her other device too"


@pytest.mark.parametrize(
    "gone", ["update santral.inbox set enabled = false where id = $1", "delete from santral.inbox where id = $1"]
)
async def test_a_chat_whose_inbox_is_disabled_or_removed_closes_its_sockets(
    api: Api, url: str, workspace: Workspace, widget: str, gone: str
) -> None:
    token = (await open_session(api, widget))["token"]
    async with chat(url, widget, token) as (socket, _):
        await say(socket, "merhaba")
        async with api.worker.batch() as connection:
            await connection.execute(gone, workspace.inboxes["webchat"])
        assert await closed(socket) == 4403
    assert [one.text for one in published(api)] == ["merhaba"]


async def test_a_chat_that_is_a_customers_is_given_to_nobody_else(api: Api, url: str, workspace: Workspace, widget: str) -> None:
    anonymous = await open_session(api, widget)
    await spoken(api, url, workspace, widget, anonymous["token"], "Merhaba")
    async with chat(url, widget, anonymous["token"]) as (_, welcome):
        assert len(welcome["messages"]) == 1
    ayse = await open_session(api, widget, identity=identity("ayse"), previous=anonymous["token"])
    # Even a token of before that held on (it was remembered, or written back) shows it to nobody and gives it to nobody.
    async with api.worker.batch() as connection:
        await connection.execute(
            "update santral.session set revoked_at = null where visitor_id = $1", UUID(anonymous["visitor_id"])
        )
    assert await seen(url, widget, anonymous["token"]) == []
    mehmet = await open_session(api, widget, identity=identity("mehmet"), previous=anonymous["token"])
    assert (mehmet["continues"], await seen(url, widget, mehmet["token"])) == (False, [])
    nobody = await open_session(api, widget, previous=anonymous["token"])
    assert (nobody["continues"], await seen(url, widget, nobody["token"])) == (False, [])
    assert await seen(url, widget, ayse["token"]) == ["Merhaba"]


async def test_two_customers_who_claim_one_chat_at_once_do_not_both_get_it(
    api: Api, url: str, workspace: Workspace, widget: str
) -> None:
    anonymous = await open_session(api, widget)
    await spoken(api, url, workspace, widget, anonymous["token"], "Merhaba")
    both = await asyncio.gather(
        *(open_session(api, widget, identity=identity(one), previous=anonymous["token"]) for one in ("ayse", "mehmet"))
    )
    assert sorted(one["continues"] for one in both) == [False, True]
    assert sorted([await seen(url, widget, one["token"]) for one in both]) == [[], ["Merhaba"]]


async def test_where_the_rules_of_identity_refuse_the_customer_still_has_the_chat(
    api: Api, url: str, workspace: Workspace, widget: str
) -> None:
    async with api.worker.batch() as connection:
        await connection.execute("update santral.workspace set settings = settings || $1", {"profile": {"limits": {"visitor": 1}}})
    for text, known in (("bir", {"ayse"}), ("iki", set())):
        anonymous = await open_session(api, widget)
        await spoken(api, url, workspace, widget, anonymous["token"], text)
        customer = await open_session(api, widget, identity=identity("ayse"), previous=anonymous["token"])
        assert (customer["continues"], await seen(url, widget, customer["token"])) == (True, [text])
        assert await known_as(api, await handle_of(api, anonymous["visitor_id"])) == known


async def test_who_has_not_written_takes_nothing_along(api: Api, workspace: Workspace, widget: str) -> None:
    usual = await open_session(api, widget, identity=identity("ayse"))
    anonymous = await open_session(api, widget)
    signed_in = await open_session(api, widget, identity=identity("ayse"), previous=anonymous["token"])
    assert signed_in["visitor_id"] == usual["visitor_id"]
    assert signed_in["continues"], "what was typed and not sent yet is theirs"
    async with api.worker.batch() as connection:
        assert await connection.fetchval("select count(*) from santral.visitor_join") == 0


async def test_how_long_sessions_last(api: Api, url: str, workspace: Workspace, widget: str) -> None:
    assert lasts(await open_session(api, widget, identity=identity("ayse"))) <= timedelta(seconds=SIGNED_S)
    anonymous = await open_session(api, widget)
    assert lasts(anonymous) <= timedelta(seconds=ANONYMOUS_S)
    await spoken(api, url, workspace, widget, anonymous["token"], "Merhaba")
    again = await open_session(api, widget, previous=anonymous["token"])
    assert (again["token"], again["visitor_id"]) == (anonymous["token"], anonymous["visitor_id"])
    assert lasts(again) > timedelta(seconds=ANONYMOUS_WRITER_S - 60), "who wrote is remembered, from each visit on"
    assert await seen(url, widget, again["token"]) == ["Merhaba"]


@pytest.mark.parametrize("previous", ["santral_visitor_x", "hello", "ü" * 20, "x" * 200])
async def test_a_browsers_memory_that_is_no_token_begins_anew(api: Api, workspace: Workspace, widget: str, previous: str) -> None:
    assert (await open_session(api, widget, previous=previous))["continues"] is False


async def test_a_token_of_another_inbox_or_kind_is_no_memory(api: Api, workspace: Workspace, widget: str) -> None:
    agent = await api.session(workspace.id, "agent", agent_id=workspace.agent_id)
    other = await api.session(workspace.id, "visitor", inbox_id=workspace.inboxes["api"], visitor_id=uuid4())
    for token in (agent, other):
        session = await open_session(api, widget, previous=token)
        assert (session["continues"], session["token"] == token) == (False, False)
        path = f"/v1/chat/{widget}/sessions/me"
        await api.client.delete(path, headers={"authorization": f"Bearer {token}"})
    async with api.worker.batch() as connection:
        assert await connection.fetchval("select count(*) from santral.session where revoked_at is not null") == 0


async def test_no_cookie_is_set_and_none_is_believed(api: Api, workspace: Workspace, widget: str) -> None:
    session = await open_session(api, widget)
    agent = await api.session(workspace.id, "agent", agent_id=workspace.agent_id)
    evil = {"origin": "https://evil.example", "cookie": f"token={agent}; session={session['token']}"}
    for method, path, body in (
        ("POST", f"/v1/chat/{widget}/sessions", {}),
        ("DELETE", f"/v1/chat/{widget}/sessions/me", None),
        ("POST", "/v1/messages", {}),
        ("PUT", "/v1/agents/me/presence", {}),
        ("PUT", "/v1/queues/genel", {}),
    ):
        answer = await api.client.request(method, path, headers=evil, json=body)
        assert answer.status_code in (401, 403), (method, path)
        assert "set-cookie" not in answer.headers
    for path in ("/desk", f"/chat/{widget}", "/openapi.json", f"/v1/chat/{widget}/config"):
        assert "set-cookie" not in (await api.client.get(path)).headers, path


async def test_no_token_stands_in_a_log(
    api: Api, url: str, workspace: Workspace, widget: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    given = identity("ayse")
    anonymous = await open_session(api, widget)
    await spoken(api, url, workspace, widget, anonymous["token"], "Merhaba")
    customer = await open_session(api, widget, identity=given, previous=anonymous["token"])
    await api.client.delete(f"/v1/chat/{widget}/sessions/me", headers={"authorization": f"Bearer {customer['token']}"})
    out = capfd.readouterr()
    logged = caplog.text + out.out + out.err
    for secret in (anonymous["token"], customer["token"], given):
        assert secret not in logged
    assert all("token=" not in record.getMessage() for record in caplog.records)


def lasts(session: dict[str, str]) -> timedelta:
    return datetime.fromisoformat(session["expires_at"]) - datetime.now(UTC)


async def handle_of(api: Api, visitor_id: str) -> UUID:
    async with api.worker.batch() as connection:
        found: UUID = await connection.fetchval("select id from santral.handle where kind = 'visitor' and value = $1", visitor_id)
        return found


async def known_as(api: Api, handle_id: UUID) -> set[str]:
    """The customer ids of the person to whom a handle belongs."""
    async with api.worker.batch() as connection:
        rows = await connection.fetch(
            "select o.value from santral.handle h join santral.handle o on o.profile_id = h.profile_id and o.kind = 'external_id'"
            " where h.id = $1",
            handle_id,
        )
    return {row["value"] for row in rows}


async def answered(api: Api, workspace: Workspace, conversation: UUID, text: str) -> None:
    headers = await api.agent(workspace.id, workspace.agent_id)
    item = (await api.client.get("/v1/items", params={"queue": "genel"}, headers=headers)).json()["items"][0]["id"]
    assert (await api.client.post(f"/v1/items/{item}/claim", headers=headers)).status_code == 200
    body = {"content": {"kind": "text", "text": text}}
    answer = await api.client.post(f"/v1/conversations/{conversation}/replies", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
