"""A profile's versions: what changed with each, and by which link, fact or statement. Newest first.

The first version is the beginning and has no row. A profile that was merged away keeps its own versions; they go on after an un-merge.
**Identity**: profile and version. **Units**: times aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.database import Connection
from shared.ids import ProfileId, WorkspaceId

_VERSIONS: Final = """
select version, what, cause, at from santral.profile_change
where workspace_id = $1 and profile_id = $2 and ($3::bigint is null or version < $3) order by version desc limit $4
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """``what``: types of events, ids, names of attributes. ``cause``: who, and by which evidence."""

    version: int
    what: Mapping[str, Any]
    cause: Mapping[str, Any]
    at: datetime


async def versions_of(
    connection: Connection, workspace_id: WorkspaceId, profile_id: ProfileId, *, before: int | None = None, limit: int = 50
) -> list[Version]:
    """The versions after the first one of exactly this profile; nothing for one that never changed."""
    rows = await connection.fetch(_VERSIONS, workspace_id, profile_id, before, limit)
    return [Version(**dict(row)) for row in rows]
