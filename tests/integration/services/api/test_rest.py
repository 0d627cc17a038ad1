"""REST as a client meets it: problems, limits, headers, configuration round trips, idempotent posts and replies."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from PIL import Image

from ingest.adapters.api import PostedMessage
from shared.cloudevent import decode_message
from shared.database import Database
from shared.ids import new_id
from tests.support.api import Api, running_api
from tests.support.workspaces import Workspace, add_item

MESSAGE = {"inbox": "api", "external_id": "form-1", "from": {"kind": "email", "value": "ayse@ornek.com"}, "text": "Merhaba"}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/queues", {"name": "x", "workspace_id": "y"}, "body.workspace_id"),
        ("/v1/queues", {"name": "x", "mode": "pull!"}, "body.mode"),
        ("/v1/agents", {"name": "x", "presence": "online"}, "body.presence"),
        ("/v1/users", {"name": "x", "role": "agent", "id": "7"}, "body.id"),
        ("/v1/messages", {**MESSAGE, "extra": 1}, "body.extra"),
        ("/v1/policies", {"document": {"default_queue": "nowhere"}}, "default_queue"),
        ("/v1/inboxes", {"name": "x", "provider": "webchat", "settings": {"titel": "x"}}, "settings"),
        ("/v1/inboxes", {"name": "x", "provider": "telex"}, "provider"),
        ("/v1/inboxes", {"name": "x", "provider": "asterisk", "settings": {"extensions": "("}}, "settings.extensions"),
        ("/v1/inboxes", {"name": "x", "provider": "asterisk", "settings": {"time_zone": "Europe"}}, "settings.time_zone"),
        (
            "/v1/inboxes",
            {"name": "x", "provider": "webchat", "settings": {"origins": ["a.example", "https://["]}},
            "settings.origins.1",
        ),
        ("/v1/inboxes", {"name": "x", "provider": "smtp", "settings": {"aliases": ["nobody"]}}, "settings.aliases.0"),
        ("/v1/inboxes", {"name": "x", "provider": "smtp", "address": "not an address"}, "address"),
        ("/v1/connections", {"name": "x", "provider": "meta", "settings": {"graph_url": "graph.example"}}, "settings.graph_url"),
        ("/v1/users", {"name": "x", "role": "agent", "email": "nobody"}, "email"),
    ],
)
async def test_what_is_not_acceptable_is_named(api: Api, workspace: Workspace, path: str, body: Any, field: str) -> None:
    answer = await api.client.post(path, json=body, headers=await api.key(workspace.id))
    problem = answer.json()
    assert answer.status_code == 422, problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["field"] == field
    assert problem["remedy"]
    assert problem["request_id"] == answer.headers["x-request-id"]


async def test_every_error_has_one_shape(api: Api, workspace: Workspace) -> None:
    headers = await api.key(workspace.id)
    answers = {
        404: await api.client.get("/v1/nothing", headers=headers),
        405: await api.client.patch("/v1/queues", headers=headers),
        413: await api.client.post("/v1/messages", content=b"x" * 2_000_000, headers=headers),
        422: await api.client.post("/v1/messages", content=b"{", headers={**headers, "content-type": "application/json"}),
    }
    for status, answer in answers.items():
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "status", "detail", "request_id"} <= answer.json().keys()
    deep = await api.client.post("/v1/messages", content=b"[" * 100_000, headers={**headers, "content-type": "application/json"})
    assert deep.status_code == 413


async def test_a_method_that_an_address_has_not_is_refused_with_those_it_has(api: Api, workspace: Workspace) -> None:
    headers = await api.key(workspace.id)
    for verb, path, allowed in (
        ("PATCH", "/v1/queues", "GET, POST"),
        ("PATCH", f"/v1/queues/{workspace.queue_id}", "DELETE, GET, PUT"),
        ("GET", "/v1/profiles/search", "POST"),
        ("DELETE", "/v1/policies/active", "GET"),
        ("OPTIONS", f"/v1/inboxes/{workspace.inboxes['api']}/places/cdr", "GET, PUT"),
    ):
        answer = await api.client.request(verb, path, headers=headers)
        assert answer.status_code == answer.json()["status"] == 405, (path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["allow"] == allowed, path


async def test_headers_of_each_kind_of_route(api: Api, workspace: Workspace) -> None:
    rest = await api.client.get("/v1/queues", headers=await api.key(workspace.id) | {"x-request-id": "trace-12345678"})
    assert rest.headers["x-request-id"] == "trace-12345678"
    assert rest.headers["x-content-type-options"] == "nosniff"
    assert rest.headers["cache-control"] == "no-store"
    assert rest.headers["content-security-policy"].startswith("default-src 'none'")
    desk = await api.client.get("/desk")
    for part in ("script-src 'self'", "object-src 'none'", "require-trusted-types-for 'script'", "frame-ancestors 'self'"):
        assert part in desk.headers["content-security-policy"]
    asset = await api.client.get("/assets/a-123.js")
    assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert asset.headers["content-type"].startswith("text/javascript")
    again = await api.client.get("/assets/a-123.js", headers={"if-none-match": asset.headers["etag"]})
    assert again.status_code == 304
    for path in ("/assets/../app.py", "/assets/%2e%2e/app.py", "/assets//etc/passwd", "/shop", "/demo/info"):
        assert (await api.client.get(path)).status_code == 404, path
    document = await api.client.get("/openapi.json")
    assert document.json()["info"]["title"] == "Santral"
    reference = await api.client.get("/docs")
    assert reference.status_code == 200
    assert "<script" not in reference.text
    assert "write_reply" in reference.text


async def test_the_document_is_stable_and_complete(api: Api) -> None:
    document = api.app.openapi()
    names = [operation["operationId"] for verbs in document["paths"].values() for operation in verbs.values()]
    assert len(names) == len(set(names))
    for verbs in document["paths"].values():
        for operation in verbs.values():
            assert operation["tags"], operation["operationId"]
            assert operation["summary"], operation["operationId"]
            assert "default" not in operation["responses"], operation["operationId"]
            assert {"413", "422", "429", "503"} <= set(operation["responses"])
            assert not operation.get("security") or {"401", "403"} <= set(operation["responses"])
            refusals = {status: answer["$ref"] for status, answer in operation["responses"].items() if int(status) >= 400}
            assert refusals == {status: f"#/components/responses/{status}" for status in refusals}
    for status, refusal in document["components"]["responses"].items():
        assert refusal["content"] == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        assert ("Retry-After" in refusal["headers"]) == (status in ("429", "503"))


ROUNDS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("skills", {"name": "kahve", "title": "Kahve"}, {"name": "kahve", "title": "Filtre kahve"}),
    ("roles", {"name": "gece", "scopes": ["conversations:read"], "visibility": "own"},
     {"name": "gece", "scopes": [], "visibility": "queue"}),
    ("queues", {"name": "iade", "mode": "pull", "goals_s": {"chat": 60}}, {"name": "iade", "mode": "both", "offer_s": 20}),
    ("agents", {"name": "Ece", "languages": ["tr"], "queues": [{"queue": "genel", "priority": 2}], "managed_digest": "d1"},
     {"name": "Ece", "budget": 50, "channels": {"chat": {"cost": 10, "cap": 5}}, "queues": []}),
    ("connections", {"name": "meta", "provider": "meta", "secrets": {"app_secret": "geheim-1234567890"}},
     {"name": "meta", "provider": "meta", "settings": {"app_id": "7"}}),
    ("inboxes", {"name": "site", "provider": "webchat", "settings": {"origins": ["https://shop.example"]},
                 "secrets": {"identity_secret": "geheim-" * 6}},
     {"name": "site", "provider": "webchat", "settings": {"title": "Sohbet"}}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "first", "second"), ROUNDS, ids=[one[0] for one in ROUNDS])
async def test_configuration_goes_round(
    api: Api, workspace: Workspace, worker_db: Database, path: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    headers = await api.key(workspace.id)
    made = await api.client.post(f"/v1/{path}", json=first, headers=headers)
    assert made.status_code == 201, made.text
    place = made.headers["location"]
    shown = (await api.client.get(place, headers=headers)).json()
    quiet: dict[str, Any] = {"warnings": None} if "warnings" in shown else {}  # those come with saving only
    assert shown == made.json() | quiet
    for name, value in first.items():
        if name == "secrets":
            assert shown["secrets_set"] == sorted(value)
        elif name == "queues":
            assert [one["queue"] for one in shown["queues"]] == ["genel"]
        else:
            assert shown[name] == value
    assert "geheim" not in made.text
    assert (await api.client.post(f"/v1/{path}", json=first, headers=headers)).status_code == 409
    stale = await api.client.put(place, json=second, headers=headers | {"if-match": "99"})
    assert stale.status_code == 409
    assert stale.json()["field"] == "If-Match"
    replaced = await api.client.put(place, json=second, headers=headers | {"if-match": f'"{shown["version"]}"'})
    assert replaced.status_code == 200, replaced.text
    assert replaced.json()["version"] == shown["version"] + 1
    if "secrets_set" in shown:
        assert replaced.json()["secrets_set"] == shown["secrets_set"], "secrets that were not given stay"
    listed = (await api.client.get(f"/v1/{path}?limit=200", headers=headers)).json()["items"]
    assert replaced.json() | quiet in listed
    assert (await api.client.delete(place, headers=headers)).status_code == 204
    assert (await api.client.get(place, headers=headers)).status_code == 404
    async with worker_db.batch() as connection:
        actions = [row["action"] for row in await connection.fetch("select action from santral.audit order by at")]
        stored = await connection.fetch("select secrets from santral.connection union all select secrets from santral.inbox")
    assert [action.partition(".")[2] for action in actions] == ["created", "replaced", "deleted"]
    assert all(b"geheim" not in (row["secrets"] or b"") for row in stored)


async def test_lists_come_in_pages(api: Api, workspace: Workspace) -> None:
    headers = await api.key(workspace.id)
    for name in "abcdefg":
        await api.client.post("/v1/skills", json={"name": name}, headers=headers)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = (
            await api.client.get("/v1/skills", params={"limit": 3, **({"cursor": cursor} if cursor else {})}, headers=headers)
        ).json()
        seen += [one["name"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == list("abcdefg")
    for bad in ("x", "W10", "eyJhIjoxfQ"):
        answer = await api.client.get("/v1/conversations", params={"cursor": bad}, headers=headers)
        assert answer.status_code == 422, bad
        assert answer.json()["field"] == "cursor"


async def test_a_posted_message_has_one_identity(api: Api, workspace: Workspace) -> None:
    headers = await api.key(workspace.id, "messages:write", "messages:read")
    keyed = {**headers, "idempotency-key": "k1"}
    first = await api.client.post("/v1/messages", json=MESSAGE, headers=keyed)
    assert first.status_code == 202, first.text
    again = await asyncio.gather(*(api.client.post("/v1/messages", json=MESSAGE, headers=keyed) for _ in range(5)))
    assert {answer.text for answer in again} == {first.text}
    other = await api.client.post("/v1/messages", json={**MESSAGE, "text": "Başka"}, headers=keyed)
    assert other.status_code == 422
    assert other.json()["field"] == "Idempotency-Key"
    state = (await api.client.get(first.headers["location"], headers=headers)).json()
    assert state["state"] == "accepted"
    published = [decode_message(dict(record.headers), record.value) for record in api.broker.records]
    assert {str(message.id) for message in published} == {first.json()["id"]}
    assert published[0].text == "Merhaba"


async def test_an_external_id_stands_for_one_body_with_and_without_a_key(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    headers = await api.key(workspace.id, "messages:write")

    async def posted(text: str, external_id: str = "e-1", key: str | None = None) -> httpx.Response:
        body = {**MESSAGE, "external_id": external_id, "text": text}
        return await api.client.post("/v1/messages", json=body, headers=headers | ({"idempotency-key": key} if key else {}))

    first = await posted("Merhaba")
    assert first.status_code == 202
    for key in (None, "k-1"):
        assert (await posted("Merhaba", key=key)).json() == first.json()
        refused = await posted("Başka", key=None if key is None else "k-2")
        assert (refused.status_code, refused.json()["field"]) == (409, "external_id")
        assert first.json()["id"] in refused.json()["detail"]
    assert (await posted("Başka", "e-2", key="k-1")).status_code == 422
    answers = await asyncio.gather(*(posted(f"metin {n % 2}", "e-3", key=f"k-3-{n}" if n < 3 else None) for n in range(6)))
    assert sorted(one.status_code for one in answers) == [202] * 3 + [409] * 3
    # What 0.1.0 remembered, by a key or by the message's id, is over all fields with their defaults.
    async with worker_db.batch() as connection:
        old = hashlib.sha256(PostedMessage.model_validate(MESSAGE | {"external_id": "e-4"}).model_dump_json(by_alias=True).encode())
        message = (await posted("Merhaba", "e-4")).json()["id"]
        await connection.execute("delete from santral.idempotency where message_id = $1", UUID(message))
        await connection.execute(
            "insert into santral.idempotency (workspace_id, key, body_hash, message_id) values ($1, 'old', $2, $3)",
            workspace.id, old.digest(), UUID(message),
        )  # fmt: skip
    assert (await posted("Merhaba", "e-4", key="old")).status_code == 202
    assert (await posted("Merhaba", "e-4")).status_code == 202
    assert (await posted("Başka", "e-4", key="old")).status_code == 422
    assert (await posted("Başka", "e-4")).status_code == 409


async def test_a_broker_that_is_down_is_503_and_nothing_is_accepted(api: Api, workspace: Workspace) -> None:
    headers = await api.key(workspace.id) | {"idempotency-key": "k2"}
    api.broker.down = True
    answer = await api.client.post("/v1/messages", json=MESSAGE, headers=headers)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    api.broker.down = False
    again = await api.client.post("/v1/messages", json=MESSAGE, headers=headers)
    assert again.status_code == 202


async def answered(api: Api, workspace: Workspace, worker: Database) -> tuple[str, dict[str, str]]:
    """A chat that the workspace's agent has claimed: its conversation, the agent's headers."""
    item = await add_item(worker, workspace)
    headers = await api.agent(workspace.id, workspace.agent_id)
    claimed = await api.client.post(f"/v1/items/{item}/claim", headers=headers)
    assert claimed.status_code == 200, claimed.text
    return claimed.json()["conversation_id"], headers


async def test_a_reply_is_written_once_with_its_delivery(api: Api, workspace: Workspace, worker_db: Database) -> None:
    conversation, headers = await answered(api, workspace, worker_db)
    path, body = f"/v1/conversations/{conversation}/replies", {"content": {"kind": "text", "text": "Merhaba, bakıyorum."}}
    keyed = headers | {"idempotency-key": "r1"}
    answers = await asyncio.gather(*(api.client.post(path, json=body, headers=keyed) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {202}, [answer.text for answer in answers]
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = await api.client.post(path, json={"content": {"kind": "text", "text": "Başka"}}, headers=keyed)
    assert other.status_code == 422
    messages = (await api.client.get(f"/v1/conversations/{conversation}/messages", headers=headers)).json()["items"]
    assert [message["text"] for message in messages] == ["Merhaba, bakıyorum."]
    assert messages[0]["delivery"]["state"] == "queued"
    state = (await api.client.get(f"/v1/replies/{answers[0].json()['id']}", headers=headers)).json()
    assert (state["state"], state["seq"]) == ("queued", messages[0]["seq"])
    async with worker_db.batch() as connection:
        rows = await connection.fetch("select request from santral.delivery")
    assert [row["request"]["content"]["text"] for row in rows] == ["Merhaba, bakıyorum."]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"kind": "html", "text": "x", "html": "<p>x</p>"}, "content.kind"),
        ({"kind": "template", "name": "hello"}, "content.kind"),
        ({"kind": "text", "text": "x" * 20_000}, "content.text"),
    ],
)
async def test_what_the_channel_cannot_carry_is_refused(
    api: Api, workspace: Workspace, worker_db: Database, content: dict[str, Any], field: str
) -> None:
    conversation, headers = await answered(api, workspace, worker_db)
    answer = await api.client.post(f"/v1/conversations/{conversation}/replies", json={"content": content}, headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field
    async with worker_db.batch() as connection:
        assert await connection.fetchval("select count(*) from santral.message") == 0


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"kind": "template", "name": "hello", "text": "Merhaba"}, "content.kind"),
        ({"kind": "text", "text": " \n"}, "content.text"),
        ({"kind": "html", "text": " ", "html": "<p> </p>"}, "content.text"),
        ({"kind": "text", "text": "x" * 500_001}, "body.content.text.text"),
    ],
)
async def test_what_mail_cannot_carry_is_refused(
    api: Api, workspace: Workspace, worker_db: Database, content: dict[str, Any], field: str
) -> None:
    await add_item(worker_db, workspace, provider="smtp", channel="email")
    async with worker_db.batch() as connection:
        await connection.execute("update santral.handle set kind = 'email', value = 'ayse@ornek.com'")
        conversation = await connection.fetchval("select id from santral.conversation")
    headers = await api.key(workspace.id)
    answer = await api.client.post(f"/v1/conversations/{conversation}/replies", json={"content": content}, headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field
    assert answer.json()["remedy"]
    async with worker_db.batch() as connection:
        assert await connection.fetchval("select count(*) from santral.delivery") == 0


async def test_a_page_code_is_good_once(api: Api, workspace: Workspace) -> None:
    admin = await api.key(workspace.id)
    made = await api.client.post(f"/v1/agents/{workspace.agent_id}/codes", headers=admin)
    body = {"code": made.json()["code"]}
    first = await api.client.post("/v1/sessions/exchange", json=body)
    assert first.status_code == 201, first.text
    assert UUID(first.json()["agent_id"]) == workspace.agent_id
    headers = {"authorization": f"Bearer {first.json()['token']}"}
    assert (await api.client.get("/v1/agents/me/desk", headers=headers)).json()["agent"]["name"] == "Deniz"
    assert (await api.client.post("/v1/sessions/exchange", json=body)).status_code == 401


async def test_the_database_holds_no_usable_token(api: Api, workspace: Workspace, database_urls: Any) -> None:
    admin = await api.key(workspace.id)
    token = (await api.client.post("/v1/keys", json={"name": "n", "scopes": ["admin"]}, headers=admin)).json()["token"]
    secret = token.split("_")[3]
    async with api.worker.batch() as connection:
        rows = await connection.fetch("select to_jsonb(k) as row from santral.api_key k")
    assert secret[:43] not in json.dumps([row["row"] for row in rows])


async def test_the_demo_shows_its_pages_only_where_it_runs(
    api_db: Database, worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "info.json").write_text('{"widget_token": "w"}', encoding="utf-8")
    (tmp_path / "mails.jsonl").write_text('{"subject": "bir"}\n{"subject": "iki"}\n', encoding="utf-8")
    async with running_api(api_db, worker_db, demo_dir=tmp_path) as api:
        assert (await api.client.get("/shop")).status_code == 200
        assert (await api.client.get("/demo/info")).json() == {"widget_token": "w"}
        assert [mail["subject"] for mail in (await api.client.get("/demo/mails")).json()["items"]] == ["iki", "bir"]
        assert (await api.client.get("/")).headers["location"] == "/shop"
        for path in ("/shop", "/demo/info", "/demo/mails"):
            foreign = await api.client.get(path, headers={"host": "rebound.example:8080"})
            assert (foreign.status_code, foreign.json()["field"]) == (403, "Host"), "a name that somebody leads here"
            assert (await api.client.get(path, headers={"host": "localhost:8080"})).status_code == 200


@pytest.mark.parametrize(
    ("peer", "origin", "told"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080", True),
        ("::1", "http://127.0.0.1:8080", True),
        ("192.0.2.7", "http://127.0.0.1:8080", False),
        ("192.0.2.7", "https://demo.example", True),
    ],
)
async def test_the_demo_tells_agents_pages_on_its_own_machine_only(
    api_db: Database, worker_db: Database, tmp_path: Path, peer: str, origin: str, told: bool
) -> None:
    (tmp_path / "info.json").write_text(
        '{"widget_token": "w", "agents": [{"name": "Deniz", "page": "/desk#code=c"}]}', encoding="utf-8"
    )
    async with running_api(api_db, worker_db, demo_dir=tmp_path) as api:
        api.app.state.origin = origin
        transport = httpx.ASGITransport(app=api.app, client=(peer, 50000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            answer = await client.get("/demo/info")
    assert (answer.status_code, answer.json()["widget_token"], "agents" in answer.json()) == (200, "w", told)


async def test_health_and_metrics_are_not_on_the_port_of_the_api(api: Api, workspace: Workspace) -> None:
    admin = await api.key(workspace.id)
    for path in ("/metrics", "/healthz", "/readyz", "/livez", "/startupz"):
        for headers in ({}, admin):
            assert (await api.client.get(path, headers=headers)).status_code == 404, path


async def test_a_visitors_token_opens_nothing_over_rest(api: Api, workspace: Workspace) -> None:
    token = await api.session(workspace.id, "visitor", inbox_id=workspace.inboxes["webchat"], visitor_id=new_id())
    headers = {"authorization": f"Bearer {token}"}
    for path in ("/v1/conversations", "/v1/workspace", "/v1/agents/me/desk", "/v1/events"):
        assert (await api.client.get(path, headers=headers)).status_code == 403, path


async def test_mails_html_is_sanitized_and_sandboxed(api: Api, workspace: Workspace, worker_db: Database) -> None:
    conversation, headers = await answered(api, workspace, worker_db)
    key = f"{workspace.id}/{new_id()}/html-1"
    await api.app.state.blobs.put(key, b"<p onclick=x()>Merhaba<script>alert(1)</script><img src=https://evil.example/x.png></p>")
    parts = [{"blob": key, "name": 'a b\r\n"x.svg', "size_bytes": 3, "role": role} for role in ("html", "attachment")]
    async with worker_db.batch() as connection:
        seq = await connection.fetchval("update santral.conversation set seq = seq + 1 returning seq")
        await connection.execute(
            "insert into santral.message (workspace_id, conversation_id, seq, id, direction, kind, channel, provider, inbox_id, visibility,"
            " external_id, body, accepted_at) values ($1, $2, $3, $4, 'in', 'text', 'email', 'smtp', $5, 'private', 'm', $6, now())",
            workspace.id, UUID(conversation), seq, new_id(), workspace.inboxes["smtp"], {"parts": parts},
        )  # fmt: skip
    path = f"/v1/conversations/{conversation}/messages/{seq}"
    shown = await api.client.get(f"{path}/html", headers=headers)
    assert shown.status_code == 200, shown.text
    assert "Merhaba" in shown.text
    for bad in ("script", "onclick", "alert"):
        assert bad not in shown.text
    assert shown.headers["content-security-policy"].startswith("sandbox")
    file = await api.client.get(f"{path}/parts/1", headers=headers)
    assert file.headers["content-disposition"].startswith("attachment")
    assert "\n" not in file.headers["content-disposition"]
    assert file.headers["content-type"] == "application/octet-stream"
    assert (await api.client.get(f"{path}/parts/0", headers=headers)).status_code == 404


async def test_a_file_from_before_marked_mail_was_a_choice_makes_none(api: Api, workspace: Workspace) -> None:
    admin = await api.key(workspace.id)
    for said, kept in ((None, None), ("aside", "aside"), (None, "aside"), ("work", "work"), (None, "work")):
        settings = {"region": "TR"} if said is None else {"region": "TR", "marked_mail": said}
        answer = await api.client.put("/v1/workspace", json={"settings": settings}, headers=admin)
        assert answer.json()["settings"]["marked_mail"] == kept
    refused = await api.client.put("/v1/workspace", json={"settings": {"marked_mail": "perhaps"}}, headers=admin)
    assert (refused.status_code, refused.json()["field"]) == (422, "body.settings.marked_mail")
    for wrong, field in (
        ({"time_zone": "Europe"}, "time_zone"), ({"time_zone": "../x"}, "time_zone"), ({"languages": ["tr", "türkçe"]}, "languages.1"),
        ({"own_addresses": ["a@ornek.com", "0212 555 00 00"]}, "own_addresses.1"),
    ):  # fmt: skip
        refused = await api.client.put("/v1/workspace", json={"settings": wrong}, headers=admin)
        assert (refused.status_code, refused.json()["field"]) == (422, f"settings.{field}")
        assert refused.json()["remedy"]


async def test_pictures_of_a_mail_are_shown_small_and_without_what_stands_beside_them(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    conversation, headers = await answered(api, workspace, worker_db)
    exif = Image.Exif()
    exif[0x010F] = "Kamera-7"  # its maker
    taken = io.BytesIO()
    Image.new("RGB", (800, 400), "red").save(taken, "JPEG", exif=exif, comment=b"gizli")
    contents = {
        "html": b'<p>Bak: <img src="cid:logo%40x" alt="a"> <img src="cid:yok@x"></p>',
        "photo": taken.getvalue(),
        "text": b"x",
    }
    for name, content in contents.items():
        await api.app.state.blobs.put(f"{workspace.id}/{conversation}/{name}", content)
    parts = [
        {"blob": f"{workspace.id}/{conversation}/html", "name": "", "size_bytes": 3, "role": "html"},
        {"blob": f"{workspace.id}/{conversation}/text", "name": "n.png", "content_type": "image/png", "size_bytes": 1},
        {"blob": f"{workspace.id}/{conversation}/photo", "name": "f.jpg", "content_type": "image/jpeg", "size_bytes": 9, "content_id": "logo@x"},
    ]  # fmt: skip
    async with worker_db.batch() as connection:
        seq = await connection.fetchval("update santral.conversation set seq = seq + 1 returning seq")
        await connection.execute(
            "insert into santral.message (workspace_id, conversation_id, seq, id, direction, kind, channel, provider, inbox_id, visibility,"
            " external_id, body, accepted_at) values ($1, $2, $3, $4, 'in', 'text', 'email', 'smtp', $5, 'private', 'm', $6, now())",
            workspace.id, UUID(conversation), seq, new_id(), workspace.inboxes["smtp"], {"parts": parts},
        )  # fmt: skip
    path = f"/v1/conversations/{conversation}/messages/{seq}"
    shown = (await api.client.get(f"{path}/html", headers=headers)).text
    assert f'src="{path}/parts/2/thumbnail?edge=1600"' in shown
    assert 'src="cid:yok@x"' in shown
    small = await api.client.get(f"{path}/parts/2/thumbnail?edge=100", headers=headers)
    assert (small.status_code, small.headers["content-type"]) == (200, "image/webp")
    with Image.open(io.BytesIO(small.content)) as picture:
        assert (picture.format, picture.size, len(picture.getexif())) == ("WEBP", (100, 50), 0)
    assert b"Kamera" not in small.content
    again = await api.client.get(f"{path}/parts/2/thumbnail?edge=100", headers={**headers, "if-none-match": small.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await api.client.get(f"{path}/parts/1/thumbnail", headers=headers)).status_code == 422
    assert (await api.client.get(f"{path}/parts/0/thumbnail", headers=headers)).status_code == 404
    assert (await api.client.get(f"{path}/parts/2/thumbnail?edge=9999", headers=headers)).status_code == 422
    assert (await api.client.get(f"{path}/parts/2/thumbnail")).status_code == 401


async def test_production_shows_no_reference_and_no_demo(api_db: Database, worker_db: Database, tmp_path: Path) -> None:
    async with running_api(api_db, worker_db, docs=False) as api:
        for path in ("/docs", "/openapi.json", "/docs/style.css", "/demo/info", "/demo/mails", "/shop"):
            assert (await api.client.get(path)).status_code == 404, path
        assert (await api.client.get("/")).headers["location"] == "/desk"
