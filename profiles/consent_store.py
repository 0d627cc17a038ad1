"""Statements of consent, read and written. Each is a new version of the person, with its event.

Rows only grow. **Identity**: a statement's id. **Units**: times aware UTC from the database's clock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from profiles.consent import Statement
from profiles.handles import lock_handles
from shared import outbox
from shared.database import Connection
from shared.errors import InputRejected, NotFound
from shared.event import Event
from shared.ids import HandleId, ProfileId, WorkspaceId, new_id

_PERSON: Final = "select profile_id, now() as as_of from santral.handle where workspace_id = $1 and id = $2"
_STATEMENTS: Final = """
select c.id, c.handle_id, c.purpose, c.channel, c.granted, c.explicit, c.source, c.actor, c.stated_at, c.expires_at
from santral.handle h join santral.handle m on m.workspace_id = h.workspace_id and m.profile_id = h.profile_id
join santral.consent c on c.workspace_id = m.workspace_id and c.handle_id = m.id
where h.workspace_id = $1 and h.id = $2 order by c.stated_at desc, c.id desc limit $3
"""
_STATE: Final = """
insert into santral.consent (workspace_id, id, handle_id, purpose, channel, granted, explicit, source, actor, stated_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
_CHANGE: Final = """
with changed as (
    insert into santral.profile (workspace_id, id) values ($1, $2)
    on conflict (workspace_id, id) do update set version = profile.version + 1, changed_at = now()
    returning workspace_id, id, version
), kept as (
    insert into santral.profile_change (workspace_id, profile_id, version, what, cause)
    select workspace_id, id, version, $3, $4 from changed where version > 1
)
select version from changed
"""
_CHANGE_ALL: Final = """
with given as (
    select h.profile_id as id, jsonb_agg(c.id order by c.id) as said
    from unnest($2::uuid[]) as g(id) join santral.consent c on c.workspace_id = $1 and c.id = g.id
    join santral.handle h on h.workspace_id = $1 and h.id = c.handle_id
    where h.profile_id <> all($3::uuid[]) group by h.profile_id
), changed as (
    update santral.profile p set version = p.version + 1, changed_at = now() from given
    where p.workspace_id = $1 and p.id = given.id returning p.id, p.version, given.said
), kept as (
    insert into santral.profile_change (workspace_id, profile_id, version, what, cause)
    select $1, id, version, $4, $5::jsonb || jsonb_build_object('consent', said) from changed
)
select id, version, now() as as_of from changed order by id
"""
STATEMENTS_MAX: Final = 1000


async def statements_of(connection: Connection, workspace_id: WorkspaceId, any_id: UUID) -> list[Statement]:
    """Every statement of a person, newest first. Raises `NotFound`."""
    if await connection.fetchval(_PERSON, workspace_id, any_id) is None:
        raise NotFound("no such profile", field="id", remedy="any id of a profile or a handle of this workspace")
    return [Statement(**dict(row)) for row in await connection.fetch(_STATEMENTS, workspace_id, any_id, STATEMENTS_MAX)]


async def state_consent(
    connection: Connection, workspace_id: WorkspaceId, handle_id: HandleId, *, purpose: str, channel: str, granted: bool,
    explicit: bool, source: str, actor: str, stated_at: datetime | None = None, expires_at: datetime | None = None,
) -> Statement:  # fmt: skip
    """Writes a statement at a handle, with the event. Each call is a statement of its own.

    Raises `NotFound` for a handle that is not there, `InputRejected` for a time that is still to come or an end before the beginning.
    """
    await lock_handles(connection, [(workspace_id, handle_id)])
    row = await connection.fetchrow(_PERSON, workspace_id, handle_id)
    if row is None:
        raise NotFound("no such handle", field="handle_id", remedy="a handle of this profile")
    said = Statement(
        id=new_id(), handle_id=handle_id, purpose=purpose, channel=channel, granted=granted, explicit=explicit, source=source,
        actor=actor, stated_at=stated_at or row["as_of"], expires_at=expires_at,
    )  # fmt: skip
    if said.stated_at > row["as_of"]:
        raise InputRejected("a statement from the future", field="stated_at", remedy="when it was made, or leave it out")
    if expires_at is not None and expires_at <= said.stated_at:
        raise InputRejected("it ends before it begins", field="expires_at", remedy="a time after stated_at")
    await connection.execute(
        _STATE, workspace_id, said.id, handle_id, purpose, channel, granted, explicit, source, actor, said.stated_at, expires_at
    )
    what = {"types": ["profile.changed"], "what": ["consent"]}
    await changed(
        connection, workspace_id, row["profile_id"], at=row["as_of"], what=what, cause={"actor": actor, "consent": str(said.id)}
    )
    return said


async def changed(
    connection: Connection, workspace_id: WorkspaceId, profile_id: ProfileId, *, at: datetime,
    what: dict[str, list[str]], cause: dict[str, str],
) -> int:  # fmt: skip
    """A new version of a profile whose handles and attributes stay as they are, with its event; the version."""
    version = int(await connection.fetchval(_CHANGE, workspace_id, profile_id, what, cause))
    event = Event(
        id=new_id(), workspace_id=workspace_id, type="profile.changed", at=at, profile_id=profile_id,
        data={"version": version, "what": what["what"]},
    )  # fmt: skip
    await outbox.record(connection, [event])
    return version


async def changed_by(
    connection: Connection,
    workspace_id: WorkspaceId,
    consent_ids: Sequence[UUID],
    *,
    cause: Mapping[str, str],
    begun: Collection[ProfileId],
) -> list[Event]:
    """A new version of each person whom these statements are about, with the events to record; not of those who ``begun`` with them."""
    if not consent_ids:
        return []
    what = {"types": ["profile.changed"], "what": ["consent"]}
    rows = await connection.fetch(_CHANGE_ALL, workspace_id, list(consent_ids), list(begun), what, dict(cause))
    return [
        Event(
            id=new_id(), workspace_id=workspace_id, type="profile.changed", at=row["as_of"], profile_id=row["id"],
            data={"version": row["version"], "what": what["what"]},
        )
        for row in rows
    ]  # fmt: skip
