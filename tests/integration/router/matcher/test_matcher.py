"""Dispatch's shell and agents' commands on real PostgreSQL: offers, answers, capacity, fencing."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from router.commands.offer import accept, decline
from router.commands.presence import set_presence
from router.commands.reply import write_reply
from router.commands.work import abandon, claim, done
from router.matcher.matcher import Matcher
from shared.database import Database, retried
from shared.embedded.postgres import PostgresUrls
from shared.errors import Conflict, NotFound
from shared.hints import Hints
from shared.ids import new_id
from shared.leases import Leases
from tests.support.workspaces import Workspace, add_agent, add_item


@pytest.fixture
async def matcher(worker_db: Database, database_urls: PostgresUrls) -> Matcher:
    leases = Leases(worker_db, kind="dispatch", slots=64, owner=uuid4())
    await leases.round()
    return Matcher(db=worker_db, leases=leases, hints=Hints(database_urls.worker, listening=False))


async def settle(matcher: Matcher) -> None:
    while await matcher.round():
        pass


async def row(db: Database, table: str, workspace: Workspace, one: UUID) -> Any:
    async with db.session() as connection:
        return await connection.fetchrow(f"select * from santral.{table} where workspace_id = $1 and id = $2", workspace.id, one)


async def open_offer(db: Database, workspace: Workspace, item: UUID) -> Any:
    async with db.session() as connection:
        return await connection.fetchrow(
            "select * from santral.offer where workspace_id = $1 and item_id = $2 and state = 'open'", workspace.id, item
        )


async def contiguous(db: Database, workspace: Workspace) -> None:
    async with db.session() as connection:
        gaps = await connection.fetch(
            "select conversation_id, count(*) as n, max(seq) as top, min(seq) as low from santral.event"
            " where workspace_id = $1 and conversation_id is not null group by 1 having count(*) <> max(seq) or min(seq) <> 1",
            workspace.id,
        )
        agents = await connection.fetch(
            "select agent_id from santral.event where workspace_id = $1 and agent_id is not null group by 1"
            " having count(*) <> max(agent_seq) or min(agent_seq) <> 1",
            workspace.id,
        )
    assert not gaps
    assert not agents


async def test_a_chat_is_offered_accepted_answered_and_done(worker_db: Database, workspace: Workspace, matcher: Matcher) -> None:
    item = await add_item(worker_db, workspace)
    await settle(matcher)
    offer = await open_offer(worker_db, workspace, item)
    assert offer["agent_id"] == workspace.agent_id
    assert (await row(worker_db, "agent", workspace, workspace.agent_id))["used"] == 33
    decision = await row(worker_db, "decision", workspace, offer["decision_id"])
    assert decision["record"]["candidates"][0]["agent_id"] == str(workspace.agent_id)

    async with worker_db.batch(workspace.id) as connection:
        taken = await accept(connection, workspace_id=workspace.id, offer_id=offer["id"], agent_id=workspace.agent_id)
    assert taken.state == "assigned"
    async with worker_db.batch(workspace.id) as connection:
        written = await write_reply(
            connection, workspace_id=workspace.id, conversation_id=taken.conversation_id, reply_id=new_id(),
            agent_id=workspace.agent_id, actor="agent", content={"kind": "text", "text": "Merhaba"},
        )  # fmt: skip
    assert written.channel == "chat"
    async with worker_db.batch(workspace.id) as connection:
        ended = await done(
            connection, workspace_id=workspace.id, item_id=item, agent_id=workspace.agent_id, outcome={"reason": "ok"}
        )
    assert ended.state == "completed"
    agent = await row(worker_db, "agent", workspace, workspace.agent_id)
    assert (agent["used"], agent["counts"]["chat"]) == (0, 0)
    await contiguous(worker_db, workspace)


async def test_fifty_accepts_at_once_have_one_winner(worker_db: Database, workspace: Workspace, matcher: Matcher) -> None:
    item = await add_item(worker_db, workspace)
    await settle(matcher)
    offer = await open_offer(worker_db, workspace, item)

    async def one() -> str:
        async def work() -> str:
            async with worker_db.batch(workspace.id) as connection:
                await accept(connection, workspace_id=workspace.id, offer_id=offer["id"], agent_id=workspace.agent_id)
            return "won"

        try:
            return await retried(work)
        except Conflict:
            return "lost"

    answers = await asyncio.gather(*(one() for _ in range(50)))
    assert sorted(answers) == ["lost"] * 49 + ["won"]
    assert (await row(worker_db, "agent", workspace, workspace.agent_id))["used"] == 33
    await contiguous(worker_db, workspace)


async def test_a_declined_offer_goes_to_the_other_agent_with_its_key(
    worker_db: Database, workspace: Workspace, matcher: Matcher
) -> None:
    other = await add_agent(worker_db, workspace, new_id(), "Ece")
    item = await add_item(worker_db, workspace, age_s=5)
    await settle(matcher)
    before = await row(worker_db, "work_item", workspace, item)
    offer = await open_offer(worker_db, workspace, item)
    async with worker_db.batch(workspace.id) as connection:
        await decline(connection, workspace_id=workspace.id, offer_id=offer["id"], agent_id=offer["agent_id"], reason="busy")
    await settle(matcher)
    second = await open_offer(worker_db, workspace, item)
    assert {offer["agent_id"], second["agent_id"]} == {workspace.agent_id, other}
    after = await row(worker_db, "work_item", workspace, item)
    assert (after["due_at"], after["enqueued_at"]) == (before["due_at"], before["enqueued_at"])
    assert (await row(worker_db, "agent", workspace, offer["agent_id"]))["used"] == 0
    await contiguous(worker_db, workspace)


async def test_capacity_is_never_exceeded(worker_db: Database, workspace: Workspace, matcher: Matcher) -> None:
    for _ in range(10):
        await add_item(worker_db, workspace)
    await settle(matcher)
    agent = await row(worker_db, "agent", workspace, workspace.agent_id)
    assert (agent["used"], agent["counts"]) == (99, {"chat": 3})


async def test_fifty_answered_mails_hold_no_capacity(worker_db: Database, workspace: Workspace, matcher: Matcher) -> None:
    items = {await add_item(worker_db, workspace, channel="email", provider="smtp") for _ in range(50)}
    answered: set[UUID] = set()
    while answered != items:
        await settle(matcher)
        async with worker_db.session() as connection:
            mine = await connection.fetch(
                "select id, conversation_id from santral.work_item where workspace_id = $1 and state = 'assigned'", workspace.id
            )
        assert mine, "work that waits reaches an agent with room"
        for one in mine:
            async with worker_db.batch(workspace.id) as connection:
                await write_reply(
                    connection, workspace_id=workspace.id, conversation_id=one["conversation_id"], reply_id=new_id(),
                    agent_id=workspace.agent_id, actor="agent", content={"kind": "text", "text": "Çözüldü"},
                )  # fmt: skip
            answered.add(one["id"])
    agent = await row(worker_db, "agent", workspace, workspace.agent_id)
    assert (agent["used"], agent["interruptible_used"], agent["counts"]) == (0, 0, {"email": 0})
    await contiguous(worker_db, workspace)


async def test_nobody_online_means_it_waits_until_somebody_comes(
    worker_db: Database, workspace: Workspace, matcher: Matcher
) -> None:
    async with worker_db.batch(workspace.id) as connection:
        await set_presence(connection, workspace_id=workspace.id, agent_id=workspace.agent_id, presence="away", reason="lunch")
    item = await add_item(worker_db, workspace)
    await settle(matcher)
    assert await open_offer(worker_db, workspace, item) is None
    async with worker_db.batch(workspace.id) as connection:
        await set_presence(connection, workspace_id=workspace.id, agent_id=workspace.agent_id, presence="online")
    await settle(matcher)
    assert await open_offer(worker_db, workspace, item) is not None


async def test_claiming_is_for_members_of_queues_that_pull(worker_db: Database, workspace: Workspace) -> None:
    item = await add_item(worker_db, workspace)
    async with worker_db.batch(workspace.id) as connection:
        mine = await claim(connection, workspace_id=workspace.id, item_id=item, agent_id=workspace.agent_id)
    assert mine.state == "assigned"
    with pytest.raises(Conflict):
        async with worker_db.batch(workspace.id) as connection:
            await claim(connection, workspace_id=workspace.id, item_id=item, agent_id=workspace.agent_id)
    with pytest.raises(NotFound):
        async with worker_db.batch(workspace.id) as connection:
            await claim(connection, workspace_id=workspace.id, item_id=new_id(), agent_id=workspace.agent_id)


async def test_a_matcher_whose_lease_moved_on_writes_nothing(worker_db: Database, workspace: Workspace, matcher: Matcher) -> None:
    await settle(matcher)
    await add_item(worker_db, workspace)
    async with worker_db.session() as connection:
        await connection.execute("update santral.lease set owner = $1, epoch = epoch + 1 where kind = 'dispatch'", uuid4())
    await settle(matcher)
    async with worker_db.session() as connection:
        assert await connection.fetchval("select count(*) from santral.offer") == 0
        assert await connection.fetchval("select count(*) from santral.dispatch_change") > 0


async def test_a_customer_who_leaves_ends_what_waits_and_is_told_to_who_has_it(
    worker_db: Database, workspace: Workspace, matcher: Matcher
) -> None:
    taken, waiting = await add_item(worker_db, workspace), await add_item(worker_db, workspace)
    async with worker_db.batch(workspace.id) as connection:
        mine = await claim(connection, workspace_id=workspace.id, item_id=taken, agent_id=workspace.agent_id)
    other = await row(worker_db, "work_item", workspace, waiting)
    for conversation in (mine.conversation_id, other["conversation_id"]):
        async with worker_db.batch(workspace.id) as connection:
            await abandon(connection, workspace_id=workspace.id, conversation_id=conversation, reason="left")
    assert (await row(worker_db, "work_item", workspace, waiting))["state"] == "abandoned"
    assert (await row(worker_db, "work_item", workspace, taken))["state"] == "assigned"
    async with worker_db.session() as connection:
        told = await connection.fetchval(
            "select count(*) from santral.event where conversation_id = $1 and type = 'conversation.left'", mine.conversation_id
        )
    assert told == 1
    await contiguous(worker_db, workspace)
