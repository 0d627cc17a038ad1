"""Whatever brings an item to another queue: that queue's targets, plan, key and time to live hold then, and the old one's are over."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from router.commands import bot_handover
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from tests.support.intake_line import rows
from tests.support.keeper import Keeper, keeper_of
from tests.support.shift import Shift

PLAN = [{"timeout_s": 60, "skills": {}}, {"skills": {}}]


@pytest.fixture
async def keeper(worker_db: Database, database_urls: PostgresUrls, shift: Shift) -> Keeper:
    return await keeper_of(worker_db, database_urls)


async def told(shift: Shift) -> list[tuple[str, str]]:
    found = await rows(shift.db, "select type, data from santral.event where type like 'sla.%' order by id")
    return [(row["type"], row["data"]["queue"]) for row in found]


async def clock(shift: Shift, item: UUID) -> dict[str, Any]:
    (found,) = await rows(shift.db, "select * from santral.sla_clock where item_id = $1 and kind = 'first_response'", item)
    return found


async def other_queue(shift: Shift, **columns: Any) -> UUID:
    """Chat is due in 60 s where it comes in, and within an hour here; mail has targets of its own here only."""
    # Somebody might take it, so the plan's first step is waited out; nobody does now.
    return await shift.add_queue(
        "iade", await shift.absent_colleague(), targets_s={"chat": 3600}, goals_s={"chat": 600}, plan=PLAN, **columns
    )


async def assert_begun(shift: Shift, keeper: Keeper, item: UUID, before: dict[str, Any], queue: UUID) -> None:
    await keeper.look()
    row, counted = await shift.item(item), await clock(shift, item)
    assert (row["queue_id"], row["plan"], row["step"]) == (queue, PLAN, 0)
    assert row["enqueued_at"] == before["enqueued_at"]
    assert (row["due_at"] - before["due_at"]).total_seconds() == pytest.approx(600 - 60)
    assert (counted["queue_id"], counted["target_s"], counted["breached_at"], counted["met_at"]) == (queue, 3600, None, None)
    assert counted["started_at"] == before["enqueued_at"]
    assert (counted["due_at"] - row["enqueued_at"]).total_seconds() == pytest.approx(3600, abs=1)


async def test_a_transfer_starts_the_targets_of_the_queue_it_goes_to(shift: Shift, keeper: Keeper) -> None:
    queue, item = await other_queue(shift), await shift.mine()
    before = await shift.item(item)
    await keeper.look()
    assert (await clock(shift, item))["target_s"] == 60
    await shift.hand_over(item, to_queue="iade")
    await assert_begun(shift, keeper, item, before, queue)
    # The old target would have been due by now, the new one is not.
    for table, column in (
        ("sla_clock", "started_at"),
        ("sla_clock", "resumed_at"),
        ("sla_clock", "due_at"),
        ("sla_clock", "next_at"),
    ):
        await shift.execute(f"update santral.{table} set {column} = {column} - interval '120 s'")
    await keeper.look()
    assert await told(shift) == []
    await shift.execute("update santral.sla_clock set due_at = now(), warn_at = now(), next_at = now()")
    await keeper.look()
    assert await told(shift) == [("sla.breached", "iade")]
    await shift.sound()


async def test_what_was_missed_before_it_left_is_the_old_queues(shift: Shift, keeper: Keeper) -> None:
    await other_queue(shift)
    item = await shift.mine()
    await keeper.look()
    await shift.execute("update santral.sla_clock set due_at = now(), warn_at = now(), next_at = now()")
    await shift.hand_over(item, to_queue="iade")
    await keeper.look()
    assert await told(shift) == [("sla.breached", "genel")]
    assert (await clock(shift, item))["breached_at"] is None


async def test_overflow_starts_them_too(shift: Shift, keeper: Keeper) -> None:
    queue = await other_queue(shift)
    await shift.configure("update santral.queue set overflow = 'iade' where name = 'genel'")
    await shift.terms("chat", live_s=60)
    item = await shift.waiting()
    before = await shift.item(item)
    await keeper.look()
    await shift.settle()
    await shift.decline(item)
    await shift.passes(item, 1, "expires_at")
    assert (await shift.item(item))["queue_id"] == queue
    await assert_begun(shift, keeper, item, before, queue)


async def test_a_bots_hand_over_to_another_queue_starts_them_too(shift: Shift, keeper: Keeper) -> None:
    queue, item = await other_queue(shift), await shift.mine()
    before = await shift.item(item)
    await keeper.look()
    await shift.execute("update santral.agent set kind = 'bot' where id = $1", shift.deniz)
    async with shift.db.batch(shift.workspace.id) as connection:
        await bot_handover.hand_over(connection, workspace_id=shift.workspace.id, item_id=item, agent_id=shift.deniz, queue="iade")
    await assert_begun(shift, keeper, item, before, queue)


async def test_among_bulk_mail_they_end_and_out_of_it_they_go_on(shift: Shift, keeper: Keeper) -> None:
    bulk, item = await shift.add_queue("toplu", purpose="bulk"), await shift.mine()
    await keeper.look()
    await shift.hand_over(item, to_queue="toplu")
    await keeper.look()
    ended = await clock(shift, item)
    assert (ended["queue_id"], ended["stopped_at"] is not None) == (bulk, True)
    await shift.execute("update santral.work_item set queue_id = $2, step_at = now() where id = $1", item, shift.workspace.queue_id)
    await keeper.look()
    again = await clock(shift, item)
    assert (again["stopped_at"], again["due_at"] is not None, again["queue_id"]) == (None, True, shift.workspace.queue_id)
    assert await told(shift) == []


async def test_days_with_an_agent_are_no_wait_so_a_transfer_does_not_expire(shift: Shift) -> None:
    await other_queue(shift)
    await shift.terms("chat", live_s=60)
    item = await shift.mine()
    await shift.passes(item, 3600, "enqueued_at", "expires_at")
    await shift.hand_over(item, to_queue="iade")
    assert await shift.state(item) == "queued"
    await shift.sound()


async def test_rows_of_an_older_release_are_their_items_queues(shift: Shift, keeper: Keeper, database_urls: PostgresUrls) -> None:
    await other_queue(shift)
    item = await shift.mine()
    await keeper.look()
    await shift.execute("update santral.sla_clock set queue_id = null")
    later = await keeper_of(shift.db, database_urls)
    await shift.execute("update santral.lease set until = clock_timestamp() - interval '1 s' where kind = 'sla'")
    await later.leases.round()
    await later.look()
    await shift.hand_over(item, to_queue="iade")
    await later.look()
    assert (await clock(shift, item))["target_s"] == 3600
