"""Merging, splitting and moving through REST on a real PostgreSQL: messages, work, references, and the undo of each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from shared.database import Database
from shared.embedded_postgres import PostgresUrls
from tests.support.api import Api, running_api
from tests.support.intake_line import rows
from tests.support.shift import Shift, shift_of
from tests.support.workspaces import Workspace


@pytest.fixture
async def api(api_db: Database, worker_db: Database) -> AsyncIterator[Api]:
    async with running_api(api_db, worker_db) as running:
        yield running


@pytest.fixture
async def shift(worker_db: Database, database_urls: PostgresUrls, workspace: Workspace) -> Shift:
    return await shift_of(worker_db, database_urls, workspace)


async def conversation_of(shift: Shift, item: UUID) -> UUID:
    found: UUID = (await shift.item(item))["conversation_id"]
    return found


async def texts(shift: Shift, conversation: UUID) -> list[str]:
    found = await rows(shift.db, "select text from santral.message where conversation_id = $1 order by seq", conversation)
    return [one["text"] for one in found]


async def picture(shift: Shift) -> dict[str, list[dict[str, Any]]]:
    """Everything of conversations that an undo must bring back; numbers given to events grow."""
    return {
        "conversations": await rows(
            shift.db,
            "select id, handle_id, last_inbox_id, last_handle_id, channels, subject, state, last_in_at, last_out_at,"
            " window_expires_at, merged_into, last_agent_id from santral.conversation order by id",
        ),
        "messages": await rows(shift.db, "select id, conversation_id, seq, text, body from santral.message order by id"),
        "receipts": await rows(shift.db, "select id, conversation_id, seq, state from santral.receipt order by id"),
        "refs": await rows(shift.db, "select * from santral.thread_ref order by ref"),
        "deliveries": await rows(shift.db, "select id, conversation_id from santral.delivery order by id"),
        "open": await rows(
            shift.db,
            "select conversation_id, queue_id, channel, due_class, due_at, enqueued_at, skills from santral.work_item"
            " where state not in ('completed', 'abandoned', 'canceled') order by conversation_id",
        ),
    }  # fmt: skip


async def test_a_merge_carries_everything_and_its_undo_brings_it_back(api: Api, shift: Shift) -> None:
    one = await conversation_of(shift, await shift.waiting(provider="smtp", who="ayse@ornek.com", text="Bir", defines=("mid:1@x",)))
    await shift.writes(provider="smtp", who="ayse@ornek.com", text="İki", defines=("mid:2@x",))
    other = await conversation_of(shift, await shift.waiting(provider="webchat", who="v1", text="Üç"))
    before = await picture(shift)
    admin = await api.key(shift.workspace.id)
    answer = await api.client.post(
        f"/v1/conversations/{one}/merge", json={"into": str(other), "reason": "Aynı kişi"}, headers=admin
    )
    assert answer.status_code == 200, answer.text
    operation = answer.json()
    assert (operation["kind"], operation["from"], operation["to"]) == ("merge", str(one), str(other))
    assert (len(operation["messages"]), operation["reason"], operation["undoable"]) == (2, "Aynı kişi", True)
    assert (await texts(shift, one), await texts(shift, other)) == ([], ["Üç", "Bir", "İki"])
    shown = (await api.client.get(f"/v1/conversations/{one}", headers=admin)).json()
    assert (shown["merged_into"], shown["state"]) == (str(other), "closed")
    assert (await api.client.get(f"/v1/conversations/{other}", headers=admin)).json()["channels"] == ["chat", "email"]
    open_items = await rows(shift.db, "select conversation_id from santral.work_item where state = 'queued'")
    assert [item["conversation_id"] for item in open_items] == [other]
    (ended,) = await rows(shift.db, "select outcome from santral.work_item where state = 'canceled'")
    assert ended["outcome"] == {"merged": True}
    await shift.sound()
    # The same again is what is there.
    again = await api.client.post(f"/v1/conversations/{one}/merge", json={"into": str(other)}, headers=admin)
    assert (again.status_code, again.json()["id"]) == (200, operation["id"])
    undone = await api.client.post(f"/v1/placements/{operation['id']}/undo", headers=admin)
    assert (undone.status_code, undone.json()["undoable"]) == (200, False), undone.text
    assert undone.json()["undone_at"] is not None
    assert await picture(shift) == before
    twice = await api.client.post(f"/v1/placements/{operation['id']}/undo", headers=admin)
    assert (twice.status_code, twice.json()["undone_at"]) == (200, undone.json()["undone_at"])
    listed = (await api.client.get(f"/v1/conversations/{one}/placements", headers=admin)).json()["data"]
    assert [entry["id"] for entry in listed] == [operation["id"]]
    await shift.sound()
