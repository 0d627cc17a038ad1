"""The day of an ordinary team: 60 agents, 10,000 messages over eight hours with two peaks, 800 of them waiting when all log in at nine.

Intake and dispatch on real PostgreSQL, run as fast as they go; the day's clock ticks in minutes, in which agents finish what they have.
"""

from __future__ import annotations

import math
import random
import resource
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from router.commands.presence import renew_lease, set_presence
from router.commands.work import done
from router.matcher.matcher import Matcher
from services.frame.process import calm_collector
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.hints import Hints
from shared.ids import new_id
from shared.leases import Leases
from tests.support.figures import Figures, percentile
from tests.support.intake_line import Line, Member, member_of, message_to, rows
from tests.support.workspaces import Workspace, add_agent, make_workspace

AGENTS = 60
MESSAGES = 10_000
EARLY = 800
MINUTES = 8 * 60
HANDLING_MIN = {"email": 8.0, "chat": 6.0}
CHAT_SHARE = 0.4
RENEW_S = 10.0

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]


class Day:
    """The team's day: what comes each minute, who has it since when, and how long it waited."""

    def __init__(self, db: Database, workspace: Workspace, member: Member, matcher: Matcher, leases: Leases) -> None:
        self._db, self._workspace, self._member, self._matcher, self._leases = db, workspace, member, matcher, leases
        self._chance = random.Random(60)
        self._line = Line()
        self._sent = 0
        self._came: dict[UUID, int] = {}
        self._ends: dict[UUID, tuple[int, UUID]] = {}
        self.waited: list[float] = []

    async def arrive(self, count: int, minute: int) -> None:
        """So many messages, each of another customer, taken in."""
        for _ in range(count):
            self._sent += 1
            provider = "webchat" if self._chance.random() < CHAT_SHARE else "smtp"
            who = f"v-{self._sent}" if provider == "webchat" else f"k{self._sent}@ornek.com"
            self._line.add(message_to(self._workspace, provider, f"m{self._sent}", who=who))
        while (taken := await self._member.take(self._line)).outcomes:
            self._came |= dict.fromkeys((one.item_id for one in taken.outcomes if one.item_id is not None), minute)

    async def dispatch(self, minute: int) -> None:
        """Assigns what can be assigned, and draws when each will be done."""
        await self._leases.round()
        while await self._matcher.round():
            pass
        held = await rows(self._db, "select id, agent_id, channel from santral.work_item where state = 'assigned'")
        for row in held:
            if row["id"] not in self._ends:
                took = self._chance.expovariate(1 / HANDLING_MIN[row["channel"]])
                self._ends[row["id"]] = (minute + max(1, math.ceil(took)), row["agent_id"])
                self.waited.append(float(minute - self._came[row["id"]]))

    async def finish(self, minute: int) -> None:
        """What is due by now is done."""
        due = [item for item, (end, _) in self._ends.items() if end <= minute]
        for item in due:
            _, agent = self._ends.pop(item)
            async with self._db.batch(self._workspace.id) as connection:
                await done(connection, workspace_id=self._workspace.id, item_id=item, agent_id=agent, outcome={})

    @property
    def open(self) -> int:
        """How many are not finished."""
        return len(self._ends)


def arrivals(count: int) -> Sequence[int]:
    """Messages by minute: two peaks, at eleven and at three."""
    weights = [1 + 0.5 * math.exp(-(((m - 120) / 50) ** 2)) + 0.4 * math.exp(-(((m - 360) / 50) ** 2)) for m in range(MINUTES)]
    ideal, whole, given = 0.0, sum(weights), 0
    minutes = []
    for weight in weights:
        ideal += count * weight / whole
        minutes.append(round(ideal) - given)
        given = round(ideal)
    return minutes


async def over_the_limit(db: Database) -> list[dict[str, Any]]:
    """Who has more than their limits allow: over the budget only as far as mail, which can be laid aside, covers it."""
    return await rows(
        db,
        "select name, used, counts from santral.agent where used - budget > interruptible_used"
        " or coalesce((counts->>'chat')::int, 0) > 3 or coalesce((counts->>'email')::int, 0) > 5",
    )


async def test_the_day_of_a_team(database_urls: PostgresUrls) -> None:
    db = await Database.open(database_urls.worker, name="bench")
    workspace = await make_workspace(db, settings={"terms": {"chat": {"auto_accept": True}}})
    agents = [workspace.agent_id, *[await add_agent(db, workspace, new_id(), f"agent {n}") for n in range(1, AGENTS)]]
    for agent in agents:
        async with db.batch() as connection:
            await set_presence(connection, workspace_id=workspace.id, agent_id=agent, presence="offline")
    leases = Leases(db, kind="dispatch", slots=64, owner=uuid4())
    matcher = Matcher(db=db, leases=leases, hints=Hints(database_urls.worker, listening=False))
    day = Day(db, workspace, await member_of(db), matcher, leases)
    calm_collector()
    began, cpu = time.perf_counter(), time.process_time()
    await day.arrive(EARLY, 0)
    await day.dispatch(0)
    assert not day.waited, "nobody is there yet"
    for agent in agents:
        async with db.batch() as connection:
            await set_presence(connection, workspace_id=workspace.id, agent_id=agent, presence="online")
    at_nine = time.perf_counter()
    await day.dispatch(0)
    logged_in, taken = time.perf_counter() - at_nine, len(day.waited)
    over = await over_the_limit(db)
    renewed = time.perf_counter()
    for minute, count in enumerate(arrivals(MESSAGES - EARLY), start=1):
        if time.perf_counter() - renewed > RENEW_S:
            renewed = time.perf_counter()
            for agent in agents:
                async with db.batch() as connection:
                    await renew_lease(connection, workspace_id=workspace.id, agent_id=agent)
        await day.finish(minute)
        await day.arrive(count, minute)
        await day.dispatch(minute)
        over += await over_the_limit(db)
    took, used = time.perf_counter() - began, time.process_time() - cpu
    figures = Figures(
        f"The day of a team: {AGENTS} agents, {MESSAGES:,} messages over eight hours, {EARLY} waiting when all log in"
    )
    figures.add("at nine", f"{taken} items assigned in {logged_in:.2f} s", "all agents at once, nobody over the limit")
    waits = f"p50 {percentile(day.waited, 0.5):.0f} min, p90 {percentile(day.waited, 0.9):.0f} min, max {max(day.waited):.0f} min"
    figures.add("waits over the day", waits, f"{len(day.waited):,} assigned, {day.open} with agents at five")
    figures.add(
        "processor",
        f"{used:.0f} s for the day",
        f"{used / (MINUTES * 60) * 100:.2f} % of one core over eight hours",
        f"{took:.0f} s run",
    )
    figures.add("memory", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB", "intake, dispatch and this test")
    print(figures.show())
    await db.close()
    assert over == [], "nobody is ever over the limit"
    assert len(day.waited) == MESSAGES, "everybody was served"
