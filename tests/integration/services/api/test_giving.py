"""Entry and its end: nobody gives what they have not, and whoever is disabled, deleted or without a role is out."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from httpx import Response
from pydantic import BaseModel
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from services.api.config_models import AgentIn, RoleIn, UserIn
from services.api.credentials import read_token
from services.api.giving import DESK
from services.api.principal import ROLES, SCOPES
from shared.database import Database
from shared.ids import new_id
from tests.support.agent_sockets import closed_with, hello_of, workers
from tests.support.api import Api, listening
from tests.support.intake_line import rows
from tests.support.workspaces import Workspace, add_agent

CONFIGURES = ("config:read", "config:write")


async def _agent_of(db: Database, workspace: Workspace, role: str, *, enabled: bool = True) -> tuple[UUID, UUID]:
    """An agent with a user of this role: (agent, user)."""
    user, agent = new_id(), new_id()
    async with db.batch() as connection:
        await connection.execute(
            "insert into santral.user (workspace_id, id, name, role, enabled) values ($1, $2, $3, $4, $5)",
            workspace.id, user, f"u-{user}", role, enabled,
        )  # fmt: skip
    await add_agent(db, workspace, agent, f"a-{agent}", user_id=user, role=None)
    return agent, user


async def _read_items(api: Api, headers: dict[str, str]) -> int:
    return (await api.client.get("/v1/items", headers=headers)).status_code


async def _sql(db: Database, statement: str, *values: Any) -> None:
    async with db.batch() as connection:
        await connection.execute(statement, *values)


@pytest.mark.parametrize(
    "end",
    [
        "update santral.user set enabled = false where id = $1",
        "delete from santral.user where id = $1",
        "update santral.agent set enabled = false where user_id = $1",
        "update santral.agent set user_id = null where user_id = $1",
        "delete from santral.agent where user_id = $1",
    ],
)
async def test_whoever_is_disabled_or_gone_has_no_entry(api: Api, workspace: Workspace, worker_db: Database, end: str) -> None:
    agent, user = await _agent_of(worker_db, workspace, "agent")
    before, admin = await api.agent(workspace.id, agent), await api.key(workspace.id)
    assert await _read_items(api, before) == 200
    if "delete from santral.agent" in end:
        await _sql(worker_db, "delete from santral.queue_member where agent_id = $1", agent)
    await _sql(worker_db, end, user)
    after = await api.agent(workspace.id, agent)
    assert await _read_items(api, after) == 401
    for call in ("tokens", "codes"):
        refused = await api.client.post(f"/v1/agents/{agent}/{call}", headers=admin)
        assert refused.status_code in (404, 409), refused.text
    async with asyncio.timeout(5):
        while await _read_items(api, before) != 401:
            await asyncio.sleep(0.1)


async def test_an_open_socket_ends_with_the_user(api: Api, workspace: Workspace, worker_db: Database) -> None:
    agent, user = await _agent_of(worker_db, workspace, "agent")
    async with workers(api), listening(api) as address, connect(f"{address}/v1/stream", proxy=None) as socket:
        await hello_of(socket, await api.agent(workspace.id, agent))
        await _sql(worker_db, "update santral.user set enabled = false where id = $1", user)
        assert await closed_with(socket, within_s=5) == 4403


async def test_a_socket_begins_anew_when_its_role_means_something_else(api: Api, workspace: Workspace, worker_db: Database) -> None:
    agent, _ = await _agent_of(worker_db, workspace, "supervisor")
    async with workers(api), listening(api) as address:
        async with connect(f"{address}/v1/stream", proxy=None) as socket:
            headers = await api.agent(workspace.id, agent)
            await hello_of(socket, headers)
            await _sql(
                worker_db,
                "update santral.role set visibility = 'own' where workspace_id = $1 and name = 'supervisor'",
                workspace.id,
            )
            assert await closed_with(socket, within_s=5) == 1012
        async with connect(f"{address}/v1/stream", proxy=None) as socket:
            await hello_of(socket, headers)
            await _sql(
                worker_db,
                "update santral.role set scopes = '{config:read}' where workspace_id = $1 and name = 'supervisor'",
                workspace.id,
            )
            assert await closed_with(socket, within_s=5) == 1012
        async with asyncio.timeout(5):  # the token is remembered for a moment
            while await _refused_with(address, headers) != 4403:
                await asyncio.sleep(0.1)


async def _refused_with(address: str, headers: dict[str, str]) -> int | None:
    """The code with which a stream is refused; None when it is opened."""
    async with connect(f"{address}/v1/stream", proxy=None) as socket:
        try:
            await hello_of(socket, headers)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else 1006
        return None


async def test_an_agent_without_user_has_the_role_that_is_written_down(api: Api, workspace: Workspace, worker_db: Database) -> None:
    headers = await api.agent(workspace.id, workspace.agent_id)
    assert await _read_items(api, headers) == 200
    await _sql(worker_db, "update santral.agent set role = null where id = $1", workspace.agent_id)
    assert await _read_items(api, await api.agent(workspace.id, workspace.agent_id)) == 401


async def test_who_configures_cannot_become_an_administrator(api: Api, workspace: Workspace, worker_db: Database) -> None:
    headers = await api.key(workspace.id, *CONFIGURES, "agents:token", "keys:write")
    admin_user = await _agent_of(worker_db, workspace, "admin")

    async def tried(method: str, path: str, body: Any = None) -> Response:
        return await api.client.request(method, path, json=body, headers=headers)

    admin_name = (await api.client.get(f"/v1/users/{admin_user[1]}", headers=headers)).json()["name"]
    own = {"name": "config", "scopes": list(CONFIGURES), "visibility": "workspace"}
    assert (await tried("POST", "/v1/roles", own)).status_code == 201
    deniz = (await tried("GET", f"/v1/agents/{workspace.agent_id}")).json()
    deniz = {name: value for name, value in deniz.items() if name in AgentIn.model_fields}
    for method, path, body in (
        ("PUT", "/v1/roles/config", {**own, "scopes": ["admin"]}),
        ("POST", "/v1/roles", {"name": "king", "scopes": ["admin"], "visibility": "workspace"}),
        ("PUT", "/v1/roles/admin", {"name": "admin", "scopes": ["config:read"], "visibility": "workspace"}),
        ("POST", "/v1/users", {"name": "eve", "role": "admin"}),
        ("PUT", f"/v1/users/{admin_user[1]}", {"name": admin_name, "role": "admin", "email": "eve@ornek.com"}),
        ("POST", "/v1/agents", {"name": "eve", "user": admin_name}),
        ("POST", "/v1/agents", {"name": "eve", "role": "admin"}),
        ("PUT", f"/v1/agents/{workspace.agent_id}", {**deniz, "user": admin_name, "role": None}),
        ("POST", f"/v1/agents/{admin_user[0]}/tokens", None),
        ("POST", f"/v1/agents/{admin_user[0]}/codes", None),
        ("POST", "/v1/keys", {"name": "k", "scopes": ["admin"]}),
        ("POST", "/v1/keys", {"name": "k", "scopes": ["profiles:export"]}),
    ):
        answer = await tried(method, path, body)
        assert answer.status_code == 403, (method, path, answer.text)
        assert answer.json()["field"], answer.text
    assert (await tried("POST", "/v1/users", {"name": "eve", "role": "nobody"})).status_code == 422
    assert (await tried("POST", "/v1/agents", {"name": "bot", "kind": "bot"})).status_code == 201
    assert (await tried("PUT", f"/v1/agents/{workspace.agent_id}", deniz)).status_code == 200


async def test_nobody_takes_from_a_key_what_they_have_not(api: Api, workspace: Workspace, worker_db: Database) -> None:
    narrow, admin = await api.key(workspace.id, "keys:write"), await api.key(workspace.id)
    keys = {tuple(row["scopes"]): row["id"] for row in await rows(worker_db, "select id, scopes from santral.api_key")}
    refused = await api.client.delete(f"/v1/keys/{keys['admin',]}", headers=narrow)
    assert (refused.status_code, refused.json()["field"]) == (403, "key_id")
    assert (await api.client.get("/v1/keys", headers=admin)).status_code == 200
    assert (await api.client.delete(f"/v1/keys/{keys['keys:write',]}", headers=admin)).status_code == 204


@pytest.mark.parametrize("visibility", ["own", "queue", "team"])
async def test_nobody_widens_what_they_see(api: Api, workspace: Workspace, worker_db: Database, visibility: str) -> None:
    """Whatever an agent may configure, keys and tokens they may make: their queues stay theirs."""
    agent, _ = await _agent_of(worker_db, workspace, "supervisor")
    await _sql(
        worker_db, "update santral.role set scopes = $2, visibility = $3 where workspace_id = $1 and name = 'supervisor'",
        workspace.id, [scope for scope in SCOPES if scope != "profiles:erase"], visibility,
    )  # fmt: skip
    await _sql(worker_db, "insert into santral.queue (workspace_id, id, name) values ($1, $2, 'uzak')", workspace.id, new_id())
    headers, admin = await api.agent(workspace.id, agent), await api.key(workspace.id)
    mine = (await api.client.get(f"/v1/agents/{agent}", headers=headers)).json()
    deniz = (await api.client.get(f"/v1/agents/{workspace.agent_id}", headers=admin)).json()
    mine, deniz = ({name: value for name, value in one.items() if name in AgentIn.model_fields} for one in (mine, deniz))
    for method, path, body in (
        ("PUT", f"/v1/agents/{agent}", {**mine, "queues": [*mine["queues"], {"queue": "uzak"}]}),
        ("PUT", f"/v1/agents/{workspace.agent_id}", {**deniz, "queues": [{"queue": "uzak"}]}),
        ("POST", "/v1/agents", {"name": "eve", "queues": [{"queue": "uzak"}]}),
        ("PUT", "/v1/roles/supervisor", {"name": "supervisor", "scopes": ["config:write"], "visibility": "workspace"}),
        ("POST", "/v1/policies", {"document": {"rules": [], "default_queue": "genel"}, "activate": True}),
        ("POST", f"/v1/agents/{workspace.agent_id}/tokens", None),
        ("POST", f"/v1/agents/{workspace.agent_id}/codes", None),
        ("GET", f"/v1/agents/{workspace.agent_id}/desk", None),
        ("POST", "/v1/keys", {"name": "k", "scopes": ["conversations:read"]}),
    ):
        answer = await api.client.request(method, path, json=body, headers=headers)
        assert answer.status_code == 403, (method, path, answer.text)
        assert answer.json()["detail"].endswith("is for who sees the whole workspace"), answer.text
    role = {"name": "lead", "scopes": ["config:write"], "visibility": visibility}
    told = await api.client.post("/v1/roles", json=role, headers=admin)
    assert told.json()["warnings"] == ["config:write: only with the visibility workspace"]


async def test_a_host_signs_in_everybody_at_the_desk_and_no_administrator(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    headers = await api.key(workspace.id, "agents:token")
    for role, (scopes, _) in ROLES.items():
        agent, _ = await _agent_of(worker_db, workspace, role)
        answer = await api.client.post(f"/v1/agents/{agent}/tokens", headers=headers)
        assert answer.status_code == (201 if set(scopes) <= DESK else 403), (role, answer.text)


def test_what_administers_is_every_scope_that_is_not_the_desks() -> None:
    assert set(SCOPES) > DESK
    assert {"admin", "config:write", "keys:write", "agents:token", "audit:read", "profiles:erase"} <= set(SCOPES) - DESK


async def test_a_session_that_nobody_uses_ends_and_use_keeps_it(api: Api, workspace: Workspace, worker_db: Database) -> None:
    headers = await api.agent(workspace.id, workspace.agent_id)
    await _sql(worker_db, "update santral.session set used_at = now() - interval '29 minutes'")
    assert await _read_items(api, headers) == 200
    await api.app.state.credentials.note_uses()
    await _sql(worker_db, "update santral.session set used_at = used_at - interval '29 minutes'")
    assert await _read_items(api, headers) == 200, "it was used"
    await _sql(worker_db, "update santral.session set used_at = now() - interval '31 minutes'")
    async with asyncio.timeout(5):
        while await _read_items(api, headers) != 401:
            await asyncio.sleep(0.1)


async def test_an_open_socket_is_use_and_twelve_hours_are_the_end(api: Api, workspace: Workspace, worker_db: Database) -> None:
    minted = await api.client.post(f"/v1/agents/{workspace.agent_id}/tokens", headers=await api.key(workspace.id))
    headers = {"authorization": f"Bearer {minted.json()['token']}"}
    async with worker_db.batch() as connection:
        lasts = await connection.fetchval("select extract(epoch from max(expires_at) - now()) / 3600 from santral.session")
    assert 11.9 < lasts <= 12
    async with listening(api) as address, connect(f"{address}/v1/stream", proxy=None) as socket:
        await hello_of(socket, headers)
        await _sql(worker_db, "update santral.session set used_at = now() - interval '29 minutes'")
        await api.app.state.guard.look()
        await api.app.state.credentials.note_uses()
        async with worker_db.batch() as connection:
            idle_s = await connection.fetchval("select extract(epoch from now() - max(used_at)) from santral.session")
        assert idle_s < 60
        await _sql(worker_db, "update santral.session set expires_at = now() - interval '1 second'")
        await api.app.state.guard.look()
        assert await closed_with(socket, within_s=5) == 4403


WIDE = {"scopes": ["conversations:read", "conversations:write", "profiles:export", "config:read"], "visibility": "workspace"}


async def _replaced(api: Api, workspace: Workspace, path: str, **changed: Any) -> None:
    """What stands at the path, with some of its fields changed by an administrator."""
    headers = await api.key(workspace.id)
    models: dict[str, type[BaseModel]] = {"agents": AgentIn, "users": UserIn, "roles": RoleIn}
    known = (await api.client.get(f"/v1/{path}", headers=headers)).json()
    body = {name: value for name, value in known.items() if name in models[path.partition("/")[0]].model_fields}
    answer = await api.client.put(f"/v1/{path}", json={**body, **changed}, headers=headers)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("how", ["user", "agent", "role", "seen", "named", "anew", "disabled"])
async def test_what_was_minted_before_a_change_of_role_gets_none_of_the_new_rights(
    api: Api, workspace: Workspace, worker_db: Database, how: str
) -> None:
    """Tokens, codes and open sockets end; whoever signs in then has what the new role allows, and others stay signed in."""
    admin = await api.key(workspace.id)
    await api.client.post("/v1/roles", json={"name": "wide", **WIDE}, headers=admin)
    narrow = {"name": "narrow", "scopes": ["conversations:read"], "visibility": "own"}
    assert (await api.client.post("/v1/roles", json=narrow, headers=admin)).status_code == 201
    agent, user = await _agent_of(worker_db, workspace, "narrow")
    alone = await add_agent(worker_db, workspace, new_id(), "alone", role="narrow")
    bystander = await api.agent(workspace.id, (await _agent_of(worker_db, workspace, "agent"))[0])
    if how in ("named", "anew"):  # which no user's role can be
        await _replaced(api, workspace, f"users/{user}", role="agent")
    subject = alone if how in ("agent", "named", "anew") else agent
    code = (await api.client.post(f"/v1/agents/{subject}/codes", headers=admin)).json()["code"]
    async with workers(api), listening(api) as address, connect(f"{address}/v1/stream", proxy=None) as socket:
        headers = await api.agent(workspace.id, subject)
        await hello_of(socket, headers)
        if how == "user":
            await _replaced(api, workspace, f"users/{user}", role="wide")
        elif how == "agent":
            await _replaced(api, workspace, f"agents/{alone}", role="wide")
        elif how == "role":
            await _replaced(api, workspace, "roles/narrow", scopes=WIDE["scopes"])
        elif how == "seen":
            await _replaced(api, workspace, "roles/narrow", visibility="workspace")
        elif how == "named":  # and another of the name takes its place
            await _replaced(api, workspace, "roles/narrow", name="former")
            assert (await api.client.post("/v1/roles", json={**WIDE, "name": "narrow"}, headers=admin)).status_code == 201
        elif how == "anew":  # after an earlier release let go what an agent had
            await _sql(worker_db, "delete from santral.role where name = 'narrow'")
            assert (await api.client.post("/v1/roles", json={**WIDE, "name": "narrow"}, headers=admin)).status_code == 201
        else:
            for enabled in (False, True):
                await _replaced(api, workspace, f"users/{user}", enabled=enabled)
        assert await closed_with(socket, within_s=5) == 4403
    async with asyncio.timeout(5):
        while await _read_items(api, headers) != 401:
            await asyncio.sleep(0.1)
    assert (await api.client.post("/v1/sessions/exchange", json={"code": code})).status_code == 401
    assert await _read_items(api, bystander) == 200
    assert await _read_items(api, await api.agent(workspace.id, subject)) == 200


async def test_who_is_written_down_as_before_stays_signed_in(api: Api, workspace: Workspace, worker_db: Database) -> None:
    agent, user = await _agent_of(worker_db, workspace, "agent")
    headers = await api.agent(workspace.id, agent)
    await _replaced(api, workspace, f"users/{user}", name="another name")
    await _replaced(api, workspace, f"agents/{agent}", budget=50)
    await _replaced(api, workspace, "roles/agent", scopes=["conversations:read"])
    async with worker_db.batch() as connection:
        assert await connection.fetchval("select revoked_at from santral.session where agent_id = $1", agent) is None
    assert await _read_items(api, headers) == 200, "less is read fresh"


@pytest.mark.parametrize("how", ["token", "code", "exchange"])
async def test_what_is_minted_while_the_role_changes_gets_none_of_the_new_rights(
    api: Api, workspace: Workspace, worker_db: Database, how: str
) -> None:
    """Whichever of the two is first: who mints waits and reads what is new, or what they minted is there to be ended."""
    agent, _ = await _agent_of(worker_db, workspace, "agent")
    headers = await api.key(workspace.id, "agents:token")
    minted = await api.client.post(f"/v1/agents/{agent}/codes", headers=headers)
    async with worker_db.batch() as holding:  # what was minted is ended, and the new role is not there yet
        await holding.execute("lock table santral.role in share row exclusive mode")
        changing = asyncio.create_task(_replaced(api, workspace, "roles/agent", scopes=["admin"]))
        await _wait_for_locks(worker_db, 1)
        if how == "exchange":
            call = api.client.post("/v1/sessions/exchange", json={"code": minted.json()["code"]})
        else:
            call = api.client.post(f"/v1/agents/{agent}/{how}s", headers=headers)
        minting = asyncio.create_task(call)
        await _wait_for_locks(worker_db, 2)
    await changing
    assert (await minting).status_code == (401 if how == "exchange" else 403)
    left = "select kind from santral.session where agent_id = $1 and revoked_at is null"
    async with worker_db.batch() as connection:
        assert await connection.fetch(left, agent) == []


@pytest.mark.parametrize("end", ["agents", "users", "me"])
async def test_masses_of_mints_do_not_keep_out_who_ends_what_was_minted(
    api: Api, workspace: Workspace, worker_db: Database, end: str
) -> None:
    """One mints, somebody disables the agent, and another comes to mint: that one stands behind, and gets nothing."""
    agent, user = await _agent_of(worker_db, workspace, "agent")
    headers = await api.key(workspace.id, "agents:token")
    signed_in = await api.agent(workspace.id, agent)

    def mint() -> asyncio.Task[Response]:
        return asyncio.create_task(api.client.post(f"/v1/agents/{agent}/tokens", headers=headers))

    async def ends() -> None:
        if end == "me":
            assert (await api.client.delete("/v1/sessions", headers=signed_in)).status_code == 204
        else:
            await _replaced(api, workspace, f"{end}/{agent if end == 'agents' else user}", enabled=False)

    async with worker_db.batch() as holding:
        await holding.execute("lock table santral.session in share row exclusive mode")
        first = mint()
        await _wait_for_locks(worker_db, 1)
        ending = asyncio.create_task(ends())
        await _wait_for_locks(worker_db, 2)
        second = mint()
        await _wait_for_locks(worker_db, 3)
    await ending
    assert (await first).status_code == 201
    assert (await second).status_code == {"agents": 404, "users": 409, "me": 201}[end]
    async with worker_db.batch() as connection:
        left = await connection.fetch("select public_id from santral.session where agent_id = $1 and revoked_at is null", agent)
    assert [row["public_id"] for row in left] == ([read_token((await second).json()["token"]).public_id] if end == "me" else [])


async def _wait_for_locks(db: Database, count: int) -> None:
    """Until so many wait for a lock; this server is this run's alone."""
    async with asyncio.timeout(10), db.session() as connection:
        while await connection.fetchval("select count(distinct pid) from pg_locks where not granted") < count:
            await asyncio.sleep(0.02)


async def test_signing_out_needs_a_session_and_no_scope(api: Api, workspace: Workspace, worker_db: Database) -> None:
    await _sql(
        worker_db,
        "insert into santral.role (workspace_id, name, scopes, visibility) values ($1, 'bare', '{}', 'own')",
        workspace.id,
    )
    agent, _ = await _agent_of(worker_db, workspace, "bare")
    one, two, other = [await api.agent(workspace.id, who) for who in (agent, agent, workspace.agent_id)]

    async def sessions() -> int:
        async with worker_db.batch() as connection:
            return int(await connection.fetchval("select count(*) from santral.session where revoked_at is null"))

    assert (await api.client.get("/v1/conversations", headers=one)).status_code == 403
    assert (await api.client.delete("/v1/sessions/me", headers=one)).status_code == 204
    assert await sessions() == 2, "only this one"
    assert (await api.client.delete("/v1/sessions", headers=two)).status_code == 204
    assert await sessions() == 1, "nobody else's"
    assert await _read_items(api, other) == 200
    for headers in (await api.key(workspace.id), await api.key(workspace.id, "conversations:read")):
        refused = await api.client.delete("/v1/sessions/me", headers=headers)
        assert (refused.status_code, refused.json()["field"]) == (403, "Authorization")


@pytest.mark.parametrize(
    ("provider", "settings", "secrets", "field"),
    [
        ("webchat", {}, {"identity_secret_previous": "x" * 40}, "secrets.identity_secret_previous"),
        ("webchat", {"identity_scope": "another-shop"}, {}, "settings.identity_scope"),
        ("smtp", {"authserv_id": "mx.elsewhere.example"}, {}, "settings.authserv_id"),
        ("smtp", {}, {"post_secret": "x" * 40}, "secrets.post_secret"),
        ("smtp", {"aliases": ["satis@ornek.com"]}, {}, "settings.aliases"),
        ("asterisk", {"caller_numbers": "vouched"}, {}, "settings.caller_numbers"),
        ("asterisk", {"inbound_contexts": ["from-trunk"]}, {}, "settings.inbound_contexts"),
        ("api", {"region": "DE"}, {}, "settings.region"),
    ],
)
async def test_who_configures_says_not_who_is_believed(
    api: Api, workspace: Workspace, provider: str, settings: dict[str, Any], secrets: dict[str, str], field: str
) -> None:
    configures = await api.key(workspace.id, *CONFIGURES)
    vouches = await api.key(workspace.id, *CONFIGURES, "profiles:authenticate")

    async def put(headers: dict[str, str], more: dict[str, Any], given: dict[str, str]) -> Response:
        path = f"/v1/inboxes/{workspace.inboxes[provider]}"
        now = (await api.client.get(path, headers=headers)).json()
        body = {name: now[name] for name in ("name", "provider", "channel", "connection", "address", "enabled")}
        body["settings"] = {**now["settings"], **more}
        return await api.client.put(path, json={**body, "secrets": given}, headers={**headers, "if-match": str(now["version"])})

    assert (await put(configures, {}, {})).status_code == 200
    refused = await put(configures, settings, secrets)
    assert (refused.status_code, refused.json()["field"]) == (403, field)
    assert (await put(vouches, settings, secrets)).status_code == 200
    assert (await put(configures, {}, {})).status_code == 200, "what stands is nobody's to prove again"


async def test_who_configures_makes_no_inbox_another_providers_or_connections(api: Api, workspace: Workspace) -> None:
    configures, admin = await api.key(workspace.id, *CONFIGURES), await api.key(workspace.id)
    path = f"/v1/inboxes/{workspace.inboxes['webchat']}"
    made = await api.client.post("/v1/connections", json={"name": "other", "provider": "meta"}, headers=admin)
    assert made.status_code == 201, made.text

    async def put(headers: dict[str, str], **changed: Any) -> Response:
        now = (await api.client.get(path, headers=headers)).json()
        body = {
            name: now[name] for name in ("name", "provider", "channel", "connection", "address", "settings", "enabled")
        } | changed
        return await api.client.put(path, json=body, headers=headers)

    for field, changed in (("provider", {"provider": "api"}), ("connection", {"connection": "other"})):
        refused = await put(configures, **changed)
        assert (refused.status_code, refused.json()["field"]) == (403, field)
        assert (await put(admin, **changed)).status_code == 200
        assert (await put(configures)).status_code == 200


async def test_who_configures_makes_and_frees_no_address(api: Api, workspace: Workspace) -> None:
    """A new inbox of the same address would take mail as it comes, without the border that the one before named."""
    configures, vouches = (
        await api.key(workspace.id, *CONFIGURES),
        await api.key(workspace.id, *CONFIGURES, "profiles:authenticate"),
    )
    body = {"name": "satis", "provider": "smtp", "address": "satis@ornek.com"}
    connection = {"name": "other", "provider": "meta"}

    async def refused(method: str, path: str, given: dict[str, Any] | None, field: str) -> None:
        answer = await api.client.request(method, path, json=given, headers=configures)
        assert (answer.status_code, answer.json()["field"]) == (403, field), (method, path)

    await refused("POST", "/v1/inboxes", body, "provider")
    await refused("POST", "/v1/inboxes", {**body, "settings": {"authserv_id": "mx.ornek.com"}}, "settings.authserv_id")
    await refused("POST", "/v1/connections", connection, "provider")
    made = await api.client.post("/v1/inboxes", json={**body, "settings": {"authserv_id": "mx.ornek.com"}}, headers=vouches)
    shared = await api.client.post("/v1/connections", json=connection, headers=vouches)
    assert (made.status_code, shared.status_code) == (201, 201)
    inbox, other = f"/v1/inboxes/{made.json()['id']}", f"/v1/connections/{shared.json()['id']}"
    settings = made.json()["settings"]
    for address in (None, "eski@ornek.com"):
        await refused("PUT", inbox, {**body, "settings": settings, "address": address}, "address")
    await refused("DELETE", inbox, None, "id")
    await refused("PUT", other, {**connection, "settings": {"portfolio": "another"}}, "settings.portfolio")
    await refused("DELETE", other, None, "id")
    await refused("PUT", inbox, {**body, "settings": settings, "name": "another"}, "name")
    named = {**body, "enabled": False, "settings": {**settings, "from_name": "Satış"}}
    assert (await api.client.put(inbox, json=named, headers=configures)).status_code == 200, "what says nothing of who is believed"
    for path in (inbox, other):
        assert (await api.client.delete(path, headers=vouches)).status_code == 204


@pytest.mark.parametrize(
    ("setting", "value"),
    [("region", "DE"), ("own_addresses", ["ayse@ornek.net"]), ("profile", {"fan_out": {"phone": 900}})],
)
async def test_who_configures_says_not_whose_a_number_or_an_address_is(
    api: Api, workspace: Workspace, setting: str, value: Any
) -> None:
    configures, vouches = (
        await api.key(workspace.id, *CONFIGURES),
        await api.key(workspace.id, *CONFIGURES, "profiles:authenticate"),
    )

    async def put(headers: dict[str, str], **more: Any) -> Response:
        now = (await api.client.get("/v1/workspace", headers=headers)).json()
        return await api.client.put(
            "/v1/workspace", json={"title": now["title"], "settings": {**now["settings"], **more}}, headers=headers
        )

    refused = await put(configures, **{setting: value})
    assert (refused.status_code, refused.json()["field"]) == (403, f"settings.{setting}")
    assert (await put(vouches, **{setting: value})).status_code == 200
    assert (await put(configures, classify=True)).status_code == 200, "what stands is nobody's to prove again"
