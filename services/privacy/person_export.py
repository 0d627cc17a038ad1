"""A person's export: everything that is kept about them as a ZIP of JSON files, one per kind, and their attachments; made by the courier.

It is complete because it is made of the same covers as erasure. Rows and files go through the courier piece by piece into a file on disk,
so one person's much is nobody's memory. The archive lies in the blob store until it expires, or until somebody is erased whose words it
holds: it keeps their handles, for who was one person with somebody when it was made may not be so then.
A courier takes an export by pushing its due time ahead (a lease on the database's clock), and keeps it while it works. Each try has a number
and a file of its own; what it writes into the row says the number, so one whose lease went to another writes nothing and removes its file.
**Identity**: the export's id; of a try its number, too. **Units**: seconds, bytes, times aware UTC.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, Final, TextIO
from uuid import UUID

from profiles.forgetting import person_handles
from profiles.handles import lock_handles
from router.erasure.conversations import next_conversations, notes_elsewhere, walk_mentions
from services.frame.rounds import each_alone, go_round
from services.privacy.blob_removals import remove_blobs
from services.privacy.quarantine import entries_of, sought
from services.privacy.registry import COVERS
from services.privacy.turns import drawn_workspace
from services.privacy.visitors import visitors_who_are
from shared.blobs import Blobs
from shared.database import Connection, Database, retried
from shared.errors import Conflict, Fenced, NotFound, Unavailable
from shared.hints import Waiter
from shared.ids import HandleId, WorkspaceId
from shared.logs import get_log
from shared.personal import Person, export_rows

log = get_log(__name__)
KEPT_S: Final = 7 * 24 * 3600
LEASE_S: Final = 300
TRIES: Final = 5
LOOK_S: Final = 1.0
CONVERSATIONS: Final = 1000
PIECE_BYTES: Final = 256 * 1024
_NIL: Final = UUID(int=0)

_DUE: Final = "state in ('asked', 'running', 'done') and due_at <= clock_timestamp()"
_TAKE: Final = f"""
update santral.person_export e set due_at = clock_timestamp() + $1 * interval '1 s', attempts = e.attempts + 1,
    state = case when e.state = 'done' then 'done' else 'running' end
from (
    select workspace_id, id from santral.person_export where workspace_id = {drawn_workspace("person_export", _DUE)} and {_DUE}
    order by due_at limit 1 for no key update skip locked
) due
where e.workspace_id = due.workspace_id and e.id = due.id returning e.*
"""
_WRITERS: Final = """
select now() as as_of, array(
    select distinct m.handle_id from santral.message m where m.workspace_id = $1 and m.conversation_id = any($2::uuid[])
    and m.handle_id is not null) as handles
"""
_OWN: Final = "where workspace_id = $1 and id = $2 and attempts = $3 and state = 'running'"
_WHOSE: Final = f"update santral.person_export set handles = $4 {_OWN}"
_ERASED: Final = """
select exists (
    select 1 from santral.tombstone t join santral.erasure e on e.workspace_id = t.workspace_id and e.id = t.erasure_id
    where t.workspace_id = $1 and t.handle_id = any($2::uuid[]) and (e.done_at is null or e.done_at > $3))
"""
_KEEP: Final = f"update santral.person_export set due_at = clock_timestamp() + $4 * interval '1 s' {_OWN}"
_PROGRESS: Final = f"update santral.person_export set done = $4, parts = $5 {_OWN}"
_DONE: Final = f"""
update santral.person_export set state = 'done', blob = $4, size_bytes = $5, done_at = clock_timestamp(),
    expires_at = clock_timestamp() + $6 * interval '1 s', due_at = clock_timestamp() + $6 * interval '1 s'
{_OWN}
"""
# Whatever a try left in its folder goes along.
_END: Final = """
with ended as (
    update santral.person_export set state = $4, blob = null
    where workspace_id = $1 and id = $2 and attempts = $3 and state in ('running', 'done') returning workspace_id, id
)
insert into santral.blob_removal (workspace_id, key, cause)
select workspace_id, workspace_id || '/' || id || '/', id from ended on conflict do nothing
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """What was written: of how many kinds, the files named, the handles whose words it is, and the moment it is as of."""

    kinds: int
    files: int
    handles: tuple[UUID, ...]
    as_of: datetime


class PersonExports:
    """The courier's loop over exports. Any number of couriers share the table."""

    def __init__(self, *, db: Database, blobs: Blobs, kept_s: float = KEPT_S, lease_s: float = LEASE_S) -> None:
        self._db = db
        self._blobs = blobs
        self._kept_s = kept_s
        self._lease_s = lease_s

    async def run(self, waiter: Waiter) -> None:
        """Works for ever; while the database or the blob store is away it waits."""
        await go_round(self.round, waiter, look_s=LOOK_S, action="export_waits")

    async def round(self) -> bool:
        """Makes the export that is due, or removes the one that has expired. False when none is due."""
        async with self._db.batch() as connection:
            row = await connection.fetchrow(_TAKE, self._lease_s)
        if row is None:
            return False
        job = dict(row)
        if job["state"] == "done":
            await each_alone([job], self._expired, action="export_waits")
            return True
        # Of tries that nobody could tell the end of there are no more than of others.
        if job["attempts"] > TRIES:
            await each_alone([job], self._failed, action="export_waits")
            return True
        try:
            async with self._kept(job):
                await self._make(job)
        except Exception as error:
            # Whatever one person's rows hold, the exports of others go on; the reason is its kind, for its words may be theirs.
            log.warning("an export was not made", action="export_waits", export=str(job["id"]), error=type(error).__name__)
            if job["attempts"] >= TRIES:
                await each_alone([job], self._failed, action="export_waits")
        return True

    async def _expired(self, job: Mapping[str, Any]) -> None:
        await self._end(job, "expired")

    async def _failed(self, job: Mapping[str, Any]) -> None:
        await self._end(job, "failed")

    async def _end(self, job: Mapping[str, Any], state: str) -> None:
        await self._execute(_END, job, state)
        await remove_blobs(self._db, self._blobs, job["workspace_id"], job["id"])

    @contextlib.asynccontextmanager
    async def _kept(self, job: Mapping[str, Any]) -> AsyncIterator[None]:
        """The lease is kept meanwhile, however long a person's rows or files take."""

        async def keep() -> None:
            while True:
                await asyncio.sleep(self._lease_s / 3)
                try:
                    await self._execute(_KEEP, job, self._lease_s)
                except Unavailable as error:
                    log.info("an export's lease is kept a little later", action="export_waits", error=type(error).__name__)

        keeping = asyncio.create_task(keep())
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _make(self, job: Mapping[str, Any]) -> None:
        """One try. Raises `Fenced` where the export is another try's by now, or has ended; its file is gone then."""
        key = f"{job['workspace_id']}/{job['id']}/export-{job['attempts']}.zip"
        with tempfile.TemporaryFile() as scratch, tempfile.TemporaryFile("w+") as listed:
            with zipfile.ZipFile(scratch, "w", zipfile.ZIP_DEFLATED) as archive:
                rows = await self._write_rows(job, archive, listed)
                await retried(lambda: self._tell_whose(job, rows))
                parts = rows.kinds + rows.files
                await self._own(_PROGRESS, job, rows.kinds, parts)
                listed.seek(0)
                for place, line in enumerate(listed, start=1):
                    name, blob = json.loads(line)
                    await self._write_file(archive, name, blob)
                    await self._own(_PROGRESS, job, rows.kinds + place, parts)
            size_bytes = scratch.seek(0, io.SEEK_END)
            await self._blobs.put_file(key, scratch)
        try:
            await self._own(_DONE, job, key, size_bytes, self._kept_s)
        except Fenced:
            # Known to be nobody's. Where the answer is not known, the row may name it.
            await self._blobs.delete(key)
            raise

    async def _tell_whose(self, job: Mapping[str, Any], rows: _Rows) -> None:
        """Keeps whose words were written; from here on an erasure of one of them ends the export.

        Raises `Fenced` where one has ended it already, and `Conflict` where one of them began to be erased after their rows were read, or just
        before: it is made anew.
        """
        workspace_id = WorkspaceId(job["workspace_id"])
        async with self._db.batch() as connection:
            # Who is being erased at this moment is waited for.
            await lock_handles(connection, [(workspace_id, HandleId(one)) for one in rows.handles])
            _require_own(await connection.execute(_WHOSE, workspace_id, job["id"], job["attempts"], rows.handles))
            if await connection.fetchval(_ERASED, workspace_id, rows.handles, rows.as_of):
                raise Conflict("somebody whose words it holds is being erased", remedy="wait until the erasure is done")

    async def _write_rows(self, job: Mapping[str, Any], archive: zipfile.ZipFile, listed: TextIO) -> _Rows:
        """Writes the kinds, as of one moment, and into ``listed`` the files that messages name, a line each."""
        kinds = files = 0
        async with self._db.batch(isolation="repeatable_read") as connection:
            person = await _person(connection, self._blobs, job)
            others = await connection.fetchrow(_WRITERS, person.workspace_id, list(person.conversations))
            assert others is not None, "a select of values has a row"
            for cover in COVERS:
                if cover.kind is None:
                    continue
                kinds += 1
                with archive.open(f"{cover.kind}.json", "w", force_zip64=True) as entry:
                    before = "["
                    async for rows in export_rows(connection, cover, person):
                        await asyncio.to_thread(_write, entry, rows, before)
                        before = ","
                        if cover.kind == "messages":
                            files += await asyncio.to_thread(_list, listed, rows)
                    entry.write(b"\n]" if before == "," else b"[]")
        handles = tuple({*person.handles, *others["handles"]})
        return _Rows(kinds=kinds, files=files, handles=handles, as_of=others["as_of"])

    async def _write_file(self, archive: zipfile.ZipFile, name: str, blob: str) -> None:
        try:
            size = await self._blobs.size(blob)
        except NotFound:
            archive.writestr(f"{name}.missing", b"")
            return
        with archive.open(name, "w", force_zip64=True) as entry:
            for start in range(0, size, PIECE_BYTES):
                piece = await self._blobs.piece(blob, start, PIECE_BYTES)
                await asyncio.to_thread(entry.write, piece)

    async def _own(self, statement: str, job: Mapping[str, Any], *values: Any) -> None:
        """Writes into this try's row. Raises `Fenced` where it is that no more."""
        _require_own(await self._execute(statement, job, *values))

    async def _execute(self, statement: str, job: Mapping[str, Any], *values: Any) -> str:
        async with self._db.batch() as connection:
            return await connection.execute(statement, job["workspace_id"], job["id"], job["attempts"], *values)


def _require_own(done: str) -> None:
    if done == "UPDATE 0":
        raise Fenced("the export is another try's, or has ended")


async def _person(connection: Connection, blobs: Blobs, job: Mapping[str, Any]) -> Person:
    """Everything that is this person's, as of one moment."""
    workspace_id = WorkspaceId(job["workspace_id"])
    handles = await person_handles(connection, workspace_id, job["profile_id"])
    ids = {one.id for one in handles}
    whose = await asyncio.to_thread(sought, handles)
    conversations: list[UUID] = []
    while page := await _conversations(connection, workspace_id, ids, conversations[-1] if conversations else _NIL):
        conversations += page
    messages = await notes_elsewhere(connection, workspace_id, conversations)
    at: tuple[UUID, int] | None = (_NIL, 0)
    while at is not None:
        found, at = await walk_mentions(connection, workspace_id, ids, (), b"", after=at)
        messages += found
    entry: UUID | None = _NIL
    while entry is not None:
        found, entry = await entries_of(connection, blobs, workspace_id, whose, after=entry)
        messages += found
    return Person(
        workspace_id=workspace_id, handles=tuple(ids), conversations=tuple(conversations), messages=tuple(dict.fromkeys(messages)),
        visitors=await visitors_who_are(connection, workspace_id, handles),
    )  # fmt: skip


async def _conversations(connection: Connection, workspace_id: UUID, handles: set[Any], after: UUID) -> list[UUID]:
    return await next_conversations(connection, workspace_id, handles, after=after, limit=CONVERSATIONS, lock=False)


def _write(entry: IO[bytes], rows: Sequence[Mapping[str, Any]], before: str) -> None:
    for row in rows:
        entry.write(f"{before}\n{json.dumps(row, default=_plain, ensure_ascii=False, indent=1)}".encode())
        before = ","


def _list(listed: TextIO, messages: Sequence[Mapping[str, Any]]) -> int:
    """Lists the files of messages, a line each; how many."""
    named = [one for message in messages for one in _files(message)]
    listed.writelines(json.dumps(one) + "\n" for one in named)
    return len(named)


def _files(message: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Path in the archive and key in the blob store of every file of a message."""
    body = message["body"]
    for place, part in enumerate([*body.get("parts", ()), *(body.get("content") or {}).get("files", ())]):
        name = "".join(c if c.isalnum() or c in "._-" else "_" for c in part.get("name") or part.get("role") or "file")[-100:]
        if part["blob"]:
            yield f"files/{message['id']}/{place}-{name}", part["blob"]


def _plain(value: Any) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
