"""Who is writing, at size: resolving batches, identify beside the SQL it needs, searching, un-merging a large component.

`SANTRAL_BENCH_PROFILES=1000000 make bench ARGS=tests/bench/test_profiles_bench.py` loads a million people with two million links first.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from profiles.identify import Identification, identify
from profiles.merge import unmerge_link
from profiles.resolve import resolve
from profiles.search import search
from profiles.sighting import SeenHandle, Sighting
from shared.database import Connection, Database
from shared.embedded.postgres import PostgresUrls
from shared.handle import Handle
from shared.ids import MessageId, WorkspaceId, new_id
from tests.support.figures import Figures, percentile
from tests.support.people_load import load_people
from tests.support.workspaces import Workspace, make_workspace

PEOPLE = int(os.environ.get("SANTRAL_BENCH_PROFILES", "200000"))
BATCH = 100
ROUNDS = 100
CALLS = 300
SLICE = 20
LINKS = 1000

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]


@pytest.fixture
async def db(database_urls: PostgresUrls) -> AsyncIterator[Database]:
    opened = await Database.open(database_urls.worker, name="bench")
    yield opened
    await opened.close()


def mails(workspace: WorkspaceId, people: list[int], *, customer_ids: bool) -> list[Sighting]:
    now = datetime.now(UTC)
    return [
        Sighting(
            workspace_id=workspace,
            message_id=MessageId(uuid4()),
            senders=(
                SeenHandle(handle=Handle(kind="email", value=f"kisi{n}@ornek.com"), assurance="channel_verified"),
                *(
                    [SeenHandle(handle=Handle(kind="external_id", value=f"C-{n}"), assurance="channel_verified")]
                    if customer_ids
                    else []
                ),
            ),
            seen_at=now,
        )
        for n in people
    ]


async def timed(db: Database, batches: list[list[Sighting]]) -> list[float]:
    took = []
    for batch in batches:
        began = time.perf_counter()
        await resolve(db, batch)
        took.append((time.perf_counter() - began) * 1000)
    return took


async def test_resolving_searching_and_identifying_among_many(db: Database, database_urls: PostgresUrls) -> None:
    workspace = await make_workspace(db)
    here = WorkspaceId(workspace.id)
    began = time.perf_counter()
    await load_people(db, here, PEOPLE)
    figures = Figures(
        f"{PEOPLE:,} people, {3 * PEOPLE:,} handles, {2 * PEOPLE:,} links, loaded in {time.perf_counter() - began:.0f} s"
    )
    owner = await Database.open(database_urls.owner, name="bench")
    async with owner.session() as connection:
        await connection.execute("analyze santral.handle, santral.profile, santral.link")
    await owner.close()
    chance = random.Random(7)
    for customer_ids, what in ((False, "known senders"), (True, "known senders, each with a customer id")):
        batches = [mails(here, chance.sample(range(1, PEOPLE), BATCH), customer_ids=customer_ids) for _ in range(ROUNDS)]
        first = await timed(db, batches)
        if customer_ids:
            figures.add(
                f"resolve {BATCH}, evidence that is new",
                f"p50 {percentile(first, 0.5):.1f} ms, p95 {percentile(first, 0.95):.1f} ms",
            )
        took = await timed(db, batches)
        p95 = percentile(took, 0.95)
        figures.add(
            f"resolve {BATCH} {what}", f"p50 {percentile(took, 0.5):.1f} ms, p95 {p95:.1f} ms", "p95 ≤ 5 ms", f"{p95 / 5:.2f}"
        )
    fresh = [mails(here, list(range(PEOPLE + n * BATCH + 1, PEOPLE + (n + 1) * BATCH + 1)), customer_ids=False) for n in range(40)]
    took = await timed(db, fresh)
    figures.add(f"resolve {BATCH} new senders", f"p50 {percentile(took, 0.5):.1f} ms, p95 {percentile(took, 0.95):.1f} ms")
    took = await searched(database_urls, workspace, chance)
    figures.add("search by name and number", f"p50 {percentile(took, 0.5):.1f} ms, p95 {percentile(took, 0.95):.1f} ms")
    await identified(db, here, figures)
    print(figures.show())


async def searched(urls: PostgresUrls, workspace: Workspace, chance: random.Random) -> list[float]:
    api, took = await Database.open(urls.api, name="bench"), []
    for _ in range(100):
        asked = chance.randrange(PEOPLE // 2, PEOPLE)
        began = time.perf_counter()
        async with api.batch(workspace.id) as connection:
            assert await search(connection, WorkspaceId(workspace.id), f"Kişi{asked}", limit=20)
        took.append((time.perf_counter() - began) * 1000)
    await api.close()
    return took


def customers(here: WorkspaceId, first: int) -> list[Identification]:
    return [
        Identification(
            workspace_id=here, raws=("", "", ""), source="crm", assurance="authenticated", observed_at=datetime.now(UTC), actor="key:1",
            handles=(
                Handle(kind="external_id", value=f"N-{n}"), Handle(kind="email", value=f"yeni{n}@ornek.com"),
                Handle(kind="phone", value=f"+9054{n:08}"),
            ),
            name="Yeni", traits={"city": "İzmir", "tier": "gold"},
        )
        for n in range(first, first + CALLS)
    ]  # fmt: skip


async def said(db: Database, given: list[Identification]) -> float:
    began = time.perf_counter()
    for one in given:
        async with db.batch() as connection:
            await identify(connection, one)
    return time.perf_counter() - began


async def identified(db: Database, here: WorkspaceId, figures: Figures) -> None:
    """New customers with three handles and two traits, one call each; the same rows by bare statements, one transaction each.

    The two take turns, so that what else the machine does meets both alike.
    """
    await said(db, customers(here, 0))
    async with db.batch() as connection:
        rows = {
            table: await connection.fetch(f"select * from santral.{table} where workspace_id = $1 and {where} order by 2", here)
            for table, where in (
                ("handle", "(value like 'N-%' or value like 'yeni%' or value like '+9054%')"),
                ("profile", "effective <> '{}'"), ("link", "source = 'identify:crm:authenticated'"), ("fact", "true"),
                ("event", "type = 'profile.created' and data->>'handles' = '3'"),
            )
        }  # fmt: skip
    other = await make_workspace(db, name="bare")
    fresh, ours, floor = customers(here, CALLS), 0.0, 0.0
    for turn in range(0, CALLS, SLICE):
        ours += await said(db, fresh[turn : turn + SLICE])
        began = time.perf_counter()
        for n in range(turn, turn + SLICE):
            share = {table: found[n * len(found) // CALLS : (n + 1) * len(found) // CALLS] for table, found in rows.items()}
            async with db.batch() as connection:
                await bare(connection, other.id, share)
        floor += time.perf_counter() - began
    figures.add("identify, new customers", f"{CALLS / ours:,.0f}/s", f"bare SQL {CALLS / floor:,.0f}/s", f"{floor / ours:.2f}")
    figures.add("identify, nothing new", f"{CALLS / await said(db, fresh):,.0f}/s")


async def bare(connection: Connection, workspace_id: UUID, rows: dict[str, list[Any]]) -> None:
    for table, found in rows.items():
        names = list(found[0].keys())
        places = ", ".join(f"${place + 1}" for place in range(len(names)))
        values = [tuple(workspace_id if name == "workspace_id" else row[name] for name in names) for row in found]
        await connection.executemany(f"insert into santral.{table} ({', '.join(names)}) values ({places})", values)
    await connection.executemany(
        "insert into santral.outbox (workspace_id, event_id, bucket) values ($1, $2, 0)",
        [(workspace_id, row["id"]) for row in rows["event"]],
    )


async def test_taking_back_one_link_of_a_thousand(db: Database) -> None:
    limits = {"profile": {"limits": {"email": LINKS + 1}}}
    workspace = await make_workspace(db, settings=limits)
    here = WorkspaceId(workspace.id)
    ids = [new_id() for _ in range(LINKS + 1)]
    links = [new_id() for _ in range(LINKS)]
    async with db.batch() as connection:
        await connection.executemany(
            "insert into santral.handle (workspace_id, id, kind, value, profile_id, assurance) values ($1, $2, 'email', $3, $4, 'channel_verified')",
            [(here, one, f"{place}@ornek.com", ids[0]) for place, one in enumerate(ids)],
        )
        await connection.execute("insert into santral.profile (workspace_id, id) values ($1, $2)", here, ids[0])
        await connection.executemany(
            "insert into santral.link (workspace_id, id, a, b, kind, assurance, source, first_seen_at, last_seen_at)"
            " values ($1, $2, $3, $4, 'same_message', 'channel_verified', 'message:1', now(), now())",
            [(here, links[place], ids[place], ids[place + 1]) for place in range(LINKS)],
        )
    began = time.perf_counter()
    async with db.batch() as connection:
        done = await unmerge_link(connection, here, ids[0], links[LINKS // 2], actor="user:1")
    took = time.perf_counter() - began
    figures = Figures(f"A person of {LINKS + 1} handles and {LINKS} links becomes two")
    figures.add("un-merge", f"{took * 1000:.0f} ms", "≤ 1,000 ms", f"{took:.2f}")
    print(figures.show())
    assert done.apart
