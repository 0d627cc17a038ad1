"""Forgetting who somebody is: a component's handles lose their values, its attributes, notes and statements go, tombstones stay.

Handles' rows stay, because conversations name them; their kind becomes one that no channel makes, so nothing finds them again.
**Identity**: a tombstone by handle. **Units**: times aware UTC from the database's clock.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from profiles.erasure_covers import COVERS, ERASED_KIND, STATEMENTS
from profiles.erasure_tombstones import is_buried, tombstones
from profiles.handles import as_named, lock_handles
from profiles.identity_lock import lock_identity
from shared import outbox
from shared.database import Connection, pages
from shared.errors import Held
from shared.event import Event
from shared.handle import Handle, left_at
from shared.ids import HandleId, WorkspaceId, new_id
from shared.personal import Person, erase_rows

FRESH_AT_ONCE: Final = 1000
CHANGES: Final = """case when {handle}.kind in ('phone', 'wa_id') then array(
    select f.scope from santral.handle f
    where f.workspace_id = $1 and f.kind = {handle}.kind and f.value = {handle}.value and f.scope like 'left:%') else '{{}}' end"""
"""Of a row of handles: the scopes under which its number is kept of those who left it; for `own_handle`."""
# Besides the person's own: handles that only this person ever named and with which nobody ever wrote.
_HANDLES: Final = f"""
with own as (
    select m.id from santral.handle h join santral.handle m on m.workspace_id = h.workspace_id and m.profile_id = h.profile_id
    where h.workspace_id = $1 and h.id = $2
), named as (
    select l.b as id from own join santral.link l on l.workspace_id = $1 and l.a = own.id
    union select l.a from own join santral.link l on l.workspace_id = $1 and l.b = own.id
)
select x.*, {CHANGES.format(handle="x")} as changes from (
select h.id, h.kind, h.scope, h.value, h.raw, h.name from own
join santral.handle h on h.workspace_id = $1 and h.id = own.id
union
select h.id, h.kind, h.scope, h.value, h.raw, h.name from named
join santral.handle h on h.workspace_id = $1 and h.id = named.id
where not h.shared
  and not exists (select 1 from santral.profile p where p.workspace_id = $1 and p.id = h.profile_id)
  and not exists (select 1 from santral.link l where l.workspace_id = $1 and l.a = h.id and l.b not in (select id from own))
  and not exists (select 1 from santral.link l where l.workspace_id = $1 and l.b = h.id and l.a not in (select id from own))
) x order by x.id
"""
_HELD: Final = "select exists (select 1 from unnest($2::uuid[]) as g(id) where g.id in (select santral.held_handles($1)))"
_BURY: Final = """
insert into santral.tombstone (workspace_id, handle_id, erasure_id, hash, erased_at)
select $1, id, $2, hash, at from unnest($3::uuid[], $4::bytea[], $5::timestamptz[]) as g(id, hash, at) order by id
on conflict do nothing
"""
_VERSION: Final = """
update santral.profile set version = version + 1, changed_at = now() where workspace_id = $1 and id = $2 returning version
"""
_CHANGE: Final = """
insert into santral.profile_change (workspace_id, profile_id, version, what, cause)
values ($1, $2, $3, '{"types": ["profile.erased"]}', $4)
"""
_FRESH: Final = """
select id, kind, scope, value from santral.handle
where workspace_id = $1 and first_seen_at < $2 and last_seen_at > $2 - interval '1 day' and kind <> $3
  and id > $4::uuid
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnHandle:
    """A handle of a person, with what may be written somewhere else.

    ``since``, ``until``: of a number that changed hands, when it was theirs; None where it was always, or is.
    """

    id: HandleId
    handle: Handle
    raw: str
    name: str
    since: datetime | None = None
    until: datetime | None = None

    def was_theirs(self, at: datetime) -> bool:
        """Whether it was this person's then."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


async def person_handles(connection: Connection, workspace_id: WorkspaceId, any_id: UUID) -> list[OwnHandle]:
    """The person's handles, and those that only they ever named; by id. Nothing for an id that is not there."""
    rows = await connection.fetch(_HANDLES, workspace_id, any_id)
    return [own_handle(dict(row)) for row in rows]


def own_handle(row: Mapping[str, Any]) -> OwnHandle:
    """By a row of handles with its `CHANGES`."""
    handle = Handle(kind=row["kind"], scope=row["scope"], value=row["value"])
    until = left_at(handle)
    changes = [at for scope in row["changes"] if (at := left_at(replace(handle, scope=scope))) is not None]
    since = max((at for at in changes if until is None or at < until), default=None)
    return OwnHandle(id=HandleId(row["id"]), handle=handle, raw=row["raw"], name=row["name"], since=since, until=until)


def visitors_of(handles: Sequence[OwnHandle]) -> tuple[UUID, ...]:
    """The widget's visitors among them."""
    return tuple(UUID(one.handle.value) for one in handles if one.handle.kind == "visitor" and _is_id(one.handle.value))


async def forget(
    connection: Connection, workspace_id: WorkspaceId, profile_id: UUID, *, erasure_id: UUID, secret: bytes, at: datetime
) -> tuple[list[OwnHandle], Counter[str]]:
    """Erases who the person is, with tombstones and the event; the handles as they were, and rows per table.

    In the caller's transaction, before it locks anything else there. Twice: the second time finds nothing left to erase. Raises `Held`
    for somebody under a legal hold.
    """
    await lock_identity(connection, [workspace_id])
    handles = [one for one in await person_handles(connection, workspace_id, profile_id) if one.handle.kind != ERASED_KIND]
    await lock_handles(connection, [(workspace_id, one.id) for one in handles])
    if not handles:
        return [], Counter()
    # Asked under the lock: who was asked about before may have become one person with somebody under a hold.
    if await connection.fetchval(_HELD, workspace_id, [one.id for one in handles]):
        raise Held("this person is under a legal hold", field="profile_id")
    buried = await asyncio.to_thread(lambda: [tombstones(secret, workspace_id, as_named(one.handle), at) for one in handles])
    stones = [(one.id, *stone) for one, found in zip(handles, buried, strict=True) for stone in found.items()]
    await connection.execute(_BURY, workspace_id, erasure_id, *map(list, zip(*stones, strict=True)))
    person = Person(workspace_id=workspace_id, handles=tuple(one.id for one in handles))
    counts: Counter[str] = Counter()
    for cover in (*COVERS, *STATEMENTS):
        counts[cover.table] += await erase_rows(connection, cover, person)
    version = await connection.fetchval(_VERSION, workspace_id, profile_id)
    if version is not None:
        await connection.execute(_CHANGE, workspace_id, profile_id, version, {"erasure": str(erasure_id)})
    data: dict[str, Any] = {
        "version": version or 1, "erasure_id": str(erasure_id), "erased_at": at.isoformat(),
        "hashes": sorted(next(iter(found)).hex() for found in buried),
    }  # fmt: skip
    event = Event(id=new_id(), workspace_id=workspace_id, type="profile.erased", at=at, profile_id=profile_id, data=data)
    await outbox.record(connection, [event])
    return handles, counts


async def come_again(
    connection: Connection, workspace_id: WorkspaceId, *, secret: bytes, hashes: Collection[bytes], at: datetime, since: UUID
) -> list[UUID]:
    """Handles that a writer, unaware of the tombstone, began around the erasure from what was observed before it.

    ``since``: an id made before it; ids grow with time.
    """

    def buried(rows: Sequence[Mapping[str, Any]]) -> list[UUID]:
        handles = ((row["id"], Handle(kind=row["kind"], scope=row["scope"], value=row["value"])) for row in rows)
        return [handle_id for handle_id, one in handles if is_buried(one, hashes, secret, workspace_id)]

    found: list[UUID] = []
    async for rows in pages(connection, _FRESH, workspace_id, at, ERASED_KIND, since, rows=FRESH_AT_ONCE):
        found += await asyncio.to_thread(buried, rows)
    return found


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
