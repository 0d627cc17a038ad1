"""Linking: committed rows that are not in their workspace's chain yet are put at its end, a bounded batch a transaction.

Rows come in the order of (at, id), from behind the newest that is linked. A row's time is its transaction's beginning, so one that commits
late is found before the newest and linked then: a link's number is the chain's order, not the rows'. It is looked for `LATE_S` back. A row
before that is no late one, since no transaction lasts so long (`shared/database.py`), nor is one dated ahead or before `EARLIEST_AT`: they
are left unlinked, and `services/audit_chain/verification.py` names them.

**Units**: seconds; times by the database's clock. Two that link the same workspace at once: one does, the other comes back.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from services.audit_chain.digest import ROW, first_digest, link_digest, row_digest
from shared.database import Connection

BATCH: Final = 2000
LATE_S: Final = 3600
EARLIEST_AT: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Before any row of ours."""
EARLIEST: Final = f"timestamptz '{EARLIEST_AT.isoformat()}'"
"""The same in SQL."""

_ALONE: Final = "select pg_try_advisory_xact_lock(hashtextextended('santral.audit_link ' || $1::uuid::text, 0))"
_NEWEST: Final = """
select happened_at, audit_id, happened_at - $2 * interval '1 s' as late_from from santral.audit_link
where workspace_id = $1 order by happened_at desc, audit_id desc limit 1
"""
_FRESH: Final = f"""
select a.at as happened_at, a.id as audit_id, {ROW} from santral.audit a
where a.workspace_id = $1 and (a.at, a.id) > ($2, $3) and a.at <= clock_timestamp() order by a.at, a.id limit $4
"""
UNLINKED: Final = """
select at, id from santral.audit where workspace_id = $1 and at >= $2 and at <= $3
except select happened_at, audit_id from santral.audit_link where workspace_id = $1 and happened_at >= $2 and happened_at <= $3"""
"""SQL: rows of a span that are in no link. An anti-join would be planned by how many links there seem to be, which may be none."""
_LATE: Final = f"""
select a.at as happened_at, a.id as audit_id, {ROW} from ({UNLINKED}) late
join santral.audit a on a.workspace_id = $1 and a.id = late.id order by a.at, a.id limit $4
"""
_HEAD: Final = "select number, digest from santral.audit_link where workspace_id = $1 order by number desc limit 1"
_LINK: Final = """
insert into santral.audit_link (workspace_id, number, audit_id, happened_at, row_digest, digest)
select $1, g.* from unnest($2::bigint[], $3::uuid[], $4::timestamptz[], $5::bytea[], $6::bytea[]) as g
"""


async def link_next(connection: Connection, workspace_id: UUID, *, most: int = BATCH) -> int:
    """Links the next rows of a workspace, in a transaction of the caller's; how many. 0 also where somebody else is linking them."""
    if not await connection.fetchval(_ALONE, workspace_id):
        return 0
    head = await connection.fetchrow(_HEAD, workspace_id)
    rows = await _next(connection, workspace_id, most)
    number, digest = (head["number"], head["digest"]) if head else (0, first_digest(workspace_id))
    digests, links = [], []
    for place, row in enumerate(rows, number + 1):
        digests.append(row_digest(workspace_id, row))
        digest = link_digest(digest, place, row["audit_id"], row["at"], digests[-1])
        links.append(digest)
    if rows:
        numbers = list(range(number + 1, number + 1 + len(rows)))
        ids, times = [row["audit_id"] for row in rows], [row["happened_at"] for row in rows]
        await connection.execute(_LINK, workspace_id, numbers, ids, times, digests, links)
    return len(rows)


async def _next(connection: Connection, workspace_id: UUID, most: int) -> list[Any]:
    """Rows after the newest linked one; once there are no more of them, those that came late behind it."""
    newest = await connection.fetchrow(_NEWEST, workspace_id, LATE_S)
    after, id_ = (newest["happened_at"], newest["audit_id"]) if newest else (EARLIEST_AT, UUID(int=0))
    rows = await connection.fetch(_FRESH, workspace_id, after, id_, most)
    if newest and len(rows) < most:
        rows += await connection.fetch(_LATE, workspace_id, newest["late_from"], after, most - len(rows))
    return rows
