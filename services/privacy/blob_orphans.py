"""Files of incoming messages that never arrived: kept before the record was acknowledged, and nobody came back with it.

A folder whose message has neither a receipt nor an entry in quarantine is noted, and goes when it is still so after the log's whole
retention and a margin: by then no record that needs it can be read any more. A message that arrives meanwhile is no orphan again.
Only folders of incoming messages are looked at, which the version of their id tells; files for replies and archives have rows of
their own.

**Identity**: the message's id. **Units**: seconds by the database's clock.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final
from uuid import UUID

from shared.blobs import Blobs
from shared.database import Database
from shared.topics import RETENTION_S

GRACE_S: Final = RETENTION_S + 2 * 24 * 3600
PAGE: Final = 200
_INCOMING: Final = 8  # the version of ids that are computed where a message enters
_WORKSPACES: Final = "select id from santral.workspace order by id"
_NOTE: Final = """
with given as (
    select g.id from unnest($2::uuid[]) as g(id)
), orphan as (
    select g.id from given g
    where not exists (select 1 from santral.receipt r where r.workspace_id = $1 and r.id = g.id)
      and not exists (select 1 from santral.quarantine q where q.workspace_id = $1 and q.message_id = g.id)
), found as (
    delete from santral.blob_orphan o using given g
    where o.workspace_id = $1 and o.message_id = g.id and not exists (select 1 from orphan where orphan.id = g.id)
), noted as (
    insert into santral.blob_orphan (workspace_id, message_id) select $1, id from orphan order by id on conflict do nothing
)
select o.message_id from santral.blob_orphan o join orphan on orphan.id = o.message_id
where o.workspace_id = $1 and o.seen_at < clock_timestamp() - $3 * interval '1 s'
"""
_GONE: Final = "delete from santral.blob_orphan where workspace_id = $1 and message_id = any($2::uuid[])"


async def collect_orphans(db: Database, blobs: Blobs, *, grace_s: float = GRACE_S) -> int:
    """Notes what is an orphan now and removes what has been one for the grace time; how many files. Any number of times is safe.

    Raises `Unavailable`: what is left is found again.
    """
    async with db.session() as connection:
        workspaces = [row["id"] for row in await connection.fetch(_WORKSPACES)]
    removed = 0
    for workspace_id in workspaces:
        folders: dict[UUID, list[str]] = defaultdict(list)
        for key in await blobs.keys(f"{workspace_id}/"):
            message_id = _incoming(key.split("/")[1])
            if message_id is not None:
                folders[message_id].append(key)
        ids = sorted(folders)
        for start in range(0, len(ids), PAGE):
            async with db.batch() as connection:
                rows = await connection.fetch(_NOTE, workspace_id, ids[start : start + PAGE], grace_s)
            due = [row["message_id"] for row in rows]
            for key in (key for message_id in due for key in folders[message_id]):
                await blobs.delete(key)
                removed += 1
            async with db.batch() as connection:
                await connection.execute(_GONE, workspace_id, due)
    return removed


def _incoming(folder: str) -> UUID | None:
    try:
        found = UUID(folder)
    except ValueError:
        return None
    return found if found.version == _INCOMING else None
