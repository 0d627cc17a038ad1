"""Reading people: one profile by any of its ids, many by their handles, and the ledger that says why they are one.

Every handle's id is the id of a profile that was, is or may be again; so a view looks through merges by asking the handle. All of
this runs on the caller's transaction (:meth:`shared.database.Database.batch` with the workspace set). **Units**: times aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from profiles.snapshot import shown_name
from shared.database import Connection
from shared.errors import NotFound
from shared.handle import Handle
from shared.handle_forms import renewed
from shared.ids import AgentId, HandleId, ProfileId, WorkspaceId

_VIEW: Final = """
select h.profile_id, p.version, p.effective, p.last_agent_id, p.created_at, p.changed_at,
       (select min(m.first_seen_at) from santral.handle m
        where m.workspace_id = h.workspace_id and m.profile_id = h.profile_id) as first_seen_at,
       h.id in (select santral.held_handles($1)) as held
from santral.handle h left join santral.profile p on p.workspace_id = h.workspace_id and p.id = h.profile_id
where h.workspace_id = $1 and h.id = $2
"""
_HANDLES: Final = """
select id, kind, scope, value, raw, name, assurance, shared, shared_by, first_seen_at, last_seen_at
from santral.handle where workspace_id = $1 and profile_id = $2 order by first_seen_at, id
"""
_LOOKUP: Final = """
select g.place, h.id, h.profile_id, h.raw
from unnest($2::text[], $3::text[], $4::text[]) with ordinality as g(kind, scope, value, place)
cross join lateral (
    select f.id, f.profile_id, f.raw from santral.handle f
    where f.workspace_id = $1 and f.kind = g.kind and f.scope = g.scope and f.value = g.value limit 1
) h
"""
_LINKS: Final = """
with mine as (
    select m.id from santral.handle h
    join santral.handle m on m.workspace_id = h.workspace_id and m.profile_id = h.profile_id
    where h.workspace_id = $1 and h.id = $2
)
select l.* from mine join santral.link l on l.workspace_id = $1 and l.a = mine.id
union
select l.* from mine join santral.link l on l.workspace_id = $1 and l.b = mine.id
order by first_seen_at, id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandleView:
    """A handle as an agent sees it. ``shared_by`` says why it belongs to no single person, empty when it may."""

    id: HandleId
    kind: str
    scope: str
    value: str
    raw: str
    name: str
    assurance: str
    shared: bool
    shared_by: str
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileView:
    """A person. ``asked_id`` is what was asked for, ``id`` what it is now; ``attributes``: name → {value, source, …}.

    ``held``: a legal hold stands.
    """

    asked_id: UUID
    id: ProfileId
    version: int
    name: str
    handles: tuple[HandleView, ...]
    attributes: Mapping[str, Any]
    last_agent_id: AgentId | None
    first_seen_at: datetime
    changed_at: datetime
    held: bool

    @property
    def merged(self) -> bool:
        """Whether the id asked for is now part of another profile."""
        return self.asked_id != self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkView:
    """One row of the ledger, retracted ones included; ``merges`` is not said here: see the partition."""

    id: UUID
    a: HandleId
    b: HandleId
    kind: str
    assurance: str
    source: str
    evidence: Mapping[str, Any]
    actor: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    verified_at: datetime | None
    expires_at: datetime | None
    retracted_at: datetime | None
    retracted_by: str | None


async def profile_view(connection: Connection, workspace_id: WorkspaceId, any_id: UUID) -> ProfileView:
    """The person that a profile's or handle's id belongs to now. Raises `NotFound`."""
    row = await connection.fetchrow(_VIEW, workspace_id, any_id)
    if row is None:
        raise NotFound("no such profile", field="id", remedy="any id of a profile or a handle of this workspace")
    handles = await connection.fetch(_HANDLES, workspace_id, row["profile_id"])
    effective = row["effective"] or {}
    return ProfileView(
        asked_id=any_id,
        id=row["profile_id"],
        version=row["version"] or 1,
        name=shown_name(effective, [(handle["assurance"], handle["name"]) for handle in handles]),
        handles=tuple(HandleView(**dict(handle)) for handle in handles),
        attributes=effective,
        last_agent_id=row["last_agent_id"],
        first_seen_at=row["first_seen_at"],
        changed_at=row["changed_at"] or row["first_seen_at"],
        held=row["held"],
    )


async def lookup(
    connection: Connection, workspace_id: WorkspaceId, handles: Sequence[Handle]
) -> dict[Handle, tuple[HandleId, ProfileId]]:
    """(handle id, profile id) of each normalized handle that is known; one SELECT."""
    rows = await connection.fetch(
        _LOOKUP,
        workspace_id,
        [handle.kind for handle in handles],
        [handle.scope for handle in handles],
        [handle.value for handle in handles],
    )
    found = [(handles[row["place"] - 1], row) for row in rows]
    return {handle: (row["id"], row["profile_id"]) for handle, row in found if renewed(handle, row["raw"]) == handle}


async def links_of(connection: Connection, workspace_id: WorkspaceId, any_id: UUID) -> list[LinkView]:
    """The ledger of a person, oldest first: links between their handles and to others (suggestions, retracted ones)."""
    rows = await connection.fetch(_LINKS, workspace_id, any_id)
    return [LinkView(**{name: value for name, value in row.items() if name != "workspace_id"}) for row in rows]
