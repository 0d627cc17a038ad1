"""Finding people by what somebody typed: names, handles, attribute values and notes. Newest change first, by cursor.

The index is asked through a definer function that looks into the workspace of the transaction only: under row-level security the
planner would leave the index aside. **Identity** of a result: the profile. **Units**: times aware UTC.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from profiles.search_words import search_query
from profiles.snapshot import shown_name
from shared.database import Connection
from shared.errors import Unprocessable
from shared.ids import ProfileId, WorkspaceId

_ROUNDS_MAX: Final = 20
_FIND: Final = """
select f.id, f.changed_at, p.version, p.effective,
       (select jsonb_agg(jsonb_build_array(h.assurance, h.name, h.kind, h.value) order by h.first_seen_at, h.id)
        from santral.handle h where h.workspace_id = $1 and h.profile_id = f.id) as handles
from santral.profile_search($2, $3, $4, $5, $6) f
join santral.profile p on p.workspace_id = $1 and p.id = f.id
order by f.changed_at desc, f.id desc
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A person who was found, as much as tells them apart."""

    id: ProfileId
    version: int
    name: str
    handles: tuple[Mapping[str, str], ...]
    attributes: Mapping[str, Any]
    changed_at: datetime


async def search(
    connection: Connection, workspace_id: WorkspaceId, text: str, *, attributes: Mapping[str, Any] | None = None,
    seen_of: Callable[[Sequence[UUID]], Awaitable[Collection[UUID]]] | None = None, before: tuple[datetime, UUID] | None = None, limit: int = 50,
) -> list[Found]:  # fmt: skip
    """People of whom every word typed begins one of theirs and every attribute given is theirs; or a note says it.

    The transaction has the workspace set. ``seen_of`` says which of some people the caller may see; None: all. Raises `Unprocessable`
    when nothing that can be searched was given.
    """
    words = search_query(text, attributes)
    if not words:
        raise Unprocessable("nothing to search for", field="text", remedy="a name, a handle, a word, or an attribute")
    notes = "" if attributes else text
    found: list[Found] = []
    for _ in range(_ROUNDS_MAX):
        before_at, before_id = before or (None, None)
        rows = await connection.fetch(_FIND, workspace_id, words, notes, before_at, before_id, limit)
        seen = None if seen_of is None else await seen_of([row["id"] for row in rows])
        found += [_found(row) for row in rows if seen is None or row["id"] in seen]
        if len(rows) < limit or len(found) >= limit:
            break
        before = (rows[-1]["changed_at"], rows[-1]["id"])
    return found[:limit]


def _found(row: Any) -> Found:
    handles = row["handles"] or []
    return Found(
        id=row["id"],
        version=row["version"],
        name=shown_name(row["effective"], [(handle[0], handle[1]) for handle in handles]),
        handles=tuple({"kind": handle[2], "value": handle[3], "assurance": handle[0]} for handle in handles),
        attributes={name: kept["value"] for name, kept in row["effective"].items()},
        changed_at=row["changed_at"],
    )
