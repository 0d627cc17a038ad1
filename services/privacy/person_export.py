"""A person's export: everything that is kept about them as a ZIP of JSON files, one per kind, and their attachments; made by the courier.

It is complete because it is made of the same covers as erasure. The archive lies in the blob store until it expires.
**Identity**: the export's id. **Units**: seconds, times aware UTC.
"""

from __future__ import annotations

import base64
import json
import tempfile
import zipfile
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from profiles.forgetting import person_handles, visitors_of
from router.erasure.conversations import next_conversations, notes_elsewhere, walk_mentions
from services.frame.rounds import each_alone, go_round
from services.privacy.quarantine import entries_of, needles_of
from services.privacy.registry import COVERS
from shared.blobs import Blobs
from shared.database import Connection, Database
from shared.errors import NotFound
from shared.hints import Waiter
from shared.ids import WorkspaceId
from shared.logs import get_log
from shared.personal import Person, export_rows

log = get_log(__name__)
KEPT_S: Final = 7 * 24 * 3600
LEASE_S: Final = 300
TRIES: Final = 5
LOOK_S: Final = 1.0
CONVERSATIONS: Final = 1000
_NIL: Final = UUID(int=0)

_TAKE: Final = """
update santral.person_export e set due_at = clock_timestamp() + $1 * interval '1 s', attempts = e.attempts + 1,
    state = case when e.state = 'done' then 'done' else 'running' end
from (
    select workspace_id, id from santral.person_export
    where state in ('asked', 'running', 'done') and due_at <= clock_timestamp() order by due_at limit 1 for no key update skip locked
) due where e.workspace_id = due.workspace_id and e.id = due.id returning e.*
"""
_PROGRESS: Final = "update santral.person_export set done = $3, parts = $4 where workspace_id = $1 and id = $2"
_DONE: Final = """
update santral.person_export set state = 'done', blob = $3, size_bytes = $4, done_at = clock_timestamp(),
    expires_at = clock_timestamp() + $5 * interval '1 s', due_at = clock_timestamp() + $5 * interval '1 s'
where workspace_id = $1 and id = $2 and state = 'running'
"""
_END: Final = "update santral.person_export set state = $3, blob = null where workspace_id = $1 and id = $2"


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
        async with self._db.batch(isolation="repeatable_read") as connection:
            person = await _person(connection, job)
            kinds = {cover.kind: await export_rows(connection, cover, person) for cover in COVERS}
        files = _files(kinds)
        parts = len(kinds) + len(files)
        with tempfile.TemporaryFile() as scratch:
            with zipfile.ZipFile(scratch, "w", zipfile.ZIP_DEFLATED) as archive:
                for kind, rows in kinds.items():
                    archive.writestr(f"{kind}.json", json.dumps(rows, default=_plain, ensure_ascii=False, indent=1))
                await self._execute(_PROGRESS, workspace_id, export_id, len(kinds), parts)
                for place, (name, blob) in enumerate(files.items()):
                    try:
                        archive.writestr(name, await self._blobs.get(blob))
                    except NotFound:
                        archive.writestr(f"{name}.missing", b"")
                    await self._execute(_PROGRESS, workspace_id, export_id, len(kinds) + place + 1, parts)
            scratch.seek(0)
            content = scratch.read()
        key = f"{workspace_id}/{export_id}/export.zip"
        await self._blobs.put(key, content)
        if await self._execute(_DONE, workspace_id, export_id, key, len(content), self._kept_s) == "UPDATE 0":
            # The person was erased meanwhile.
            await self._blobs.delete(key)

    async def _execute(self, statement: str, *values: Any) -> str:
        async with self._db.batch() as connection:
            return await connection.execute(statement, *values)


async def _person(connection: Connection, job: Mapping[str, Any]) -> Person:
    """Everything that is this person's, as of one moment."""
    workspace_id = WorkspaceId(job["workspace_id"])
    handles = await person_handles(connection, workspace_id, job["profile_id"])
    ids = {one.id for one in handles}
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
        found, entry = await entries_of(connection, workspace_id, needles_of(handles), after=entry)
        messages += found
    return Person(
        workspace_id=workspace_id, handles=tuple(ids), conversations=tuple(conversations), messages=tuple(dict.fromkeys(messages)),
        visitors=visitors_of(handles),
    )  # fmt: skip


async def _conversations(connection: Connection, workspace_id: UUID, handles: set[Any], after: UUID) -> list[UUID]:
    return await next_conversations(connection, workspace_id, handles, after=after, limit=CONVERSATIONS, lock=False)


def _files(kinds: Mapping[str, list[dict[str, Any]]]) -> dict[str, str]:
    """Path in the archive → key in the blob store, for every file of the messages."""
    found: dict[str, str] = {}
    for message in kinds["messages"]:
        body = message["body"]
        for place, part in enumerate([*body.get("parts", ()), *(body.get("content") or {}).get("files", ())]):
            name = "".join(c if c.isalnum() or c in "._-" else "_" for c in part.get("name") or part.get("role") or "file")[-100:]
            if part["blob"]:
                found[f"files/{message['id']}/{place}-{name}"] = part["blob"]
    return found


def _plain(value: Any) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
