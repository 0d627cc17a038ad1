"""What no client of ours sends: JSON and texts beyond every bound, and what was stored before there were bounds."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import UUID

import httpx
import pytest
from websockets.asyncio.client import connect

from services.api.edge import HEADERS
from shared.database import Database
from tests.support.agent_sockets import closed_with
from tests.support.api import Api, listening
from tests.support.operations import filled, operations, query_of, seeded
from tests.support.workspaces import Workspace

PERSON: dict[str, Any] = {"handles": [{"kind": "email", "value": "ayse@ornek.com"}], "traits": {"city": "İzmir"}}


def _is_a_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    problem: dict[str, Any] = answer.json()
    assert answer.status_code == problem["status"] == status, problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert set(problem) <= {"type", "title", "status", "detail", "field", "remedy", "request_id", "errors", "rule"}
    for word in ("column", "constraint", "relation", "asyncpg", "Traceback", "$1", "argument"):
        assert word not in answer.text
    return problem


@pytest.mark.parametrize(
    ("traits", "status", "field"),
    [
        ('{"a": ' + "[" * 400 + "]" * 400 + "}", 413, "body.traits.a.0.0.0.0.0.0"),
        ('{"a": ' + '{"b":' * 10_000 + "1" + "}" * 10_000 + "}", 413, "body.traits.a.b.b.b.b.b.b"),
        ('{"a": [' + "0," * 100_000 + "0]}", 413, "body"),
        ('{"a": 1e400}', 422, "body.traits.a"),
        ('{"a": NaN}', 422, "body.traits.a"),
        ('{"a": ' + "9" * 300 + "}", 422, "body.traits.a"),
        ('{"a": 18446744073709551616}', 422, "body.traits.a"),
        ('{"a": "x\\u0000"}', 422, "body.traits.a"),
        ('{"a": "\\ud800"}', 422, "body.traits.a"),
    ],
)
async def test_json_beyond_a_bound_is_refused_by_its_place(
    api: Api, workspace: Workspace, traits: str, status: int, field: str
) -> None:
    headers = {**await api.key(workspace.id), "content-type": "application/json"}
    body = json.dumps({**PERSON, "traits": 0}).replace('"traits": 0', f'"traits": {traits}')
    problem = _is_a_problem(await api.client.post("/v1/profiles/identify", content=body, headers=headers), status)
    assert (problem["field"], bool(problem["remedy"])) == (field, True)
    async with api.db.batch(workspace.id) as connection:
        assert await connection.fetchval("select count(*) from santral.handle") == 0


async def test_every_body_is_held_to_the_bounds_and_a_file_is_nobodys_json(api: Api, workspace: Workspace) -> None:
    headers = {**await api.key(workspace.id), "content-type": "application/json"}
    deep = "[" * 33 + "]" * 33
    for verb, path in (("POST", "/v1/messages"), ("POST", "/v1/queues"), ("PUT", f"/v1/profiles/imports/{workspace.id}/rows")):
        _is_a_problem(await api.client.request(verb, path, content=deep, headers=headers), 413)
    kept = await api.client.post("/v1/files", params={"name": "a.json"}, content=deep, headers=headers)
    assert kept.status_code == 201, kept.text


@pytest.mark.parametrize("path", ["/v1/queues/a%00b", "/v1/queues?cursor=%00", "/v1/profiles?q=a%00", "/chat/a%00b", "/assets/%00"])
async def test_a_nul_in_an_address_is_refused(api: Api, workspace: Workspace, path: str) -> None:
    _is_a_problem(await api.client.get(path, headers=await api.key(workspace.id)), 422)


@pytest.mark.parametrize("query", ["&".join(["a"] * 201), "q=" + "a" * 8200])
async def test_a_query_is_bounded(api: Api, workspace: Workspace, query: str) -> None:
    _is_a_problem(await api.client.get(f"/v1/queues?{query}", headers=await api.key(workspace.id)), 422)


@pytest.mark.parametrize(
    "frame", ["[" * 20_000, '{"type": "hello", "token": "%s"}' % ("a" * 17_000), "[" + ",".join(["1"] * 1001) + "]"]
)
async def test_a_frame_beyond_a_bound_closes_the_socket(api: Api, workspace: Workspace, frame: str) -> None:
    async with listening(api) as url, connect(f"{url}/v1/stream", proxy=None) as socket:
        await socket.send(frame)
        assert await closed_with(socket, within_s=5) == 4400


async def test_what_was_stored_too_deeply_hides_nothing_else_and_can_be_replaced(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    admin = await api.key(workspace.id)
    made = await api.client.post("/v1/profiles/identify", json=PERSON, headers=admin)
    assert made.status_code == 200, made.text
    profile = UUID(made.json()["profile_id"])
    deep = "[" * 400 + "]" * 400
    async with worker_db.batch() as connection:
        await connection.execute("update santral.fact set value = ($1::text)::jsonb where name = 'city'", deep)
        await connection.execute("update santral.profile set effective = replace(effective::text, '\"İzmir\"', $1)::jsonb", deep)
        assert deep in await connection.fetchval("select effective::text from santral.profile where id = $1", profile)
    shown = [
        await api.client.get(f"/v1/profiles/{profile}", headers=admin),
        await api.client.post("/v1/profiles/search", json={"text": "ayse"}, headers=admin),
        await api.client.get("/v1/profiles/export", headers=admin),
    ]
    for answer in shown:
        assert answer.status_code == 200, answer.text
        assert "ayse@ornek.com" in answer.text
    mended = await api.client.post("/v1/profiles/identify", json={**PERSON, "traits": {"city": "Bursa"}}, headers=admin)
    assert mended.status_code == 200, mended.text
    assert "Bursa" in (await api.client.get(f"/v1/profiles/{profile}", headers=admin)).text


async def test_errors_of_every_layer_keep_the_headers_and_the_request_id(api: Api, workspace: Workspace) -> None:
    admin = await api.key(workspace.id)
    _is_a_problem(await api.client.get("/v1/nowhere", headers=admin), 404)
    refused = await api.client.delete("/v1/messages", headers=admin)
    _is_a_problem(refused, 405)
    assert refused.headers["allow"] == "POST"
    _is_a_problem(await api.client.post("/v1/queues", content=b"x" * 2_000_000, headers=admin), 413)
    _is_a_problem(await api.client.post("/v1/queues", json=[], headers=admin), 422)
    api.app.state.db = None  # nobody foresaw that
    problem = _is_a_problem(await api.client.get("/v1/queues", headers=admin), 500)
    assert "nothing was changed" not in problem["detail"]


async def test_no_header_without_a_credential_is_an_error_of_ours(api: Api, workspace: Workspace) -> None:
    odd = ["Bearer santral_live_12345678_" + "é" * 49, "Bearer é", "Bearer santral_live_\xff_x", "Bearer " + "x" * 5000, "É"]
    for token in odd:
        answer = await api.client.get("/v1/queues", headers={b"authorization": token.encode("latin-1")})
        _is_a_problem(answer, 401)
    for name in ("x-request-id", "idempotency-key", "if-match", "origin", "content-type"):
        answer = await api.client.get("/v1/queues", headers={name.encode(): b"\xe9\xff;"})
        _is_a_problem(answer, 401)


def _cursor(value: str) -> str:
    return base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        _cursor(one)
        for one in (
            "[]", "{}", "null", "7", "[null]", "[1]", '["x"]', "[true]", "[[1]]", '["\\u0000"]', "[99999999999999999999]", "[1e400]", "[NaN]",
            "[" * 300, '["0001-01-01T00:00:00+14:00", "x"]', '[{}, {}]', '[1, "9999-12-31T23:59:59-14:00", 7]', '["2026-01-01", 5, 5]',
            '["2026-01-01T00:00:00", "0198c5f2-7b1e-7c3a-9d42-5f0e8a6b1c2d"]', "[1.5]", "[-9223372036854775808]",
        )
    ]
    + ["é", "=", "!", "%ED%A0%80", "-1", "1e3", "x" * 500],
)  # fmt: skip
async def test_a_cursor_of_another_kind_is_refused_on_every_list(
    api: Api, workspace: Workspace, worker_db: Database, cursor: str
) -> None:
    admin, ids = await api.key(workspace.id), await seeded(worker_db, workspace)
    document, lists = api.app.openapi(), 0
    for verb, path, operation in operations(api):
        if verb == "GET" and any(one["name"] == "cursor" for one in operation.get("parameters", ())):
            lists += 1
            query = {**query_of(operation, document), "cursor": cursor}
            answer = await api.client.get(filled(path, ids), params=query, headers=admin)
            assert answer.status_code in (200, 400, 422), (operation["operationId"], answer.text)
            if answer.status_code != 200:
                _is_a_problem(answer, answer.status_code)
    assert lists > 10


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00+14:00", "1899-12-31T00:00:00Z", "9999-12-31T23:59:59-14:00", "9998-01-01T00:00:00Z"]
)
async def test_a_time_out_of_all_years_is_refused(api: Api, workspace: Workspace, worker_db: Database, at: str) -> None:
    admin, ids = await api.key(workspace.id), await seeded(worker_db, workspace)
    query = {"from": at, "to": "2026-01-01T00:00:00Z"}
    for path in ("/v1/reports/routing", "/v1/reports/arrivals"):
        problem = _is_a_problem(await api.client.get(path, params=query, headers=admin), 422)
        assert problem["field"] == "query.from"
    for path, body in (
        ("/v1/profiles/identify", {**PERSON, "observed_at": at}),
        ("/v1/keys", {"name": "k", "scopes": ["config:read"], "expires_at": at}),
        (f"/v1/agents/{ids['agent_id']}/shifts", {"kind": "leave", "starts_at": at, "ends_at": at}),
        ("/v1/messages", {"inbox": "api", "external_id": "1", "from": PERSON["handles"][0], "text": "x", "sent_at": at}),
    ):
        _is_a_problem(await api.client.post(path, json=body, headers=admin), 422)


@pytest.mark.parametrize("name", ["Europe", "", ".", "../UTC", "/etc/passwd", "\u00e9", "x" * 300])
async def test_a_time_zone_that_is_none_is_refused(api: Api, workspace: Workspace, name: str) -> None:
    admin = await api.key(workspace.id)
    _is_a_problem(await api.client.post("/v1/calendars", json={"name": "k", "time_zone": name}, headers=admin), 422)
    settings = (await api.client.get("/v1/workspace", headers=admin)).json()["settings"]
    _is_a_problem(await api.client.put("/v1/workspace", json={"settings": {**settings, "time_zone": name}}, headers=admin), 422)
