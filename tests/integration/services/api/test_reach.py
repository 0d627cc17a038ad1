"""Who was within reach of a key, a user, an agent: the same people whom the API gives them, when they were there, and who was shown."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.api.principal import SCOPES
from shared.database import Database
from shared.ids import new_id
from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.workspaces import Workspace, add_agent, add_item, make_workspace

READ_ALL = [scope for scope in SCOPES if scope not in ("admin", "agents:token")]


async def key_of(api: Api, workspace: Workspace, *scopes: str) -> tuple[UUID, dict[str, str]]:
    """A key made by the API: its id and its header."""
    admin = await api.key(workspace.id)
    made = await api.client.post("/v1/keys", json={"name": "dükkân", "scopes": list(scopes)}, headers=admin)
    assert made.status_code == 201, made.text
    return UUID(made.json()["id"]), {"authorization": f"Bearer {made.json()['token']}"}


async def user_of(db: Database, workspace: Workspace, visibility: str, scopes: list[str]) -> tuple[UUID, UUID]:
    """A user with a role of this visibility, and the one agent they are."""
    user, agent = new_id(), new_id()
    async with db.batch() as connection:
        await connection.execute(
            "insert into santral.role (workspace_id, name, scopes, visibility) values ($1, 'bakan', $2, $3)",
            workspace.id,
            scopes,
            visibility,
        )
        await connection.execute(
            "insert into santral.user (workspace_id, id, name, role) values ($1, $2, 'Bakan', 'bakan')", workspace.id, user
        )
    await add_agent(db, workspace, agent, "Bakan", user_id=user, role=None)
    return user, agent


async def people(db: Database, workspace: Workspace, count: int, *, age: timedelta = timedelta(0)) -> list[UUID]:
    """People known since some time ago, by profile's id."""
    ids = sorted(uuid4() for _ in range(count))
    async with db.batch() as connection:
        await connection.execute(
            "insert into santral.handle (workspace_id, id, kind, value, profile_id, first_seen_at)"
            " select $1, i, 'email', i || '@ornek.com', i, now() - $3::interval from unnest($2::uuid[]) i",
            workspace.id, ids, age,
        )  # fmt: skip
    return ids


async def profile_and_conversation(db: Database, item: UUID) -> tuple[UUID, UUID]:
    (row,) = await rows(
        db,
        "select c.id, h.profile_id from santral.work_item i join santral.conversation c on c.id = i.conversation_id"
        " join santral.handle h on h.id = c.handle_id where i.id = $1",
        item,
    )
    return row["profile_id"], row["id"]


async def walked(api: Api, path: str, headers: dict[str, str], **params: Any) -> list[dict[str, Any]]:
    """Every page's people."""
    found, cursor = [], None
    while True:
        page = await api.client.get(path, params=params | ({"cursor": cursor} if cursor else {}), headers=headers)
        assert page.status_code == 200, page.text
        found += page.json()["items"]
        cursor = page.json()["next"]
        if cursor is None:
            return found


async def test_ten_thousand_people_of_a_service_key_come_in_pages_each_once(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    known = await people(worker_db, workspace, 10_000, age=timedelta(days=3))
    key, headers = await key_of(api, workspace, "profiles:read")
    looked = known[5_000]
    async with worker_db.batch() as connection:
        await connection.execute(
            "insert into santral.profile_view (workspace_id, id, profile_id, actor) select $1, gen_random_uuid(), $2, $3 from generate_series(1, 3)",
            workspace.id, looked, f"key:{key}",
        )  # fmt: skip
    admin = await api.key(workspace.id)
    found = await walked(api, f"/v1/keys/{key}/reach", admin, limit=200)
    assert [UUID(one["profile_id"]) for one in found] == known
    assert {(one["reachable"], one["conversations"]) for one in found} == {(True, None)}
    assert [UUID(one["profile_id"]) for one in found if one["looked"]] == [looked]
    (shown,) = [one for one in found if one["looked"]]
    assert shown["looked"] == 3
    assert shown["first_looked_at"] == shown["last_looked_at"]
    assert (await api.client.get(f"/v1/keys/{key}/reach", headers=headers)).status_code == 403, "for administrators"


async def test_a_look_that_was_noted_in_the_hour_before_counts(api: Api, workspace: Workspace, worker_db: Database) -> None:
    key, headers = await key_of(api, workspace, "profiles:read", "conversations:read")
    async with worker_db.batch() as connection:
        await connection.execute("update santral.api_key set created_at = now() - interval '1 day' where id = $1", key)
    seen, long_ago = await people(worker_db, workspace, 2, age=timedelta(days=1))
    async with worker_db.batch() as connection:
        for one, ago in ((seen, 40), (long_ago, 90)):
            await connection.execute(
                "insert into santral.profile_view (workspace_id, id, profile_id, actor, at)"
                " values ($1, $2, $3, $4, now() - $5 * interval '1 minute')",
                workspace.id, new_id(), one, f"key:{key}", ago,
            )  # fmt: skip
    shown = await api.client.get(f"/v1/profiles/{seen}/timeline", headers=headers)
    assert shown.status_code == 200, shown.text
    assert len(await rows(worker_db, "select from santral.profile_view where profile_id = $1", seen)) == 1, "it is not noted again"
    since = (await rows(worker_db, "select now() - interval '20 minutes' as at"))[0]["at"].isoformat()
    found = await walked(api, f"/v1/keys/{key}/reach", await api.key(workspace.id), **{"from": since})
    assert {UUID(one["profile_id"]): one["looked"] for one in found} == {seen: 1, long_ago: 0}


async def test_only_who_was_there_while_the_key_worked(api: Api, workspace: Workspace, worker_db: Database) -> None:
    (before,) = await people(worker_db, workspace, 1, age=timedelta(days=1))
    key, _ = await key_of(api, workspace, "conversations:read")
    admin = await api.key(workspace.id)
    path = f"/v1/keys/{key}/reach"
    head = (await api.client.get(path, headers=admin)).json()
    assert head["credential"]["reads_by"] == ["conversations:read"]
    assert [one["action"] for one in head["changes"]] == ["key.created"]
    assert (await api.client.delete(f"/v1/keys/{key}", headers=admin)).status_code == 204
    async with worker_db.batch() as connection:
        await connection.execute(
            "update santral.api_key set created_at = now() - interval '2 days', revoked_at = now() - interval '1 hour' where id = $1",
            key,
        )
    (after,) = await people(worker_db, workspace, 1, age=timedelta(minutes=30))
    answer = (await api.client.get(path, headers=admin)).json()
    assert [UUID(one["profile_id"]) for one in answer["items"]] == [before]
    assert after != before
    since, until = (datetime.fromisoformat(answer[name]) for name in ("since", "until"))
    assert timedelta(hours=46) < until - since < timedelta(hours=48)
    early = (datetime.fromisoformat(answer["since"]) + timedelta(hours=1)).isoformat()
    assert (await api.client.get(path, params={"to": early}, headers=admin)).json()["items"] == []
    late = await api.client.get(path, params={"from": answer["until"], "to": answer["since"]}, headers=admin)
    assert (late.status_code, late.json()["field"]) == (422, "from")


async def test_a_key_that_reads_nobody_reaches_nobody(api: Api, workspace: Workspace, worker_db: Database) -> None:
    await people(worker_db, workspace, 1)
    admin = await api.key(workspace.id)
    for scope, reached in (("messages:write", 0), ("config:write", 0), ("profiles:export", 1), ("agents:token", 1), ("admin", 1)):
        key, _ = await key_of(api, workspace, scope)
        answer = (await api.client.get(f"/v1/keys/{key}/reach", headers=admin)).json()
        assert (len(answer["items"]), answer["credential"]["reads_by"]) == (reached, [scope] * reached), scope


@pytest.mark.parametrize("visibility", ["own", "queue", "team", "workspace"])
async def test_a_role_reaches_whom_the_api_gives_it(api: Api, workspace: Workspace, worker_db: Database, visibility: str) -> None:
    user, agent = await user_of(worker_db, workspace, visibility, READ_ALL)
    items = {name: await add_item(worker_db, workspace) for name in ("mine", "was mine", "queue", "other", "nobody's queue")}
    other = new_id()
    async with worker_db.batch() as connection:
        await connection.execute("insert into santral.queue (workspace_id, id, name) values ($1, $2, 'uzak')", workspace.id, other)
        for name, columns in (
            ("mine", "state = 'assigned', agent_id = $2, queue_id = $3"), ("was mine", "last_agent_id = $2, queue_id = $3"),
            ("other", "queue_id = $3"), ("nobody's queue", "queue_id = $3"),
        ):  # fmt: skip
            await connection.execute(
                f"update santral.work_item set {columns} where id = $1 and $2::uuid is not null", items[name], agent, other
            )
    pairs = {name: await profile_and_conversation(worker_db, item) for name, item in items.items()}
    headers, admin = await api.agent(workspace.id, agent), await api.key(workspace.id)
    given = set()
    for profile, _ in pairs.values():
        if (await api.client.get(f"/v1/profiles/{profile}", headers=headers)).status_code == 200:
            given.add(str(profile))
    for path in (f"/v1/users/{user}/reach", f"/v1/agents/{agent}/reach"):
        found = await walked(api, path, admin, limit=2)
        assert {one["profile_id"] for one in found} == given
        assert [one["profile_id"] for one in found] == sorted(given), "by id, each once"
        for one in found:
            mine = [str(conversation) for profile, conversation in pairs.values() if str(profile) == one["profile_id"]]
            assert one["conversations"] == (None if visibility == "workspace" else mine)
            assert one["looked"] == 1, "shown just now"
    assert len(given) == {"own": 2, "queue": 3, "team": 3, "workspace": 5}[visibility]


async def test_the_history_of_the_customer_in_front_is_within_reach_and_a_merged_conversation(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    user, agent = await user_of(worker_db, workspace, "own", READ_ALL)
    now, history, merged, into = [await add_item(worker_db, workspace) for _ in range(4)]
    profile, conversation = await profile_and_conversation(worker_db, now)
    old_profile, old = await profile_and_conversation(worker_db, history)
    (_, gone), (kept, target) = await profile_and_conversation(worker_db, merged), await profile_and_conversation(worker_db, into)
    async with worker_db.batch() as connection:
        await connection.execute("update santral.work_item set state = 'assigned', agent_id = $2 where id = $1", now, agent)
        await connection.execute("update santral.handle set profile_id = $2 where profile_id = $1", old_profile, profile)
        await connection.execute("update santral.work_item set last_agent_id = $2 where id = $1", into, agent)
        await connection.execute(
            "update santral.conversation set merged_into = $2, handle_id = (select handle_id from santral.conversation where id = $2) where id = $1",
            gone, target,
        )  # fmt: skip
    found = {one["profile_id"]: one for one in await walked(api, f"/v1/users/{user}/reach", await api.key(workspace.id))}
    assert set(found) == {str(profile), str(kept)}
    assert set(found[str(profile)]["conversations"]) == {str(conversation), str(old)}
    assert set(found[str(kept)]["conversations"]) == {str(gone), str(target)}
    headers = await api.agent(workspace.id, agent)
    for one in (conversation, old, gone, target):
        assert (await api.client.get(f"/v1/conversations/{one}", headers=headers)).status_code == 200


async def test_who_was_shown_stays_in_the_list_and_changes_say_what_was_before(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    user, agent = await user_of(worker_db, workspace, "workspace", ["conversations:read", "profiles:read"])
    profile, _ = await profile_and_conversation(worker_db, await add_item(worker_db, workspace))
    headers, admin = await api.agent(workspace.id, agent), await api.key(workspace.id)
    assert (await api.client.get(f"/v1/profiles/{profile}", headers=headers)).status_code == 200
    narrow = {"name": "bakan", "scopes": ["conversations:read"], "visibility": "own"}
    replaced = await api.client.put("/v1/roles/bakan", json=narrow, headers=admin)
    assert replaced.status_code == 200, replaced.text
    answer = (await api.client.get(f"/v1/users/{user}/reach", headers=admin)).json()
    (one,) = answer["items"]
    assert (one["profile_id"], one["reachable"], one["looked"], one["conversations"]) == (str(profile), False, 1, [])
    assert (answer["credential"]["role"], answer["credential"]["visibility"]) == ("bakan", "own")
    (change,) = answer["changes"]
    assert (change["action"], change["target_id"]) == ("role.replaced", "bakan")
    assert change["details"]["before"] == {"scopes": ["conversations:read", "profiles:read"], "visibility": "workspace"}
    for path, body, before in (
        (f"/v1/users/{user}", {"name": "Bakan", "role": "bakan", "enabled": False}, {"enabled": True}),
        (f"/v1/agents/{agent}", {"name": "Bakan"}, {"user": "Bakan"}),
    ):
        done = await api.client.put(path, json=body, headers=admin)
        assert done.status_code == 200, done.text
        (told, *_) = (await api.client.get("/v1/audit", params={"target": path.rpartition("/")[2]}, headers=admin)).json()["items"]
        assert {name: told["details"]["before"].get(name) for name in before} == before


async def test_its_acts_are_counted_and_the_erased_too(api: Api, workspace: Workspace, worker_db: Database) -> None:
    key, headers = await key_of(api, workspace, "admin")
    for _ in range(2):
        await api.client.get("/v1/audit", headers=headers)
    async with worker_db.batch() as connection:
        await connection.execute(
            "insert into santral.erasure (workspace_id, id, profile_id, reason, actor, state, erased_at)"
            " select $1, gen_random_uuid(), gen_random_uuid(), 'consent_withdrawn', 'test', 'done', now() + make_interval(days => d)"
            " from unnest(array[0, -9]) d",
            workspace.id,
        )  # fmt: skip
    answer = (await api.client.get(f"/v1/keys/{key}/reach", headers=await api.key(workspace.id))).json()
    assert answer["acts"] == {"audit.read": 2}
    assert answer["erased"] == 1
    audited = await rows(worker_db, "select details from santral.audit where action = 'reach.read' and target_id = $1", str(key))
    assert len(audited) == 1


async def test_a_spreadsheet_holds_the_people_and_the_header_the_next_page(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    known = await people(worker_db, workspace, 3)
    key, _ = await key_of(api, workspace, "profiles:read")
    admin, path = await api.key(workspace.id), f"/v1/keys/{key}/reach"
    first = await api.client.get(path, params={"format": "csv", "limit": 2}, headers=admin)
    assert first.headers["content-type"].startswith("text/csv")
    assert "reach-of-key.csv" in first.headers["content-disposition"]
    second = await api.client.get(
        path, params={"format": "csv", "limit": 2, "cursor": first.headers["santral-next"]}, headers=admin
    )
    assert "santral-next" not in second.headers
    read = [list(csv.DictReader(io.StringIO(one.text))) for one in (first, second)]
    assert [UUID(row["profile_id"]) for page in read for row in page] == known
    assert read[0][0]["reachable"] == "True"


async def test_another_workspaces_people_are_not_reached_and_unknown_ids_not_found(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    await people(worker_db, await make_workspace(worker_db, name="other"), 2)
    (ours,) = await people(worker_db, workspace, 1)
    key, _ = await key_of(api, workspace, "admin")
    admin = await api.key(workspace.id)
    assert [UUID(one["profile_id"]) for one in await walked(api, f"/v1/keys/{key}/reach", admin)] == [ours]
    for kind in ("keys", "users", "agents"):
        missing = await api.client.get(f"/v1/{kind}/{uuid4()}/reach", headers=admin)
        assert (missing.status_code, missing.json()["field"]) == (404, f"{kind[:-1]}_id")


@pytest.mark.parametrize("given", ["0", "1771000000", "2026-03-01", "1899-12-31T00:00:00Z"])
async def test_the_time_asked_about_is_written_as_a_time(api: Api, workspace: Workspace, given: str) -> None:
    key, _ = await key_of(api, workspace, "admin")
    admin = await api.key(workspace.id)
    for name in ("from", "to"):
        answer = await api.client.get(f"/v1/keys/{key}/reach", params={name: given}, headers=admin)
        assert (answer.status_code, answer.json()["field"]) == (422, f"query.{name}"), answer.text
