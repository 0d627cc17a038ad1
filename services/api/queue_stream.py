"""A queue as a socket shows it: a snapshot of who waits, then the absolute state of each item that changed.

States carry versions, so a client that sees two of one item keeps the higher; a reconnect takes a new snapshot. Only the head of a
long queue is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from router.views.desk import queue_snapshot
from shared.database import Connection

_GONE: Final = "select id, state, version from santral.work_item where workspace_id = $1 and id = any($2)"


class QueueStream:
    """What one socket has shown of one queue."""

    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._shown: dict[UUID, int] = {}

    def begin(self, items: Sequence[Mapping[str, Any]]) -> None:
        """The snapshot that was sent."""
        self._shown = {item["id"]: item["version"] for item in items}

    async def changes(self, connection: Connection, workspace_id: UUID) -> list[dict[str, Any]]:
        """The items that came, changed or left since; they count as shown from now on."""
        items = await queue_snapshot(connection, workspace_id, self._queue)
        now = {item["id"]: item["version"] for item in items}
        changed = [dict(item) for item in items if self._shown.get(item["id"]) != item["version"]]
        left = [one for one in self._shown if one not in now]
        if left:
            rows = await connection.fetch(_GONE, workspace_id, left)
            changed.extend({"id": row["id"], "state": row["state"], "version": row["version"]} for row in rows)
        self._shown = now
        return changed
