"""The names of agents behind the actors that rows keep (`agent:<id>`), so that a page need not know every agent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from shared.database import Connection

_NAMES: Final = "select id, name from santral.agent where workspace_id = $1 and id = any($2::uuid[])"
_AGENT: Final = "agent:"


async def actor_names(connection: Connection, workspace_id: UUID, actors: Iterable[Any]) -> dict[str, str]:
    """actor → name, of those that are agents of the workspace still; others are left out."""
    ids = []
    for actor in {one for one in actors if isinstance(one, str) and one.startswith(_AGENT)}:
        try:
            ids.append(UUID(actor.removeprefix(_AGENT)))
        except ValueError:
            continue  # written by another system in our form; nobody we could name
    rows = await connection.fetch(_NAMES, workspace_id, ids) if ids else []
    return {f"{_AGENT}{row['id']}": row["name"] for row in rows}
