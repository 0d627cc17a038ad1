"""Who may do what over REST: tokens, scopes, other workspaces' ids. Generated from the OpenAPI document, so no operation is missing."""

from __future__ import annotations

import asyncio
import re
from uuid import UUID

from services.api.principal import ROLES, SCOPES
from shared.database import Database
from shared.ids import new_id
from tests.support.api import Api
from tests.support.operations import body_of, filled, operations, query_of, seeded
from tests.support.workspaces import Workspace, add_item, make_workspace

PUBLIC = {"exchange_code", "read_chat_config", "open_chat_session", "end_chat_session"}  # the last wants a visitor's own token
ANYBODYS = {"sign_out", "sign_out_everywhere"}  # whatever a role may do, its session can be ended

NOT_AN_AGENTS = frozenset(
    "set_presence read_desk handover assign_item cancel_item redact_message redact_part".split()  # noqa: SIM905
)
"""Operations that an agent's role has the scope for, and that still ask for more: their own id, a bot, the whole workspace."""


async def test_every_operation_wants_a_token(api: Api, workspace: Workspace) -> None:
    for verb, path, operation in operations(api):
        if operation["operationId"] in PUBLIC:
            continue
        answer = await api.client.request(verb, re.sub(r"\{\w+\}", str(new_id()), path), json={})
        assert answer.status_code == 401, operation["operationId"]
        assert answer.headers["www-authenticate"] == "Bearer"
        assert operation["operationId"] in ANYBODYS or operation["security"][0]["bearer"], (
            f"{operation['operationId']} names no scope"
        )


async def test_a_bad_token_is_refused_whatever_is_wrong_with_it(api: Api, workspace: Workspace) -> None:
    good = await api.key(workspace.id)
    token = good["authorization"]
    other = token[:-49] + (await api.key(workspace.id))["authorization"][-49:]
    for bad in (token[:-1], token + "x", other, "Bearer x", "Basic eDp5", "Bearer "):
        answer = await api.client.get("/v1/workspace", headers={"authorization": bad})
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await api.client.get("/v1/workspace", headers=good)).status_code == 200


async def test_another_workspaces_id_is_not_found(api: Api, workspace: Workspace, worker_db: Database) -> None:
    """Every operation with an id in its path, called with an id that is good in another workspace."""
    theirs = await seeded(worker_db, await make_workspace(worker_db, name="other"))
    mine = await seeded(worker_db, workspace)
    admin, agent = await api.key(workspace.id), await api.agent(workspace.id, workspace.agent_id)
    document, tried = api.app.openapi(), 0
    async with worker_db.batch() as connection:  # what no other id tells apart: names and numbers
        await connection.execute("delete from santral.policy where workspace_id = $1 and version = 77", workspace.id)
        await connection.execute("delete from santral.user where workspace_id = $1", workspace.id)
        await connection.execute("delete from santral.role where workspace_id = $1 and name = 'special'", workspace.id)
        for table in ("skill", "calendar", "sla", "plan"):
            await connection.execute(f"delete from santral.{table} where workspace_id = $1", workspace.id)
    for verb, path, operation in operations(api):
        if "{" not in path or operation["operationId"] in PUBLIC:
            continue
        tried += 1
        for headers in (admin, agent):
            answer = await api.client.request(
                verb, filled(path, theirs), json=body_of(operation, document), params=query_of(operation, document), headers=headers
            )
            others_too = operation["operationId"] in ("assign_item", "cancel_item", "end_call")
            of_agents = operation["tags"] == ["work"] and headers is admin and verb == "POST" and not others_too
            lacking = headers is agent and operation["security"][0]["bearer"][0] not in ROLES["agent"][0]
            not_theirs = operation["operationId"] in NOT_AN_AGENTS or "/imports/" in path
            expected = 403 if of_agents or lacking or (not_theirs and headers is agent) else 404
            assert answer.status_code == expected, (operation["operationId"], answer.text)
    assert tried > 40
    assert mine["item_id"] != theirs["item_id"]
    async with worker_db.batch() as connection:
        assert await connection.fetchval("select state from santral.offer where id = $1", UUID(theirs["offer_id"])) == "open"


async def test_the_role_matrix(api: Api, workspace: Workspace, worker_db: Database) -> None:
    """Role × operation: refused with 403 exactly where the role lacks the scope that the operation names."""
    for name, (scopes, _) in ROLES.items():
        user, agent = new_id(), new_id()
        async with worker_db.batch() as connection:
            await connection.execute(
                "insert into santral.user (workspace_id, id, name, role) values ($1, $2, $3, $3)", workspace.id, user, name
            )
            await connection.execute(
                "insert into santral.agent (workspace_id, id, name, user_id) values ($1, $2, $3, $4)",
                workspace.id,
                agent,
                name,
                user,
            )
        headers = await api.agent(workspace.id, agent)
        for verb, path, operation in operations(api):
            if operation["operationId"] in PUBLIC | ANYBODYS:
                continue
            (needed,) = operation["security"][0]["bearer"]
            assert needed in SCOPES
            url = re.sub(r"\{\w+\}", str(new_id()), path)
            answer = await api.client.request(verb, url, json={"nothing": "known"}, headers=headers)
            allowed = needed in scopes or "admin" in scopes
            lacking = answer.status_code == 403 and answer.json()["detail"] == f"this needs the scope {needed}"
            assert lacking == (not allowed), (name, operation["operationId"], answer.text)


async def test_a_revoked_key_fails_within_five_seconds(api: Api, workspace: Workspace) -> None:
    admin = await api.key(workspace.id)
    made = await api.client.post("/v1/keys", json={"name": "shop", "scopes": ["config:read"]}, headers=admin)
    assert made.status_code == 201, made.text
    headers = {"authorization": f"Bearer {made.json()['token']}"}
    assert (await api.client.get("/v1/queues", headers=headers)).status_code == 200
    assert (await api.client.post("/v1/queues", json={"name": "x"}, headers=headers)).status_code == 403
    assert (await api.client.delete(f"/v1/keys/{made.json()['id']}", headers=admin)).status_code == 204
    async with asyncio.timeout(5):
        while (await api.client.get("/v1/queues", headers=headers)).status_code != 401:
            await asyncio.sleep(0.1)


async def test_the_list_of_keys_says_when_each_was_used(api: Api, workspace: Workspace) -> None:
    admin = await api.key(workspace.id)
    made = await api.client.post("/v1/keys", json={"name": "shop", "scopes": ["config:read"]}, headers=admin)
    assert made.json()["used_at"] is None

    async def used_at() -> str | None:
        listed: list[dict[str, str | None]] = (await api.client.get("/v1/keys", headers=admin)).json()["items"]
        return next(one["used_at"] for one in listed if one["id"] == made.json()["id"])

    assert await used_at() is None
    headers = {"authorization": f"Bearer {made.json()['token']}"}
    assert (await api.client.get("/v1/queues", headers=headers)).status_code == 200
    await api.app.state.credentials.note_uses()
    noted = await used_at()
    assert noted is not None
    assert noted > made.json()["created_at"]


async def test_an_agent_sees_own_queues_and_nobody_elses(api: Api, workspace: Workspace, worker_db: Database) -> None:
    item = await add_item(worker_db, workspace)
    stranger = new_id()
    async with worker_db.batch() as connection:
        await connection.execute(
            "insert into santral.agent (workspace_id, id, name) values ($1, $2, 'Uzak')", workspace.id, stranger
        )
        conversation = await connection.fetchval("select conversation_id from santral.work_item where id = $1", item)
    member, other = await api.agent(workspace.id, workspace.agent_id), await api.agent(workspace.id, stranger)
    for path in (f"/v1/conversations/{conversation}", f"/v1/conversations/{conversation}/messages", f"/v1/items/{item}"):
        assert (await api.client.get(path, headers=member)).status_code == 200, path
        assert (await api.client.get(path, headers=other)).status_code == 403, path
    assert len((await api.client.get("/v1/conversations", headers=member)).json()["items"]) == 1
    assert (await api.client.get("/v1/conversations", headers=other)).json()["items"] == []
