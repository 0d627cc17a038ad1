"""What people of the workspace write down about a person.

A note stays with the handle it was written at, so an un-merge gives it back to whom it was written about. **Identity**: the note's id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from shared.database import Connection
from shared.errors import NotFound
from shared.ids import HandleId, WorkspaceId, new_id

_WRITE: Final = """
insert into santral.note (workspace_id, id, handle_id, text, actor)
select h.workspace_id, $3, h.id, $4, $5 from santral.handle h where h.workspace_id = $1 and h.id = $2
returning id, handle_id, text, actor, written_at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A note as it was written."""

    id: UUID
    handle_id: HandleId
    text: str
    actor: str
    written_at: datetime


async def write_note(connection: Connection, workspace_id: WorkspaceId, any_id: UUID, text: str, *, actor: str) -> Note:
    """Keeps a note about the person of this profile or handle; twice is two notes. Raises `NotFound`."""
    row = await connection.fetchrow(_WRITE, workspace_id, any_id, new_id(), text, actor)
    if row is None:
        raise NotFound("no such profile", field="id", remedy="any id of a profile or a handle of this workspace")
    return Note(**dict(row))
