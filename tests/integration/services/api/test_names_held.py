"""Nothing is saved that names what is deleted or renamed in the same moment, whichever of the two comes first."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.waiting import eventually
from tests.support.workspaces import Workspace

Call = tuple[str, str, dict[str, Any] | None]
THERE: list[tuple[str, dict[str, Any]]] = [
    ("queues", {"name": "iade", "title": "Iade"}),
    ("skills", {"name": "french"}),
    ("calendars", {"name": "office", "time_zone": "UTC", "hours": {"mon": [["09:00", "17:00"]]}}),
    ("plans", {"name": "wide", "steps": [{}]}),
    ("roles", {"name": "desk", "scopes": ["conversations:read"], "visibility": "own"}),
    ("slas", {"name": "gold", "targets": [{"channel": "chat", "resolution_s": 60}]}),
]


def rule(says: dict[str, Any]) -> dict[str, Any]:
    return {"document": {"rules": [{"name": "r", **says}], "default_queue": "genel"}}


OTHER = {"name": "other", "title": "Other"}
SAVED: dict[str, tuple[str, str, dict[str, Any]]] = {
    # what is saved: the kind it names, where it goes, how
    "plan-queue": ("queues", "plans", {"name": "p", "steps": [{"queues": [{"queue": "iade"}]}]}),
    "plan-skill": ("skills", "plans", {"name": "p", "steps": [{"skills": {"french": 1}}]}),
    "inline-plan-queue": ("queues", "queues", {**OTHER, "plan": {"steps": [{"queues": [{"queue": "iade"}]}]}}),
    "queue-plan": ("plans", "queues", {**OTHER, "plan": "wide"}),
    "overflow": ("queues", "queues", {**OTHER, "overflow": "iade"}),
    "queue-calendar": ("calendars", "queues", {**OTHER, "calendar": "office"}),
    "sla-calendar": ("calendars", "slas", {"name": "s", "calendar": "office", "targets": [{"channel": "chat", "resolution_s": 60}]}),
    "sla-queue": ("queues", "slas", {"name": "s", "targets": [{"queue": "iade", "resolution_s": 60}]}),
    "agent-skill": ("skills", "agents", {"name": "Ece", "skills": {"french": 1}}),
    "agent-queue": ("queues", "agents", {"name": "Ece", "queues": [{"queue": "iade"}]}),
    "agent-role": ("roles", "agents", {"name": "Ece", "role": "desk"}),
    "rule-queue": ("queues", "policies", rule({"queue": "iade"})),
    "rule-skill": ("skills", "policies", rule({"queue": "genel", "skills": {"french": 1}})),
    "rule-plan": ("plans", "policies", rule({"queue": "genel", "plan": "wide"})),
    "rule-sla": ("slas", "policies", rule({"queue": "genel", "sla": "gold"})),
}  # fmt: skip
STANDS = {"plan-queue", "inline-plan-queue", "queue-plan", "queue-calendar", "sla-calendar", "rule-plan", "agent-role"}
"""Where what is named is not deleted any more; elsewhere it may go, and counts as not named."""


async def both(api: Api, urls: PostgresUrls, db: Database, workspace: Workspace, first: Call, then: Call) -> list[int]:
    """The answers of two callers whose calls overlap: each is kept from its end until the other came as far as it can."""
    callers = [await api.key(workspace.id) for _ in range(2)]

    async def one(call: Call, headers: dict[str, str]) -> int:
        method, path, body = call
        return (await api.client.request(method, f"/v1/{path}", json=body, headers=headers)).status_code

    async def waiting(number: int) -> None:
        async def there() -> bool:
            return bool((await rows(db, "select count(*) >= $1 as all from pg_locks where not granted", number))[0]["all"])

        await eventually(there, 2, f"{number} calls that wait")

    keeper = await asyncpg.connect(urls.owner)
    try:
        async with keeper.transaction():
            # Every change writes here last of all.
            await keeper.execute("lock table santral.audit in share mode")
            calls = [asyncio.create_task(one(first, callers[0]))]
            await waiting(1)
            calls.append(asyncio.create_task(one(then, callers[1])))
            await waiting(2)
    finally:
        await keeper.close()
    return list(await asyncio.gather(*calls))


@pytest.fixture
async def there(api: Api, workspace: Workspace) -> tuple[dict[str, str], dict[str, str]]:
    """An administrator's key, and where each kind's one stands."""
    admin, found = await api.key(workspace.id), {}
    for kind, body in THERE:
        made = await api.client.post(f"/v1/{kind}", json=body, headers=admin)
        assert made.status_code == 201, made.text
        found[kind] = made.headers["location"].removeprefix("/v1/")
    # The first policy of a process takes longer, and those who wait for each other do so for two seconds.
    assert (await api.client.post("/v1/policies/check", json=SAVED["rule-queue"][2], headers=admin)).json()["ok"]
    return admin, found


@pytest.mark.parametrize("what", SAVED)
async def test_what_is_saved_first_is_seen_by_who_deletes(
    api: Api,
    worker_db: Database,
    database_urls: PostgresUrls,
    workspace: Workspace,
    there: tuple[dict[str, str], dict[str, str]],
    what: str,
) -> None:
    (_, places), (kind, path, body) = there, SAVED[what]
    answers = await both(api, database_urls, worker_db, workspace, ("POST", path, body), ("DELETE", places[kind], None))
    assert answers == [201, 409 if what in STANDS else 204]


@pytest.mark.parametrize("what", SAVED)
async def test_what_is_deleted_first_is_not_named(
    api: Api,
    worker_db: Database,
    database_urls: PostgresUrls,
    workspace: Workspace,
    there: tuple[dict[str, str], dict[str, str]],
    what: str,
) -> None:
    (_, places), (kind, path, body) = there, SAVED[what]
    answers = await both(api, database_urls, worker_db, workspace, ("DELETE", places[kind], None), ("POST", path, body))
    assert answers == [204, 409 if what == "agent-queue" else 422]


async def test_what_has_another_name_meanwhile_is_not_named_by_the_former(
    api: Api, worker_db: Database, database_urls: PostgresUrls, workspace: Workspace, there: tuple[dict[str, str], dict[str, str]]
) -> None:
    admin, places = there
    renamed: Call = ("PUT", places["queues"], {"name": "iadeler", "title": "Iade"})
    plan: Call = ("POST", "plans", SAVED["plan-queue"][2])
    assert await both(api, database_urls, worker_db, workspace, plan, renamed) == [201, 409]
    assert (await api.client.delete("/v1/plans/p", headers=admin)).status_code == 204
    assert await both(api, database_urls, worker_db, workspace, renamed, plan) == [200, 422]
