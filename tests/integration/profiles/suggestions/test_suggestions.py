"""Suggestions in the database: found as people change, decided once, never asked again, and a claim that shows nothing to anybody."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from profiles.resolve import resolve
from profiles.sighting import SeenHandle, Sighting
from profiles.suggestions.suggestions import look_for_duplicates
from services.chores.duplicates import round_of_all
from shared.database import Database
from shared.handle import Handle
from shared.ids import MessageId, WorkspaceId, new_id
from tests.support.api import Api, running_api
from tests.support.workspaces import Workspace


@pytest.fixture
async def api(api_db: Database, worker_db: Database) -> AsyncIterator[Api]:
    async with running_api(api_db, worker_db) as api:
        yield api


async def known(api: Api, headers: dict[str, str], *handles: tuple[str, str], **traits: str) -> str:
    body = {"handles": [{"kind": kind, "value": value} for kind, value in handles], "source": "crm", "traits": traits}
    answer = await api.client.post("/v1/profiles/identify", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["profile_id"])


async def looked(db: Database) -> int:
    """A round as if every change were old enough."""
    async with db.batch() as connection:
        await connection.execute(
            "update santral.profile set changed_at = changed_at - interval '1 hour' where changed_at > now() - interval '1 minute'"
        )
    total = 0
    while found := await round_of_all(db):
        total += found
    return total


async def suggested(api: Api, headers: dict[str, str], state: str = "open") -> list[dict[str, Any]]:
    answer = await api.client.get(f"/v1/suggestions?state={state}", headers=headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def seen(api: Api, headers: dict[str, str], profile: str) -> dict[str, Any]:
    view = (await api.client.get(f"/v1/profiles/{profile}", headers=headers)).json()
    return {name: value for name, value in view.items() if name != "changed_at"}


async def twins(api: Api, headers: dict[str, str]) -> tuple[str, str]:
    one = await known(
        api, headers, ("email", "ayse.yilmaz@gmail.com"), name="Ayşe Yılmaz", city="İzmir", date_of_birth="1980-03-07"
    )
    other = await known(api, headers, ("phone", "+905321234567"), name="AYSE YILMAZ", city="izmir", date_of_birth="07.03.1980")
    await known(api, headers, ("email", "ayse@ornek.com"), name="Ayşe Yılmaz", city="Adana", date_of_birth="1999-01-01")
    return one, other


async def test_alike_people_are_suggested_with_evidence_and_merged_when_confirmed(
    api: Api, worker_db: Database, workspace: Workspace
) -> None:
    headers = await api.key(workspace.id)
    one, other = await twins(api, headers)
    assert await looked(worker_db) == 3
    [found] = await suggested(api, headers)
    assert {found["one_id"], found["other_id"]} == {one, other}
    assert {part["field"] for part in found["evidence"]} >= {"name", "city", "date_of_birth"}
    assert "yilmaz" not in json.dumps(found).lower()
    assert 0.8 < found["probability"] <= 1
    own = await api.client.get(f"/v1/profiles/{one}/suggestions", headers=headers)
    assert [row["id"] for row in own.json()["items"]] == [found["id"]]
    assert await looked(worker_db) == 0
    done = await api.client.post(f"/v1/suggestions/{found['id']}/confirm", headers=headers)
    assert done.json()["merged"]["changed"]
    views = [(await api.client.get(f"/v1/profiles/{profile}", headers=headers)).json()["id"] for profile in (one, other)]
    assert views[0] == views[1]
    assert not (await api.client.post(f"/v1/suggestions/{found['id']}/confirm", headers=headers)).json()["changed"]
    assert (await api.client.post(f"/v1/suggestions/{found['id']}/reject", headers=headers)).status_code == 409
    await looked(worker_db)
    assert await suggested(api, headers) == []


async def test_a_rejection_is_remembered(api: Api, worker_db: Database, workspace: Workspace) -> None:
    headers = await api.key(workspace.id)
    one, other = await twins(api, headers)
    await looked(worker_db)
    [found] = await suggested(api, headers)
    assert (await api.client.post(f"/v1/suggestions/{found['id']}/reject", headers=headers)).json()["state"] == "rejected"
    await known(api, headers, ("email", "ayse.yilmaz@gmail.com"), name="Ayşe Yılmaz", company="Ege Seramik")
    assert await looked(worker_db) >= 1
    assert await suggested(api, headers) == []
    again = await api.client.post(f"/v1/profiles/{one}/merge", json={"with": other}, headers=headers)
    assert again.status_code == 409
    assert [row["id"] for row in await suggested(api, headers, "rejected")] == [found["id"]]


async def test_whom_a_rejection_keeps_apart_is_not_suggested_by_way_of_a_third(
    api: Api, worker_db: Database, workspace: Workspace
) -> None:
    headers = await api.key(workspace.id)
    mails = [f"ayse.yilmaz{n}@gmail.com" for n in range(3)]
    people = [
        await known(api, headers, ("email", mail), name="Ayşe Yılmaz", city="İzmir", date_of_birth="1980-03-07") for mail in mails
    ]
    await looked(worker_db)
    open_ones = {frozenset((one["one_id"], one["other_id"])): one["id"] for one in await suggested(api, headers)}
    assert len(open_ones) == 3
    rejected, confirmed = open_ones[frozenset(people[:2])], open_ones[frozenset((people[0], people[2]))]
    assert (await api.client.post(f"/v1/suggestions/{rejected}/reject", headers=headers)).status_code == 200
    assert len(await suggested(api, headers)) == 2
    assert (await api.client.post(f"/v1/suggestions/{confirmed}/confirm", headers=headers)).status_code == 200
    # The third is now the first, who is not the second.
    assert await suggested(api, headers) == []


async def test_a_claimed_address_is_a_suggestion_and_nothing_else(api: Api, worker_db: Database, workspace: Workspace) -> None:
    headers = await api.key(workspace.id)
    owner = await known(api, headers, ("email", "vip@ornek.com"), name="Zeynep Kaya", tier="gold")
    visitor = SeenHandle(handle=Handle(kind="visitor", value="v-1"), assurance="channel_verified", name="Zeynep")
    claim = SeenHandle(handle=Handle(kind="email", value="vip@ornek.com"))
    message = Sighting(
        workspace_id=WorkspaceId(workspace.id), message_id=MessageId(new_id()), senders=(visitor, claim), seen_at=datetime.now(UTC)
    )
    [resolved] = (await resolve(worker_db, [message])).values()
    before = await seen(api, headers, owner)
    await looked(worker_db)
    [found] = await suggested(api, headers)
    assert {found["one_id"], found["other_id"]} == {owner, str(resolved.profile_id)}
    assert await seen(api, headers, owner) == before
    mine = (await api.client.get(f"/v1/profiles/{resolved.profile_id}", headers=headers)).json()
    assert mine["id"] != owner
    assert mine["attributes"] == {}
    agent = await api.agent(workspace.id, workspace.agent_id)
    assert (await api.client.get("/v1/suggestions", headers=agent)).status_code == 403
    assert (await api.client.post(f"/v1/suggestions/{found['id']}/confirm", headers=agent)).status_code == 403
    assert (await api.client.get("/v1/suggestions")).status_code == 401


async def test_two_customer_ids_are_never_suggested(api: Api, worker_db: Database, workspace: Workspace) -> None:
    headers = await api.key(workspace.id)
    for number in ("C-1", "C-2"):
        await known(api, headers, ("external_id", number), name="Ayşe Yılmaz", city="İzmir", date_of_birth="1980-03-07")
    await looked(worker_db)
    assert await suggested(api, headers) == []


async def test_a_round_is_bounded_and_one_process_at_a_time(api: Api, worker_db: Database, workspace: Workspace) -> None:
    headers = await api.key(workspace.id)
    await twins(api, headers)
    async with worker_db.batch() as connection:
        await connection.execute("update santral.profile set changed_at = changed_at - interval '1 hour'")
        assert await look_for_duplicates(connection, WorkspaceId(workspace.id), limit=2) == 2
    async with worker_db.batch() as first, worker_db.batch() as second:
        assert await look_for_duplicates(first, WorkspaceId(workspace.id), limit=1) == 1
        assert await look_for_duplicates(second, WorkspaceId(workspace.id), limit=1) == 0
