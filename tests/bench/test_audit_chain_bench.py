"""Linking the rows of an audit and verifying the chain, and what a look costs while there is nothing to do. Rows as the API writes them."""

from __future__ import annotations

import os
import time

import pytest

from services.audit_chain.links import LATE_S
from services.audit_chain.verification import verify
from services.chores.audit_links import batch_of_all
from shared.database import Database
from shared.ids import new_id
from tests.support.figures import Figures, percentile
from tests.support.workspaces import Workspace

ROWS = int(os.environ.get("SANTRAL_BENCH_AUDIT_ROWS", "100000"))
LOOKS = 20
_FILL = """
insert into santral.audit (workspace_id, id, at, actor, action, target_kind, target_id, details, address, software, request_id)
select $1, id, now() - ($3 - n) * $4 * interval '1 s', 'agent:' || gen_random_uuid(), 'item.assign', 'item', gen_random_uuid()::text,
       jsonb_build_object('agent_id', gen_random_uuid(), 'queue_id', gen_random_uuid(), 'override', n % 7 = 0), '192.0.2.' || n % 200,
       'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', gen_random_uuid()::text
from unnest($2::uuid[]) with ordinality as g(id, n)
"""
_BYTES = "select pg_total_relation_size('santral.audit_link')"

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]


async def fill(db: Database, workspace: Workspace, every_s: float) -> None:
    async with db.batch() as connection:
        await connection.execute(_FILL, workspace.id, [new_id() for _ in range(ROWS)], ROWS, every_s)


async def link_all(db: Database) -> int:
    linked = 0
    while more := await batch_of_all(db):
        linked += more
    return linked


async def look_ms(db: Database) -> list[float]:
    taken = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        assert await batch_of_all(db) == 0
        taken.append((time.perf_counter() - began) * 1000)
    return taken


@pytest.mark.parametrize("within_the_window", [False, True])
async def test_linking_and_verifying(worker_db: Database, workspace: Workspace, within_the_window: bool) -> None:
    """Over a month; and all within the hour in which rows that come late are looked for, which is the dearest look there is."""
    await fill(worker_db, workspace, LATE_S / 2 / ROWS if within_the_window else 30 * 86_400 / ROWS)
    began, spent = time.perf_counter(), time.process_time()
    assert await link_all(worker_db) == ROWS
    link_s, link_cpu_s = time.perf_counter() - began, time.process_time() - spent
    began, spent = time.perf_counter(), time.process_time()
    found = await verify(worker_db, workspace.id)
    verify_s, verify_cpu_s = time.perf_counter() - began, time.process_time() - spent
    assert (found.break_, found.linked, found.waiting) == (None, ROWS, 0)
    looks = await look_ms(worker_db)
    async with worker_db.session() as connection:
        size = await connection.fetchval(_BYTES)
    figures = Figures(f"Chain over {ROWS} rows of the audit, {'within half an hour' if within_the_window else 'over a month'}")
    figures.add("linked, rows/s", f"{ROWS / link_s:,.0f}", f"our CPU {link_cpu_s / ROWS * 1e6:.0f} µs a row")
    figures.add("verified, rows/s", f"{ROWS / verify_s:,.0f}", f"our CPU {verify_cpu_s / ROWS * 1e6:.0f} µs a row")
    figures.add("a look that finds nothing, ms, median and p95", f"{percentile(looks, 0.5):.1f}", f"{percentile(looks, 0.95):.1f}")
    figures.add("bytes a link, indexes included", f"{size / ROWS:.0f}")
    print(figures.show())
