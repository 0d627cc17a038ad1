"""A credential that ends while a call of its own is on its way: nothing is done for it, whatever the call waited for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import pytest
from websockets.asyncio.client import connect

from services.api.asked_again import asking_for
from services.api.body_guard import WITH_BODIES
from services.api.caller_turns import THOUGHTS_WAITING_MAX, CallerTurns
from services.api.principal import DECIDING, REMEMBER_S, Call, Credentials, Principal
from services.api.rate_door import wants_token
from services.frame.rates import Rates
from shared.database import Connection, Database
from shared.errors import Forbidden, SantralError, Unauthenticated
from shared.ids import WorkspaceId, new_id
from tests.support.agent_sockets import closed_with, hello_of, workers
from tests.support.api import Api, listening
from tests.support.intake_line import rows
from tests.support.operations import body_of, filled, operations, query_of, seeded
from tests.support.workspaces import Workspace, add_agent

ANSWER_S: Final = 20
Headers = dict[str, str]
KEY_ENDS: Final = "update santral.api_key set revoked_at = now() where workspace_id = $1 and name = 'test'"
AGENT_ENDS: Final = "update santral.agent set enabled = false where workspace_id = $1 and name = 'held'"
ROLE_SHRINKS: Final = "update santral.role set scopes = '{conversations:read}' where workspace_id = $1 and name = 'admin'"


class Held:
    """A call of which the head was let in, and the body has not come."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> None:
        self._reader, self._writer, self._body = reader, writer, body

    @classmethod
    async def begin(cls, base: str, verb: str, target: str, headers: Headers, body: bytes) -> Held:
        reader, writer = await asyncio.open_connection(urlsplit(base).hostname, urlsplit(base).port)
        lines = {"host": "x", "content-type": "application/json", "content-length": len(body), "expect": "100-continue", **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(f"{verb} {target} HTTP/1.1\r\n{head}\r\n".encode())
        async with asyncio.timeout(ANSWER_S):
            said = await reader.readuntil(b"\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 100"), said
        return cls(reader, writer, body)

    async def end(self) -> int:
        """Sends the body: the status of the answer."""
        self._writer.write(self._body)
        async with asyncio.timeout(ANSWER_S):
            said = await self._reader.readline()
        self._writer.close()
        return int(said.split()[1])


class HeardTurns(CallerTurns):
    """Turns that say when one is asked for."""

    def __init__(self) -> None:
        super().__init__(waiting_max=THOUGHTS_WAITING_MAX)
        self.asked = asyncio.Event()

    @asynccontextmanager
    async def of(self, principal: Principal) -> AsyncIterator[None]:
        self.asked.set()
        async with super().of(principal):
            yield


@pytest.fixture
async def base(api: Api) -> AsyncIterator[str]:
    async with listening(api) as address:
        yield address


async def _caller(api: Api, db: Database, workspace: Workspace, kind: str) -> Headers:
    """An administrator: a key, or somebody who signed in."""
    if kind == "key":
        return await api.key(workspace.id)
    held = await add_agent(db, workspace, new_id(), "held", role="admin")
    return await api.agent(workspace.id, held)


async def _ends(db: Database, workspace: Workspace, statement: str) -> None:
    async with db.batch() as connection:
        await connection.execute(statement, workspace.id)


async def _until(api: Api, headers: Headers, status: int) -> None:
    """Until a new call is answered so: from then on it must be for what was begun before, too."""
    async with asyncio.timeout(ANSWER_S):
        while (await api.client.get("/v1/workspace", headers=headers)).status_code != status:
            await asyncio.sleep(0.05)  # nothing tells a client when its token is not remembered any more


async def _somebody_waits(holding: Connection) -> None:
    """Until somebody waits for a lock; this server is this run's alone."""
    async with asyncio.timeout(ANSWER_S):
        while not await holding.fetchval("select exists (select from pg_locks where not granted)"):
            await asyncio.sleep(0.01)


async def _audited(db: Database, workspace: Workspace) -> int:
    return len(await rows(db, "select 1 from santral.audit where workspace_id = $1", workspace.id))


def _calls(api: Api, ids: dict[str, str], *, wants: Callable[[dict[str, Any]], bool]) -> list[tuple[str, str, str, bytes]]:
    """Name, method, target and body of every operation that may bring one and is ``wants``."""
    document = api.app.openapi()
    found = []
    for verb, path, operation in operations(api):
        if verb in WITH_BODIES and wants_token(path) and wants(operation):
            query = urlencode(query_of(operation, document))
            body = json.dumps(body_of(operation, document)).encode()
            found.append((operation["operationId"], verb, filled(path, ids) + (f"?{query}" if query else ""), body))
    return found


@pytest.mark.parametrize(
    ("kind", "end", "status"),
    [("key", KEY_ENDS, 401), ("agent", AGENT_ENDS, 401), ("agent", ROLE_SHRINKS, 403)],
    ids=["revoked-key", "disabled-agent", "smaller-role"],
)
async def test_a_held_body_is_worked_on_for_nobody_who_is_gone(
    api: Api, base: str, workspace: Workspace, worker_db: Database, kind: str, end: str, status: int
) -> None:
    """Every operation that may bring a body: its head was let in, its caller went, its body comes."""
    ids = await seeded(worker_db, workspace)
    caller = await _caller(api, worker_db, workspace, kind)
    calls = _calls(api, ids, wants=lambda _: True)
    held = {name: await Held.begin(base, verb, target, caller, body) for name, verb, target, body in calls}
    await _ends(worker_db, workspace, end)
    await _until(api, caller, status)
    before = await _audited(worker_db, workspace)
    answers = {name: await one.end() for name, one in held.items()}
    assert {name: answer for name, answer in answers.items() if answer != status} == {}
    assert len(answers) > 80
    assert await _audited(worker_db, workspace) == before


async def test_a_held_body_of_who_is_still_there_is_worked_on(api: Api, base: str, workspace: Workspace) -> None:
    admin = await api.key(workspace.id)
    held = await Held.begin(base, "POST", "/v1/keys", admin, json.dumps({"name": "k", "scopes": ["config:read"]}).encode())
    assert await held.end() == 201


@pytest.mark.parametrize(
    ("kind", "end", "status"),
    [("key", KEY_ENDS, 401), ("agent", AGENT_ENDS, 401), ("agent", ROLE_SHRINKS, 403)],
    ids=["revoked-key", "disabled-agent", "smaller-role"],
)
async def test_nothing_remembered_gives_rights(
    api: Api, workspace: Workspace, worker_db: Database, kind: str, end: str, status: int
) -> None:
    """Every operation that decides over rights and sight, in the moment in which its caller is still remembered."""
    ids = await seeded(worker_db, workspace)
    calls = _calls(api, ids, wants=lambda operation: not DECIDING.isdisjoint(operation["security"][0]["bearer"] or ()))
    answers = {}
    before = await _audited(worker_db, workspace)
    for name, verb, target, body in calls:
        caller = await _caller(api, worker_db, workspace, kind)
        assert (await api.client.get("/v1/workspace", headers=caller)).status_code == 200
        await _ends(worker_db, workspace, end)
        answer = await api.client.request(verb, target, content=body, headers={**caller, "content-type": "application/json"})
        answers[name] = answer.status_code
        await _as_before(worker_db, workspace)
    assert {name: answer for name, answer in answers.items() if answer != status} == {}
    assert {"make_key", "revoke_key", "make_agent_token", "make_agent_code", "create_role", "replace_user", "create_agent"} <= set(
        answers
    )
    assert await _audited(worker_db, workspace) == before


async def _as_before(db: Database, workspace: Workspace) -> None:
    async with db.batch() as connection:
        await connection.execute(
            "update santral.role set scopes = '{admin}' where workspace_id = $1 and name = 'admin'", workspace.id
        )
        held = "(select id from santral.agent where workspace_id = $1 and name = 'held')"
        await connection.execute(f"delete from santral.session where agent_id in {held}", workspace.id)
        await connection.execute(f"delete from santral.queue_member where agent_id in {held}", workspace.id)
        await connection.execute("delete from santral.agent where workspace_id = $1 and name = 'held'", workspace.id)


async def test_calls_that_decide_keep_nobody_from_taking_their_credential_away(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    """However many of them overlap, none holds the row that whoever revokes it has to write."""
    caller = await api.key(workspace.id)
    (key,) = await rows(worker_db, "select id from santral.api_key where workspace_id = $1 and name = 'test'", workspace.id)
    other = await api.key(workspace.id)
    async with worker_db.batch() as holding:
        await holding.execute("lock table santral.role in exclusive mode")
        role = {"name": "yeni", "scopes": ["conversations:read"], "visibility": "queue"}
        deciding = asyncio.create_task(api.client.post("/v1/roles", json=role, headers=caller))
        await _somebody_waits(holding)
        assert (await api.client.delete(f"/v1/keys/{key['id']}", headers=other)).status_code == 204
        assert not deciding.done()
    assert (await deciding).status_code in (201, 401)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/policies", {"document": {"default_queue": "genel"}, "active": True}),
        ("/v1/policies/check", {"document": {"default_queue": "genel"}}),
    ],
)
async def test_what_waited_for_its_turn_is_done_for_nobody_who_is_gone(
    api: Api, workspace: Workspace, worker_db: Database, path: str, body: dict[str, Any]
) -> None:
    turns = api.app.state.thought_turns = HeardTurns()
    caller = await api.key(workspace.id)
    colleague = Principal(
        workspace_id=WorkspaceId(workspace.id),
        id=new_id(),
        kind="key",
        name="colleague",
        scopes=frozenset(),
        visibility="workspace",
    )
    async with turns.of(colleague):
        turns.asked.clear()
        waiting = asyncio.create_task(api.client.post(path, json=body, headers=caller))
        await turns.asked.wait()
        await _ends(worker_db, workspace, KEY_ENDS)
        await _until(api, caller, 401)
    assert (await waiting).status_code == 401
    assert await _audited(worker_db, workspace) == 0


@pytest.mark.parametrize(("kind", "end", "error"), [("key", KEY_ENDS, Unauthenticated), ("agent", ROLE_SHRINKS, Forbidden)])
async def test_a_transaction_asks_as_it_begins(
    api: Api, workspace: Workspace, worker_db: Database, kind: str, end: str, error: type[SantralError]
) -> None:
    """Whatever held it up: a request's transactions of either kind are of nobody who is gone; what nobody called for is done."""
    now_s, credentials = 0.0, Credentials(api.db, Rates(), now_s=lambda: now_s)
    token = (await _caller(api, worker_db, workspace, kind))["authorization"].removeprefix("Bearer ")
    call = Call(token=token, principal=await credentials.principal(token, peer="127.0.0.1"))
    db: Database = api.app.state.db
    with asking_for(call, credentials):
        async with db.batch(workspace.id), db.transaction(workspace.id):
            pass
        await _ends(worker_db, workspace, end)
        now_s = REMEMBER_S
        for begin in (db.batch, db.transaction):
            with pytest.raises(error):
                async with begin(workspace.id):
                    raise AssertionError("it began")
    async with db.batch(workspace.id), db.transaction(workspace.id):
        pass


async def test_what_an_expiring_key_mints_ends_with_it(api: Api, workspace: Workspace, worker_db: Database) -> None:
    """Keys, tokens, codes, the tokens that codes are exchanged for, and the keys that such tokens make."""
    until = datetime.now(UTC) + timedelta(hours=1)
    admin, agent = await api.key(workspace.id), await add_agent(worker_db, workspace, new_id(), "held", role="admin")
    made = await api.client.post(
        "/v1/keys", json={"name": "short", "scopes": ["admin"], "expires_at": until.isoformat()}, headers=admin
    )
    short = {"authorization": f"Bearer {made.json()['token']}"}
    callers = [short]
    token = await api.client.post(f"/v1/agents/{agent}/tokens", headers=short)
    code = await api.client.post(f"/v1/agents/{agent}/codes", headers=short)
    exchanged = await api.client.post("/v1/sessions/exchange", json={"code": code.json()["code"]})
    for minted in (token, code, exchanged):
        assert minted.status_code == 201, minted.text
        assert datetime.fromisoformat(minted.json()["expires_at"]) <= until
    callers += [{"authorization": f"Bearer {minted.json()['token']}"} for minted in (token, exchanged)]
    for caller in callers:
        for ends_at, status in ((None, 403), (until + timedelta(seconds=1), 403), (until, 201)):
            body = {"name": "k", "scopes": ["admin"], **({} if ends_at is None else {"expires_at": ends_at.isoformat()})}
            answer = await api.client.post("/v1/keys", json=body, headers=caller)
            assert answer.status_code == status, answer.text
            assert status == 201 or answer.json()["field"] == "expires_at"


async def test_a_key_that_lasts_makes_what_lasts(api: Api, workspace: Workspace) -> None:
    admin = await api.key(workspace.id)
    made = await api.client.post("/v1/keys", json={"name": "k", "scopes": ["admin"]}, headers=admin)
    assert (made.status_code, made.json()["expires_at"]) == (201, None)


async def test_a_socket_ends_while_its_frames_are_worked_on(api: Api, base: str, workspace: Workspace, worker_db: Database) -> None:
    """Frames that wait, one after the other, for what somebody else holds; their sender goes meanwhile."""
    agent = await _caller(api, worker_db, workspace, "agent")
    async with workers(api), connect(f"{base}/v1/stream", proxy=None) as socket:
        await hello_of(socket, agent)
        async with worker_db.batch() as holding:
            await holding.execute("lock table santral.conversation in access exclusive mode")
            for _ in range(10):
                await socket.send(json.dumps({"type": "follow", "conversation_id": str(new_id()), "seq": 0}))
            await _somebody_waits(holding)
            await _ends(worker_db, workspace, AGENT_ENDS)
            assert await closed_with(socket, within_s=5) == 4403
