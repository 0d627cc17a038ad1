"""Who may do what over REST: tokens, scopes, other workspaces' ids. Generated from the OpenAPI document, so no operation is missing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from services.api.principal import ROLES, SCOPES
from shared.database import Database
from shared.ids import new_id
from tests.support.api import Api
from tests.support.workspaces import Workspace, add_item, make_workspace

PUBLIC = {"exchange_code", "read_chat_config", "open_chat_session"}

NOT_AN_AGENTS = frozenset(
    "set_presence read_desk handover assign_item cancel_item put_import_rows redact_message redact_part".split()  # noqa: SIM905
)
"""Operations that an agent's role has the scope for, and that still ask for more: their own id, a bot, the whole workspace."""


def operations(api: Api) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, verbs in api.app.openapi()["paths"].items():
        for verb, operation in verbs.items():
            yield verb.upper(), path, operation


def example(schema: dict[str, Any], document: dict[str, Any], place: int) -> Any:
    """A small value that a schema accepts, as far as these schemas go."""
    if "$ref" in schema:
        return example(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document, place)
    if schema.get("examples"):
        return schema["examples"][0]
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return example(schema[word][0], document, place)
    kind = schema.get("type")
    if "const" in schema or "enum" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    if kind == "object":
        return {name: example(schema["properties"][name], document, place) for name in schema.get("required", ())}
    if kind == "array":
        return [example(schema["items"], document, place)] * schema.get("minItems", 0)
    if kind == "integer":
        return schema.get("minimum", 1)
    if schema.get("format") == "uuid":
        return str(UUID(int=place + 1))
    return f"x{place}" if kind == "string" else True


def body_of(operation: dict[str, Any], document: dict[str, Any], place: int = 0) -> Any:
    if operation["operationId"] == "put_import_rows":  # read as it comes in, so the document has no model of it
        row = {"row": 1, "handles": [{"kind": "email", "value": "a@ornek.com"}], "name": "A", "traits": {}, "consents": []}
        return {"rows": [row], "next_row": 2}
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return None if content is None else example(content["schema"], document, place)


async def seeded(worker: Database, workspace: Workspace) -> dict[str, str]:
    """Ids of one object of each kind in a workspace, by path parameter."""
    item = await add_item(worker, workspace)
    names = "message decision offer entry key reply erasure export import suggestion shift operation".split()  # noqa: SIM905
    ids = {f"{name}_id": new_id() for name in names} | {"connection": new_id(), "user": new_id()}
    async with worker.batch() as connection:
        conversation, handle = await connection.fetchrow(
            "select i.conversation_id, c.handle_id from santral.work_item i join santral.conversation c on c.id = i.conversation_id"
            " where i.id = $1",
            item,
        )  # type: ignore[misc]
        w = workspace.id
        await connection.execute(
            "insert into santral.message (workspace_id, conversation_id, seq, id, direction, kind, channel, provider, inbox_id, handle_id,"
            " visibility, external_id, text, accepted_at) values ($1, $2, 1, $3, 'in', 'text', 'chat', 'webchat', $4, $5, 'private', 'x',"
            " 'Merhaba', now())",
            w, conversation, ids["message_id"], workspace.inboxes["webchat"], handle,
        )  # fmt: skip
        await connection.execute(
            "insert into santral.receipt (workspace_id, id, state, conversation_id, seq) values ($1, $2, 'taken', $3, 1), ($1, $4, 'taken', $3, 1)",
            w, ids["message_id"], conversation, ids["reply_id"],
        )  # fmt: skip
        await connection.execute(
            "insert into santral.delivery (workspace_id, id, conversation_id, message_id, inbox_id, handle_id, request)"
            " values ($1, $2, $3, $2, $4, $5, '{}')",
            w, ids["reply_id"], conversation, workspace.inboxes["webchat"], handle,
        )  # fmt: skip
        await connection.execute(
            "insert into santral.decision (workspace_id, id, kind, conversation_id, item_id, record) values ($1, $2, 'routing', $3, $4, '{}')",
            w, ids["decision_id"], conversation, item,
        )  # fmt: skip
        await connection.execute(
            "insert into santral.offer (workspace_id, id, item_id, agent_id, decision_id, state, until)"
            " values ($1, $2, $3, $4, $5, 'open', now() + interval '1 hour')",
            w, ids["offer_id"], item, workspace.agent_id, ids["decision_id"],
        )  # fmt: skip
        await connection.execute(
            "insert into santral.quarantine (workspace_id, id, message_id, reason, record, accepted_at) values ($1, $2, $2, 'x', 'x', now())",
            w, ids["entry_id"],
        )  # fmt: skip
        await connection.execute(
            "insert into santral.erasure (workspace_id, id, profile_id, reason, actor) values ($1, $2, $2, 'law', 'test')",
            w,
            ids["erasure_id"],
        )
        await connection.execute(
            "insert into santral.person_export (workspace_id, id, profile_id, actor) values ($1, $2, $2, 'test')",
            w,
            ids["export_id"],
        )
        await connection.execute(
            "insert into santral.api_key (workspace_id, id, public_id, secret_hash, name, scopes) values ($1, $2, $3, 'x', 'k', '{}')",
            w, ids["key_id"], ids["key_id"].hex[-8:],
        )  # fmt: skip
        await connection.execute(
            "insert into santral.connection (workspace_id, id, name, provider, path_token) values ($1, $2, 'meta', 'meta', $3)",
            w, ids["connection"], str(ids["connection"]),
        )  # fmt: skip
        await connection.execute(
            "insert into santral.role (workspace_id, name, scopes, visibility) values ($1, 'special', '{}', 'own')", w
        )
        await connection.execute(
            "insert into santral.import_job (workspace_id, id, source, digest, assurance, observed_at, actor)"
            " values ($1, $2, 'crm', 'd', 'asserted', now(), 'test')",
            w, ids["import_id"],
        )  # fmt: skip
        other = await connection.fetchval(
            "insert into santral.handle (workspace_id, id, kind, value, profile_id) values ($1, $2, 'email', 'iki@ornek.com', $2) returning id",
            w, new_id(),
        )  # fmt: skip
        await connection.execute(
            "insert into santral.suggestion (workspace_id, id, a, b, weight, probability, evidence)"
            " values ($1, $2, least($3, $4::uuid), greatest($3, $4::uuid), 5, 0.9, '[]')",
            w, ids["suggestion_id"], handle, other,
        )  # fmt: skip
        await connection.execute(
            "insert into santral.shift (workspace_id, id, agent_id, kind, starts_at, ends_at)"
            " values ($1, $2, $3, 'leave', now() + interval '1 day', now() + interval '2 days')",
            w, ids["shift_id"], workspace.agent_id,
        )  # fmt: skip
        await connection.execute(
            "insert into santral.placement_operation (workspace_id, id, kind, from_conversation_id, to_conversation_id, actor, prior)"
            " values ($1, $2, 'split', $3, $3, 'test', '{}')",
            w, ids["operation_id"], conversation,
        )  # fmt: skip
        await connection.execute("insert into santral.plan (workspace_id, name, document) values ($1, 'kahve', '{}')", w)
        for table in ("skill", "calendar", "sla"):
            await connection.execute(f"insert into santral.{table} (workspace_id, name) values ($1, 'kahve')", w)
        await connection.execute(
            "insert into santral.user (workspace_id, id, name, role) values ($1, $2, 'u', 'special')", w, ids["user"]
        )
        await connection.execute(
            "insert into santral.policy (workspace_id, version, document) values ($1, 77, $2)", w, {"default_queue": "genel"}
        )
    shown = {name: str(value) for name, value in ids.items()}
    return {
        **shown, "conversation_id": str(conversation), "item_id": str(item), "profile_id": str(handle), "agent_id": str(workspace.agent_id),
        "inboxes": str(workspace.inboxes["api"]), "queues": str(workspace.queue_id), "agents": str(workspace.agent_id), "users": shown["user"],
        "connections": shown["connection"], "roles": "special", "skills": "kahve", "calendars": "kahve", "slas": "kahve", "plans": "kahve",
        "seq": "1", "n": "0", "version": "77",
        "inbox_id": str(workspace.inboxes["asterisk"]), "source": "cdr", "call_id": "1718000000.42",
    }  # fmt: skip


def query_of(operation: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """What an operation insists on in its query."""
    asked = [one for one in operation.get("parameters", ()) if one["in"] == "query" and one["required"]]
    return {one["name"]: example(one["schema"], document, 0) for one in asked}


def filled(path: str, ids: dict[str, str]) -> str:
    kind = path.split("/")[2]
    return re.sub(r"\{(\w+)\}", lambda match: ids[kind if match[1] == "key" else match[1]], path)


async def test_every_operation_wants_a_token(api: Api, workspace: Workspace) -> None:
    for verb, path, operation in operations(api):
        if operation["operationId"] in PUBLIC:
            continue
        answer = await api.client.request(verb, re.sub(r"\{\w+\}", str(new_id()), path), json={})
        assert answer.status_code == 401, operation["operationId"]
        assert answer.headers["www-authenticate"] == "Bearer"
        assert operation["security"][0]["bearer"], f"{operation['operationId']} names no scope"


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
            not_theirs = operation["operationId"] in NOT_AN_AGENTS
            expected = 403 if of_agents or lacking or (not_theirs and headers is agent) else 404
            assert answer.status_code == expected, (operation["operationId"], answer.text)
    assert tried > 40
    assert mine["item_id"] != theirs["item_id"]
    async with worker_db.batch() as connection:
        assert await connection.fetchval("select state from santral.offer where id = $1", UUID(theirs["offer_id"])) == "open"


async def test_the_role_matrix(api: Api, workspace: Workspace, worker_db: Database) -> None:
    """Role × operation: refused with 403 exactly where the role lacks the scope that the operation names."""
    async with worker_db.batch() as connection:
        for name, (scopes, visibility) in ROLES.items():
            await connection.execute(
                "insert into santral.role (workspace_id, name, scopes, visibility) values ($1, $2, $3, $4)",
                workspace.id, name, list(scopes), visibility,
            )  # fmt: skip
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
            if operation["operationId"] in PUBLIC or operation["operationId"] == "sign_out":
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
