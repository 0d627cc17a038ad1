"""The audit: who did what to which, and from where."""

from __future__ import annotations

from services.api.audit import audit as write
from services.api.principal import Principal
from services.frame.peers import coming_from
from services.schema.tables import audit
from shared.database import Database
from shared.ids import WorkspaceId, new_id
from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.workspaces import Workspace

_ROWS = "select actor, action, target_id, address, software, request_id from santral.audit where action like 'key.%' order by id"


async def test_a_row_names_where_the_caller_acted_from(api: Api, workspace: Workspace, worker_db: Database) -> None:
    admin = await api.key(workspace.id)
    said = {"user-agent": "curl/8\x1f" + "x" * 300, "x-request-id": "one-request", "x-forwarded-for": "203.0.113.9"}
    made = await api.client.post("/v1/keys", json={"name": "k", "scopes": ["events:read"]}, headers=admin | said)
    await api.client.delete(f"/v1/keys/{made.json()['id']}", headers=admin | {"x-request-id": "two-request"})
    first, second = await rows(worker_db, _ROWS)
    assert (first["action"], first["target_id"]) == ("key.created", made.json()["id"])
    assert first["address"] == "127.0.0.1", "what a caller says of its own address is believed"
    assert first["software"] == "curl/8" + "x" * 194
    assert first["request_id"] == "one-request"
    assert second["request_id"] == "two-request", "one request's origin stayed for the next"


async def test_a_refused_call_leaves_no_row(api: Api, workspace: Workspace, worker_db: Database) -> None:
    lesser = await api.key(workspace.id, "keys:write")
    refused = await api.client.post("/v1/keys", json={"name": "k", "scopes": ["admin"]}, headers=lesser)
    assert refused.status_code == 403, refused.text
    assert await rows(worker_db, _ROWS) == []


def test_where_somebody_acted_from_is_marked_personal() -> None:
    assert audit.c.address.info["pii"]
    assert audit.c.software.info["pii"]


async def test_a_visitors_origin_is_not_kept_and_a_visitors_act_is(workspace: Workspace, worker_db: Database) -> None:
    visitor = Principal(workspace_id=WorkspaceId(workspace.id), id=new_id(), kind="visitor")
    member = Principal(workspace_id=WorkspaceId(workspace.id), id=new_id(), kind="key")
    socket = {"type": "websocket", "client": ("::ffff:203.0.113.9", 1), "headers": [(b"user-agent", b"browser")]}
    with coming_from(socket):
        async with worker_db.batch(WorkspaceId(workspace.id)) as connection:
            for principal in (visitor, member):
                await write(connection, principal, "key.tried", "key", "k")
    async with worker_db.batch(WorkspaceId(workspace.id)) as connection:
        await write(connection, member, "key.tried", "key", "at the console")
    found = [(row["actor"], row["address"], row["software"]) for row in await rows(worker_db, _ROWS)]
    assert found == [(visitor.actor, None, None), (member.actor, "203.0.113.9", "browser"), (member.actor, None, None)]


async def test_nobody_who_may_configure_takes_what_was_said_or_the_traces_of_what_was_done_away(
    api: Api, workspace: Workspace
) -> None:
    lesser, admin = await api.key(workspace.id, "config:read", "config:write"), await api.key(workspace.id)

    async def keep(headers: dict[str, str], **days: int) -> tuple[int, str | None]:
        now = (await api.client.get("/v1/workspace", headers=headers)).json()
        body = {"title": now["title"], "settings": now["settings"] | {"retention": days}}
        answer = await api.client.put("/v1/workspace", json=body, headers=headers)
        return answer.status_code, answer.json().get("field")

    assert await keep(lesser, audit=365) == (403, "settings.retention.audit"), "without a word it is kept for ever"
    assert await keep(lesser, messages=30) == (403, "settings.retention.messages")
    assert await keep(admin, audit=365, views=90, messages=30) == (200, None)
    assert await keep(lesser, audit=365, views=89, messages=30) == (403, "settings.retention.views")
    assert await keep(lesser, audit=365, views=90, messages=29) == (403, "settings.retention.messages")
    assert await keep(lesser, audit=366, views=90, messages=31) == (200, None)
    assert await keep(admin, audit=29, views=90) == (422, "settings.retention.audit")
    assert await keep(admin, audit=30, views=30, messages=1) == (200, None)
    assert await keep(lesser) == (200, None)
