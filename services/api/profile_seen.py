"""Who looked at whom: one row for each profile that was shown to somebody; never what was shown."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from services.api.principal import Principal
from shared.database import Connection
from shared.ids import new_id

_NOTE: Final = "insert into santral.profile_view (workspace_id, id, profile_id, actor) values ($1, $2, $3, $4)"
GLANCE: Final = timedelta(hours=1)
"""How long a glance lasts: for so long the same one is not noted again."""
_NOTE_ONCE: Final = f"""
insert into santral.profile_view (workspace_id, id, profile_id, actor) select $1, g.id, g.profile_id, $4
from unnest($2::uuid[], $3::uuid[]) as g(id, profile_id) where not exists (
    select from santral.profile_view v where v.workspace_id = $1 and v.profile_id = g.profile_id and v.actor = $4
      and v.at > now() - interval '{GLANCE.total_seconds()} s')
"""
_LIST: Final = """
select id, profile_id, actor, at from santral.profile_view
where workspace_id = $1 and profile_id = any($2::uuid[]) and ($3::uuid is null or id < $3) order by id desc limit $4
"""
_LOOKS: Final = """
select h.profile_id, count(*) as looks, min(v.at) as first_at, max(v.at) as last_at from santral.profile_view v
join santral.handle h on h.workspace_id = v.workspace_id and h.id = v.profile_id
where v.workspace_id = $1 and v.actor = any($2::text[]) and v.at > $3 and v.at < $4 and ($5::uuid is null or h.profile_id > $5)
group by h.profile_id order by h.profile_id limit $6
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """How often, and when first and last, somebody was shown a profile."""

    looks: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One look. ``profile_id``: as which profile the person was shown then."""

    id: UUID
    profile_id: UUID
    actor: str
    at: datetime


async def note_view(connection: Connection, principal: Principal, profile_id: UUID) -> None:
    """Writes down that the caller was shown this profile, in the transaction that reads it."""
    await connection.execute(_NOTE, principal.workspace_id, new_id(), profile_id, principal.actor)


async def note_glances(connection: Connection, principal: Principal, profile_ids: Collection[UUID]) -> None:
    """The same for pages that show people beside other things and are read again and again: once for person, caller and hour."""
    shown = sorted(set(profile_ids))
    if shown:
        await connection.execute(_NOTE_ONCE, principal.workspace_id, [new_id() for _ in shown], shown, principal.actor)


def people_on(desk: Mapping[str, Any]) -> set[UUID]:
    """The profiles of the customers on a desk, as far as it shows them."""
    shown = {one["customer"]["profile_id"] for one in (*desk["items"], *desk["offers"])}
    return shown - {None}


async def views_of(
    connection: Connection, workspace_id: UUID, profile_ids: Sequence[UUID], *, before: UUID | None, limit: int
) -> list[View]:
    """Looks at these profiles, newest first; ``before`` is the last id of the page before."""
    rows = await connection.fetch(_LIST, workspace_id, list(profile_ids), before, limit)
    return [View(**dict(row)) for row in rows]


async def looks_of(
    connection: Connection,
    workspace_id: UUID,
    actors: Sequence[str],
    *,
    since: datetime,
    until: datetime,
    after: UUID | None,
    limit: int,
) -> dict[UUID, Looks]:
    """Whom these actors were shown in a time, by profile's id from ``after`` on, as the profiles are now.

    A look lasts its hour: what was noted within an hour before the time stands for all that was shown since and not noted again.
    """
    rows = await connection.fetch(_LOOKS, workspace_id, list(actors), since - GLANCE, until, after, limit)
    return {row["profile_id"]: Looks(looks=row["looks"], first_at=row["first_at"], last_at=row["last_at"]) for row in rows}
