"""A workspace has no more of anything than everybody's processes can carry: one more is refused, what is there stays, others do not notice."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest

from services.api.bounds import BOUNDS, KEYS_MAX, LIMITED_QUEUES_MAX, MEMBERSHIPS_MAX, SETTINGS_CHARS_MAX, SHIFTS_MAX
from services.doctor.bounds import look_at_bounds
from shared.database import Database
from shared.own_addresses import OWN_ADDRESSES_MAX
from tests.support.api import Api
from tests.support.workspaces import Workspace, make_workspace

COLUMNS = {
    "roles": ("name, scopes, visibility", "'r' || n, '{}', 'own'"),
    "skills": ("name", "'s' || n"),
    "users": ("id, name, role", "gen_random_uuid(), 'u' || n, 'agent'"),
    "connections": ("id, name, provider, path_token", "gen_random_uuid(), 'c' || n, 'meta', 'c' || n"),
    "inboxes": ("id, name, channel, provider, path_token", "gen_random_uuid(), 'i' || n, 'chat', 'webchat', 'i' || n"),
    "calendars": ("name", "'k' || n"),
    "queues": ("id, name", "gen_random_uuid(), 'q' || n"),
    "plans": ("name, document", "'p' || n, '{\"steps\": []}'"),
    "slas": ("name", "'l' || n"),
    "agents": ("id, name", "gen_random_uuid(), 'a' || n"),
}
BODIES: dict[str, dict[str, Any]] = {
    "roles": {"scopes": [], "visibility": "own"}, "users": {"role": "agent"}, "connections": {"provider": "meta"},
    "inboxes": {"provider": "webchat"}, "plans": {"steps": [{}]}, "slas": {"targets": [{"first_response_s": 60}]},
}  # fmt: skip


async def execute(db: Database, statement: str, *values: object) -> None:
    async with db.batch() as connection:
        await connection.execute(statement, *values)


async def fill(db: Database, workspace: UUID, kind: str, many: int) -> None:
    columns, values = COLUMNS[kind]
    table = {"inboxes": "inbox"}.get(kind, kind[:-1])
    await execute(
        db,
        f'insert into santral."{table}" (workspace_id, {columns}) select $1, {values} from generate_series(1, $2) n',
        workspace,
        many,
    )


def refused(answer: httpx.Response, field: str) -> None:
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
    assert answer.json()["remedy"]


@pytest.mark.parametrize("kind", BOUNDS)
async def test_one_more_of_a_kind_is_refused_and_the_neighbour_has_room(api: Api, workspace: Workspace, kind: str) -> None:
    await fill(api.worker, workspace.id, kind, BOUNDS[kind])
    body, headers = {"name": "bir-daha", **BODIES.get(kind, {})}, await api.key(workspace.id)
    refused(await api.client.post(f"/v1/{kind}", json=body, headers=headers), kind)
    found = [one for one in await look_at_bounds(api.worker) if kind in one.text and one.state == "WARN"]
    table_was_empty = kind in ("skills", "users", "connections", "calendars", "plans", "slas")
    assert (not found) is table_was_empty, "as many as may be are no finding"
    other = await make_workspace(api.worker, name="komsu")
    made = await api.client.post(f"/v1/{kind}", json=body, headers=await api.key(other.id))
    assert made.status_code == 201, made.text


async def test_addresses_of_its_own_are_counted_over_all_inboxes_and_may_become_fewer(api: Api, workspace: Workspace) -> None:
    headers = await api.key(workspace.id)
    aliases = "(select jsonb_agg('a' || a || '@x.example') from generate_series(1, $3) a)"
    await execute(
        api.worker,
        "insert into santral.inbox (workspace_id, id, name, channel, provider, path_token, settings) select $1, gen_random_uuid(),"
        f" 'm' || n, 'email', 'smtp', 'm' || n, jsonb_build_object('aliases', {aliases}) from generate_series(1, $2) n",
        workspace.id, 10, OWN_ADDRESSES_MAX // 10,
    )  # fmt: skip
    one = {"name": "m-x", "provider": "smtp", "settings": {"aliases": ["b@x.example"]}}
    refused(await api.client.post("/v1/inboxes", json=one, headers=headers), "settings.aliases")
    refused(
        await api.client.post("/v1/inboxes", json={**one, "settings": {}, "address": "b@x.example"}, headers=headers), "address"
    )
    settings = {"settings": {"own_addresses": ["c@x.example"]}}
    refused(await api.client.put("/v1/workspace", json=settings, headers=headers), "settings.own_addresses")
    (found,) = await look_at_bounds(api.worker)
    assert (found.state, "addresses" in found.text) == ("WARN", True)
    stored = (await api.client.get("/v1/inboxes?limit=200", headers=headers)).json()["items"]
    (known,) = [inbox for inbox in stored if inbox["name"] == "m1"]
    fewer = {"name": "m1", "provider": "smtp", "settings": {"aliases": known["settings"]["aliases"][:500]}}
    assert (await api.client.put(f"/v1/inboxes/{known['id']}", json=fewer, headers=headers)).status_code == 200
    assert (await api.client.post("/v1/inboxes", json=one, headers=headers)).status_code == 201
    assert (await api.client.put("/v1/workspace", json=settings, headers=headers)).status_code == 200
    assert [one.state for one in await look_at_bounds(api.worker)] == ["OK"]


async def test_settings_of_all_inboxes_have_a_bound_together(api: Api, workspace: Workspace) -> None:
    headers = await api.key(workspace.id)
    await execute(
        api.worker, "update santral.inbox set settings = jsonb_build_object('x', repeat('x', $2)) where id = $1",
        workspace.inboxes["webchat"], SETTINGS_CHARS_MAX,
    )  # fmt: skip
    body = {"name": "x", "provider": "webchat", "settings": {"title": "x"}}
    refused(await api.client.post("/v1/inboxes", json=body, headers=headers), "settings")
    smaller = await api.client.put(f"/v1/inboxes/{workspace.inboxes['webchat']}", json={**body, "name": "webchat"}, headers=headers)
    assert smaller.status_code == 200, smaller.text
    assert (await api.client.post("/v1/inboxes", json=body, headers=headers)).status_code == 201


async def test_keys_that_are_not_revoked_and_shifts_ahead(api: Api, workspace: Workspace) -> None:
    headers = await api.key(workspace.id)
    for state in ("now()", "null"):
        await execute(
            api.worker,
            "insert into santral.api_key (workspace_id, id, public_id, secret_hash, name, scopes, revoked_at) select $1,"
            f" gen_random_uuid(), gen_random_uuid()::text, 'x', 'k', '{{}}', {state} from generate_series(1, $2) n",
            workspace.id, KEYS_MAX - 1,
        )  # fmt: skip
    refused(await api.client.post("/v1/keys", json={"name": "x", "scopes": ["events:read"]}, headers=headers), "keys")
    await execute(
        api.worker,
        "insert into santral.shift (workspace_id, id, agent_id, kind, starts_at, ends_at) select $1, gen_random_uuid(), $2, 'shift',"
        " now() + n * interval '1 day', now() + n * interval '1 day' + interval '1 hour' from generate_series(-5, $3) n",
        workspace.id, workspace.agent_id, SHIFTS_MAX - 2,
    )  # fmt: skip
    body = {"kind": "leave", "starts_at": "2090-01-07T09:00:00Z", "ends_at": "2090-01-07T18:00:00Z"}
    path = f"/v1/agents/{workspace.agent_id}/shifts"
    assert (await api.client.post(path, json=body, headers=headers)).status_code == 201, "those that are over do not count"
    refused(await api.client.post(path, json=body, headers=headers), "agent_id")


async def test_places_in_queues_and_queues_with_limits(api: Api, workspace: Workspace) -> None:
    headers = await api.key(workspace.id)
    await fill(api.worker, workspace.id, "queues", 100)
    await fill(api.worker, workspace.id, "agents", MEMBERSHIPS_MAX // 100)
    await execute(
        api.worker,
        "insert into santral.queue_member (workspace_id, queue_id, agent_id) select a.workspace_id, q.id, a.id from santral.agent a, santral.queue q"
        " where a.workspace_id = $1 and q.workspace_id = $1 and q.name <> 'genel' and a.id <> $2",
        workspace.id, workspace.agent_id,
    )  # fmt: skip
    path, deniz = f"/v1/agents/{workspace.agent_id}", {"name": "Deniz", "queues": [{"queue": "genel"}]}
    assert (await api.client.put(path, json=deniz, headers=headers)).status_code == 200, "as many as before"
    deniz["queues"] = [{"queue": "genel"}, {"queue": "q1"}]
    refused(await api.client.put(path, json=deniz, headers=headers), "queues")
    await execute(api.worker, "update santral.queue set items_max = 3 where workspace_id = $1 and name <> 'genel'", workspace.id)
    assert LIMITED_QUEUES_MAX == 100
    put = f"/v1/queues/{workspace.queue_id}"
    refused(await api.client.put(put, json={"name": "genel", "items_max": 3}, headers=headers), "items_max")
    assert (await api.client.put(put, json={"name": "genel"}, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/v1/agents", {"name": "x", "languages": ["tr"] * 51}, "languages"),
        ("POST", "/v1/queues", {"name": "x", "goals_s": {f"c{n}": 1 for n in range(51)}}, "goals_s"),
        ("PUT", "/v1/workspace", {"settings": {"terms": {f"c{n}": {} for n in range(51)}}}, "settings.terms"),
        ("PUT", "/v1/workspace", {"settings": {"mask_numbers": ["x"] * 1001}}, "settings.mask_numbers"),
        ("PUT", "/v1/workspace", {"settings": {"keywords": {f"k{n}": [] for n in range(51)}}}, "settings.keywords"),
        ("PUT", "/v1/workspace", {"settings": {"keywords": {"urgent": ["x"] * 501}}}, "settings.keywords.urgent"),
        (
            "PUT",
            "/v1/workspace",
            {"settings": {"keywords": {"urgent": {"tr": ["x"] * 300, "en": ["x"] * 201}}}},
            "settings.keywords.urgent",
        ),
        ("PUT", "/v1/workspace", {"settings": {"keywords": {"person": ["x" * 101]}}}, "settings.keywords.person"),
    ],
)
async def test_entries_of_one_field(api: Api, workspace: Workspace, method: str, path: str, body: Any, field: str) -> None:
    refused(await api.client.request(method, path, json=body, headers=await api.key(workspace.id)), field)


async def test_own_words_of_before_may_be_read_and_replaced_by_as_many(api: Api, workspace: Workspace) -> None:
    headers, words = await api.key(workspace.id), ["x" * 150] * 600
    await execute(
        api.worker,
        "update santral.workspace set settings = settings || $2 where id = $1",
        workspace.id,
        {"keywords": {"urgent": words}},
    )
    read = (await api.client.get("/v1/workspace", headers=headers)).json()
    assert read["settings"]["keywords"] == {"urgent": words}
    for given, status in ((words, 200), ([*words, "x"], 422), (["x"] * 500, 200), (words, 422), ({"tr": ["x"] * 500}, 200)):
        answer = await api.client.put("/v1/workspace", json={"settings": {"keywords": {"urgent": given}}}, headers=headers)
        assert answer.status_code == status, answer.text


async def test_what_was_saved_before_is_named_and_may_be_read_and_replaced(api: Api, workspace: Workspace) -> None:
    headers = await api.key(workspace.id)
    await fill(api.worker, workspace.id, "connections", BOUNDS["connections"] + 1)
    (found,) = await look_at_bounds(api.worker)
    assert (found.state, f"{BOUNDS['connections'] + 1} connections" in found.text) == ("WARN", True)
    (first, *_) = (await api.client.get("/v1/connections", headers=headers)).json()["items"]
    same = await api.client.put(f"/v1/connections/{first['id']}", json={"name": first["name"], "provider": "meta"}, headers=headers)
    assert same.status_code == 200, same.text
