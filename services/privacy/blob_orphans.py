"""Files that nobody has: of incoming messages that never arrived, and those kept for an answer that none took.

A folder whose message has neither a receipt nor an entry in quarantine is noted, and goes when it is still so after the log's whole
retention and a margin: by then no record that needs it can be read any more. A message that arrives meanwhile is no orphan again.
A file for an answer has a row (`router/commands/kept_files.py`), and goes with it after a day; one whose row was never written, or is gone
and left it behind, goes a day after it was kept, which its folder's id tells. So does an archive that no export names and none makes: what a
courier that ended left of a try.

**Identity**: the message's id; for a file kept for an answer its key. **Units**: seconds by the database's clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from router.commands.kept_files import UNSENT_S, run_out
from services.frame.rounds import each_alone
from services.privacy.blob_folders import Folders, folders_of
from shared.blobs import Blobs
from shared.database import Database
from shared.ids import first_id_at, new_id
from shared.topics import RETENTION_S

GRACE_S: Final = RETENTION_S + 2 * 24 * 3600
PAGE: Final = 200
_INCOMING: Final = 8
"""The version of ids that are computed where a message enters; a file for an answer has a folder of a fresh id."""
_KEPT: Final = 7
_WITH_ROWS: Final = ("attachment-", "export")
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
_NOW: Final = "select clock_timestamp()"
_UNKNOWN: Final = """
select g.key from unnest($2::text[]) as g(key)
where not exists (select 1 from santral.kept_file f where f.workspace_id = $1 and f.blob = g.key) and not exists (
    select 1 from santral.person_export e where e.workspace_id = $1 and e.id = split_part(g.key, '/', 2)::uuid
    and (e.blob = g.key or e.state in ('asked', 'running')))
"""
_GONE: Final = "delete from santral.blob_orphan where workspace_id = $1 and message_id = any($2::uuid[])"


async def note_unsent(db: Database) -> int:
    """Notes for removal what no answer took in its day; how many files. Any number of times is safe."""
    noted = 0
    while True:
        async with db.batch() as connection:
            page = await run_out(connection, cause=new_id(), limit=PAGE)
        noted += page
        if page < PAGE:
            return noted


async def collect_orphans(db: Database, blobs: Blobs, *, grace_s: float = GRACE_S) -> int:
    """Notes what is an orphan now and removes what has been one for the grace time; how many files. Any number of times is safe.

    Raises `Unavailable`: what is left is found again.
    """
    async with db.session() as connection:
        workspaces = [row["id"] for row in await connection.fetch(_WORKSPACES)]
    return sum(await each_alone(workspaces, lambda one: _orphans_of(db, blobs, one, grace_s), action="retention_waits"))


async def _orphans_of(db: Database, blobs: Blobs, workspace_id: UUID, grace_s: float) -> int:
    folders = await folders_of(blobs, workspace_id)
    removed = await _never_arrived(db, blobs, workspace_id, folders, grace_s)
    return removed + await _of_no_row(db, blobs, workspace_id, folders)


async def _never_arrived(db: Database, blobs: Blobs, workspace_id: UUID, folders: Folders, grace_s: float) -> int:
    ids, removed = [one for one in folders if one.version == _INCOMING], 0
    for start in range(0, len(ids), PAGE):
        async with db.batch() as connection:
            rows = await connection.fetch(_NOTE, workspace_id, ids[start : start + PAGE], grace_s)
        due = [row["message_id"] for row in rows]
        removed += await _removed(blobs, [key for message_id in due for key in folders[message_id]])
        async with db.batch() as connection:
            await connection.execute(_GONE, workspace_id, due)
    return removed


async def _of_no_row(db: Database, blobs: Blobs, workspace_id: UUID, folders: Folders) -> int:
    """A row tells of a file right after it was kept, so of what none tells a day later nobody ever knew, or it was let go."""
    async with db.session() as connection:
        newest = first_id_at(await connection.fetchval(_NOW) - timedelta(seconds=UNSENT_S))
    old = [keys for one, keys in folders.items() if one.version == _KEPT and one < newest]
    keys = [key for found in old for key in found if key.rpartition("/")[2].startswith(_WITH_ROWS)]
    removed = 0
    for start in range(0, len(keys), PAGE):
        async with db.session() as connection:
            rows = await connection.fetch(_UNKNOWN, workspace_id, keys[start : start + PAGE])
        removed += await _removed(blobs, [row["key"] for row in rows])
    return removed


async def _removed(blobs: Blobs, keys: Sequence[str]) -> int:
    for key in keys:
        await blobs.delete(key)
    return len(keys)
