"""What one workspace costs dispatch: filters that take long, and rows that somebody holds, make no other wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest

from router.matcher import matcher as shell
from router.matcher.effects import carry_out
from router.matcher.matcher import Matcher
from router.moves.moves import slot_of
from router.policy.agent_filter import Filters, filter_skill
from shared.database import Connection, Contended, Database
from shared.embedded.postgres import PostgresUrls
from shared.hints import Hints
from shared.leases import Leases
from tests.support.intake_line import rows
from tests.support.workspaces import Workspace, add_agent, add_item, make_workspace

FEED = "insert into santral.dispatch_change (workspace_id, slot, kind, id) values ($1, $2, $3, $4)"
FILTER = 'agent.attributes["team"] == "vip"'
BOT = "update santral.agent set kind = 'bot', budget = 1000, channels = $2 where workspace_id = $1"
IDLE = """
with q as (insert into santral.queue (workspace_id, id, name) values ($1, gen_random_uuid(), 'bos') returning id),
a as (insert into santral.agent (workspace_id, id, name, presence, kind)
  select $1, gen_random_uuid(), 'a' || n, 'online', 'bot' from generate_series(1, $2) n returning id)
insert into santral.queue_member (workspace_id, queue_id, agent_id) select $1, q.id, a.id from q, a
"""
IN_IDLE_QUEUE = "update santral.work_item i set queue_id = q.id from santral.queue q where i.id = $1 and q.name = 'bos'"
MAILS = """
with n as (select gen_random_uuid() as id from generate_series(1, $4)),
h as (insert into santral.handle (workspace_id, id, kind, value, profile_id) select $1, id, 'visitor', id::text, id from n),
c as (insert into santral.conversation (workspace_id, id, handle_id, inbox_id, last_inbox_id, last_handle_id, channel, opened_at)
  select $1, id, id, $3, $3, id, 'email', now() from n)
insert into santral.work_item (workspace_id, id, conversation_id, queue_id, channel, state, due_at, enqueued_at, queued_at, step_at)
select $1, id, id, $2, 'email', 'queued', now(), now(), now(), now() from n
"""


class Gate:
    """Filters of one workspace are asked only when it is opened."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.open, self.asked = threading.Event(), threading.Event()
        real = Filters.met

        def met(filters: Filters, agent: Mapping[str, Any], queues: Any) -> frozenset[str]:
            if filters.sources and not filters.knows(agent, queues):
                self.asked.set()
                assert self.open.wait(30)
            return real(filters, agent, queues)

        patch.setattr(Filters, "met", met)


@pytest.fixture
async def matcher(worker_db: Database, database_urls: PostgresUrls) -> Matcher:
    leases = Leases(worker_db, kind="dispatch", slots=64, owner=uuid4())
    await leases.round()
    return Matcher(db=worker_db, leases=leases, hints=Hints(database_urls.worker, listening=False))


@asynccontextmanager
async def held(db: Database, statement: str, *values: Any) -> AsyncIterator[Connection]:
    """Somebody's transaction that holds what the statement locks, until it is left."""
    async with db.batch() as connection:
        await connection.execute("set local idle_in_transaction_session_timeout = 0")
        await connection.execute(statement, *values)
        yield connection


async def state(db: Database, item: UUID) -> str:
    return str((await rows(db, "select state from santral.work_item where id = $1", item))[0]["state"])


async def rest(matcher: Matcher) -> None:
    while await matcher.round():
        pass


async def execute(db: Database, statement: str, *values: Any) -> None:
    async with db.batch() as connection:
        await connection.execute(statement, *values)


async def give_filter(db: Database, workspace: Workspace, source: str = FILTER) -> None:
    await execute(
        db, "insert into santral.agent_filter (workspace_id, name, source) values ($1, $2, $3)", workspace.id, filter_skill(source), source
    )  # fmt: skip


async def change_agent(db: Database, workspace: Workspace, **attributes: str) -> None:
    await execute(
        db, "update santral.agent set attributes = $2, version = version + 1 where workspace_id = $1", workspace.id, attributes
    )
    await execute(db, FEED, workspace.id, slot_of(workspace.id), "agent", workspace.agent_id)


async def test_filters_that_take_long_are_asked_beside_the_rounds_of_others(
    worker_db: Database, workspace: Workspace, matcher: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, other = Gate(monkeypatch), await make_workspace(worker_db, name="iki")
    await give_filter(worker_db, workspace)
    slow, quick = await add_item(worker_db, workspace), await add_item(worker_db, other)
    await rest(matcher)
    assert [await state(worker_db, item) for item in (slow, quick)] == ["queued", "offered"]
    # While it lasts others' go on, and what comes to the one is not lost.
    later, next_quick = await add_item(worker_db, workspace), await add_item(worker_db, other)
    await rest(matcher)
    assert await asyncio.to_thread(gate.asked.wait, 30)
    assert [await state(worker_db, item) for item in (slow, later, next_quick)] == ["queued", "queued", "offered"]
    assert not await rows(worker_db, "select 1 from santral.dispatch_change where workspace_id = $1", workspace.id)
    gate.open.set()
    assert await matcher.made_ready()
    await rest(matcher)
    assert [await state(worker_db, item) for item in (slow, later)] == ["offered", "offered"]
    # Known filters cost nothing: the next comes at once.
    at_once = await add_item(worker_db, workspace)
    await rest(matcher)
    assert await state(worker_db, at_once) == "offered"
    assert not await matcher.made_ready()


async def test_what_changes_while_filters_are_asked_counts_in_the_end(
    worker_db: Database, workspace: Workspace, matcher: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    await give_filter(worker_db, workspace)
    await change_agent(worker_db, workspace, team="vip")
    await rest(matcher)
    assert await matcher.made_ready()
    await rest(matcher)
    gate = Gate(monkeypatch)
    await change_agent(worker_db, workspace, team="b")
    await rest(matcher)
    assert await asyncio.to_thread(gate.asked.wait, 30)
    await change_agent(worker_db, workspace, team="vip")
    needs = await add_item(worker_db, workspace)
    await execute(worker_db, "update santral.work_item set skills = $2 where id = $1", needs, {filter_skill(FILTER): 1})
    await rest(matcher)
    gate.open.set()
    while await matcher.round() or await matcher.made_ready():
        pass
    assert await state(worker_db, needs) == "offered", "the last change counts, not the one that was asked first"


async def test_many_agents_of_one_workspace_cost_another_one_slice(
    worker_db: Database, workspace: Workspace, matcher: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    large, small = workspace, await make_workspace(worker_db, name="iki")
    for one in (large, small):
        await give_filter(worker_db, one)
    for number in range(100):
        await add_agent(worker_db, large, uuid4(), f"a{number}")
    order: list[UUID] = []
    real = Filters.met

    def met(filters: Filters, agent: Mapping[str, Any], queues: Any) -> frozenset[str]:
        order.append(agent["workspace_id"])
        return real(filters, agent, queues)

    monkeypatch.setattr(Filters, "met", met)
    await rest(matcher)
    assert await matcher.made_ready()
    assert len(order) == 102
    assert order.index(small.id) <= 20


async def test_filters_that_were_asked_for_a_slot_that_moved_on_are_forgotten(
    worker_db: Database, workspace: Workspace, matcher: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    await give_filter(worker_db, workspace)
    item = await add_item(worker_db, workspace)
    await rest(matcher)
    matcher.forget()
    gate.open.set()
    assert not await matcher.made_ready(), "nobody waits for it any more"
    while await matcher.round() or await matcher.made_ready():
        pass
    assert await state(worker_db, item) == "offered"


async def test_an_agent_whom_somebody_holds_makes_nobody_else_wait(
    worker_db: Database, workspace: Workspace, matcher: Matcher
) -> None:
    other = await make_workspace(worker_db, name="iki")
    kept, free = await add_item(worker_db, workspace), await add_item(worker_db, other)
    async with held(worker_db, "select 1 from santral.agent where id = $1 for update", workspace.agent_id):
        for _ in range(3):
            await matcher.round()
        assert [await state(worker_db, item) for item in (kept, free)] == ["queued", "offered"]
    # What was refused is proposed again some milliseconds after the core heard of it.
    while await state(worker_db, kept) == "queued":
        await matcher.round()
    assert await state(worker_db, kept) == "offered"


async def test_a_workspace_whose_rows_stay_locked_is_set_aside_alone(
    worker_db: Database, workspace: Workspace, matcher: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [await make_workspace(worker_db, name=f"other{place}") for place in range(6)]
    items = [await add_item(worker_db, one) for one in others]
    kept = await add_item(worker_db, workspace)

    async def waiting(connection: Any, effects: Mapping[UUID, Any], at: Any) -> Any:
        if workspace.id in effects:
            await connection.execute("select 1 from santral.queue where id = $1 for update", workspace.queue_id)
        return await carry_out(connection, effects, at)

    monkeypatch.setattr(shell, "carry_out", waiting)
    monkeypatch.setattr(shell, "ASIDE_S", 3600.0)
    async with held(worker_db, "select 1 from santral.queue where id = $1 for update", workspace.queue_id):
        await rest(matcher)
        assert [await state(worker_db, item) for item in items] == ["offered"] * 6
        assert await state(worker_db, kept) == "queued"
        # Nobody's memory was dropped for it: only what comes is read.
        monkeypatch.setattr(shell, "read_everything", None)
        more = await add_item(worker_db, others[0])
        await rest(matcher)
        assert await state(worker_db, more) == "offered"
    monkeypatch.undo()
    monkeypatch.setattr(shell, "ASIDE_S", 0.0)
    await rest(matcher)
    assert await state(worker_db, kept) == "offered"


async def test_masses_of_one_workspace_cost_another_one_turn_of_them(
    worker_db: Database, workspace: Workspace, matcher: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await make_workspace(worker_db, name="iki")
    await execute(worker_db, BOT, workspace.id, {"email": {"cost": 1, "cap": 1000}})
    await execute(worker_db, MAILS, workspace.id, workspace.queue_id, workspace.inboxes["smtp"], 700)
    turns: list[set[UUID]] = []
    items: list[UUID] = []

    async def turn(connection: Any, effects: Mapping[UUID, Any], at: Any) -> Any:
        turns.append(set(effects))
        if len(turns) in (1, 3):
            items.append(await add_item(worker_db, other))
        return await carry_out(connection, effects, at)

    monkeypatch.setattr(shell, "carry_out", turn)
    await rest(matcher)
    assert turns == [{workspace.id}, {workspace.id, other.id}, {workspace.id}, {workspace.id, other.id}]
    assert [await state(worker_db, item) for item in items] == ["offered", "offered"]
    assert not await rows(worker_db, "select 1 from santral.work_item where workspace_id = $1 and state = 'queued'", workspace.id)


async def test_what_time_does_to_masses_of_one_workspace_is_written_in_turns_and_nothing_is_left_out(
    worker_db: Database, workspace: Workspace, matcher: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await make_workspace(worker_db, name="iki")
    await execute(worker_db, MAILS, workspace.id, workspace.queue_id, workspace.inboxes["smtp"], 450)
    await execute(
        worker_db, "update santral.work_item set expires_at = now() - interval '1 s' where workspace_id = $1", workspace.id
    )
    turns: list[dict[UUID, int]] = []
    items: list[UUID] = []

    async def turn(connection: Any, effects: Mapping[UUID, Any], at: Any) -> Any:
        turns.append({one: len(asked) for one, asked in effects.items()})
        if len(turns) == 1:
            items.append(await add_item(worker_db, other))
            # Told while the rest of its effects waits, and not lost.
            items.append(await add_item(worker_db, workspace))
        return await carry_out(connection, effects, at)

    monkeypatch.setattr(shell, "carry_out", turn)
    await rest(matcher)
    assert turns[:3] == [{workspace.id: 200}, {workspace.id: 200, other.id: 1}, {workspace.id: 50}]
    assert [await state(worker_db, item) for item in items] == ["offered", "offered"]
    assert not await rows(worker_db, "select 1 from santral.work_item where workspace_id = $1 and state = 'queued'", workspace.id)


async def test_a_round_in_which_nothing_was_found_yet_says_that_there_is_more(
    worker_db: Database, workspace: Workspace, matcher: Matcher
) -> None:
    await execute(worker_db, IDLE, workspace.id, 450)
    first = await add_item(worker_db, workspace)
    await execute(worker_db, IN_IDLE_QUEUE, first)
    assert await matcher.round()
    # Two hundred of the idle ones have been looked at, two hundred more come before the agent who can take the next.
    second = await add_item(worker_db, workspace)
    await rest(matcher)
    assert [await state(worker_db, item) for item in (first, second)] == ["offered", "offered"]


async def test_leases_that_somebody_holds_concern_all_and_nothing_is_lost(
    worker_db: Database, workspace: Workspace, matcher: Matcher
) -> None:
    await rest(matcher)
    item = await add_item(worker_db, workspace)
    async with held(worker_db, "select 1 from santral.lease where kind = 'dispatch' for update"):
        with pytest.raises(Contended):
            await matcher.round()
    await rest(matcher)
    assert await state(worker_db, item) == "offered"
