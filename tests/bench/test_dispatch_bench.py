"""Durable dispatch of a large floor: 50,000 waiting, 10,000 agents, 100 queues, skills on; then its take-over, then single items."""

from __future__ import annotations

import os
import resource
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from router.matcher.matcher import Matcher
from services.frame.process import calm_collector
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.hints import Hints
from shared.ids import new_id
from shared.leases import Leases
from tests.support.figures import Figures, percentile
from tests.support.workspaces import Workspace, add_agent, add_item, make_workspace

WAITING = int(os.environ.get("SANTRAL_BENCH_WAITING", "50000"))
AGENTS = WAITING // 5
QUEUES = 100
SINGLE = 300
MAIL = {"email": {"cost": 20, "cap": 10, "interruptible": True}}  # twice the usual: room for everything
SKILLS = tuple(f"skill-{n}" for n in range(10))

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]


async def floor_of(db: Database, workspace: Workspace) -> None:
    """Agents who take mail, each in three queues with three skills; items that each ask for one of them, an age apart."""
    now = datetime.now(UTC)
    queues = [new_id() for _ in range(QUEUES)]
    agents: list[UUID] = [new_id() for _ in range(AGENTS)]
    handles = [new_id() for _ in range(WAITING)]
    conversations = [new_id() for _ in range(WAITING)]
    # Queue q and skill s = q mod 10 belong together, so everybody in a queue can take what waits there.
    members = [(agent, (n * 3 + k * 10) % QUEUES) for n, agent in enumerate(agents) for k in range(3)]
    skills: dict[UUID, dict[str, int]] = {}
    for agent, queue in members:
        skills.setdefault(agent, {})[SKILLS[queue % 10]] = 3
    async with db.batch() as connection:
        await connection.execute("set local statement_timeout = '300s'")
        await connection.executemany(
            "insert into santral.queue (workspace_id, id, name) values ($1, $2, $3)",
            [(workspace.id, queue, f"q{n}") for n, queue in enumerate(queues)],
        )
        await connection.executemany(
            "insert into santral.agent (workspace_id, id, name, skills, budget, channels, presence, lease_until)"
            " values ($1, $2, $3, $4, 200, $5, 'online', now() + interval '1 h')",
            [(workspace.id, agent, f"agent {n}", skills[agent], MAIL) for n, agent in enumerate(agents)],
        )
        await connection.executemany(
            "insert into santral.queue_member (workspace_id, queue_id, agent_id) values ($1, $2, $3)",
            [(workspace.id, queues[queue], agent) for agent, queue in members],
        )
        await connection.executemany(
            "insert into santral.handle (workspace_id, id, kind, value, profile_id) values ($1, $2, 'visitor', $3, $2)",
            [(workspace.id, handle, str(handle)) for handle in handles],
        )
        inbox = workspace.inboxes["smtp"]
        await connection.executemany(
            "insert into santral.conversation (workspace_id, id, handle_id, inbox_id, last_inbox_id, last_handle_id, channel, opened_at)"
            " values ($1, $2, $3, $4, $4, $3, 'email', $5)",
            [(workspace.id, conversation, handle, inbox, now) for conversation, handle in zip(conversations, handles, strict=True)],
        )
        await connection.executemany(
            "insert into santral.work_item (workspace_id, id, conversation_id, queue_id, channel, state, due_at, enqueued_at, queued_at,"
            " step_at, skills) values ($1, $2, $3, $4, 'email', 'queued', $5, $5, $6, $6, $7)",
            [
                (
                    workspace.id,
                    new_id(),
                    conversation,
                    queues[n % QUEUES],
                    now - timedelta(milliseconds=n),
                    now,
                    {SKILLS[n % QUEUES % 10]: 1 + n % 3},
                )
                for n, conversation in enumerate(conversations)
            ],
        )
    async with db.session() as connection:
        await connection.execute("update santral.agent set lease_until = now() + interval '1 h'")  # nobody's page is open here
        await connection.execute("analyze")


async def waiting_of(db: Database) -> int:
    async with db.session() as connection:
        return int(await connection.fetchval("select count(*) from santral.work_item where state = 'queued'"))


async def settled(matcher: Matcher, leases: Leases) -> None:
    """Works until nothing is left to do; leases are renewed as the running process does."""
    await leases.round()
    renewed = time.monotonic()
    while await matcher.round():
        if time.monotonic() - renewed > 1:
            await leases.round()
            renewed = time.monotonic()


async def test_fifty_thousand_waiting(database_urls: PostgresUrls) -> None:
    db = await Database.open(database_urls.worker, name="bench")
    workspace = await make_workspace(db)
    for n in range(SINGLE // 4):
        await add_agent(db, workspace, new_id(), f"spare {n}")
    await floor_of(db, workspace)
    hints = Hints(database_urls.worker, listening=False)
    calm_collector()
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    leases = Leases(db, kind="dispatch", slots=64, owner=uuid4())
    matcher = Matcher(db=db, leases=leases, hints=hints)
    began = time.perf_counter()
    await settled(matcher, leases)
    took = time.perf_counter() - began
    left = await waiting_of(db)
    await leases.give_back()

    heirs = Leases(db, kind="dispatch", slots=64, owner=uuid4())
    heir = Matcher(db=db, leases=heirs, hints=hints)
    await heirs.round()
    began = time.perf_counter()
    await heir.round()
    over = time.perf_counter() - began

    single: list[float] = []
    for _ in range(SINGLE):
        await add_item(db, workspace, channel="email", provider="smtp")
        await heirs.round()
        began = time.perf_counter()
        await heir.round()
        single.append((time.perf_counter() - began) * 1000)
    assert await waiting_of(db) == left, "each of these was assigned in its round"
    figures = Figures(f"Dispatch: {WAITING:,} waiting, {AGENTS:,} agents in {QUEUES} queues, skills on, every reservation durable")
    figures.add(
        "assigned from the backlog, take-over included", f"{(WAITING - left) / took:,.0f}/s", f"{WAITING - left:,} in {took:.1f} s"
    )
    figures.add("take-over of that floor", f"{over:.1f} s", f"{WAITING:,} items with agents")
    figures.add("one item, decided and committed", f"p50 {percentile(single, 0.5):.1f} ms, p99 {percentile(single, 0.99):.1f} ms")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    figures.add("memory of the process", f"{peak_mb} MB", f"at its peak, test and all; {before_mb} MB before dispatch began")
    print(figures.show())
    await db.close()
    assert left == 0, "there was room for everything"
