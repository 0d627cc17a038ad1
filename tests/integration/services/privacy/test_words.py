"""Whatever free text people write about a customer is gone after the customer's erasure: everywhere, also from the audit and events.

The texts are found in the API's document, so a new one has to be written here or said to be about nobody.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest

from profiles.forgetting import OwnHandle
from router.erasure import words
from router.erasure.words import empty_words, page_of_words
from services.privacy.erasures import Erasures
from services.privacy.quarantine import words_of
from shared.blobs_files import FileBlobs
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.handle import normalized
from shared.ids import HandleId, new_id
from shared.text import fold_turkish
from tests.support.api import Api
from tests.support.intake_line import SECRET, rows
from tests.support.operations import operations
from tests.support.placements import Regroup
from tests.support.shift import shift_of
from tests.support.tables import all_tables
from tests.support.workspaces import Workspace

WORD: Final = "kanarya@ornek.com"
TEXTS: Final = frozenset({"reason", "note", "text"})

WRITTEN: Final = {
    ("decline_offer", "reason"), ("finish_item", "reason"), ("finish_item", "note"), ("transfer_item", "note"),
    ("assign_item", "reason"), ("assign_item", "note"), ("cancel_item", "reason"), ("set_presence", "reason"), ("add_shift", "reason"),
    ("merge_conversation", "reason"), ("split_conversation", "reason"), ("move_message", "reason"), ("merge_profiles", "reason"),
    ("unmerge_profile", "reason"), ("add_profile_note", "text"),
}  # fmt: skip
"""(operation, member) of what the story below writes."""

ELSEWHERE: Final[dict[tuple[str, str], str]] = {
    ("handover", "note"): "the same note as a transfer's",
    ("post_message", "text"): "a message: tests of erasure",
    ("erase_profile", "reason"): "a closed word", ("redact_message", "reason"): "a closed word", ("redact_part", "reason"): "a closed word",
    ("search_profiles", "text"): "asked, not kept",
    ("place_hold", "reason"): "the erasure that waited for its end takes it: tests of holds",
    ("save_policy", "note"): "configuration, written by administrators",
}  # fmt: skip


@pytest.fixture
async def desk(api: Api, worker_db: Database, database_urls: PostgresUrls, workspace: Workspace) -> Regroup:
    return Regroup(api=api, shift=await shift_of(worker_db, database_urls, workspace), admin=await api.key(workspace.id))


def members(schema: dict[str, Any], document: dict[str, Any]) -> set[str]:
    if "$ref" in schema:
        return members(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    found = set(schema.get("properties", ()))
    return found.union(*(members(one, document) for word in ("anyOf", "oneOf") for one in schema.get(word, ())))


def test_every_text_that_the_api_takes_is_written_by_the_story_or_says_why_not(api: Api) -> None:
    document, taken = api.app.openapi(), set()
    for _, _, operation in operations(api):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            taken |= {(operation["operationId"], name) for name in members(content["schema"], document) & TEXTS}
    assert taken == WRITTEN | set(ELSEWHERE)


async def words_left(db: Database) -> list[str]:
    """The tables that still hold the word."""
    return [
        table.name
        for table in all_tables().sorted_tables
        if await rows(db, f"select 1 from santral.\"{table.name}\" x where x::text ilike '%kanarya%' limit 1")
    ]


async def test_what_was_written_about_a_customer_is_gone_with_them(
    desk: Regroup, tmp_path: Path, database_urls: PostgresUrls
) -> None:
    shift, said = desk.shift, f"Bu {WORD} ile ilgili"
    deniz = await desk.api.agent(shift.workspace.id, shift.deniz)
    queue = await shift.add_queue("iade", shift.deniz, mode="both")
    await shift.execute("update santral.queue set mode = 'both'")
    assert queue
    chat = {"provider": "webchat", "who": "v-kanarya"}
    item = await shift.waiting(text=said, **chat)
    await shift.writes(text=said + " 4", **chat)
    await shift.settle()
    declined = await desk.api.client.post(
        f"/v1/offers/{(await shift.offer(item))['id']}/decline", json={"reason": said}, headers=deniz
    )
    assert declined.status_code == 204
    await desk.post(f"items/{item}/assign", 200, agent=str(shift.deniz), override=True, reason=said, note=said + " not")
    await desk.post(f"items/{item}/transfer", 200, deniz, to_queue="iade", note=said + " not")
    await desk.post(f"items/{item}/claim", 200, deniz)
    await desk.post(f"items/{item}/done", 200, deniz, reason=said, note=said + " not")
    one = await desk.of(item)
    other = await desk.begun(said + " 2", provider="smtp", who=WORD, subject=said)
    third = await desk.begun("Başkası", provider="smtp", who="baska@ornek.com")
    canceled = await desk.open_item(other)
    assert canceled is not None
    await desk.post(f"items/{canceled['id']}/cancel", 200, reason=said)
    # What 0.1.0 wrote: the reason in the audit too.
    owner = await asyncpg.connect(database_urls.owner)
    await owner.execute(
        "update santral.audit set details = jsonb_build_object('reason', $1::text) where action = 'item.cancel'", said
    )
    await owner.close()
    visitor, mail = await _profile(desk, "v-kanarya"), await _profile(desk, WORD)
    await desk.post(f"profiles/{visitor}/notes", 201, text=said)
    same: dict[str, Any] = {"with": str(visitor), "reason": said}
    await desk.post(f"profiles/{mail}/merge", 200, **same)
    await desk.merge(one, other, reason=said)
    await desk.split(other, said + " 2", reason=said)
    await desk.move(said, third, reason=said)
    presence = await desk.api.client.put(
        f"/v1/agents/{shift.deniz}/presence", json={"presence": "away", "reason": said}, headers=desk.admin
    )
    assert presence.status_code == 200
    leave: dict[str, Any] = {
        "kind": "leave",
        "starts_at": "2030-01-01T00:00:00Z",
        "ends_at": "2030-01-02T00:00:00Z",
        "reason": said,
    }
    await desk.post(f"agents/{shift.deniz}/shifts", 201, **leave)
    await shift.execute("delete from santral.outbox")  # relayed; the log's own records run out by themselves
    assert {"audit", "event", "offer", "work_item", "message", "agent", "shift", "placement_operation"} <= set(
        await words_left(shift.db)
    )
    await desk.post(f"profiles/{mail}/erase", 202, reason="law", confirm=str(mail))
    job = Erasures(db=shift.db, blobs=FileBlobs(tmp_path), hints=None, secret=SECRET, settle_s=0)
    while await job.round():
        pass
    await shift.execute("delete from santral.outbox")
    assert await words_left(shift.db) == []
    audited = await rows(shift.db, "select action from santral.audit where action in ('item.cancel', 'item.assign')")
    assert len(audited) == 2


async def _profile(desk: Regroup, value: str) -> UUID:
    found = await rows(desk.shift.db, "select profile_id from santral.handle where value = $1", value)
    return UUID(str(found[0]["profile_id"]))


async def test_words_beside_work_are_looked_at_a_page_at_a_time(
    desk: Regroup, worker_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Agents of thousands of reasons, and somebody of thousands of addresses, are no single statement."""
    monkeypatch.setattr(words, "PAGE", 2)
    deniz = f"/v1/agents/{desk.shift.deniz}/presence"
    for place, reason in enumerate(("at lunch", f"for {WORD.upper()}", "at the doctor's", "at home", f"({WORD})", "back")):
        answer = await desk.api.client.put(
            deniz, json={"presence": ("away", "busy")[place % 2], "reason": reason}, headers=desk.admin
        )
        assert answer.status_code == 200, answer.text
    handles = [OwnHandle(id=HandleId(new_id()), handle=normalized("email", WORD), raw=WORD, name="Kana Rya")]
    looked, after = 0, dict[str, Any]()
    async with worker_db.batch() as connection:
        while True:
            page = await page_of_words(connection, desk.shift.workspace.id, after)
            assert len(page.words) <= 2
            needles = words_of(handles)
            named = [one for one, text in page.words.items() if needles.within(fold_turkish(text).encode())]
            await empty_words(connection, desk.shift.workspace.id, page.table, named)
            looked += 1
            if page.after is None:
                break
            after = page.after
    assert looked > 3
    left = await rows(worker_db, "select data->>'reason' as reason from santral.event where type = 'presence.changed'")
    assert {row["reason"] for row in left} >= {"at lunch", "at home"}
    # What tells of the change from a reason that went holds it too.
    assert not [row for row in left if WORD in (row["reason"] or "").lower()]
