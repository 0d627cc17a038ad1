"""Much of one workspace is read a piece at a time and beside the event loop: quarantine, answers, messages."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import tracemalloc
from pathlib import Path

import pytest

from services.privacy.erasures import ANSWERS, Erasures
from services.privacy.quarantine import PAGE
from shared.blobs_files import FileBlobs
from shared.cloudevent import encode_message
from shared.database import Database
from shared.ids import new_id
from tests.support.api import Api, somebody_of
from tests.support.intake_line import SECRET, Line, member_of, message_to, rows
from tests.support.workspaces import Workspace, make_workspace

WHO, OTHER = "ayse@ornek.com", "bora@ornek.com"
NAMED, LARGE_CHARS, PEAK_BYTES = 1000, 900_000, 20_000_000
_NAMED = """
insert into santral.handle (workspace_id, id, profile_id, kind, scope, value, raw)
select workspace_id, gen_random_uuid(), profile_id, 'email', '', 'kisi-' || n || '@ornek.com', 'Kisi-' || n || '@Ornek.com'
from santral.handle, generate_series(1, $2) n where workspace_id = $1
"""
_ENTRIES = """
insert into santral.quarantine (workspace_id, id, message_id, reason, record, headers, accepted_at, quarantined_at)
select $1, id, id, 'undecodable', record, $4, now(), now() - interval '400 days' from unnest($2::uuid[], $3::bytea[]) as g(id, record)
"""
_ANSWERS = """
insert into santral.delivery (workspace_id, id, conversation_id, message_id, inbox_id, handle_id, request, state)
select c.workspace_id, gen_random_uuid(), c.id, gen_random_uuid(), c.inbox_id, c.handle_id,
    jsonb_build_object('to', null, 'cc', jsonb_build_array(case when n % 7 = 0 then $2 else 'k@x.tr' end), 'html', repeat('a', $4)), 'sent'
from santral.conversation c join santral.handle h on h.id = c.handle_id, generate_series(1, $3) n
where c.workspace_id = $1 and h.value = $5
"""


async def written(db: Database, workspace: Workspace, *people: str) -> dict[str, str]:
    """A mail of each; their profiles' ids by address."""
    line = Line()
    line.add(*(message_to(workspace, "smtp", who, who=who) for who in people))
    await (await member_of(db)).take(line)
    return {one["value"]: str(one["id"]) for one in await rows(db, "select id, value from santral.handle")}


async def quarantined(db: Database, workspace: Workspace, records: list[bytes], headers: dict[str, str] | None = None) -> None:
    async with db.batch() as connection:
        await connection.execute(_ENTRIES, workspace.id, [new_id() for _ in records], records, headers or {})


def record_of(original: bytes) -> bytes:
    return json.dumps({"original": base64.b64encode(original).decode()}).encode()


async def test_what_retention_would_remove_is_counted_beside_the_event_loop_under_a_hold_on_many_addresses(
    api: Api, worker_db: Database, workspace: Workspace
) -> None:
    profiles = await written(worker_db, workspace, WHO)
    async with worker_db.batch() as connection:
        await connection.execute(_NAMED, workspace.id, NAMED)
    # Nearly every place of these could be the beginning of an address.
    entries = [record_of(b"kisi-" * 12_000) for _ in range(PAGE)] + [record_of(b"x" + f"KISI-{NAMED}@ornek.com.tr".encode())]
    await quarantined(worker_db, workspace, entries)
    headers = await api.key(workspace.id)
    held = {"kind": "person", "subject_id": profiles[WHO], "reason": "dava"}
    assert (await api.client.post("/v1/holds", headers=headers, json=held)).status_code == 201
    reader = await api.key(workspace.id, "config:read")
    whole, own = time.process_time(), time.thread_time()
    answer = await api.client.get("/v1/retention/plan?preset=eu", headers=reader)
    whole, own = time.process_time() - whole, time.thread_time() - own
    counted = {one["class"]: one["rows"] for one in answer.json()["items"]}
    assert counted["quarantine"] == PAGE, "the last is of who is under the hold"
    assert whole > 0.3  # else this shows nothing
    assert own < whole / 2


@pytest.mark.parametrize(("method", "path"), [("GET", "plan?preset=eu"), ("POST", "run")])
async def test_what_retention_would_remove_is_counted_in_the_workspaces_turn(
    api: Api, workspace: Workspace, method: str, path: str
) -> None:
    other = await make_workspace(api.worker, name="komsu")
    own, others = await api.key(workspace.id), await api.key(other.id)

    async def asked(headers: dict[str, str]) -> int:
        return (await api.client.request(method, f"/v1/retention/{path}", headers=headers)).status_code // 100

    async with api.app.state.thought_turns.of(somebody_of(workspace.id)):
        waits = asyncio.create_task(asked(own))
        assert [await asked(others) for _ in range(3)] == [2, 2, 2]
        assert not waits.done()
    assert await waits == 2


async def test_an_erasure_reads_quarantine_and_answers_a_page_at_a_time_and_finds_all(
    api: Api, worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    profiles = await written(worker_db, workspace, WHO, OTHER)
    await quarantined(worker_db, workspace, [*(record_of(b"x" * 60_000) for _ in range(2 * PAGE)), record_of(WHO.upper().encode())])
    async with worker_db.batch() as connection:
        await connection.execute(_ANSWERS, workspace.id, WHO.upper(), 2 * ANSWERS + 1, 10, OTHER)
        await connection.execute(_ANSWERS, workspace.id, WHO, 70, LARGE_CHARS, OTHER)
    asked = {"reason": "law", "confirm": profiles[WHO]}
    job = Erasures(db=worker_db, blobs=FileBlobs(tmp_path), hints=None, secret=SECRET, settle_s=0.2)
    headers = await api.key(workspace.id)
    answer = await api.client.post(f"/v1/profiles/{profiles[WHO]}/erase", headers=headers, json=asked)
    assert answer.status_code == 202, answer.text
    tracemalloc.start()
    try:
        assert await job.round()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < PEAK_BYTES < 70 * LARGE_CHARS
    # What a writer that knew nothing of it still brought in, behind more than a page of others' entries.
    late = encode_message(message_to(workspace, "smtp", "2", who=WHO), key=b"k")
    await quarantined(worker_db, workspace, [b"x" * 1000] * (PAGE + 1))
    await quarantined(worker_db, workspace, [late.value], {name: value.decode() for name, value in late.headers})
    async with worker_db.batch() as connection:
        await connection.execute("update santral.erasure set due_at = now()")
    assert await job.round()
    assert [one["state"] for one in await rows(worker_db, "select state from santral.erasure")] == ["done"]
    assert (await rows(worker_db, "select count(*) as n from santral.quarantine where state = 'discarded'"))[0]["n"] == 2
    found = await rows(worker_db, "select request = '{}' as emptied, count(*) as n from santral.delivery group by 1 order by 1")
    emptied = (2 * ANSWERS + 1) // 7 + 10
    assert [(one["emptied"], one["n"]) for one in found] == [(False, 2 * ANSWERS + 1 + 70 - emptied), (True, emptied)]
