"""Files that are kept for answers: one answer takes each, once, and it goes with that answer; what none has taken in a day goes too.

Taking, letting go and running out meet at the file's row, so an answer that was stored has its files. What is let go is noted in the same
transaction and removed from the store after it (`services/privacy/blob_removals.py`).
Of the room for what waits nobody has more than they leave to the others: one alone half of it, a second half of what is left.

**Identity**: the key in the blob store. Several answers have one only where an earlier release let them name it: it goes with the last.
**Units**: bytes; seconds by the database's clock.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from uuid import UUID

from shared.database import Connection
from shared.errors import Throttled, Unprocessable

UNSENT_S: Final = 24 * 3600
UNSENT_BYTES_MAX: Final = 1024**3
COUNTED_BYTES_MIN: Final = 16 * 1024
"""What the smallest file counts for, so that tiny ones are bounded in number too."""
_TURN: Final = "select pg_advisory_xact_lock(hashtextextended('santral.kept_files ' || $1::uuid, 0))"
_KEEP: Final = f"""
insert into santral.kept_file (workspace_id, blob, size_bytes, kept_by) select $1, $2, $3::bigint, $5::text from (
    select coalesce(sum(counted), 0) + coalesce(sum(counted) filter (where kept_by = $5::text), 0) as taken from (
        select greatest(size_bytes, {COUNTED_BYTES_MIN}) as counted, kept_by from santral.kept_file
        where workspace_id = $1 and message_id is null
    ) unsent
) there where greatest($3::bigint, {COUNTED_BYTES_MIN}) + taken <= $4::bigint returning true
"""
_OLDEST: Final = f"""
select ceil(extract(epoch from coalesce(min(kept_at) filter (where kept_by = $2), min(kept_at)) - clock_timestamp()) + {UNSENT_S})::int
from santral.kept_file where workspace_id = $1 and message_id is null
"""
_TAKE: Final = """
update santral.kept_file f set message_id = $3 from (
    select blob, number from santral.kept_file where workspace_id = $1 and blob = any($2::text[]) and message_id is null
    order by blob for no key update
) unsent
where f.workspace_id = $1 and f.blob = unsent.blob and f.number = unsent.number returning f.blob
"""
_TAKEN: Final = "select exists (select 1 from santral.kept_file where workspace_id = $1 and blob = any($2::text[]))"
_LET_GO: Final = """
with gone as (
    delete from santral.kept_file where workspace_id = $1 and message_id = any($2::uuid[]) and blob = coalesce($4::text, blob) returning blob
)
insert into santral.blob_removal (workspace_id, key, cause) select distinct $1::uuid, gone.blob, $3::uuid from gone
where not exists (
    select 1 from santral.kept_file f where f.workspace_id = $1 and f.blob = gone.blob and f.message_id <> all($2::uuid[]))
on conflict do nothing
"""
_RUN_OUT: Final = f"""
with due as (
    select workspace_id, blob, number from santral.kept_file
    where message_id is null and kept_at < clock_timestamp() - {UNSENT_S} * interval '1 s' limit $2 for update skip locked
), gone as (
    delete from santral.kept_file f using due
    where f.workspace_id = due.workspace_id and f.blob = due.blob and f.number = due.number returning f.workspace_id, f.blob
), noted as (
    insert into santral.blob_removal (workspace_id, key, cause) select workspace_id, blob, $1 from gone on conflict do nothing
)
select count(*) from gone
"""


async def keep(
    connection: Connection, workspace_id: UUID, blob: str, size_bytes: int, *, kept_by: str, unsent_bytes_max: int
) -> None:
    """A stored file waits for its answer from now on.

    Raises `Throttled` where with it more of ``kept_by`` would wait than ``unsent_bytes_max`` leaves to the others of the workspace: then
    nothing was written.
    """
    await connection.execute(_TURN, workspace_id)
    if await connection.fetchval(_KEEP, workspace_id, blob, size_bytes, unsent_bytes_max, kept_by) is None:
        oldest_s = await connection.fetchval(_OLDEST, workspace_id, kept_by)
        raise Throttled(
            "too many bytes of files would wait for their answers", field="body",
            remedy="send the answers that the kept files are for; what no answer takes goes after a day",
            retry_after_s=max(1, oldest_s or 1),
        )  # fmt: skip


async def take(connection: Connection, workspace_id: UUID, message_id: UUID, blobs: Collection[str]) -> None:
    """An answer takes its files. Raises `Unprocessable` for one that was not kept here, has run out, or is another answer's."""
    if not blobs:
        return
    taken = {row["blob"] for row in await connection.fetch(_TAKE, workspace_id, list(blobs), message_id)}
    if refused := set(blobs) - taken:
        known = await connection.fetchval(_TAKEN, workspace_id, list(refused))
        what = "this file went with another answer" if known else "no such file"
        raise Unprocessable(what, field="content.files", remedy="keep the file again with POST /v1/files, for this answer")


async def let_go(
    connection: Connection, workspace_id: UUID, messages: Collection[UUID], *, cause: UUID, blob: str | None = None
) -> None:
    """The files of these messages, or the one with this key, go, noted for ``cause``; what an answer beside them has too stays.

    Twice changes nothing more.
    """
    await connection.execute(_LET_GO, workspace_id, list(messages), cause, blob)


async def run_out(connection: Connection, *, cause: UUID, limit: int) -> int:
    """What no answer took in `UNSENT_S` goes, noted for ``cause``, ``limit`` at most; how many. One that is being taken is passed over."""
    gone: int = await connection.fetchval(_RUN_OUT, cause, limit)
    return gone
