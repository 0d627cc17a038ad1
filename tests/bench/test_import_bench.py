"""Taking in a customer list, beside COPY of the same rows into the same tables, same run. Rows are customers of three handles.

Each customer becomes three handles, two links, three facts, a profile, an event and its outbox row; that is what bounds it, and what the
reference copies: the very rows, with all indexes and foreign keys, in transactions of the same number of customers.
"""

from __future__ import annotations

import io
import math
import os
import resource
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from profiles.imports.chunk import Terms, write_people
from profiles.imports.rows import GivenHandle, GivenRow, understood
from shared.database import Database
from shared.ids import WorkspaceId
from tests.support.figures import Figures
from tests.support.workspaces import Workspace, make_workspace

CUSTOMERS = int(os.environ.get("SANTRAL_BENCH_CUSTOMERS", "40000"))
CHUNK = 2000
ROWS_EACH = 3 + 1 + 2 + 3 + 1 + 1
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


class Spent:
    """Seconds of the clock, of this process and of the server's process since it was made. The server's where it can be seen."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._began = (time.perf_counter(), time.process_time(), self._server_s())

    def so_far(self) -> tuple[float, float, float]:
        """Clock, this process, the server's."""
        wall, here, there = self._began
        return time.perf_counter() - wall, time.process_time() - here, self._server_s() - there

    def _server_s(self) -> float:
        stat = Path(f"/proc/{self._server}/stat")
        if not stat.exists():
            return math.nan
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def import_all(db: Database, said: Terms, server: int) -> tuple[tuple[float, float, float], float]:
    """What it took, and of it this process's seconds for understanding rows."""
    spent, thought = Spent(server), 0.0
    for first in range(0, CUSTOMERS, CHUNK):
        at = time.process_time()
        people, rejected = understood(rows(first), region="TR")
        thought += time.process_time() - at
        assert not rejected
        async with db.batch() as connection:
            await write_people(connection, people, said)
    return spent.so_far(), thought


async def copy_all(db: Database, workspace: Workspace, other: Workspace, server: int) -> tuple[float, float, float]:
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
    spent = Spent(server)
    for share in range(shares):
        async with db.batch() as connection:
            for table, pieces in kept.items():
                await connection.execute(f"create temp table copied (like santral.{table}) on commit drop")
                await connection.copy_to_table("copied", source=io.BytesIO(pieces[share]), format="csv")
                await connection.execute(f"insert into santral.{table} select * from copied")
                await connection.execute("drop table copied")
    return spent.so_far()


async def test_import_beside_copy(worker_db: Database) -> None:
    workspace = await make_workspace(worker_db)
    said = terms(workspace)
    async with worker_db.session() as connection:
        server = await connection.fetchval("select pg_backend_pid()")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (first_s, here_s, there_s), thought_s = await import_all(worker_db, said, server)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    (again_s, _, _), _ = await import_all(worker_db, said, server)
    copy_s, copy_here_s, copy_there_s = await copy_all(worker_db, workspace, await make_workspace(worker_db), server)
    figures = Figures(f"Import of {CUSTOMERS} customers, {CHUNK} a chunk, {ROWS_EACH} rows of tables each")
    figures.add("import, customers/s", f"{CUSTOMERS / first_s:,.0f}", f"COPY {CUSTOMERS / copy_s:,.0f}", f"{copy_s / first_s:.2f}")
    figures.add(
        "import, rows of tables/s", f"{ROWS_EACH * CUSTOMERS / first_s:,.0f}", f"COPY {ROWS_EACH * CUSTOMERS / copy_s:,.0f}"
    )
    figures.add("server's CPU a customer, µs", _us(there_s), f"COPY {_us(copy_there_s)}", f"{copy_there_s / there_s:.2f}")
    figures.add("our CPU a customer, µs", _us(here_s), f"COPY {_us(copy_here_s)}")
    figures.add("of it understanding rows, µs", _us(thought_s))
    figures.add(
        "CPU of both, customers/s",
        f"{CUSTOMERS / (here_s + there_s):,.0f}",
        f"COPY {CUSTOMERS / (copy_here_s + copy_there_s):,.0f}",
    )
    figures.add("the same list again, customers/s", f"{CUSTOMERS / again_s:,.0f}")
    figures.add("memory grown", f"{grown:.0f} MB")
    print(figures.show())


def _us(seconds: float) -> str:
    return f"{seconds / CUSTOMERS * 1e6:.0f}"
