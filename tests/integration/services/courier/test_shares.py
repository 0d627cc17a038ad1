"""The courier on a real PostgreSQL: what one workspace has to send, or twenty whose providers do not answer, makes no other wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest

from ingest.directory import Directory
from services.courier.deliveries import DRAWN, TRY_S, Deliveries
from services.courier.places import HEAVY, OF_ONE, ROOM
from shared.blobs_files import FileBlobs
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.ids import new_id
from tests.support.api import Api
from tests.support.intake_line import SECRET, rows
from tests.support.placements import Regroup, regroup_of
from tests.support.shift import shift_of
from tests.support.way_out import Hanging, Kept
from tests.support.workspaces import Workspace, add_item, make_workspace

AYSE = "ayse@ornek.com"
_PILE_UP = """
insert into santral.delivery (workspace_id, id, conversation_id, message_id, inbox_id, handle_id, request, due_at)
select $1, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), $2, gen_random_uuid(), $3, now() - interval '1 hour'
from generate_series(1, $4)
"""


@pytest.fixture
async def desk(api: Api, worker_db: Database, database_urls: PostgresUrls, workspace: Workspace) -> Regroup:
    return await regroup_of(api, await shift_of(worker_db, database_urls, workspace))


async def courier_of(desk: Regroup, folder: Path, outgoing: Kept, db: Database | None = None) -> Deliveries:
    directory = Directory(desk.shift.db, desk.api.sealer)
    await directory.refresh()
    return Deliveries(
        db=db or desk.shift.db, directory=directory, outgoing=outgoing, blobs=FileBlobs(folder), hints=desk.api.hints, owner=new_id(),
        secret=SECRET,
    )  # fmt: skip


@asynccontextmanager
async def running(courier: Deliveries, desk: Regroup) -> AsyncIterator[None]:
    """The courier's loop, at work for a minute at most."""
    task = asyncio.create_task(courier.run(desk.api.hints.waiter("delivery")))
    try:
        async with asyncio.timeout(60):
            yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def answers(desk: Regroup, *texts: str) -> None:
    conversation = await desk.begun("Merhaba", provider="smtp", who=AYSE)
    for text in texts:
        await desk.post(f"conversations/{conversation}/replies", 202, content={"kind": "text", "text": text})


async def neighbour(desk: Regroup, many: int) -> Workspace:
    """A workspace with so many answers to send, each in a conversation of its own."""
    made = await make_workspace(desk.shift.db, name="komsu")
    first = await add_item(desk.shift.db, made, channel="email", provider="smtp")
    await desk.shift.execute(
        "update santral.handle set kind = 'email', value = value || '@yavas.example' where workspace_id = $1", made.id
    )
    await desk.shift.execute(
        "with more as ("
        " insert into santral.conversation (workspace_id, id, handle_id, inbox_id, last_inbox_id, last_handle_id, channel, opened_at)"
        " select c.workspace_id, gen_random_uuid(), handle_id, inbox_id, last_inbox_id, last_handle_id, channel, opened_at"
        " from santral.conversation c, generate_series(2, $2)"
        " where c.id = (select conversation_id from santral.work_item where id = $1) returning *"
        "), all_of_them as (select * from more union all"
        " select * from santral.conversation where id = (select conversation_id from santral.work_item where id = $1))"
        " insert into santral.delivery (workspace_id, id, conversation_id, message_id, inbox_id, handle_id, request)"
        " select workspace_id, gen_random_uuid(), id, gen_random_uuid(), last_inbox_id, last_handle_id, $3 from all_of_them",
        first, many, {"content": {"kind": "text", "text": "Cevap"}},
    )  # fmt: skip
    return made


async def queued(desk: Regroup) -> int:
    return len(await rows(desk.shift.db, "select 1 from santral.delivery where state = 'queued'"))


async def test_answers_of_one_workspace_in_masses_let_anothers_go_in_the_next_round(desk: Regroup, tmp_path: Path) -> None:
    loud = await make_workspace(desk.shift.db, name="komsu")
    await desk.shift.execute(_PILE_UP, loud.id, loud.inboxes["api"], {}, 40_000)
    await answers(desk, "Cevap")
    outgoing = Kept()
    courier = await courier_of(desk, tmp_path, outgoing)
    async with asyncio.timeout(15):
        assert await courier.round() == OF_ONE + 1
    assert len(outgoing.calls) == 1
    await desk.shift.execute("delete from santral.delivery where workspace_id = $1", loud.id)


async def test_of_answers_with_files_fewer_are_on_their_way(desk: Regroup, tmp_path: Path) -> None:
    loud = await make_workspace(desk.shift.db, name="komsu")
    await desk.shift.execute(_PILE_UP, loud.id, loud.inboxes["api"], {"files": [{"blob": "x/y/z"}]}, ROOM)
    courier = await courier_of(desk, tmp_path, Kept())
    assert await courier.round() == OF_ONE // HEAVY
    await desk.shift.execute("delete from santral.delivery where workspace_id = $1", loud.id)


async def test_twenty_workspaces_whose_providers_hang_hold_up_nobody_else(desk: Regroup, tmp_path: Path) -> None:
    for _ in range(20):
        await neighbour(desk, OF_ONE + 5)
    outgoing = Hanging(AYSE)
    courier = await courier_of(desk, tmp_path, outgoing)
    async with running(courier, desk):
        # Every one of them has what it may have, or nearly.
        await outgoing.until(lambda: outgoing.standing >= ROOM // 2)
        began_s = time.monotonic()
        await answers(desk, "Bir", "İki", "Üç")
        await outgoing.until(lambda: len(outgoing.calls) == 3)
        assert time.monotonic() - began_s < TRY_S / 3, "long before any of theirs is given up"
        assert outgoing.standing < ROOM
        assert ["Bir" in str(call.content) for call in outgoing.calls] == [True, False, False], "as they were written"
        outgoing.let.set()
        await outgoing.until(lambda: len(outgoing.calls) == 20 * (OF_ONE + 5) + 3)
        while await queued(desk):
            await desk.api.hints.waiter("delivery").wait(0.1)
    assert len(outgoing.calls) == 20 * (OF_ONE + 5) + 3, "nothing was sent twice"


async def test_workspaces_that_can_send_nothing_now_are_not_drawn(desk: Regroup, tmp_path: Path) -> None:
    # The first of each of their conversations is on its way elsewhere, the second is due behind it.
    for _ in range(2 * DRAWN):
        made = await neighbour(desk, 1)
        await desk.shift.execute(
            "with put_off as (update santral.delivery set due_at = now() + interval '1 hour' where workspace_id = $1 returning *)"
            " insert into santral.delivery (workspace_id, id, conversation_id, message_id, inbox_id, handle_id, request)"
            " select workspace_id, $2, conversation_id, gen_random_uuid(), inbox_id, handle_id, request from put_off",
            made.id, UUID(int=2**128 - 1),
        )  # fmt: skip
    await answers(desk, "Cevap")
    assert await (await courier_of(desk, tmp_path, outgoing := Kept())).round() == 1
    assert len(outgoing.calls) == 1


async def test_what_somebody_locks_for_long_holds_up_no_other_answer(
    desk: Regroup, tmp_path: Path, database_urls: PostgresUrls
) -> None:
    loud = await neighbour(desk, OF_ONE)
    few = await Database.open(database_urls.worker, name="courier", pool_size=2)
    courier = await courier_of(desk, tmp_path, outgoing := Hanging(), few)
    try:
        async with desk.shift.db.batch() as holder, running(courier, desk):
            await holder.execute("set local idle_in_transaction_session_timeout = 0")
            await holder.execute("select 1 from santral.conversation where workspace_id = $1 for update", loud.id)
            await outgoing.until(lambda: outgoing.standing >= OF_ONE - 1)
            # All of theirs are sent, and none of it can be written.
            outgoing.let.set()
            await answers(desk, "Cevap")
            async with asyncio.timeout(10):
                while not await rows(desk.shift.db, "select 1 from santral.delivery where state = 'sent'"):
                    await desk.api.hints.waiter("delivery").wait(0.1)
            assert await queued(desk) == OF_ONE
            await holder.execute("commit; begin")
            while await queued(desk):
                await desk.api.hints.waiter("delivery").wait(0.1)
    finally:
        await few.close()
    assert len(outgoing.calls) == OF_ONE + 1, "nothing was sent twice"
