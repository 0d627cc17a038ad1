"""A person's export: everything that is kept about them as a ZIP of JSON files, one per kind, and their attachments; made by the courier.

It is complete because it is made of the same covers as erasure. Rows and files go through the courier piece by piece into a file on disk,
so one person's much is nobody's memory. The archive lies in the blob store until it expires, or until somebody is erased whose words it
holds: it keeps their handles, for who was one person with somebody when it was made may not be so then.
**Identity**: the export's id. **Units**: seconds, bytes, times aware UTC.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, Final, TextIO
from uuid import UUID

from profiles.forgetting import person_handles
from profiles.handles import lock_handles
from router.erasure.conversations import next_conversations, notes_elsewhere, walk_mentions
from services.frame.rounds import each_alone, go_round
from services.privacy.quarantine import entries_of, sought
from services.privacy.registry import COVERS
from services.privacy.turns import drawn_workspace
from services.privacy.visitors import visitors_who_are
from shared.blobs import Blobs
from shared.database import Connection, Database, retried
from shared.errors import Conflict, NotFound
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
_WHOSE: Final = "update santral.person_export set handles = $3 where workspace_id = $1 and id = $2 and state = 'running'"
_ERASED: Final = """
select exists (
    select 1 from santral.tombstone t join santral.erasure e on e.workspace_id = t.workspace_id and e.id = t.erasure_id
    where t.workspace_id = $1 and t.handle_id = any($2::uuid[]) and (e.done_at is null or e.done_at > $3))
"""
_PROGRESS: Final = """
update santral.person_export set done = $3, parts = $4, due_at = clock_timestamp() + $5 * interval '1 s'
where workspace_id = $1 and id = $2 and state = 'running'
"""
_DONE: Final = """
update santral.person_export set state = 'done', blob = $3, size_bytes = $4, done_at = clock_timestamp(),
    expires_at = clock_timestamp() + $5 * interval '1 s', due_at = clock_timestamp() + $5 * interval '1 s'
where workspace_id = $1 and id = $2 and state = 'running'
"""
_END: Final = "update santral.person_export set state = $3, blob = null where workspace_id = $1 and id = $2"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """What was written: of how many kinds, the files named, the handles whose words it is, and the moment it is as of."""

    kinds: int
    files: int
    handles: tuple[UUID, ...]
    as_of: datetime


class PersonExports:
    """The courier's loop over exports. Any number of couriers share the table."""

    def __init__(self, *, db: Database, blobs: Blobs, kept_s: float = KEPT_S) -> None:
        self._db = db
        self._blobs = blobs
        self._kept_s = kept_s

    async def run(self, waiter: Waiter) -> None:
        """Works for ever; while the database or the blob store is away it waits."""
        await go_round(self.round, waiter, look_s=LOOK_S, action="export_waits")

    async def round(self) -> bool:
        """Makes the export that is due, or removes the one that has expired. False when none is due."""
        async with self._db.batch() as connection:
            row = await connection.fetchrow(_TAKE, LEASE_S)
        if row is None:
            return False
        job = dict(row)
        if job["state"] == "done":
            await each_alone([job], self._expire, action="export_waits")
            return True
        try:
            await self._make(job)
        except Exception as error:
            # Whatever one person's rows hold, the exports of others go on; the reason is its kind, for its words may be theirs.
            log.warning("an export was not made", action="export_waits", export=str(job["id"]), error=type(error).__name__)
            if job["attempts"] >= TRIES:
                await self._execute(_END, job["workspace_id"], job["id"], "failed")
        return True

    async def _expire(self, job: Mapping[str, Any]) -> None:
        await self._blobs.delete(job["blob"])
        await self._execute(_END, job["workspace_id"], job["id"], "expired")

    async def _make(self, job: Mapping[str, Any]) -> None:
        workspace_id, export_id = job["workspace_id"], job["id"]
        key = f"{workspace_id}/{export_id}/export.zip"
        with tempfile.TemporaryFile() as scratch, tempfile.TemporaryFile("w+") as listed:
            with zipfile.ZipFile(scratch, "w", zipfile.ZIP_DEFLATED) as archive:
                rows = await self._write_rows(job, archive, listed)
                if not await retried(lambda: self._still_theirs(job, rows)):
                    return
                parts = rows.kinds + rows.files
                await self._execute(_PROGRESS, workspace_id, export_id, rows.kinds, parts, LEASE_S)
                listed.seek(0)
                for place, line in enumerate(listed, start=1):
                    name, blob = json.loads(line)
                    await self._write_file(archive, name, blob)
                    await self._execute(_PROGRESS, workspace_id, export_id, rows.kinds + place, parts, LEASE_S)
            size_bytes = scratch.seek(0, io.SEEK_END)
            await self._blobs.put_file(key, scratch)
        if await self._execute(_DONE, workspace_id, export_id, key, size_bytes, self._kept_s) == "UPDATE 0":
            # Somebody whose words it holds was erased meanwhile.
            await self._blobs.delete(key)

    async def _still_theirs(self, job: Mapping[str, Any], rows: _Rows) -> bool:
        """Keeps whose words were written; from here on an erasure of one of them ends the export. False where one has ended it already.

        Raises `Conflict` where one of them began to be erased after their rows were read, or just before: it is made anew.
        """
        workspace_id = WorkspaceId(job["workspace_id"])
        async with self._db.batch() as connection:
            # Who is being erased at this moment is waited for.
            await lock_handles(connection, [(workspace_id, HandleId(one)) for one in rows.handles])
            if await connection.execute(_WHOSE, workspace_id, job["id"], rows.handles) == "UPDATE 0":
                return False
            if await connection.fetchval(_ERASED, workspace_id, rows.handles, rows.as_of):
                raise Conflict("somebody whose words it holds is being erased", remedy="wait until the erasure is done")
            return True

    async def _write_rows(self, job: Mapping[str, Any], archive: zipfile.ZipFile, listed: TextIO) -> _Rows:
        """Writes the kinds, as of one moment, and into ``listed`` the files that messages name, a line each."""
        kinds = files = 0
        async with self._db.batch(isolation="repeatable_read") as connection:
            person = await _person(connection, job)
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

    async def _execute(self, statement: str, *values: Any) -> str:
        async with self._db.batch() as connection:
            return await connection.execute(statement, *values)


async def _person(connection: Connection, job: Mapping[str, Any]) -> Person:
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
        found, entry = await entries_of(connection, workspace_id, whose, after=entry)
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
