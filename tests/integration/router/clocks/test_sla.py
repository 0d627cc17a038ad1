"""Service level clocks on real PostgreSQL: start, warning, breach, escalation, pause, end; one keeper, crashes, idempotence."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from router.views.desk import read_item
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.ids import new_id
from tests.support.intake_line import rows
from tests.support.keeper import Keeper, keeper_of
from tests.support.workspaces import Workspace, add_item, make_workspace


@pytest.fixture
async def keeper(worker_db: Database, database_urls: PostgresUrls) -> Keeper:
    return await keeper_of(worker_db, database_urls)


async def run(db: Database, statement: str, *values: Any) -> None:
    async with db.batch() as connection:
        await connection.execute(statement, *values)


async def clock(db: Database, item: UUID, kind: str = "first_response") -> dict[str, Any]:
    (found,) = await rows(db, "select * from santral.sla_clock where item_id = $1 and kind = $2", item, kind)
    return found


async def told(db: Database) -> list[tuple[str, str]]:
    found = await rows(db, "select type, data from santral.event where type like 'sla.%' or type like 'item.re%' order by id")
    return [(row["type"], row["data"].get("kind") or row["data"]["trigger"]) for row in found]


async def test_a_clock_starts_with_the_item_and_counts_from_the_first_wait(
    worker_db: Database, workspace: Workspace, keeper: Keeper
) -> None:
    item = await add_item(worker_db, workspace, age_s=10)
    await keeper.look()
    made = await clock(worker_db, item)
    (stored,) = await rows(worker_db, "select enqueued_at from santral.work_item where id = $1", item)
    assert made["target_s"] == 60
    assert made["started_at"] == stored["enqueued_at"]
    assert (made["due_at"] - made["started_at"]).total_seconds() == 60
    assert (made["next_at"] - made["started_at"]).total_seconds() == 48
    await keeper.look()
    assert await clock(worker_db, item) == made
    assert await told(worker_db) == []


async def test_it_warns_then_is_breached_and_the_item_is_raised_once(
    worker_db: Database, workspace: Workspace, keeper: Keeper
) -> None:
    item = await add_item(worker_db, workspace, age_s=50)
    await keeper.look()
    await keeper.look()
    assert await told(worker_db) == [("sla.warned", "first_response")]
    late = await add_item(worker_db, workspace, age_s=70)
    (before,) = await rows(worker_db, "select * from santral.work_item where id = $1", late)
    await keeper.look()
    await keeper.look()
    assert await told(worker_db) == [
        ("sla.warned", "first_response"), ("sla.breached", "first_response"), ("item.rekeyed", "target_missed"),
    ]  # fmt: skip
    (after,) = await rows(worker_db, "select * from santral.work_item where id = $1", late)
    assert after["version"] == before["version"] + 1
    assert (after["enqueued_at"] - after["due_at"]).total_seconds() == 4 * 3600 - 60
    assert (await clock(worker_db, late))["escalated_at"] is not None
    assert (await clock(worker_db, item))["breached_at"] is None
    fed = await rows(worker_db, "select 1 from santral.dispatch_change where id = $1", late)
    assert len(fed) == 2


async def test_what_is_breached_goes_to_the_queue_its_target_names(
    worker_db: Database, workspace: Workspace, keeper: Keeper
) -> None:
    other = new_id()
    await run(worker_db, "insert into santral.queue (workspace_id, id, name) values ($1, $2, 'complaints')", workspace.id, other)
    await run(
        worker_db,
        "insert into santral.sla (workspace_id, name, targets) values ($1, 'default', $2)",
        workspace.id,
        [{"channel": "chat", "first_response_s": 5, "escalate_to": "complaints"}, {"tier": "gold", "first_response_s": 9000}],
    )
    plain = await add_item(worker_db, workspace, age_s=10)
    gold = await add_item(worker_db, workspace, age_s=10)
    await run(
        worker_db,
        "insert into santral.decision (workspace_id, id, kind, conversation_id, item_id, record) select workspace_id, $2, 'routing',"
        " conversation_id, id, $3 from santral.work_item where id = $1",
        gold, new_id(), {"facts": {"profile": {"tier": "gold"}}},
    )  # fmt: skip
    await keeper.look()
    queues = await rows(worker_db, "select id, queue_id from santral.work_item")
    assert {row["id"]: row["queue_id"] for row in queues} == {plain: other, gold: workspace.queue_id}
    assert (await clock(worker_db, gold))["target_s"] == 9000
    assert await told(worker_db) == [("sla.breached", "first_response"), ("item.requeued", "target_missed")]


async def test_a_clock_stands_still_while_the_item_is_parked(worker_db: Database, workspace: Workspace, keeper: Keeper) -> None:
    await run(
        worker_db, "insert into santral.sla (workspace_id, name, targets) values ($1, 'default', $2)",
        workspace.id, [{"resolution_s": 1000, "calendar": "always"}],
    )  # fmt: skip
    item = await add_item(worker_db, workspace, channel="email", provider="smtp", age_s=500)
    await keeper.look()
    assert (await clock(worker_db, item, "resolution"))["target_s"] == 1000
    await run(
        worker_db,
        "update santral.work_item set state = 'parked', agent_id = $2, first_reply_at = now() - interval '200 s',"
        " parked_at = now() - interval '200 s', queued_at = now() - interval '200 s' where id = $1",
        item, workspace.agent_id,
    )  # fmt: skip
    await keeper.look()
    paused = await clock(worker_db, item, "resolution")
    assert paused["due_at"] is None
    assert paused["next_at"] is None
    assert paused["elapsed_s"] == pytest.approx(300, abs=2)
    met = await clock(worker_db, item)
    assert met["met_at"] is not None
    assert met["elapsed_s"] == pytest.approx(300, abs=2)
    await run(
        worker_db,
        "update santral.work_item set state = 'queued', agent_id = null, enqueued_at = now() - interval '20 s' where id = $1", item,
    )  # fmt: skip
    await keeper.look()
    running = await clock(worker_db, item, "resolution")
    (now,) = await rows(worker_db, "select now() as at")
    assert (running["due_at"] - now["at"]).total_seconds() == pytest.approx(1000 - 300 - 20, abs=2)
    await run(worker_db, "update santral.work_item set state = 'completed', closed_at = now() where id = $1", item)
    await keeper.look()
    done = await clock(worker_db, item, "resolution")
    assert done["met_at"] is not None
    assert done["elapsed_s"] == pytest.approx(320, abs=2)
    assert await told(worker_db) == [("sla.met", "first_response"), ("sla.met", "resolution")]


async def test_what_ended_unseen_gets_its_clock_all_the_same(worker_db: Database, workspace: Workspace, keeper: Keeper) -> None:
    quick = await add_item(worker_db, workspace, age_s=30)
    late = await add_item(worker_db, workspace, age_s=300)
    left = await add_item(worker_db, workspace, age_s=30)
    await run(
        worker_db,
        "update santral.work_item set state = 'completed', first_reply_at = now(), closed_at = now() where id = any($1)",
        [quick, late],
    )  # fmt: skip
    await run(worker_db, "update santral.work_item set state = 'abandoned', closed_at = now() where id = $1", left)
    await keeper.look()
    assert (await clock(worker_db, quick))["met_at"] is not None
    assert (await clock(worker_db, late))["breached_at"] is not None
    ended = await clock(worker_db, left)
    assert (ended["met_at"], ended["stopped_at"] is not None) == (None, True)
    found = await rows(worker_db, "select data from santral.event where type = 'sla.met'")
    assert sorted(row["data"]["late"] for row in found) == [False, True]
    assert sorted(await told(worker_db)) == [("sla.breached", "first_response")] + [("sla.met", "first_response")] * 2


async def test_an_item_that_is_offered_when_it_is_missed_is_raised_once_it_waits_again(
    worker_db: Database, workspace: Workspace, keeper: Keeper
) -> None:
    """The same rows as after a crash between the breach and the raising."""
    item = await add_item(worker_db, workspace, age_s=70)
    await run(worker_db, "update santral.work_item set state = 'offered', agent_id = $2 where id = $1", item, workspace.agent_id)
    await keeper.look()
    assert await told(worker_db) == [("sla.breached", "first_response")]
    (event,) = await rows(worker_db, "select agent_id, agent_seq from santral.event where type = 'sla.breached'")
    assert event["agent_id"] == workspace.agent_id
    await run(worker_db, "update santral.work_item set state = 'queued', agent_id = null where id = $1", item)
    await keeper.look()
    await keeper.look()
    assert await told(worker_db) == [("sla.breached", "first_response"), ("item.rekeyed", "target_missed")]


async def test_an_item_says_how_its_target_stands(worker_db: Database, workspace: Workspace, keeper: Keeper) -> None:
    async def stands(item: UUID) -> Any:
        async with worker_db.session() as connection:
            return (await read_item(connection, workspace.id, item))["sla"]

    items = [await add_item(worker_db, workspace, age_s=age_s) for age_s in (1, 50, 70, 1)]
    assert await stands(items[0]) is None
    await keeper.look()
    await run(worker_db, "update santral.work_item set state = 'parked', parked_at = now() where id = $1", items[3])
    await keeper.look()
    shown = [await stands(item) for item in items]
    assert [one["state"] for one in shown] == ["running", "warned", "breached", "paused"]
    assert (shown[0]["kind"], shown[0]["target_s"], shown[3]["due_at"]) == ("first_response", 60, None)
    assert datetime.fromisoformat(shown[0]["due_at"]) == (await clock(worker_db, items[0]))["due_at"]


async def test_nobody_waits_where_an_agent_began(worker_db: Database, workspace: Workspace, keeper: Keeper) -> None:
    began = await add_item(worker_db, workspace, age_s=100)
    called = await add_item(worker_db, workspace, channel="phone", provider="asterisk", age_s=100)
    await run(worker_db, "update santral.work_item set state = 'assigned', assigned_at = enqueued_at, external = id = $1", called)
    await keeper.look()
    assert await rows(worker_db, "select 1 from santral.sla_clock where item_id = $1", began) == []
    assert (await clock(worker_db, called))["met_at"] is not None


async def test_clocks_follow_their_queues_calendar(worker_db: Database, workspace: Workspace, keeper: Keeper) -> None:
    tomorrow = "to_char(now() at time zone 'UTC' + interval '1 day', 'YYYY-MM-DD')"
    await run(
        worker_db,
        "insert into santral.calendar (workspace_id, name, time_zone, hours, overrides) values ($1, 'office', 'UTC', '{}',"
        f' jsonb_build_object({tomorrow}, \'[["10:00", "12:00"]]\'::jsonb))',
        workspace.id,
    )
    await run(worker_db, "update santral.queue set calendar = 'office', version = version + 1")
    item = await add_item(worker_db, workspace, age_s=3600)
    await keeper.look()
    made = await clock(worker_db, item)
    assert made["calendar"] == "office"
    assert (made["due_at"].hour, made["due_at"].minute) == (10, 1)
    assert await told(worker_db) == []


async def test_a_calendar_that_never_opens_counts_round_the_clock(
    worker_db: Database, workspace: Workspace, keeper: Keeper
) -> None:
    await run(worker_db, "insert into santral.calendar (workspace_id, name, hours) values ($1, 'default', '{}')", workspace.id)
    item = await add_item(worker_db, workspace, age_s=10)
    await keeper.look()
    made = await clock(worker_db, item)
    assert (made["due_at"] - made["started_at"]).total_seconds() == 60


async def test_two_routers_keep_one_set_of_clocks(
    worker_db: Database, database_urls: PostgresUrls, workspace: Workspace, keeper: Keeper
) -> None:
    other = await keeper_of(worker_db, database_urls)
    items = [await add_item(worker_db, workspace, age_s=70) for _ in range(7)]
    await other.look()
    assert await rows(worker_db, "select 1 from santral.sla_clock") == []
    await keeper.look()
    await run(worker_db, "update santral.lease set until = clock_timestamp() - interval '1 s' where kind = 'sla'")
    await other.leases.round()
    await other.look()
    late = await add_item(worker_db, workspace, age_s=70)
    await keeper.look()  # it believes that it has the lease, and is fenced
    assert await rows(worker_db, "select 1 from santral.sla_clock where item_id = $1", late) == []
    assert not keeper.leases.held
    await other.look()
    items.append(late)
    once = [("sla.breached", "first_response")], [("item.rekeyed", "target_missed")]
    assert await told(worker_db) == once[0] * 7 + once[1] * 7 + once[0] + once[1]
    assert len(items) == len(await rows(worker_db, "select 1 from santral.sla_clock"))


async def test_small_batches_reach_everything(worker_db: Database, database_urls: PostgresUrls, workspace: Workspace) -> None:
    keeper = await keeper_of(worker_db, database_urls, batch=3)
    for _ in range(10):
        await add_item(worker_db, workspace, age_s=70)
    await keeper.look()
    await keeper.look()
    assert (await told(worker_db)).count(("sla.breached", "first_response")) == 10
    assert (await told(worker_db)).count(("item.rekeyed", "target_missed")) == 10
    assert await rows(worker_db, "select 1 from santral.sla_clock where escalated_at is null") == []


async def test_breached_work_that_waits_for_a_colleague_keeps_no_other_workspaces_clocks_waiting(
    worker_db: Database, database_urls: PostgresUrls, workspace: Workspace
) -> None:
    later = await make_workspace(worker_db, name="later")
    keeper = await keeper_of(worker_db, database_urls, batch=5)
    for _ in range(8):
        await add_item(worker_db, workspace, age_s=70)
    async with worker_db.batch() as connection:
        await connection.execute(
            "update santral.work_item set giver_agent_id = $2 where workspace_id = $1", workspace.id, workspace.agent_id
        )
    await keeper.configuration.refresh()
    while await keeper.clocks.round():
        pass
    item = await add_item(worker_db, later, age_s=70)
    await keeper.configuration.refresh()
    for _ in range(4):
        await keeper.clocks.round()
    (clock,) = await rows(
        worker_db, "select breached_at from santral.sla_clock where item_id = $1 and breached_at is not null", item
    )
    assert clock["breached_at"] is not None
