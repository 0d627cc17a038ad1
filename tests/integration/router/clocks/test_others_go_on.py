"""Clocks, shifts and paces of many workspaces: what somebody holds of one is waited for at the next look, and the others' go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest

from router.calendars.clock_store import items_without_clocks
from router.clocks.pace import measure, read_pace
from router.clocks.shifts import Shifts
from router.clocks.sla import SlaClocks
from router.clocks.spent import Spent
from shared.database import Connection, Database
from shared.embedded.postgres import PostgresUrls
from shared.hints import Hints
from shared.leases import Leases
from tests.support.intake_line import rows
from tests.support.keeper import Keeper, keeper_of
from tests.support.workspaces import Workspace, add_item, make_workspace


@pytest.fixture
async def keeper(worker_db: Database, database_urls: PostgresUrls) -> Keeper:
    return await keeper_of(worker_db, database_urls)


@asynccontextmanager
async def held(db: Database, table: str, one: UUID) -> AsyncIterator[Connection]:
    """Somebody's transaction that holds a row."""
    async with db.batch() as connection:
        await connection.execute("set local idle_in_transaction_session_timeout = 0")
        await connection.execute(f"select 1 from santral.{table} where id = $1 for update", one)
        yield connection


async def execute(db: Database, statement: str, *values: Any) -> None:
    async with db.batch() as connection:
        await connection.execute(statement, *values)


async def assigned(db: Database, workspace: Workspace, **age: float) -> UUID:
    """An item that the workspace's agent has."""
    item = await add_item(db, workspace, channel="email", provider="smtp", **age)
    await execute(
        db, "update santral.work_item set state = 'assigned', agent_id = $2, assigned_at = now() where id = $1", item, workspace.agent_id
    )  # fmt: skip
    return item


async def test_a_target_is_told_though_an_agent_of_another_workspace_is_held(
    worker_db: Database, workspace: Workspace, keeper: Keeper
) -> None:
    other = await make_workspace(worker_db, name="iki")
    await keeper.look()
    late, quick = [await assigned(worker_db, one, age_s=30 * 24 * 3600) for one in (workspace, other)]
    await keeper.look()
    told = "select data->>'item_id' as item from santral.event where type = 'sla.breached'"
    await execute(worker_db, "delete from santral.event where type like 'sla.%'")
    await execute(
        worker_db,
        "update santral.sla_clock set breached_at = null, warned_at = null, next_at = now(), resumed_at = started_at, elapsed_s = 0",
    )
    async with held(worker_db, "agent", workspace.agent_id):
        await keeper.look()
        assert [row["item"] for row in await rows(worker_db, told)] == [str(quick)]
    await keeper.look()
    assert [row["item"] for row in await rows(worker_db, told)] == [str(quick), str(late)]


async def test_items_whose_clocks_cannot_be_started_leave_room_for_another_workspaces(
    worker_db: Database, workspace: Workspace
) -> None:
    first, second = sorted((workspace, await make_workspace(worker_db, name="iki")), key=lambda one: one.id)
    for _ in range(4):
        await add_item(worker_db, first, age_s=100)
    newest = await add_item(worker_db, second)
    async with worker_db.batch() as connection:
        now = await connection.fetchval("select now()")
        found = await items_without_clocks(connection, closed_since=now, limit=2)
    assert {one.workspace_id for one in found} == {first.id, second.id}
    assert newest in {one.item_id for one in found}


async def test_who_reckons_long_has_the_rest_reckoned_at_later_looks(
    worker_db: Database, workspace: Workspace, keeper: Keeper, database_urls: PostgresUrls
) -> None:
    other = await make_workspace(worker_db, name="iki")
    for _ in range(3):
        await add_item(worker_db, workspace)
    await add_item(worker_db, other)
    await keeper.configuration.refresh()
    seconds = count()
    slow = SlaClocks(
        db=worker_db, leases=keeper.leases, hints=Hints(database_urls.worker, listening=False), workspaces=keeper.configuration,
        spent=lambda: Spent(most_s=1.0, clock=lambda: next(seconds)),
    )  # fmt: skip
    started = "select count(*) filter (where workspace_id = $1) as one, count(*) filter (where workspace_id = $2) as other from santral.sla_clock"
    found = []
    for _ in range(4):
        await slow.round()
        found += [tuple(row.values()) for row in await rows(worker_db, started, workspace.id, other.id)]
    assert found == [(1, 1), (2, 1), (3, 1), (3, 1)]


async def test_work_of_who_went_home_goes_back_though_another_workspaces_agent_is_held(
    worker_db: Database, workspace: Workspace, database_urls: PostgresUrls
) -> None:
    other = await make_workspace(worker_db, name="iki")
    kept, back = [await assigned(worker_db, one) for one in (workspace, other)]
    await execute(worker_db, "update santral.agent set off_shift = true, presence = 'offline', shift_next_at = null")
    leases = Leases(worker_db, kind="shifts", slots=1, owner=uuid4())
    await leases.round()
    shifts = Shifts(db=worker_db, leases=leases, hints=Hints(database_urls.worker, listening=False))
    queued = "select id from santral.work_item where state = 'queued'"
    async with held(worker_db, "agent", workspace.agent_id):
        await shifts.round()
        assert [row["id"] for row in await rows(worker_db, queued)] == [back]
    await shifts.round()
    assert {row["id"] for row in await rows(worker_db, queued)} == {kept, back}


async def test_queues_are_measured_though_somebody_holds_one_and_another_is_gone(worker_db: Database, workspace: Workspace) -> None:
    other = await make_workspace(worker_db, name="iki")
    await add_item(worker_db, other)
    async with held(worker_db, "queue", workspace.queue_id):
        async with worker_db.batch() as connection:
            await measure(connection)
        async with worker_db.session() as connection:
            assert [row["waiting"] for row in await read_pace(connection, other.id)] == [1]
            assert await read_pace(connection, workspace.id) == []
    async with worker_db.batch() as connection:
        await measure(connection)
        assert len(await read_pace(connection, workspace.id)) == 1
