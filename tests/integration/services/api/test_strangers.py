"""Who shows no good credential is counted before anything of them is read, and stands in nobody's way who shows one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from starlette.types import Message

from services.api.credentials import new_token
from services.api.json_door import STRANGERS_BYTES_MAX
from services.api.principal import REMEMBER_S, Credentials
from services.frame.rates import Rates
from shared.database import Database
from shared.errors import Forbidden, Throttled, Unauthenticated
from tests.integration.services.api.test_rates import at, forged, limited, refused
from tests.support.api import Api
from tests.support.chat import open_session
from tests.support.workspaces import Workspace

READ: Final = "/v1/conversations"
ROWS: Final = "/v1/profiles/imports/0190b6c4-0000-7000-8000-000000000000/rows"
HOME, ELSEWHERE = "192.0.2.1", "192.0.2.2"


class Call:
    """One request whose body comes piece by piece: what was answered, and how much of the body was read until then."""

    def __init__(self, *, pieces: int = 3, piece: bytes = b"[1,1,1,1]") -> None:
        self.status, self.headers, self.read = 0, dict[str, str](), 0
        self._pieces, self._piece = pieces, piece

    async def __call__(self, api: Api, method: str, path: str, *, token: str = "", peer: str = HOME) -> Call:
        given = [(b"content-type", b"application/json"), (b"transfer-encoding", b"chunked")]
        if token:
            given.append((b"authorization", token.encode()))
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http", "path": path, "query_string": b"",
            "raw_path": path.encode(), "root_path": "", "headers": given, "client": (peer, 1234), "server": ("santral.test", 80),
        }  # fmt: skip
        await api.app(scope, self._receive, self._send)
        return self

    async def _receive(self) -> Message:
        if self.read == self._pieces:
            return {"type": "http.disconnect"}
        self.read += 1
        return {"type": "http.request", "body": self._piece, "more_body": self.read < self._pieces}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}


class Asked:
    """A database that counts what it is asked."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.times = 0

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[Any]:
        self.times += 1
        async with self._db.session() as connection:
            yield connection


def _strangers() -> dict[str, tuple[str, int]]:
    """What strangers show, and what they are answered."""
    return {
        "nothing": ("", 401),
        "another scheme": ("Basic eDp5", 401),
        "no token": ("Bearer ", 401),
        "junk": ("Bearer x", 401),
        "a mistyped token": (f"Bearer {new_token('live').text}x", 401),
        "a code": (f"Bearer {new_token('code').text}", 401),
        "a made-up visitor": (f"Bearer {new_token('visitor').text}", 403),
    }


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/messages"), ("POST", ROWS), ("GET", READ), ("PATCH", "/v1/nowhere")])
@pytest.mark.parametrize("shown", _strangers())
async def test_a_stranger_is_counted_and_nothing_of_the_body_is_read(
    api_db: Database, worker_db: Database, shown: str, method: str, path: str
) -> None:
    token, status = _strangers()[shown]
    async with limited(api_db, worker_db, address=2) as api:
        calls = [await Call()(api, method, path, token=token) for _ in range(4)]
        assert [one.status for one in calls] == [status, status, 429, 429]
        assert [one.read for one in calls] == [0, 0, 0, 0]
        assert {one.headers["connection"] for one in calls} == {"close"}
        assert calls[2].headers["ratelimit-policy"] == '"address";q=2;w=10'
        assert (await Call()(api, method, path, token=token, peer=ELSEWHERE)).status == status


async def test_a_well_formed_token_that_is_wrong_is_counted_as_wrong_and_its_body_is_not_read(
    api_db: Database, worker_db: Database
) -> None:
    async with limited(api_db, worker_db, wrong_address=2) as api:
        calls = [await Call()(api, "POST", "/v1/messages", token=f"Bearer {new_token('live').text}") for _ in range(4)]
        assert [one.status for one in calls] == [401, 401, 429, 429]
        assert [one.read for one in calls] == [0, 0, 0, 0]
        assert calls[3].headers["ratelimit-policy"] == '"wrong-address";q=2;w=60'


async def test_wrong_tokens_at_the_same_time_are_counted_as_one_after_the_other(api_db: Database) -> None:
    asked: Any = Asked(api_db)
    credentials = Credentials(asked, Rates({"wrong-address": 3}))
    tried = [credentials.principal(new_token("live").text, peer=HOME) for _ in range(20)]
    answers = await asyncio.gather(*tried, return_exceptions=True)
    assert [type(one) for one in answers] == [Unauthenticated] * 3 + [Throttled] * 17
    assert asked.times == 3


async def test_a_key_behind_the_same_address_as_strangers_goes_on(
    api_db: Database, worker_db: Database, workspace: Workspace
) -> None:
    async with limited(api_db, worker_db, address=1, wrong_address=1) as api, at(api, HOME) as client, at(api, ELSEWHERE) as other:
        key, fresh = await api.key(workspace.id), await api.key(workspace.id)
        assert (await client.get(READ, headers=key)).status_code == 200
        for token in ("Bearer x", f"Bearer {new_token('live').text}"):
            assert (await Call()(api, "POST", "/v1/messages", token=token)).status == 401
            assert (await Call()(api, "POST", "/v1/messages", token=token)).status == 429
        assert (await client.get(READ, headers=key)).status_code == 200
        assert (await other.get(READ, headers=fresh)).status_code == 200


async def test_a_key_that_was_good_before_is_asked_for_again_whatever_strangers_do_at_its_address(
    api_db: Database, worker_db: Database, workspace: Workspace
) -> None:
    now_s = 0.0
    async with limited(api_db, worker_db) as api:
        key = (await api.key(workspace.id))["authorization"]
        good = key.removeprefix("Bearer ")
        asked: Any = Asked(api_db)
        credentials = Credentials(asked, Rates({"wrong-address": 1, "wrong-token": 1}), now_s=lambda: now_s)
        first = await credentials.principal(good, peer=HOME)
        assert await credentials.principal(good, peer=HOME) is first
        assert asked.times == 1, "what is remembered asks nobody"
        for wrong in (forged(key), new_token("live").text):
            with pytest.raises((Unauthenticated, Throttled)):
                await credentials.principal(wrong, peer=HOME)
        now_s += REMEMBER_S + 1
        assert await credentials.principal(good, peer=HOME) == first
        assert asked.times == 3, "the key twice, and one that was wrong"
        async with worker_db.batch() as connection:
            await connection.execute("update santral.api_key set revoked_at = now() where public_id = $1", good.split("_")[2])
        now_s += REMEMBER_S + 1
        for peer in (ELSEWHERE, ELSEWHERE):
            with pytest.raises((Unauthenticated, Throttled)):
                await credentials.principal(good, peer=peer)
        assert asked.times == 4, "a revoked one is a stranger's"


async def test_a_key_over_its_rate_is_refused_before_its_body(api_db: Database, worker_db: Database, workspace: Workspace) -> None:
    async with limited(api_db, worker_db, key=1) as api:
        token = (await api.key(workspace.id))["authorization"]
        calls = [await Call()(api, "POST", "/v1/queues", token=token) for _ in range(2)]
        assert [(one.status, one.read) for one in calls] == [(422, 3), (429, 0)]


async def test_a_keys_wrong_methods_and_unknown_paths_count(api_db: Database, worker_db: Database, workspace: Workspace) -> None:
    async with limited(api_db, worker_db, key=2) as api:
        key = await api.key(workspace.id)
        assert (await api.client.get("/v1/nowhere", headers=key)).status_code == 404
        assert (await api.client.delete("/v1/messages", headers=key)).status_code == 405
        refused(await api.client.get("/v1/nowhere", headers=key), "key", 2, 1)


async def test_a_visitor_is_a_stranger_to_rest_and_costs_the_workspace_nothing(
    api_db: Database, worker_db: Database, workspace: Workspace
) -> None:
    widget = f"token-{workspace.inboxes['webchat']}"
    async with limited(api_db, worker_db, address=3, workspace=2) as api, at(api, HOME) as client:
        key = await api.key(workspace.id)
        token = f"Bearer {(await open_session(api, widget))['token']}"
        for path in (READ, "/v1/sessions/me", "/v1/nowhere"):
            answer = await client.delete(path, headers={"authorization": token})
            assert (answer.status_code, answer.json()["detail"]) == (403, "a visitor's token is for its chat only")
        refused(await client.get(READ, headers={"authorization": token}), "address", 3, 10)
        assert (await client.get(READ, headers=key)).headers["ratelimit"].endswith('"workspace";r=1;t=1')


async def test_no_visitors_token_is_looked_up_where_visitors_have_nothing(api_db: Database) -> None:
    asked: Any = Asked(api_db)
    credentials = Credentials(asked, Rates())
    with pytest.raises(Forbidden):
        await credentials.principal(new_token("visitor").text, peer=HOME, visitors=False)
    assert asked.times == 0


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/chat/nobody/config"), ("POST", "/nothing/here"), ("GET", "/openapi.json")]
)
async def test_a_body_that_nobody_asked_for_is_not_read(api_db: Database, worker_db: Database, method: str, path: str) -> None:
    async with limited(api_db, worker_db) as api:
        call = await Call()(api, method, path)
        assert call.status in (200, 404, 405)
        assert (call.read, call.headers["connection"]) == (0, "close")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/chat/nobody/nothing"), ("POST", "/v1/sessions/exchange"), ("DELETE", "/v1/chat/x/sessions/me")],
)
async def test_where_no_token_is_wanted_little_is_read(api_db: Database, worker_db: Database, method: str, path: str) -> None:
    async with limited(api_db, worker_db) as api:
        long = await Call(pieces=100, piece=b" " * (STRANGERS_BYTES_MAX // 2))(api, method, path)
        assert (long.status, long.read) == (413, 3)
        many = await Call(pieces=1, piece=b"[" + b"1," * 60 + b"1]")(api, method, path)
        assert many.status == 413


@pytest.mark.parametrize("path", ["/v1/stream", "/v1/chat/nobody/socket", "/v1/nowhere"])
async def test_a_handshake_is_its_addresss_whatever_it_shows(
    api_db: Database, worker_db: Database, workspace: Workspace, path: str
) -> None:
    async with limited(api_db, worker_db, address=1) as api:
        for token in ("Bearer x", (await api.key(workspace.id))["authorization"]):
            sent = await _handshake(api, path, token)
        assert sent == {"type": "websocket.close", "code": 1013, "reason": "too many"}


async def _handshake(api: Api, path: str, token: str) -> Message:
    """The first answer to a socket that goes as soon as it came."""
    sent: list[Message] = []
    coming: list[Message] = [{"type": "websocket.connect"}]

    async def receive() -> Message:
        return coming.pop(0) if coming else {"type": "websocket.disconnect", "code": 1001}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "websocket", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "ws", "path": path, "query_string": b"", "root_path": "",
        "raw_path": path.encode(), "headers": [(b"authorization", token.encode())], "client": (HOME, 1234), "server": ("santral.test", 80),
        "subprotocols": [], "extensions": {},
    }  # fmt: skip
    await api.app(scope, receive, send)
    return sent[0]
