"""The widget's visitors who are a person: those that wrote, and those that a site's signed identity named before they wrote anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from profiles.forgetting import OwnHandle, visitors_of
from shared.database import Connection

# An address that two customers share belongs to whom the site's own id names.
_NAMED: Final = """
select distinct s.visitor_id from santral.session s
where s.workspace_id = $1 and s.kind = 'visitor' and s.visitor_id is not null and s.claims ? 'external_id' and (
    s.claims->>'external_id' = any($2::text[])
    or (lower(s.claims->>'email') = any($3::text[]) or s.claims->>'phone' = any($4::text[])) and not exists (
        select 1 from santral.handle h where h.workspace_id = $1 and h.kind = 'external_id' and h.value = s.claims->>'external_id'
    )
)
"""


async def visitors_who_are(connection: Connection, workspace_id: UUID, handles: Sequence[OwnHandle]) -> tuple[UUID, ...]:
    """Their ids; ``handles`` with the values they had, also once they are erased."""

    def values(kind: str) -> list[str]:
        return [text for one in handles if one.handle.kind == kind for text in {one.handle.value, one.raw} if text]

    rows = await connection.fetch(
        _NAMED, workspace_id, values("external_id"), [one.lower() for one in values("email")], values("phone")
    )
    return tuple(dict.fromkeys((*visitors_of(handles), *(row["visitor_id"] for row in rows))))
