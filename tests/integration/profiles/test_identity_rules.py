"""Rules of identity that change reach people who were known before: in pages, from where it was, and back again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from profiles.rules_pass import pass_on, read_pass, rules_digest
from services.chores.identity_rules import IdentityRules
from shared.database import Database
from shared.ids import WorkspaceId
from tests.support.api import Api, running_api
from tests.support.counted import Counted
from tests.support.workspaces import Workspace


@pytest.fixture
async def api(api_db: Database, worker_db: Database) -> AsyncIterator[Api]:
    async with running_api(api_db, worker_db) as api:
        yield api


@pytest.fixture
async def headers(api: Api, workspace: Workspace) -> dict[str, str]:
    return await api.key(workspace.id)


async def known(api: Api, headers: dict[str, str], *handles: tuple[str, str]) -> None:
    body = {"handles": [{"kind": kind, "value": value} for kind, value in handles], "source": "crm"}
    answer = await api.client.post("/v1/profiles/identify", json=body, headers=headers)
    assert answer.status_code == 200, answer.text


async def settle(api: Api, headers: dict[str, str], **settings: Any) -> None:
    answer = await api.client.put("/v1/workspace", json={"title": "t", "settings": settings}, headers=headers)
    assert answer.status_code == 200, answer.text


async def owners(api: Api, headers: dict[str, str], kind: str, *values: str) -> list[str]:
    body = {"handles": [{"kind": kind, "value": value} for value in values]}
    answer = await api.client.post("/v1/profiles/lookup", json=body, headers=headers)
    return [str(found["profile_id"]) for found in answer.json()["items"]]


async def carried(db: Database) -> None:
    rules = IdentityRules(db)
    while await rules.page_of_all():
        pass


async def test_a_lower_limit_parts_people_and_the_old_one_joins_them_again(
    api: Api, headers: dict[str, str], worker_db: Database
) -> None:
    mails = [f"m{number}@ornek.com" for number in range(3)]
    await known(api, headers, ("external_id", "C-1"), *(("email", mail) for mail in mails))
    await carried(worker_db)
    assert len(set(await owners(api, headers, "email", *mails))) == 1
    await settle(api, headers, profile={"limits": {"email": 1}})
    await carried(worker_db)
    assert len(set(await owners(api, headers, "email", *mails))) == 3
    progress = (await api.client.get("/v1/profiles/rules", headers=headers)).json()
    assert (progress["state"], progress["looked"]) == ("done", 4)
    assert progress["changed"] > 0
    await settle(api, headers)
    await carried(worker_db)
    assert len(set(await owners(api, headers, "email", *mails))) == 1


async def test_a_higher_threshold_gives_a_shared_handle_back(api: Api, headers: dict[str, str], worker_db: Database) -> None:
    phone = {"kind": "phone", "value": "+905321234567"}
    rows = [
        {"row": number, "handles": [{"kind": "external_id", "value": f"C-{number}"}, phone], "name": "", "traits": {}}
        for number in range(1, 6)
    ]
    begun = await api.client.post("/v1/profiles/imports", json={"source": "crm", "digest": "0123456789"}, headers=headers)
    address = f"/v1/profiles/imports/{begun.json()['id']}/rows?first_row=1"
    taken = await api.client.put(address, json={"rows": rows, "next_row": 6}, headers=headers)
    assert taken.json()["created"] + taken.json()["changed"] == 5, taken.text
    async with worker_db.batch() as connection:
        shared = await connection.fetchval("select shared_by from santral.handle where kind = 'phone'")
    assert shared == "fan_out"
    await settle(api, headers, profile={"fan_out": {"phone": 50}})
    await carried(worker_db)
    async with worker_db.batch() as connection:
        assert await connection.fetchval("select shared_by from santral.handle where kind = 'phone'") == ""
    await settle(api, headers, profile={"fan_out": {"phone": 1}})
    await carried(worker_db)
    async with worker_db.batch() as connection:
        assert await connection.fetchval("select shared_by from santral.handle where kind = 'phone'") == "fan_out"


async def test_an_address_that_becomes_our_own_is_nobodys(api: Api, headers: dict[str, str], worker_db: Database) -> None:
    await known(api, headers, ("external_id", "C-1"), ("email", "eski@ornek.com"))
    await settle(api, headers, own_addresses=["eski@ornek.com"])
    await carried(worker_db)
    assert await owners(api, headers, "email", "eski@ornek.com") != await owners(api, headers, "external_id", "C-1")
    await settle(api, headers)
    await carried(worker_db)
    assert await owners(api, headers, "email", "eski@ornek.com") == await owners(api, headers, "external_id", "C-1")


async def test_pages_go_on_where_they_were_and_begin_again_with_other_rules(
    api: Api, headers: dict[str, str], worker_db: Database, workspace: Workspace
) -> None:
    for number in range(5):
        await known(api, headers, ("external_id", f"C-{number}"))
    workspace_id = WorkspaceId(workspace.id)
    first, second = (rules_digest({"limits": {"email": most}}, ()) for most in (2, 3))
    seen = []
    for said in (first, first, second, second):
        async with worker_db.batch() as connection:
            await pass_on(connection, workspace_id, said, (), page=2)
            progress = await read_pass(connection, workspace_id)
            assert progress is not None
            seen.append((progress.state, progress.looked))
    assert seen == [("running", 2), ("running", 4), ("running", 2), ("running", 4)]
    async with worker_db.batch() as connection:
        assert not await pass_on(connection, workspace_id, second, (), page=2)
        assert not await pass_on(connection, workspace_id, second, (), page=2)
        done = await read_pass(connection, workspace_id)
    assert done is not None
    assert (done.state, done.looked, done.changed) == ("done", 5, 0)


async def test_a_handle_that_was_only_named_is_nobody_after_rules_changed_too(
    api: Api, headers: dict[str, str], worker_db: Database
) -> None:
    """Else an erasure of whoever named it would leave it behind as a person of its own."""
    await known(api, headers, ("external_id", "C-1"), ("email", "ayse@ornek.com"))
    claim = {
        "handles": [{"kind": "email", "value": "ayse@ornek.com"}, {"kind": "email", "value": "claimed@ornek.com"}],
        "assurance": "asserted",
    }
    assert (await api.client.post("/v1/profiles/identify", json=claim, headers=headers)).status_code == 200
    people = "select count(*) from santral.profile"
    async with worker_db.session() as connection:
        before = await connection.fetchval(people)
    await settle(api, headers, profile={"limits": {"phone": 3}})
    await carried(worker_db)
    async with worker_db.session() as connection:
        assert await connection.fetchval("select count(*) from santral.handle where value = 'claimed@ornek.com'") == 1
        assert await connection.fetchval(people) == before


async def test_who_is_through_has_no_turn_and_a_change_brings_one(
    api: Api, headers: dict[str, str], worker_db: Database, workspace: Workspace
) -> None:
    await settle(api, headers, own_addresses=["eski@ornek.com"])
    rules = IdentityRules(worker_db)
    while await rules.page_of_all():
        pass
    progress = "select digest, began_at from santral.rules_pass where workspace_id = $1"
    async with worker_db.batch() as connection:
        before = await connection.fetchrow(progress, workspace.id)
    counted = Counted(worker_db)
    idle = IdentityRules(counted.database())
    assert (await idle.page_of_all(), counted.transactions) == (False, 0)
    await settle(api, headers, own_addresses=["baska@ornek.com"])
    while await idle.page_of_all():
        pass
    assert counted.transactions
    async with worker_db.session() as connection:
        after = await connection.fetchrow(progress, workspace.id)
    assert before is not None
    assert after is not None
    assert after["digest"] != before["digest"]
