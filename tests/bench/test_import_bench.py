"""Taking in a customer list, beside COPY of the same rows into the same tables, same run. Rows are customers of three handles.

Each customer becomes three handles, two links, three facts, a profile, an event and its outbox row; that is what bounds it, and what the
reference copies: the very rows, with all indexes and foreign keys, in transactions of the same number of customers.
"""

from __future__ import annotations

import io
import os
import resource
import time
from datetime import UTC, datetime

import pytest

from profiles.import_chunk import Terms, write_people
from profiles.import_rows import GivenHandle, GivenRow, understood
from shared.database import Database
from shared.ids import WorkspaceId
from tests.support.figures import Figures
from tests.support.workspaces import Workspace, make_workspace

CUSTOMERS = int(os.environ.get("SANTRAL_BENCH_CUSTOMERS", "40000"))
CHUNK = 2000
TABLES = ("handle", "profile", "link", "fact", "event", "outbox")

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]


def rows(first: int) -> list[GivenRow]:
    return [
        GivenRow(
            row=number,
            handles=[
                GivenHandle(kind="external_id", value=f"C-{number}"),
                GivenHandle(kind="email", value=f"musteri{number}@ornek.com"),
                GivenHandle(kind="phone", value=f"+90532{number:07d}"),
            ],
            name=f"Müşteri {number}",
            traits={"city": "İzmir", "language": "tr", "segment": f"s{number % 9}"},
        )
        for number in range(first, min(first + CHUNK, CUSTOMERS))
    ]


def terms(workspace: Workspace) -> Terms:
    return Terms(
        workspace_id=WorkspaceId(workspace.id),
        source="crm",
        assurance="channel_verified",
        observed_at=datetime.now(UTC),
        actor="key:bench",
    )


async def import_all(db: Database, said: Terms) -> tuple[float, float]:
    """Seconds in all, and of those spent understanding rows."""
    began, thought = time.perf_counter(), 0.0
    for first in range(0, CUSTOMERS, CHUNK):
        at = time.perf_counter()
        people, rejected = understood(rows(first), region="TR")
        thought += time.perf_counter() - at
        assert not rejected
        async with db.batch() as connection:
            await write_people(connection, people, said)
    return time.perf_counter() - began, thought


async def copy_all(db: Database, workspace: Workspace, other: Workspace) -> float:
    """Copies the same rows into another workspace: COPY into a temporary table and INSERT … SELECT, as row-level security demands."""
    shares = CUSTOMERS // CHUNK
    kept: dict[str, list[bytes]] = {}
    async with db.session() as connection:
        for table in TABLES:
            size = -(
                -await connection.fetchval(f"select count(*) from santral.{table} where workspace_id = $1", workspace.id) // shares
            )
            kept[table] = []
            for share in range(shares):
                piece = io.BytesIO()
                await connection.copy_from_query(
                    f"select * from santral.{table} where workspace_id = $1 order by ctid limit {size} offset {share * size}",
                    workspace.id, output=piece, format="csv",
                )  # fmt: skip
                kept[table].append(piece.getvalue().replace(str(workspace.id).encode(), str(other.id).encode()))
    began = time.perf_counter()
    for share in range(shares):
        async with db.batch() as connection:
            for table, pieces in kept.items():
                await connection.execute(f"create temp table copied (like santral.{table}) on commit drop")
                await connection.copy_to_table("copied", source=io.BytesIO(pieces[share]), format="csv")
                await connection.execute(f"insert into santral.{table} select * from copied")
                await connection.execute("drop table copied")
    return time.perf_counter() - began


async def test_import_beside_copy(worker_db: Database) -> None:
    workspace = await make_workspace(worker_db)
    said = terms(workspace)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    first_s, thought_s = await import_all(worker_db, said)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    again_s, _ = await import_all(worker_db, said)
    copy_s = await copy_all(worker_db, workspace, await make_workspace(worker_db))
    figures = Figures(f"Import of {CUSTOMERS} customers, {CHUNK} a chunk")
    figures.add("import, customers/s", f"{CUSTOMERS / first_s:,.0f}", f"COPY {CUSTOMERS / copy_s:,.0f}", f"{copy_s / first_s:.2f}")
    figures.add("of it understanding rows", f"{thought_s / first_s:.0%}", f"{CUSTOMERS / thought_s:,.0f}/s")
    figures.add("the same list again, customers/s", f"{CUSTOMERS / again_s:,.0f}")
    figures.add("rows of tables per customer", "13", f"{13 * CUSTOMERS / first_s:,.0f} rows/s")
    figures.add("memory grown", f"{grown:.0f} MB")
    print(figures.show())
