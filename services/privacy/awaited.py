"""Who is to be erased: from the asking to the erasure, also while a hold keeps it waiting, nobody is joined to them.

Whoever were joined would be erased with them, unasked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

from shared.database import Connection
from shared.errors import Conflict
from shared.handle import Handle

_AWAITED: Final = """
select e.id from santral.handle one
join santral.handle own on own.workspace_id = one.workspace_id and own.profile_id = one.profile_id
join santral.erasure e on e.workspace_id = own.workspace_id and e.profile_id = own.id and e.state <> 'done'
where one.workspace_id = $1 and one.id = any($2::uuid[]) limit 1
"""
_OF: Final = """
select h.kind, h.scope, h.value, e.id from santral.erasure e
join santral.handle own on own.workspace_id = e.workspace_id and own.id = e.profile_id
join santral.handle h on h.workspace_id = own.workspace_id and h.profile_id = own.profile_id
join unnest($2::text[], $3::text[], $4::text[]) as given(kind, scope, value)
  on given.kind = h.kind and given.scope = h.scope and given.value = h.value
where e.workspace_id = $1 and e.state <> 'done'
"""


async def require_no_erasure(connection: Connection, workspace_id: UUID, handle_ids: Sequence[UUID], *, field: str) -> None:
    """Raises `Conflict` where one of these people is to be erased."""
    found = await connection.fetchval(_AWAITED, workspace_id, list(handle_ids))
    if found is not None:
        raise Conflict("this person is to be erased", field=field, remedy=f"wait for the erasure {found}", erasure_id=str(found))


async def awaited_of(connection: Connection, workspace_id: UUID, handles: Collection[Handle]) -> dict[Handle, UUID]:
    """Of these handles, those of people who are to be erased, with the erasure."""
    rows = await connection.fetch(
        _OF, workspace_id, [one.kind for one in handles], [one.scope for one in handles], [one.value for one in handles]
    )
    return {Handle(kind=row["kind"], scope=row["scope"], value=row["value"]): row["id"] for row in rows}


def joined_to(handles: Collection[Handle], awaited: Mapping[Handle, UUID]) -> Handle | None:
    """The handle of who is to be erased, where one person out of all these would join somebody to them."""
    theirs = [one for one in handles if one in awaited]
    joins = len(theirs) < len(set(handles)) or len({awaited[one] for one in theirs}) > 1
    return theirs[0] if theirs and joins else None
