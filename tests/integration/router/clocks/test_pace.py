"""Queues measured on real rows: their pace, the wait it foretells, and the report of what was reserved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from router.clocks.pace import measure, read_pace
from router.matcher.matcher import Matcher
from router.views.desk import place_in_line
from router.views.routing_report import routing_report
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.hints import Hints
from shared.ids import first_id_at, new_id
from shared.leases import Leases
from tests.support.intake_line import Line, member_of, message_to, rows
from tests.support.workspaces import Workspace, add_agent, add_item


async def worked(db: Database, workspace: Workspace, count: int, *, seconds: float) -> None:
    """Items that were finished a while ago, each after so long with its agent."""
    for _ in range(count):
        item = await add_item(db, workspace)
        async with db.batch() as connection:
            await connection.execute(
                "update santral.work_item set state = 'completed', closed_at = now() - interval '5 s',"
                " assigned_at = now() - interval '5 s' - $3 * interval '1 s' where workspace_id = $1 and id = $2",
                workspace.id, item, seconds,
            )  # fmt: skip


async def test_a_queue_s_pace_is_that_of_its_agents(worker_db: Database, workspace: Workspace) -> None:
    await add_agent(worker_db, workspace, new_id(), "Ece")
    await worked(worker_db, workspace, 19, seconds=120)
    async with worker_db.batch() as connection:
        await measure(connection)
        (young,) = await read_pace(connection, workspace.id)
    assert (young["finished"], young["wait"]) == (19, None), "too few to foretell anything"
    await worked(worker_db, workspace, 1, seconds=120)
    for _ in range(4):
        await add_item(worker_db, workspace)
    async with worker_db.batch() as connection:
        await measure(connection)
        await measure(connection)
        (row,) = await read_pace(connection, workspace.id)
    assert (row["waiting"], row["agents_online"], row["finished"]) == (4, 2, 20)
    assert row["handling_s"] == pytest.approx(120)
    # Two agents with three chats each finish one every twenty seconds; a newcomer is fifth.
    assert row["wait"].p50_s == pytest.approx(93.4, abs=1)
    assert row["wait"].p90_s == pytest.approx(159.9, abs=1.5)


async def test_the_report_counts_reservations(worker_db: Database, database_urls: PostgresUrls, workspace: Workspace) -> None:
    other = await add_agent(worker_db, workspace, new_id(), "Ece")
    for _ in range(4):
        await add_item(worker_db, workspace, channel="email", provider="smtp", age_s=60)
    leases = Leases(worker_db, kind="dispatch", slots=64, owner=uuid4())
    await leases.round()
    matcher = Matcher(db=worker_db, leases=leases, hints=Hints(database_urls.worker, listening=False))
    while await matcher.round():
        pass
    now = datetime.now(UTC)
    async with worker_db.batch() as connection:
        found = await routing_report(connection, [workspace.id], since=now - timedelta(hours=1), until=now + timedelta(seconds=1))
        before = await routing_report(connection, [workspace.id], since=now - timedelta(hours=2), until=now - timedelta(hours=1))
    assert found.whole is not None
    assert (found.whole.reserved, [row.queue for row in found.queues]) == (4, ["genel"])
    assert 60 <= found.whole.p50_s <= found.whole.p99_s <= found.whole.max_s < 90
    assert {share.agent_id: share.taken for share in found.agents} == {workspace.agent_id: 2, other: 2}
    assert found.gini == pytest.approx(0)
    assert before.whole is None
    assert before.agents == ()


def test_ids_made_later_are_not_smaller_than_their_time() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=2)
    made = new_id()
    assert first_id_at(before) < made < first_id_at(datetime.now(UTC) + timedelta(milliseconds=2))


async def test_whoever_comes_is_foretold_a_wait_and_its_error_is_reported(
    worker_db: Database, database_urls: PostgresUrls, workspace: Workspace
) -> None:
    await worked(worker_db, workspace, 20, seconds=120)
    async with worker_db.batch() as connection:
        await measure(connection)
    member = await member_of(worker_db)
    await member.configuration.refresh_figures()
    line = Line()
    line.add(message_to(workspace, "webchat", "m1", who="v-1"))
    await member.take(line)
    (item,) = await rows(
        worker_db,
        "select conversation_id, predicted_s, predicted_p90_s from santral.work_item where state = 'queued' and workspace_id = $1",
        workspace.id,
    )
    # One agent with three chats finishes one every forty seconds.
    assert (item["predicted_s"], item["predicted_p90_s"]) == (28, 91)
    leases = Leases(worker_db, kind="dispatch", slots=64, owner=uuid4())
    await leases.round()
    matcher = Matcher(db=worker_db, leases=leases, hints=Hints(database_urls.worker, listening=False))
    while await matcher.round():
        pass
    now = datetime.now(UTC)
    async with worker_db.batch() as connection:
        found = await routing_report(connection, [workspace.id], since=now - timedelta(hours=1), until=now + timedelta(seconds=1))
        place = await place_in_line(connection, workspace.id, item["conversation_id"])
    assert found.whole is not None
    assert (found.whole.predicted, found.whole.prediction_kept_share) == (1, 1.0)
    assert found.whole.prediction_bias_s == pytest.approx(-27, abs=3)
    assert (place["state"], place["position"]) == ("waiting", 1)
    assert place["wait"]["p50_s"] == pytest.approx(28, abs=1)
