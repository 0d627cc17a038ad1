"""A person's own history: handles first seen, links made and retracted, merges, consent, notes. Newest first, by cursor.

What is only claimed is no part of it. Conversations and calls are another room's: it asks here for the handles of the person and
lists by them, in the same order: time, id, kind. **Identity** of an entry: kind and the row's id. **Units**: times aware UTC.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from shared.database import Connection
from shared.errors import InputRejected, NotFound
from shared.ids import HandleId, ProfileId, WorkspaceId

LIMIT_MAX: Final = 200
EntryKind: TypeAlias = Literal["handle_seen", "linked", "link_retracted", "kept_apart", "consent", "note", "merged", "unmerged"]
EntryKey: TypeAlias = tuple[datetime, UUID, str]

_PERSON: Final = """
select h.profile_id, m.id from santral.handle h
join santral.handle m on m.workspace_id = h.workspace_id and m.profile_id = h.profile_id
where h.workspace_id = $1 and h.id = $2 order by m.first_seen_at, m.id
"""
_ENTRIES: Final = """
with mine as (select unnest($2::uuid[]) as id), entry as (
    select 'handle_seen' as what, h.first_seen_at as at, h.id, jsonb_build_object('handle_id', h.id, 'kind', h.kind) as data
    from mine join santral.handle h on h.workspace_id = $1 and h.id = mine.id
    union
    select 'linked', l.first_seen_at, l.id, jsonb_build_object(
        'a', l.a, 'b', l.b, 'kind', l.kind, 'assurance', l.assurance, 'source', l.source, 'actor', l.actor)
    from mine join santral.link l on l.workspace_id = $1 and (l.a = mine.id or l.b = mine.id) and l.assurance <> 'asserted'
    union
    select 'link_retracted', l.retracted_at, l.id, jsonb_build_object('a', l.a, 'b', l.b, 'actor', l.retracted_by)
    from mine join santral.link l on l.workspace_id = $1 and (l.a = mine.id or l.b = mine.id) and l.assurance <> 'asserted'
      and l.retracted_at is not null
    union
    select 'kept_apart', c.stated_at, c.id, jsonb_build_object('a', c.a, 'b', c.b, 'reason', c.reason, 'actor', c.actor)
    from mine join santral.cannot_link c on c.workspace_id = $1 and (c.a = mine.id or c.b = mine.id)
    union
    select 'consent', n.stated_at, n.id, jsonb_build_object(
        'handle_id', n.handle_id, 'purpose', n.purpose, 'channel', n.channel, 'granted', n.granted, 'explicit', n.explicit,
        'source', n.source, 'actor', n.actor, 'expires_at', n.expires_at)
    from mine join santral.consent n on n.workspace_id = $1 and n.handle_id = mine.id
    union
    select 'note', t.written_at, t.id, jsonb_build_object('handle_id', t.handle_id, 'text', t.text, 'actor', t.actor)
    from mine join santral.note t on t.workspace_id = $1 and t.handle_id = mine.id
    union
    select case when v.what->'types' ? 'profile.unmerged' then 'unmerged' else 'merged' end, v.at, v.profile_id,
           jsonb_build_object('version', v.version, 'from', v.what->'from', 'links', v.cause->'links', 'actor', v.cause->'actor')
    from mine join santral.profile_change v on v.workspace_id = $1 and v.profile_id = mine.id
    where v.what->'types' ?| array['profile.merged', 'profile.unmerged']
)
select what, at, id, data from entry
where ($3::timestamptz is null or (at, id, what) < ($3, $4, $5)) and ($7::text[] is null or what = any($7))
order by at desc, id desc, what desc limit $6
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing in a person's history; ``data`` holds ids and words, never a value of a handle; a note its text."""

    kind: EntryKind
    at: datetime
    id: UUID
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """``handle_ids``: every handle of the person, oldest first. ``next_cursor`` is None on the last page."""

    profile_id: ProfileId
    handle_ids: tuple[HandleId, ...]
    entries: tuple[Entry, ...]
    next_cursor: str | None


async def timeline(
    connection: Connection,
    workspace_id: WorkspaceId,
    profile_id: UUID,
    cursor: str | None = None,
    limit: int = 50,
    *,
    before: EntryKey | None = None,
    kinds: Collection[str] | None = None,
) -> Timeline:
    """A page of the history of the person that any id of a profile or handle belongs to; what lies before the cursor or place.

    ``kinds`` keeps to these; what is none of ours finds nothing.
    Raises `NotFound`, `InputRejected`.
    """
    if not 1 <= limit <= LIMIT_MAX:
        raise InputRejected(f"{limit} entries", field="limit", remedy=f"1 to {LIMIT_MAX}")
    at, row_id, what = _read(cursor) if cursor else before or (None, None, None)
    person = await connection.fetch(_PERSON, workspace_id, profile_id)
    if not person:
        raise NotFound("no such profile", field="id", remedy="any id of a profile or a handle of this workspace")
    handle_ids = [row["id"] for row in person]
    rows = await connection.fetch(
        _ENTRIES, workspace_id, handle_ids, at, row_id, what, limit + 1, None if kinds is None else list(kinds)
    )
    entries = tuple(Entry(kind=row["what"], at=row["at"], id=row["id"], data=row["data"]) for row in rows[:limit])
    return Timeline(
        profile_id=person[0]["profile_id"],
        handle_ids=tuple(handle_ids),
        entries=entries,
        next_cursor=_written(entries[-1]) if len(rows) > limit else None,
    )


def _written(entry: Entry) -> str:
    return base64.urlsafe_b64encode(f"{entry.at.isoformat()}|{entry.id}|{entry.kind}".encode()).decode().rstrip("=")


def _read(cursor: str) -> tuple[datetime, UUID, str]:
    try:
        at, row_id, what = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split("|")
        return (datetime.fromisoformat(at), UUID(row_id), what)
    except (ValueError, binascii.Error) as error:
        raise InputRejected("not a cursor", field="cursor", remedy="the `next` of the page before") from error
